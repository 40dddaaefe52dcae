//! The table of `--check`: what is pinned, what is the newest, and what a rebuild would change.

use serde::Serialize;

use crate::day::days;
use crate::{printable, report};

/// The columns.
pub(super) const HEAD: [&str; 5] = ["what", "pinned", "newest", "age", "a rebuild changes"];

const NOT_KNOWN: &str = "not known";

/// One thing that an image is made of.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Row {
    pub(super) what: String,
    pub(super) pinned: String,
    /// None where the registry cannot be asked.
    pub(super) newest: Option<String>,
    /// Of what is pinned; of what a build takes now, where nothing exact is.
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
    /// What is pinned, before anybody is asked.
    pub(super) fn unknown(what: impl Into<String>, pinned: impl Into<String>) -> Row {
        Row {
            what: what.into(),
            pinned: pinned.into(),
            newest: None,
            age_days: None,
            is_behind: None,
            changes: NOT_KNOWN.to_owned(),
            notes: Vec::new(),
            remedy: None,
        }
    }

    /// The same when nothing is newer.
    pub(super) fn current(mut self) -> Row {
        self.is_behind = Some(false);
        self.changes = "nothing: it is current".into();
        self
    }

    /// The cells of its line, in the order of [`HEAD`].
    pub(super) fn cells(&self) -> [String; 5] {
        let not_known = || NOT_KNOWN.to_owned();
        [
            self.what.clone(),
            self.pinned.clone(),
            self.newest.clone().unwrap_or_else(not_known),
            self.age_days.map_or_else(not_known, days),
            self.changes.clone(),
        ]
    }

    /// The line of each note, without its end.
    pub(super) fn note_lines(&self) -> impl Iterator<Item = String> {
        let line = |note| printable::line(&format!("note: {}: {note}", self.what));
        self.notes.iter().map(line)
    }

    pub(super) fn with_note(mut self, note: impl Into<String>) -> Row {
        self.notes.push(note.into());
        self
    }
}

/// The rows for people.
pub(super) fn text(rows: &[Row]) -> String {
    let head = HEAD.map(str::to_owned);
    let lines = [head].into_iter().chain(rows.iter().map(Row::cells));
    let mut text = report::columns(&lines.collect::<Vec<_>>());
    for line in rows.iter().flat_map(Row::note_lines) {
        text.extend([&*line, "\n"]);
    }
    text
}
