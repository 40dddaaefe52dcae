//! Prints a tag set for people, for programs and for GitHub Actions.

use std::fmt::Write as _;

use anstyle::Style;

use super::set::TagSet;
use crate::exec::Exec;
use crate::github::markdown::{code, table, text};
use crate::printable::Printable;
use crate::say;
use crate::{github, report};

/// How many entries of a long list are printed.
const SHOWN: usize = 5;

impl TagSet {
    pub(super) fn print_json(&self) -> anyhow::Result<()> {
        report::print_json(self)
    }

    /// Prints the references, one a line, and on stderr what is left out.
    pub(super) fn print_plain(&self) {
        for reference in self.references() {
            crate::say::outln!("{reference}");
        }
        for tag in self.tags.iter().filter(|tag| tag.is_conditional) {
            crate::say::errln!(
                "note: `{}` is left out: {}; hint: `--published` asks the registry",
                tag.name,
                tag.why
            );
        }
    }

    pub(super) fn print_table(&self) {
        say::styled_out(&self.table());
    }

    fn table(&self) -> String {
        let mut text = report::table(&self.about());
        let heading = ["tag", "applied by", "why", "reference"].map(str::to_owned);
        let rows = self.tags.iter().map(|tag| {
            let by = tag.applied_by.as_str().to_owned();
            [tag.name.clone(), by, tag.why.clone(), tag.reference.clone()]
        });
        let rows: Vec<[String; 4]> = std::iter::once(heading).chain(rows).collect();
        section(&mut text, None, report::columns(&rows).lines());
        let withheld = self.withheld.iter().flat_map(|withheld| {
            let refused = if withheld.is_refused {
                " (refused)"
            } else {
                ""
            };
            [
                format!("{}{refused}: {}", withheld.name, withheld.reason.why),
                format!("  hint: {}", withheld.reason.remedy),
            ]
        });
        section(&mut text, Some("not given"), withheld);
        let near_misses = self.near_misses.iter();
        let near_misses = near_misses.map(|(name, why)| format!("{name}: {why}"));
        let title = "git tags that look like versions but are not";
        let near_misses = shortened(near_misses.collect());
        section(&mut text, Some(title), near_misses.iter());
        section(&mut text, Some("notes"), self.notes.iter());
        text
    }

    /// What the tags depend on.
    fn about(&self) -> Vec<(&'static str, String)> {
        let branch = match (&self.branch, &self.default_branch) {
            (Some(branch), Some(default)) if branch == default => {
                format!("{branch} (the default branch)")
            }
            (Some(branch), Some(default)) => format!("{branch} (the default branch is {default})"),
            (Some(branch), None) => format!("{branch} (no default branch is known)"),
            (None, _) => "none: HEAD is detached".to_owned(),
        };
        let tree = if self.dirty.is_empty() {
            "clean".to_owned()
        } else {
            format!("dirty: {}", shortened(self.dirty.clone()).join(", "))
        };
        let version = self.version.as_ref();
        let version = version.map_or_else(|| "none".to_owned(), ToString::to_string);
        let mut rows = vec![
            ("revision", self.revision.clone()),
            ("created", self.created.clone()),
            ("branch", branch),
            ("tree", tree),
            ("version", version),
        ];
        rows.extend(self.source.clone().map(|source| ("source", source)));
        rows
    }

    /// Writes the step outputs and the step summary, in GitHub Actions.
    pub(super) fn write_github(&self, exec: &Exec) -> anyhow::Result<()> {
        let sha = self.tags.iter().find(|tag| tag.name.starts_with("sha-"));
        let labels: Vec<String> = self
            .labels
            .iter()
            .map(|(k, v)| format!("{k}={v}"))
            .collect();
        let outputs = [
            ("tags", self.references().join("\n")),
            (
                "sha-tag",
                sha.map(|tag| tag.name.clone()).unwrap_or_default(),
            ),
            (
                "version",
                self.version
                    .as_ref()
                    .map(ToString::to_string)
                    .unwrap_or_default(),
            ),
            ("revision", self.revision.clone()),
            ("created", self.created.clone()),
            (
                "prerelease",
                self.prerelease.unwrap_or_default().to_string(),
            ),
            ("labels", labels.join("\n")),
        ];
        github::write_outputs(exec, &outputs)?;
        github::write_summary(exec, &self.markdown())
    }

    fn markdown(&self) -> String {
        let given = self.tags.iter().map(|tag| {
            let by = tag.applied_by.as_str().to_owned();
            [code(&tag.reference), by, text(&tag.why)]
        });
        let withheld = self.withheld.iter().map(|withheld| {
            let reason = &withheld.reason;
            let why = format!("{}; {}", text(&reason.why), text(&reason.remedy));
            [text(&withheld.name), "not given".to_owned(), why]
        });
        let rows: Vec<_> = given.chain(withheld).collect();
        let table = table(["tag", "applied by", "why"], &rows);
        format!("### Tags of {}\n\n{table}", code(&self.revision))
    }
}

/// Appends a block with a blank line before it, unless it is empty.
fn section(
    text: &mut String,
    title: Option<&str>,
    lines: impl Iterator<Item = impl std::fmt::Display>,
) {
    let mut lines = lines.peekable();
    if lines.peek().is_none() {
        return;
    }
    text.push('\n');
    let bold = Style::new().bold();
    let mut indent = "";
    if let Some(title) = title {
        let _ = writeln!(text, "{bold}{title}{bold:#}");
        indent = "  ";
    }
    for line in lines {
        let _ = writeln!(text, "{indent}{}", Printable(line));
    }
}

fn shortened(mut all: Vec<String>) -> Vec<String> {
    let more = all.len().saturating_sub(SHOWN);
    if more > 0 {
        all.truncate(SHOWN);
        all.push(format!("… and {more} more (`--json` has all)"));
    }
    all
}
