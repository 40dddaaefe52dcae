//! GitHub: what Actions says of the commit, the step outputs and summary that it reads, and `gh`.

mod event;
pub(crate) mod gh;
pub mod markdown;

use std::fs::OpenOptions;
use std::io::Write as _;

use anyhow::Context as _;

pub(crate) use self::event::Origin;
use crate::exec::Exec;
use crate::git::Head;
use crate::{printable, say};

/// What CI says of the commit that it builds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ci {
    /// `GITHUB_EVENT_NAME`.
    pub(crate) event: Option<String>,
    /// `GITHUB_REF`.
    pub(crate) git_ref: Option<String>,
    /// `GITHUB_SHA`.
    pub(crate) sha: Option<String>,
    /// Where the pull request comes from; none when the event is not one of a pull request.
    pub(crate) origin: Option<Origin>,
}

impl Ci {
    /// `None` outside CI.
    pub(crate) fn of(exec: &Exec) -> Option<Ci> {
        let is_set = |name: &str| exec.var(name).is_some_and(|value| value != "false");
        (is_set("CI") || is_set("GITHUB_ACTIONS")).then(|| {
            let mut ci = Ci {
                event: exec.var("GITHUB_EVENT_NAME"),
                git_ref: exec.var("GITHUB_REF"),
                sha: exec.var("GITHUB_SHA"),
                origin: None,
            };
            ci.origin = ci.is_of_pull_request().then(|| event::origin(exec));
            ci
        })
    }

    /// Whether the event is one of a pull request, of which there are several
    /// (`pull_request_target`, …).
    pub(crate) fn is_of_pull_request(&self) -> bool {
        let event = self.event.as_deref().unwrap_or_default();
        event.starts_with("pull_request")
    }

    /// Whether CI's variables describe HEAD: a job may have checked out another commit.
    pub(crate) fn is_at(&self, head: &Head) -> bool {
        self.sha.as_ref().is_none_or(|sha| *sha == head.revision)
    }

    /// The number of the pull request whose merge with its base is built.
    pub(crate) fn pull_request(&self) -> Option<u64> {
        let number = self.git_ref.as_deref()?.strip_prefix("refs/pull/")?;
        number.strip_suffix("/merge")?.parse().ok()
    }

    /// The branch that is built; `None` for a pull request, whose branch may have any name.
    pub(crate) fn branch<'a>(&'a self, head: &'a Head) -> Option<&'a str> {
        if self.is_of_pull_request() || self.pull_request().is_some() {
            return None;
        }
        // CI often leaves HEAD detached, at the commit of the branch that it names.
        let named = || self.git_ref.as_deref()?.strip_prefix("refs/heads/");
        head.branch
            .as_deref()
            .or_else(|| named().filter(|_| self.is_at(head)))
    }
}

/// A part of the log that GitHub Actions folds. Does nothing elsewhere.
pub(crate) struct Group(bool);

impl Group {
    pub(crate) fn start(exec: &Exec, name: &str) -> Group {
        let is_there = exec
            .var("GITHUB_ACTIONS")
            .is_some_and(|value| value == "true");
        if is_there {
            say::workflow_command("group", name);
        }
        Group(is_there)
    }

    pub(crate) fn end(self) {
        if self.0 {
            say::workflow_command("endgroup", "");
        }
    }
}

/// Appends `outputs` to the file that `GITHUB_OUTPUT` names.
pub fn write_outputs(exec: &Exec, outputs: &[(&str, String)]) -> anyhow::Result<()> {
    let text: String = outputs
        .iter()
        .map(|(name, value)| output(name, value))
        .collect();
    append(exec, "GITHUB_OUTPUT", &text)
}

/// Appends Markdown, without what a terminal obeys, to the file that `GITHUB_STEP_SUMMARY` names.
pub fn write_summary(exec: &Exec, markdown: &str) -> anyhow::Result<()> {
    append(exec, "GITHUB_STEP_SUMMARY", &printable::text(markdown))
}

/// Whether somebody reads a step summary.
pub(crate) fn has_summary(exec: &Exec) -> bool {
    exec.var("GITHUB_STEP_SUMMARY").is_some()
}

fn append(exec: &Exec, variable: &str, text: &str) -> anyhow::Result<()> {
    let Some(path) = exec.var(variable) else {
        return Ok(());
    };
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(&path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .with_context(|| format!("failed to append to `{path}` (from {variable})"))
}

/// One output in the heredoc form, which is safe for values of several lines. The delimiter
/// grows until no line of the value equals it, so that a value cannot end its own block.
fn output(name: &str, value: &str) -> String {
    let mut delimiter = String::from("EOF");
    while value.split(['\n', '\r']).any(|line| line == delimiter) {
        delimiter.push('_');
    }
    format!("{name}<<{delimiter}\n{value}\n{delimiter}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_cannot_end_its_own_block() {
        assert_eq!(output("digest", "sha256:0"), "digest<<EOF\nsha256:0\nEOF\n");
        assert_eq!(
            output("x", "a\nEOF\nevil=1\nEOF_"),
            "x<<EOF__\na\nEOF\nevil=1\nEOF_\nEOF__\n"
        );
        assert_eq!(output("x", "a\rEOF\rb"), "x<<EOF_\na\rEOF\rb\nEOF_\n");
    }
}
