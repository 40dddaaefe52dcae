//! Asks a git remote for its references, through the `git` command: it has the user's configuration (`insteadOf`,
//! proxies) and credentials.

use std::time::Duration;

use crate::exec::Exec;
use crate::version::Version;

/// How long a remote may take to answer.
const LIMIT: Duration = Duration::from_mins(1);

/// A remote's answer about a tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RemoteTag {
    /// The id of the commit that the tag leads to; `None` when the remote lacks the tag.
    At(Option<String>),
    /// The remote does not answer, or not with references; why.
    Unknown(String),
}

/// A reference of a remote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RemoteRef {
    /// In full; with `^{}` at its end for what an annotated tag leads to.
    pub(crate) name: String,
    pub(crate) id: String,
}

/// Asks a remote for the tag of a version. Fails only when git cannot be started.
pub fn remote_tag(exec: &Exec, remote: &str, version: &Version) -> anyhow::Result<RemoteTag> {
    let name = format!("refs/tags/v{version}");
    let peeled = format!("{name}^{{}}");
    Ok(match ask(exec, remote, &[name, peeled])? {
        Ok(found) => RemoteTag::At(commit(&found).map(str::to_owned)),
        Err(why) => RemoteTag::Unknown(why),
    })
}

/// The references of the remote that fit one of `patterns`; or why it does not answer. Fails only when git
/// cannot be started.
pub(crate) fn ask(
    exec: &Exec,
    remote: &str,
    patterns: &[String],
) -> anyhow::Result<Result<Vec<RemoteRef>, String>> {
    exec.set_var("GIT_TERMINAL_PROMPT", "0");
    let patterns = patterns.iter().map(String::as_str);
    let args: Vec<&str> = ["ls-remote", remote].into_iter().chain(patterns).collect();
    let output = exec.within("git", &args, LIMIT)?;
    if output.success() {
        return Ok(Ok(parse(&String::from_utf8_lossy(&output.stdout))));
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    let silence = if output.status.is_none() {
        "it does not answer"
    } else {
        "no reason given"
    };
    let why = stderr.trim().lines().next().unwrap_or(silence);
    Ok(Err(why.to_owned()))
}

/// What `git ls-remote` prints: an id, a tab and a name on a line. A line of another form is left out.
fn parse(text: &str) -> Vec<RemoteRef> {
    let lines = text.lines().filter_map(|line| line.split_once('\t'));
    let is_id =
        |id: &str| [40, 64].contains(&id.len()) && id.bytes().all(|c| c.is_ascii_hexdigit());
    lines
        .filter(|(id, name)| is_id(id) && name.starts_with("refs/"))
        .map(|(id, name)| RemoteRef {
            name: name.to_owned(),
            id: id.to_owned(),
        })
        .collect()
}

/// The commit of the only tag among `found`: an annotated one has another reference, with what it leads to.
fn commit(found: &[RemoteRef]) -> Option<&str> {
    found.last().map(|found| &*found.id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_annotated_tag_is_followed_to_its_commit() {
        let (tag, id) = ("a".repeat(40), "c".repeat(40));
        let of = |text: &str| commit(&parse(text)).map(str::to_owned);
        let plain = format!("{id}\trefs/tags/v1.2.3\n");
        assert_eq!(of(&plain).as_ref(), Some(&id));
        let annotated = format!("{tag}\trefs/tags/v1.2.3\n{id}\trefs/tags/v1.2.3^{{}}\n");
        assert_eq!(of(&annotated).as_ref(), Some(&id));
        for nothing in ["", "main\trefs/tags/v1.2.3\n", "warning: redirecting\n"] {
            assert_eq!(of(nothing), None, "{nothing}");
        }
    }
}
