//! How the status is printed for people.

use std::fmt::Write as _;

use super::ReleaseStatus;
use super::row::VersionRow;
use crate::attested::Believed;
use crate::oci::Digest;
use crate::{printable, report};

const HEADINGS: [&str; 6] = [
    "version",
    "digest",
    "platforms",
    "state",
    "proven",
    "latest",
];

impl ReleaseStatus {
    /// The table, and below it what does not fit into a cell, a line each.
    pub(super) fn text(&self, is_named: bool) -> String {
        let mut rows = vec![HEADINGS.map(str::to_owned)];
        rows.extend(self.versions.iter().map(|row| self.cells(row)));
        let mut text = String::new();
        if is_named {
            line(&mut text, &self.repository.to_string());
        }
        text.push_str(&report::columns(&rows));
        for row in &self.versions {
            for note in &row.notes {
                line(&mut text, &format!("v{}: {note}", row.version));
            }
        }
        match &self.latest {
            None => line(&mut text, "`latest` is absent"),
            Some(latest) if !self.versions.iter().any(|row| row.is_latest) => {
                let note = format!("`latest` is {latest}, which is not one of these versions");
                line(&mut text, &note);
            }
            Some(_) => {}
        }
        match &self.proofs {
            Believed::Judged => {}
            Believed::Nobody => line(
                &mut text,
                "nobody's proof is believed, and records are as they are: there are no `proof` settings; \
                 hint: docs/proof.md has the lines to paste",
            ),
            Believed::Unknown(refusal) => {
                let (why, remedy) = (&refusal.why, &refusal.remedy);
                let note = format!("state and proofs are unknown: {why}; hint: {remedy}");
                line(&mut text, &note);
            }
        }
        text
    }

    fn cells(&self, row: &VersionRow) -> [String; 6] {
        let mut version = format!("v{}", row.version);
        if row.revision.is_none() {
            version.push_str(" (no git tag)");
        }
        let platforms: Vec<&str> = row.platforms.iter().map(|one| &*one.platform).collect();
        let proven = match &self.proofs {
            _ if row.digest.is_none() => String::new(),
            Believed::Judged => row.proven(),
            Believed::Nobody => "no settings".to_owned(),
            Believed::Unknown(_) => "unknown".to_owned(),
        };
        let digest = row.digest.as_ref().map(Digest::short);
        [
            version,
            digest.unwrap_or("not published").to_owned(),
            platforms.join(", "),
            row.state.as_str().to_owned(),
            proven,
            if row.is_latest { "latest" } else { "" }.to_owned(),
        ]
    }
}

fn line(text: &mut String, line: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{}", printable::line(line));
}
