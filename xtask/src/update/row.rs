//! The table of `--check`: what is pinned, what is the newest, and what a rebuild would change.

use serde::Serialize;

use super::plan::Plan;
use super::versions::days;
use crate::base::Base;
use crate::oci::Digest;
use crate::{printable, report};

/// One thing that an image is made of.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    pub(super) what: &'static str,
    pub(super) pinned: String,
    /// None where the registry cannot be asked.
    pub(super) newest: Option<String>,
    /// Of what is pinned.
    pub(super) age_days: Option<u64>,
    /// None where it is not known, also because nothing exact is pinned.
    pub(super) is_behind: Option<bool>,
    /// What a rebuild with the newest would change.
    pub(super) changes: String,
    pub(super) notes: Vec<String>,
    /// What moves it, when it is behind.
    pub(super) remedy: Option<String>,
}

impl Row {
    /// `plan` is the reason when npm cannot be asked.
    pub(super) fn claude(pinned: String, plan: Result<&Plan, String>) -> Row {
        let row = Row::unknown("Claude Code", pinned);
        match plan {
            Err(why) => row.with_note(format!("npm could not be asked: {why}")),
            Ok(plan) => Row {
                newest: Some(plan.to.to_string()),
                age_days: plan.from_age_days,
                is_behind: Some(!plan.is_current()),
                changes: plan.changes.clone(),
                notes: plan.remarks(),
                remedy: (!plan.is_current()).then(|| "`cargo xtask update claude`".to_owned()),
                ..row
            },
        }
    }

    /// `newest` is the digest that the base's tag leads to now, or why that is not known.
    pub(super) fn base(base: &Base, newest: Result<Digest, String>) -> Row {
        let name = base.name().to_owned();
        let pinned = base.digest();
        let mut row = Row::unknown("base image", base.reference.clone());
        match newest {
            Err(why) => row = row.with_note(format!("its registry could not be asked: {why}")),
            Ok(newest) => {
                row.is_behind = pinned.map(|pinned| *pinned != newest);
                if row.is_behind == Some(true) {
                    row.changes = "every layer but Claude Code, settings and entrypoint".into();
                    row.remedy = Some(format!("write `{name}@{newest}` into the Dockerfile"));
                } else if row.is_behind == Some(false) {
                    row.changes = "nothing: it is current".into();
                } else {
                    row.notes
                        .push("no digest is pinned: each build may take another image".to_owned());
                }
                row.newest = Some(newest.short().to_owned());
            }
        }
        let end = base.node().ok().and_then(|node| node.end());
        row.notes
            .extend(end.map(|end| format!("{}; hint: {}", end.why, end.remedy)));
        row
    }

    fn unknown(what: &'static str, pinned: String) -> Row {
        Row {
            what,
            pinned,
            newest: None,
            age_days: None,
            is_behind: None,
            changes: "not known".to_owned(),
            notes: Vec::new(),
            remedy: None,
        }
    }

    fn with_note(mut self, note: String) -> Row {
        self.notes.push(note);
        self
    }
}

/// The rows for people.
pub(super) fn text(rows: &[Row]) -> String {
    let unknown = || "unknown".to_owned();
    let cells = rows.iter().map(|row| {
        let newest = row.newest.clone().unwrap_or_else(unknown);
        let age = row.age_days.map_or_else(unknown, days);
        [
            row.what.to_owned(),
            row.pinned.clone(),
            newest,
            age,
            row.changes.clone(),
        ]
    });
    let head = ["what", "pinned", "newest", "age", "a rebuild changes"].map(str::to_owned);
    let mut text = report::columns(&[head].into_iter().chain(cells).collect::<Vec<_>>());
    for row in rows {
        for note in &row.notes {
            text.extend(["note: ", row.what, ": ", &printable::line(note), "\n"]);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_is_behind_only_when_its_digest_is_pinned() {
        let [one, other] = ["1", "2"].map(|digit| format!("sha256:{}", digit.repeat(64)));
        let newest = |text: &str| Ok(text.parse().unwrap());
        for (pin, found, is_behind, note) in [
            (String::new(), newest(&one), None, "no digest is pinned"),
            (format!("@{one}"), newest(&one), Some(false), ""),
            (format!("@{one}"), newest(&other), Some(true), ""),
            (
                format!("@{one}"),
                Err("no route".to_owned()),
                None,
                "could not be asked: no route",
            ),
        ] {
            let reference = format!("node:22-alpine{pin}");
            let row = Row::base(&Base::parse(&reference).unwrap(), found);
            assert_eq!(
                (row.is_behind, row.remedy.is_some()),
                (is_behind, is_behind == Some(true))
            );
            assert!(row.notes.concat().contains(note), "{row:?}");
            assert!(!row.notes.concat().contains("gets no fixes"), "{row:?}");
        }
        let base = Base::parse("node:20-alpine").unwrap();
        let row = Row::base(&base, Err("no route".to_owned()));
        assert!(
            row.notes[1].starts_with("Node.js 20 gets no fixes since 2026-04-21"),
            "{row:?}"
        );
    }
}
