//! Replaces several files, all or none: what a killed run has left is undone by the next.

use std::fs::{self, File, TryLockError};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};

use crate::refusal::Refusal;
use crate::report;
use crate::stop::Stop;

/// A file's text, before and after.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Change {
    /// Relative to the workspace.
    pub(super) path: PathBuf,
    pub(super) old: String,
    pub(super) new: String,
}

/// The right to replace files; one process has it.
pub(super) struct Swap<'a> {
    root: &'a Path,
    /// What is being replaced, while it is.
    journal: PathBuf,
    _lock: File,
}

impl<'a> Swap<'a> {
    /// `folder` is that of the records of updates. Fails when another run has the right.
    pub(super) fn start(root: &'a Path, folder: &Path) -> anyhow::Result<Swap<'a>> {
        let path = folder.join("lock");
        let lock = fs::create_dir_all(folder)
            .and_then(|()| File::create(&path))
            .with_context(|| format!("failed to make the lock `{}`", path.display()))?;
        if let Err(TryLockError::WouldBlock) = lock.try_lock() {
            let why = "another `cargo xtask update` runs in this workspace";
            return Err(Stop::from(Refusal::new(why, "wait for its end")).into());
        }
        Ok(Swap {
            root,
            journal: folder.join("journal.json"),
            _lock: lock,
        })
    }

    /// Undoes what a run that was killed has replaced in part; returns whether there was something to undo.
    ///
    /// Fails when a file is neither as it was before nor as it would have been after.
    pub(super) fn recover(&self) -> anyhow::Result<bool> {
        let text = match fs::read(&self.journal) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
            text => text.with_context(|| format!("failed to read `{}`", self.journal.display()))?,
        };
        let changes: Vec<Change> = serde_json::from_slice(&text)
            .with_context(|| format!("`{}` is broken; hint: delete it", self.journal.display()))?;
        let mut replaced = Vec::new();
        for change in &changes {
            let text = self.read(&change.path)?;
            if text != change.old && text != change.new {
                bail!(
                    "an update was cut off, and `{}` has been changed since; hint: `git checkout -- docker/claude`, \
                     and delete `{}`",
                    change.path.display(),
                    self.journal.display()
                );
            }
            if text == change.new {
                replaced.push(change);
            }
        }
        self.discard(&changes);
        let is_half_way = replaced.len() < changes.len() && !replaced.is_empty();
        if is_half_way {
            for change in &replaced {
                self.prepare(&change.path, &change.old)?;
                self.put(&change.path)?;
            }
        }
        self.done()?;
        Ok(is_half_way)
    }

    /// Replaces every file, or none when it fails.
    pub(super) fn replace(&self, changes: &[Change]) -> anyhow::Result<()> {
        let journal = serde_json::to_string(changes).context("failed to write the journal")?;
        report::write_whole(&self.journal, &journal)
            .with_context(|| format!("failed to write `{}`", self.journal.display()))?;
        // A full disk shows here, where nothing is replaced yet.
        let mut prepared = changes.iter();
        if let Err(error) = prepared.try_for_each(|change| self.prepare(&change.path, &change.new))
        {
            self.discard(changes);
            self.done()?;
            return Err(error);
        }
        let mut put = changes.iter();
        if let Err(error) = put.try_for_each(|change| self.put(&change.path)) {
            self.recover()?;
            return Err(error);
        }
        self.done()
    }

    pub(super) fn read(&self, path: &Path) -> anyhow::Result<String> {
        fs::read_to_string(self.root.join(path))
            .with_context(|| format!("failed to read `{}`", path.display()))
    }

    /// Writes the text beside the file.
    fn prepare(&self, path: &Path, text: &str) -> anyhow::Result<()> {
        let written = File::create(self.beside(path)).and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()
        });
        written.with_context(|| format!("failed to write beside `{}`", path.display()))
    }

    /// Puts what is beside the file in its place.
    fn put(&self, path: &Path) -> anyhow::Result<()> {
        fs::rename(self.beside(path), self.root.join(path))
            .with_context(|| format!("failed to replace `{}`", path.display()))
    }

    /// Removes what was prepared. What is not there needs no removal, and what stays shows as untracked.
    fn discard(&self, changes: &[Change]) {
        for change in changes {
            let _ = fs::remove_file(self.beside(&change.path));
        }
    }

    fn done(&self) -> anyhow::Result<()> {
        fs::remove_file(&self.journal)
            .with_context(|| format!("failed to remove `{}`", self.journal.display()))
    }

    /// In the same folder, so that a rename suffices, and always of the same name, so that none is left.
    fn beside(&self, path: &Path) -> PathBuf {
        self.root.join(path).with_extension("json.new")
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    const NAMES: [&str; 3] = ["a.json", "b.json", "c.json"];

    fn changes() -> Vec<Change> {
        let change = |name: &str| Change {
            path: name.into(),
            old: format!("old {name}"),
            new: format!("new {name}"),
        };
        NAMES.map(change).to_vec()
    }

    fn workspace() -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        for change in changes() {
            fs::write(folder.path().join(change.path), change.old).unwrap();
        }
        folder
    }

    /// The first word of each file, and nothing else is there.
    fn state(folder: &TempDir) -> Vec<String> {
        let count = folder.path().read_dir().unwrap().count();
        assert_eq!(count, NAMES.len() + 1, "something is left");
        let first = |name: &str| {
            let text = fs::read_to_string(folder.path().join(name)).unwrap();
            text.split(' ').next().unwrap().to_owned()
        };
        NAMES.map(first).to_vec()
    }

    fn swap(folder: &TempDir) -> Swap<'_> {
        Swap::start(folder.path(), &folder.path().join("records")).unwrap()
    }

    #[test]
    fn every_file_is_replaced_or_none() {
        let folder = workspace();
        let swap = swap(&folder);
        swap.replace(&changes()).unwrap();
        assert_eq!(state(&folder), ["new"; 3]);
        assert!(!swap.journal.exists());
        let other = Swap::start(folder.path(), &folder.path().join("records"));
        let why = other.err().unwrap().to_string();
        assert!(
            why.starts_with("another `cargo xtask update` runs"),
            "{why}"
        );
    }

    /// Killed after each step of a replacement: three files are written, then three are put.
    #[test]
    fn what_a_killed_run_leaves_is_undone() {
        for steps in 0..=6 {
            let folder = workspace();
            let swap = swap(&folder);
            let journal = serde_json::to_string(&changes()).unwrap();
            report::write_whole(&swap.journal, &journal).unwrap();
            for (number, change) in changes().iter().cycle().take(steps).enumerate() {
                match number {
                    0..3 => swap.prepare(&change.path, &change.new).unwrap(),
                    _ => swap.put(&change.path).unwrap(),
                }
            }
            let is_half_way = (4..6).contains(&steps);
            assert_eq!(swap.recover().unwrap(), is_half_way, "{steps}");
            // The last step was the whole of it: somebody may have committed it since.
            let expected = if steps == 6 { "new" } else { "old" };
            assert_eq!(state(&folder), [expected; 3], "{steps}");
            assert!(!swap.recover().unwrap());
        }
    }

    #[test]
    fn a_file_that_cannot_be_written_leaves_all_as_they_were() {
        for blocked in NAMES {
            let folder = workspace();
            let swap = swap(&folder);
            // A folder in the place of the file beside.
            let obstacle = folder.path().join(blocked).with_extension("json.new");
            fs::create_dir(&obstacle).unwrap();
            let error = swap.replace(&changes()).unwrap_err().to_string();
            assert!(error.contains(blocked), "{error}");
            fs::remove_dir(&obstacle).unwrap();
            assert_eq!(state(&folder), ["old"; 3]);
            assert!(!swap.journal.exists());
        }
    }

    #[test]
    fn what_somebody_has_changed_since_is_kept() {
        let folder = workspace();
        let swap = swap(&folder);
        let journal = serde_json::to_string(&changes()).unwrap();
        report::write_whole(&swap.journal, &journal).unwrap();
        fs::write(folder.path().join("b.json"), "mine").unwrap();
        let error = swap.recover().unwrap_err().to_string();
        assert!(
            error.contains("`b.json` has been changed since; hint:"),
            "{error}"
        );
        assert_eq!(state(&folder), ["old", "mine", "old"]);
    }
}
