//! The table of `--check`: what is pinned, what is the newest, and what a rebuild would change.

use serde::Serialize;

use super::plan::Plan;
use super::versions::days;
use crate::base::Base;
use crate::oci::Digest;
use crate::report;

/// One thing that an image is made of.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    pub(super) what: &'static str,
    pub(super) pinned: String,
    pub(super) newest: Option<String>,
    /// Of what is pinned.
    pub(super) age_days: Option<u64>,
    pub(super) state: State,
    /// What a rebuild with the newest would change.
    pub(super) changes: Option<String>,
    pub(super) notes: Vec<String>,
    /// What moves it, when it is behind.
    pub(super) remedy: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum State {
    Current,
    Behind,
    /// It names no exact content, so each build takes what is newest.
    NotPinned,
    /// The registry could not be asked.
    Unknown,
}

impl Row {
    /// Claude Code; `plan` is why it is not known, when npm could not be asked.
    pub(super) fn claude(pinned: String, plan: Result<&Plan, String>) -> Row {
        let what = "Claude Code";
        let plan = match plan {
            Ok(plan) => plan,
            Err(why) => return Row::unknown(what, pinned, why),
        };
        let is_behind = !plan.is_current();
        Row {
            what,
            pinned,
            newest: Some(plan.to.to_string()),
            age_days: plan.from_age_days,
            state: if is_behind {
                State::Behind
            } else {
                State::Current
            },
            changes: is_behind.then(|| plan.changes()),
            notes: plan.remarks(),
            remedy: is_behind.then(|| "`cargo xtask update claude`".to_owned()),
        }
    }

    /// The base image; `newest` is the digest that its tag leads to in its registry.
    pub(super) fn base(base: &Base, newest: Result<Digest, String>) -> Row {
        let what = "base image";
        let node = base.node().ok().and_then(|node| node.end());
        let ended = node.map(|end| format!("{}; hint: {}", end.why, end.remedy));
        let pinned = base.reference.split_once('@').map(|(_, digest)| digest);
        let name = base.name().to_owned();
        let mut row = match newest {
            Err(why) => Row::unknown(what, name, why),
            Ok(newest) => {
                let state = match pinned {
                    Some(pinned) if pinned == newest.as_str() => State::Current,
                    Some(_) => State::Behind,
                    None => State::NotPinned,
                };
                let is_behind = state == State::Behind;
                let remedy = || format!("write `FROM {name}@{newest}` into the Dockerfile");
                let mut notes = Vec::new();
                if state == State::NotPinned {
                    notes.push(
                        "its tag is not pinned by a digest: each build may take another image"
                            .to_owned(),
                    );
                }
                Row {
                    what,
                    remedy: is_behind.then(remedy),
                    newest: Some(newest.short().to_owned()),
                    age_days: None,
                    state,
                    changes: is_behind
                        .then(|| "every layer but Claude Code, settings and entrypoint".to_owned()),
                    notes,
                    pinned: pinned.map_or(name, |digest| short(digest).to_owned()),
                }
            }
        };
        row.notes.extend(ended);
        row
    }

    fn unknown(what: &'static str, pinned: String, why: String) -> Row {
        Row {
            what,
            pinned,
            newest: None,
            age_days: None,
            state: State::Unknown,
            changes: None,
            notes: vec![format!("it could not be asked: {why}")],
            remedy: None,
        }
    }
}

fn short(digest: &str) -> &str {
    let hex = digest.strip_prefix("sha256:").unwrap_or(digest);
    hex.get(..12).unwrap_or(hex)
}

/// The rows for people.
pub(super) fn text(rows: &[Row]) -> String {
    let head = ["what", "pinned", "newest", "age", "a rebuild changes"].map(str::to_owned);
    let cells = rows.iter().map(|row| {
        let state = match row.state {
            State::Current => "nothing: it is current",
            State::NotPinned => "not known: it is not pinned",
            State::Behind | State::Unknown => "not known",
        };
        [
            row.what.to_owned(),
            row.pinned.clone(),
            row.newest.clone().unwrap_or_else(|| "unknown".to_owned()),
            row.age_days.map_or("unknown".to_owned(), days),
            row.changes.clone().unwrap_or_else(|| state.to_owned()),
        ]
    });
    let mut text = report::columns(&[head].into_iter().chain(cells).collect::<Vec<_>>());
    for row in rows {
        for note in &row.notes {
            text += &format!("note: {}: {}\n", row.what, crate::printable::line(note));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_is_behind_only_when_it_is_pinned() {
        let [one, other] = ["1", "2"].map(|digit| format!("sha256:{}", digit.repeat(64)));
        let newest = |text: &str| Ok(text.parse::<Digest>().unwrap());
        for (pin, found, state, pinned) in [
            (
                String::new(),
                newest(&one),
                State::NotPinned,
                "node:22-alpine",
            ),
            (
                format!("@{one}"),
                newest(&one),
                State::Current,
                "111111111111",
            ),
            (
                format!("@{one}"),
                newest(&other),
                State::Behind,
                "111111111111",
            ),
            (
                format!("@{one}"),
                Err("no route".to_owned()),
                State::Unknown,
                "node:22-alpine",
            ),
        ] {
            let base = Base {
                reference: format!("node:22-alpine{pin}"),
            };
            let row = Row::base(&base, found);
            assert_eq!((row.state, &*row.pinned), (state, pinned));
            assert_eq!(row.remedy.is_some(), state == State::Behind, "{row:?}");
            let notes = row.notes.concat();
            assert_eq!(
                notes.contains("no route"),
                state == State::Unknown,
                "{notes}"
            );
            assert!(!notes.contains("gets no fixes"), "{notes}");
        }
        let base = Base {
            reference: "node:20-alpine".to_owned(),
        };
        let row = Row::base(&base, Err("no route".to_owned()));
        assert!(
            row.notes[1].starts_with("Node.js 20 gets no fixes since 2026-04-21"),
            "{row:?}"
        );
    }
}
