//! New files that are made in a folder of their own, and then take the places of the old ones: all or none.
//!
//! The tree was clean before, so git has the old ones; and the folder has the new ones, until all are in place. So a
//! run that is killed leaves what the next one needs to undo it.

use std::fs::{self, File, TryLockError};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::refusal::Refusal;
use crate::stop::Stop;

/// Is there while files take their places.
const MARK: &str = "moving";

pub(super) struct Staged {
    /// Where the files belong.
    home: PathBuf,
    /// Where new ones are made.
    pub(super) folder: PathBuf,
    /// Relative to both.
    files: Vec<PathBuf>,
    _lock: File,
}

impl Staged {
    /// Fails when another run is at it. `records` is the folder of what runs leave.
    pub(super) fn start(
        home: PathBuf,
        records: &Path,
        files: Vec<PathBuf>,
    ) -> anyhow::Result<Staged> {
        let path = records.join("lock");
        let lock = fs::create_dir_all(records).and_then(|()| File::create(&path));
        let lock = lock.with_context(|| format!("failed to make `{}`", path.display()))?;
        if let Err(TryLockError::WouldBlock) = lock.try_lock() {
            let why = "another `cargo xtask update` runs in this workspace";
            return Err(Stop::from(Refusal::new(why, "wait for its end")).into());
        }
        let folder = records.join("new");
        Ok(Staged {
            home,
            folder,
            files,
            _lock: lock,
        })
    }

    /// Undoes what a killed run has done in part, and empties the folder; whether there was something to undo.
    /// `old` gives a file as the commit has it. A file that somebody has changed since stays as it is.
    pub(super) fn recover(
        &self,
        old: impl Fn(&Path) -> anyhow::Result<Vec<u8>>,
    ) -> anyhow::Result<bool> {
        let mut is_undone = false;
        for file in self
            .files
            .iter()
            .filter(|_| self.folder.join(MARK).exists())
        {
            // It may not be there.
            let _ = fs::remove_file(self.beside(file));
            let (old, now) = (
                old(file)?,
                fs::read(self.home.join(file)).unwrap_or_default(),
            );
            if now != old && fs::read(self.folder.join(file)).is_ok_and(|new| new == now) {
                self.prepare(file, &old).and_then(|()| self.put(file))?;
                is_undone = true;
            }
        }
        match fs::remove_dir_all(&self.folder) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(error).with_context(|| format!("failed to remove `{}`", self.folder.display()))
            }
            _ => Ok(is_undone),
        }
    }

    /// Puts every new file in its place, or none when it fails.
    pub(super) fn replace(
        &self,
        old: impl Fn(&Path) -> anyhow::Result<Vec<u8>>,
    ) -> anyhow::Result<()> {
        let all = || {
            fs::write(self.folder.join(MARK), "").context("failed to write the mark of a move")?;
            for file in &self.files {
                let new = fs::read(self.folder.join(file));
                // A full disk shows here, where nothing is replaced yet.
                self.prepare(
                    file,
                    &new.with_context(|| format!("npm wrote no `{}`", file.display()))?,
                )?;
            }
            self.files.iter().try_for_each(|file| self.put(file))
        };
        let result = all();
        match &result {
            Ok(()) => fs::remove_dir_all(&self.folder).context("failed to remove what was made")?,
            Err(_) => drop(self.recover(old)?),
        }
        result
    }

    /// Writes a file's text beside it.
    fn prepare(&self, file: &Path, text: &[u8]) -> anyhow::Result<()> {
        let written = File::create(self.beside(file)).and_then(|mut beside| {
            beside.write_all(text)?;
            beside.sync_all()
        });
        written.with_context(|| {
            format!(
                "failed to write beside `{}`",
                self.home.join(file).display()
            )
        })
    }

    /// Puts what is beside a file in its place.
    fn put(&self, file: &Path) -> anyhow::Result<()> {
        fs::rename(self.beside(file), self.home.join(file))
            .with_context(|| format!("failed to replace `{}`", self.home.join(file).display()))
    }

    /// In the same folder, so that a rename suffices, and always of the same name, so that none is left over.
    fn beside(&self, file: &Path) -> PathBuf {
        self.home.join(file).with_extension("json.new")
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    const NAMES: [&str; 3] = ["a.json", "b.json", "c.json"];

    fn old(file: &Path) -> anyhow::Result<Vec<u8>> {
        anyhow::ensure!(NAMES.iter().any(|name| file == *name), "not in git");
        Ok(b"old".to_vec())
    }

    /// Three old files, and new ones for them.
    fn staged() -> (TempDir, Staged) {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().join("home");
        let files = NAMES.map(PathBuf::from).to_vec();
        let staged = Staged::start(home, &folder.path().join("records"), files).unwrap();
        for (folder, text) in [(&staged.home, "old"), (&staged.folder, "new")] {
            fs::create_dir_all(folder).unwrap();
            for name in NAMES {
                fs::write(folder.join(name), text).unwrap();
            }
        }
        (folder, staged)
    }

    /// What the files have; nothing else is there.
    fn state(staged: &Staged) -> Vec<String> {
        assert_eq!(staged.home.read_dir().unwrap().count(), NAMES.len());
        assert!(!staged.folder.exists());
        NAMES
            .map(|name| fs::read_to_string(staged.home.join(name)).unwrap())
            .to_vec()
    }

    #[test]
    fn every_file_is_replaced_by_one_run_at_a_time() {
        let (folder, staged) = staged();
        let other = Staged::start(
            staged.home.clone(),
            &folder.path().join("records"),
            Vec::new(),
        );
        assert!(
            other
                .err()
                .unwrap()
                .to_string()
                .starts_with("another `cargo xtask update`")
        );
        staged.replace(old).unwrap();
        assert_eq!(state(&staged), ["new"; 3]);
    }

    /// Killed after each step of a move: the mark, three files are written, three are put.
    #[test]
    fn what_a_killed_run_leaves_is_undone() {
        for steps in 0..=6 {
            let (_folder, staged) = staged();
            fs::write(staged.folder.join(MARK), "").unwrap();
            for (number, name) in NAMES.iter().cycle().take(steps).enumerate() {
                match number {
                    0..3 => staged.prepare(Path::new(name), b"new").unwrap(),
                    _ => staged.put(Path::new(name)).unwrap(),
                }
            }
            // What somebody has changed or committed since is theirs.
            fs::write(staged.home.join("c.json"), "mine").unwrap();
            assert_eq!(staged.recover(old).unwrap(), steps > 3, "{steps}");
            assert_eq!(state(&staged), ["old", "old", "mine"], "{steps}");
        }
        let (_folder, staged) = staged();
        assert!(!staged.recover(old).unwrap());
        assert_eq!(state(&staged), ["old"; 3]);
    }

    #[test]
    fn a_file_that_cannot_be_written_leaves_all_as_they_were() {
        for blocked in NAMES {
            let (_folder, staged) = staged();
            // A folder has the name of the file beside.
            let obstacle = staged.beside(Path::new(blocked));
            fs::create_dir(&obstacle).unwrap();
            let error = staged.replace(old).unwrap_err().to_string();
            assert!(error.contains(blocked), "{error}");
            fs::remove_dir(&obstacle).unwrap();
            assert_eq!(state(&staged), ["old"; 3]);
        }
    }
}
