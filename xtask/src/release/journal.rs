//! What a release did, written before and after each step: `target/xtask/release/vX.Y.Z.json`.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use crate::oci::Digest;
use crate::report;

/// Every step of every run of one version's release, the first first.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Journal {
    schema: u32,
    version: String,
    /// The full commit id.
    revision: String,
    entries: Vec<Entry>,
    #[serde(skip)]
    path: PathBuf,
}

/// A tag that was given, or was about to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    /// RFC 3339, in UTC.
    time: String,
    /// With the repository.
    reference: String,
    /// What the tag led to; none where there was no such tag.
    before: Option<Digest>,
    after: Digest,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum State {
    /// It was to be written next; whether it was is not known.
    Begun,
    /// It was written and read back.
    Done,
}

impl Journal {
    /// The journal of a version in `folder`, with what earlier runs wrote.
    pub(super) fn open(folder: &Path, version: &str, revision: &str) -> anyhow::Result<Journal> {
        let path = folder.join(format!("v{version}.json"));
        let mut journal = match std::fs::read_to_string(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Journal {
                schema: 1,
                version: version.to_owned(),
                revision: revision.to_owned(),
                entries: Vec::new(),
                path: PathBuf::new(),
            },
            result => {
                let text =
                    result.with_context(|| format!("failed to read `{}`", path.display()))?;
                serde_json::from_str(&text).with_context(|| {
                    format!(
                        "`{}` is no journal of a release; hint: move it out of the way, the \
                         registry says what was done",
                        path.display()
                    )
                })?
            }
        };
        journal.path = path;
        Ok(journal)
    }

    /// Notes that `reference` is about to lead to `after`.
    pub(super) fn begin(
        &mut self,
        reference: &str,
        before: Option<&Digest>,
        after: &Digest,
    ) -> anyhow::Result<()> {
        self.entries.push(Entry {
            time: now(),
            reference: reference.to_owned(),
            before: before.cloned(),
            after: after.clone(),
            state: State::Begun,
        });
        self.write()
    }

    /// Notes that the last step was done.
    pub(super) fn done(&mut self) -> anyhow::Result<()> {
        if let Some(last) = self.entries.last_mut() {
            last.time = now();
            last.state = State::Done;
        }
        self.write()
    }

    /// Writes the file whole or not at all.
    fn write(&self) -> anyhow::Result<()> {
        let failed = || {
            format!(
                "failed to write the journal `{}`; hint: make room on the disk and run this \
                 again, it goes on where it ended",
                self.path.display()
            )
        };
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        report::write_whole(&self.path, &text).with_context(failed)
    }
}

fn now() -> String {
    humantime::format_rfc3339_seconds(SystemTime::now()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_add_to_what_earlier_runs_wrote() {
        let folder = tempfile::tempdir().unwrap();
        let folder = &folder.path().join("release");
        let (old, new) = (Digest::of(b"old"), Digest::of(b"new"));
        let mut journal = Journal::open(folder, "1.2.3", "r").unwrap();
        journal.begin("a:v1.2.3", None, &new).unwrap();
        let mut again = Journal::open(folder, "1.2.3", "r").unwrap();
        assert_eq!(again.entries, journal.entries);
        assert_eq!(again.entries[0].state, State::Begun);
        again.begin("a:latest", Some(&old), &new).unwrap();
        again.done().unwrap();
        let entries = Journal::open(folder, "1.2.3", "r").unwrap().entries;
        let states: Vec<State> = entries.iter().map(|entry| entry.state).collect();
        assert_eq!(states, [State::Begun, State::Done]);
        assert_eq!(entries[1].before, Some(old));
        assert_eq!(std::fs::read_dir(folder).unwrap().count(), 1);
    }

    #[test]
    fn what_cannot_be_read_or_written_is_told() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut journal = Journal::open(&file.path().with_extension("none"), "1.0.0", "r").unwrap();
        journal.path = file.path().join("v1.0.0.json");
        let error = journal
            .begin("a:latest", None, &Digest::of(b""))
            .unwrap_err();
        assert!(
            format!("{error:#}").contains("hint: make room"),
            "{error:#}"
        );
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("v1.0.0.json"), "{").unwrap();
        let error = Journal::open(folder.path(), "1.0.0", "r").unwrap_err();
        assert!(format!("{error:#}").contains("is no journal"), "{error:#}");
    }
}
