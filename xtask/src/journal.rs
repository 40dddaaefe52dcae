//! The journal of releases and rollbacks, written before and after each step:
//! `target/xtask/release/vX.Y.Z.json`.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use crate::oci::Digest;
use crate::report;

/// Every step of every run that pointed a tag at one version, the oldest first.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Journal {
    schema: u32,
    version: String,
    /// The full commit id.
    revision: String,
    entries: Vec<JournalEntry>,
    #[serde(skip)]
    path: PathBuf,
}

/// A tag that was written, or was about to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct JournalEntry {
    /// RFC 3339, in UTC.
    pub(crate) time: String,
    #[serde(default)]
    pub(crate) command: Operation,
    /// With the repository.
    pub(crate) reference: String,
    /// What the tag led to; none when there was no such tag.
    pub(crate) before: Option<Digest>,
    pub(crate) after: Digest,
    pub(crate) state: EntryState,
}

/// Why a tag was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Operation {
    #[default]
    Release,
    Rollback,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum EntryState {
    /// It was to be written next. Whether it was written is unknown.
    Begun,
    /// It was written and read back.
    Done,
}

impl Journal {
    /// The journal of a version in `folder`, with what earlier runs wrote.
    pub(crate) fn open(folder: &Path, version: &str, revision: &str) -> anyhow::Result<Journal> {
        let path = folder.join(format!("v{version}.json"));
        let journal = Journal::read(&path)?;
        Ok(journal.unwrap_or_else(|| Journal {
            schema: 1,
            version: version.to_owned(),
            revision: revision.to_owned(),
            entries: Vec::new(),
            path,
        }))
    }

    /// The journal at `path`; none when there is no such file.
    fn read(path: &Path) -> anyhow::Result<Option<Journal>> {
        let text = match std::fs::read_to_string(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            result => result.with_context(|| format!("failed to read `{}`", path.display()))?,
        };
        let mut journal: Journal = serde_json::from_str(&text).with_context(|| {
            format!(
                "`{}` is not a journal of a release; hint: move it away, the registry says what \
                 was done",
                path.display()
            )
        })?;
        path.clone_into(&mut journal.path);
        Ok(Some(journal))
    }

    /// Records that `reference` is about to lead to `after`.
    pub(crate) fn begin(
        &mut self,
        command: Operation,
        reference: &str,
        before: Option<&Digest>,
        after: &Digest,
    ) -> anyhow::Result<()> {
        self.entries.push(JournalEntry {
            time: now(),
            command,
            reference: reference.to_owned(),
            before: before.cloned(),
            after: after.clone(),
            state: EntryState::Begun,
        });
        self.write()
    }

    /// Records that the last step is done.
    pub(crate) fn done(&mut self) -> anyhow::Result<()> {
        if let Some(last) = self.entries.last_mut() {
            last.time = now();
            last.state = EntryState::Done;
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

/// Every entry of every journal in `folder`, the oldest first.
pub(crate) fn history(folder: &Path) -> anyhow::Result<Vec<JournalEntry>> {
    let failed = || format!("failed to read the folder `{}`", folder.display());
    let files = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        result => result.with_context(failed)?,
    };
    let mut history = Vec::new();
    for file in files {
        let path = file.with_context(failed)?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "json")
            && let Some(journal) = Journal::read(&path)?
        {
            history.extend(journal.entries);
        }
    }
    history.sort_by(|one, other| one.time.cmp(&other.time));
    Ok(history)
}

/// When `reference`, which leads to `latest`, was rolled back from `digest`, if that was the last
/// step on it.
pub(crate) fn rolled_back(
    history: &[JournalEntry],
    reference: &str,
    digest: Option<&Digest>,
    latest: Option<&Digest>,
) -> Option<String> {
    let back = rollback(history, reference, latest)?;
    (back.before.as_ref() == digest).then(|| back.time.clone())
}

/// The last step on `reference`, if it was a rollback and the tag still leads where that put it: to
/// `latest`.
pub(crate) fn rollback<'a>(
    history: &'a [JournalEntry],
    reference: &str,
    latest: Option<&Digest>,
) -> Option<&'a JournalEntry> {
    let last = history.iter().rfind(|entry| entry.reference == reference)?;
    let is_so = last.command == Operation::Rollback && Some(&last.after) == latest;
    is_so.then_some(last)
}

/// What `reference` led to before the release that pointed it at `digest`.
pub(crate) fn before<'a>(
    history: &'a [JournalEntry],
    reference: &str,
    digest: &Digest,
) -> Option<&'a Digest> {
    let gave = |entry: &&JournalEntry| {
        let is_it = entry.reference == reference && entry.after == *digest;
        is_it && entry.command == Operation::Release && entry.before.as_ref() != Some(digest)
    };
    history.iter().rfind(gave)?.before.as_ref()
}

fn now() -> String {
    humantime::format_rfc3339_millis(SystemTime::now()).to_string()
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
        journal
            .begin(Operation::Release, "a:v1.2.3", None, &new)
            .unwrap();
        let mut again = Journal::open(folder, "1.2.3", "r").unwrap();
        assert_eq!(again.entries, journal.entries);
        assert_eq!(again.entries[0].state, EntryState::Begun);
        again
            .begin(Operation::Release, "a:latest", Some(&old), &new)
            .unwrap();
        again.done().unwrap();
        let entries = Journal::open(folder, "1.2.3", "r").unwrap().entries;
        let states: Vec<EntryState> = entries.iter().map(|entry| entry.state).collect();
        assert_eq!(states, [EntryState::Begun, EntryState::Done]);
        assert_eq!(entries[1].before, Some(old));
        assert_eq!(std::fs::read_dir(folder).unwrap().count(), 1);
    }

    #[test]
    fn what_cannot_be_read_or_written_is_an_error() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut journal = Journal::open(&file.path().with_extension("none"), "1.0.0", "r").unwrap();
        journal.path = file.path().join("v1.0.0.json");
        let error = journal
            .begin(Operation::Release, "a:latest", None, &Digest::of(b""))
            .unwrap_err();
        assert!(
            format!("{error:#}").contains("hint: make room"),
            "{error:#}"
        );
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("v1.0.0.json"), "{").unwrap();
        let error = Journal::open(folder.path(), "1.0.0", "r").unwrap_err();
        assert!(
            format!("{error:#}").contains("is not a journal"),
            "{error:#}"
        );
    }

    #[test]
    fn history_is_of_all_journals_and_knows_what_was_rolled_back() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        assert_eq!(history(&folder.join("none")).unwrap(), []);
        let [one, two, three] = ["1", "2", "3"].map(|text| Digest::of(text.as_bytes()));
        let latest = "a:latest";
        let step = |version: &str, command, before: Option<&Digest>, after| {
            let mut journal = Journal::open(folder, version, "r").unwrap();
            journal.begin(command, latest, before, after).unwrap();
            journal.done().unwrap();
            // Times have milliseconds.
            std::thread::sleep(std::time::Duration::from_millis(2));
        };
        step("1.0.0", Operation::Release, None, &one);
        step("2.0.0", Operation::Release, Some(&one), &two);
        let so_far = history(folder).unwrap();
        assert_eq!(before(&so_far, latest, &two), Some(&one));
        assert_eq!(before(&so_far, latest, &one), None);
        assert_eq!(before(&so_far, "b:latest", &two), None);
        let is_rolled_back = |history: &[JournalEntry], digest, at| {
            rolled_back(history, latest, Some(digest), Some(at)).is_some()
        };
        assert!(!is_rolled_back(&so_far, &two, &one));
        // A rollback is in the journal of the version that it leads to.
        step("1.0.0", Operation::Rollback, Some(&two), &one);
        let so_far = history(folder).unwrap();
        assert!(is_rolled_back(&so_far, &two, &one));
        assert!(!is_rolled_back(&so_far, &three, &one));
        assert!(!is_rolled_back(&so_far, &two, &three));
        // A rollback is not a release to go back from.
        assert_eq!(before(&so_far, latest, &one), None);
        step("3.0.0", Operation::Release, Some(&one), &three);
        assert!(!is_rolled_back(&history(folder).unwrap(), &two, &one));
    }
}
