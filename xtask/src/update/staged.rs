//! New files that are written in a folder of their own, and then take the places of the old ones: all or none.
//!
//! The tree was clean before, so git has the old ones; and the folder has the new ones, until all are in place. So a
//! run that is killed leaves what the next one needs to undo it.

use std::fs::{self, File, TryLockError};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};

use crate::refusal::Refusal;
use crate::stop::Stop;

/// Is there while files take their places, and lists them, one a line.
const MARK: &str = "moving";

pub(super) struct Staged {
    /// What the paths of files are relative to.
    root: PathBuf,
    /// Where the new ones are until all are in place.
    new: PathBuf,
    /// For what is made on the way; emptied at the start and at the end.
    pub(super) scratch: PathBuf,
    mark: PathBuf,
    _lock: File,
}

impl Staged {
    /// Fails when another run is at it. `records` is the folder of what runs leave.
    pub(super) fn start(root: PathBuf, records: &Path) -> anyhow::Result<Staged> {
        let path = records.join("lock");
        let lock = fs::create_dir_all(records).and_then(|()| File::create(&path));
        let lock = lock.with_context(|| format!("failed to make `{}`", path.display()))?;
        if let Err(TryLockError::WouldBlock) = lock.try_lock() {
            let why = "another `cargo xtask update` runs in this workspace";
            return Err(Stop::from(Refusal::new(why, "wait for its end")).into());
        }
        Ok(Staged {
            root,
            new: records.join("new"),
            scratch: records.join("scratch"),
            mark: records.join(MARK),
            _lock: lock,
        })
    }

    /// Undoes what a killed run has done in part, and empties the folders; whether there was something to undo.
    /// `old` gives a file as the commit has it. A file that somebody has changed since stays as it is.
    pub(super) fn recover(
        &self,
        old: impl Fn(&Path) -> anyhow::Result<Vec<u8>>,
    ) -> anyhow::Result<bool> {
        let mut is_undone = false;
        let mark = match fs::read_to_string(&self.mark) {
            Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
            mark => mark.with_context(|| format!("failed to read `{}`", self.mark.display()))?,
        };
        for file in mark.lines().map(Path::new) {
            // It may not be there.
            let _ = fs::remove_file(self.beside(file));
            let now = fs::read(self.root.join(file)).unwrap_or_default();
            if fs::read(self.new.join(file)).is_ok_and(|new| new == now) {
                let old = old(file)?;
                if now != old {
                    self.prepare(file, &old).and_then(|()| self.put(file))?;
                    is_undone = true;
                }
            }
        }
        self.clear()?;
        Ok(is_undone)
    }

    /// Puts every file in its place, or none when it fails.
    pub(super) fn replace(
        &self,
        files: &[(PathBuf, Vec<u8>)],
        old: impl Fn(&Path) -> anyhow::Result<Vec<u8>>,
    ) -> anyhow::Result<()> {
        let all = || {
            let mut list = String::new();
            for (file, text) in files {
                // Its old text must be known before it is gone, and a rename would take a link's place.
                old(file)?;
                let is_file = fs::symlink_metadata(self.root.join(file));
                ensure!(
                    is_file.is_ok_and(|data| data.is_file()),
                    "`{}` is no plain file; hint: put the file itself there",
                    file.display()
                );
                write(&self.new.join(file), text)?;
                list.extend([&*file.to_string_lossy(), "\n"]);
            }
            write(&self.mark, list.as_bytes())?;
            for (file, text) in files {
                // A full disk shows here, where nothing is replaced yet.
                self.prepare(file, text)?;
            }
            files.iter().try_for_each(|(file, _)| self.put(file))
        };
        let result = all();
        match &result {
            Ok(()) => self.clear()?,
            Err(_) => drop(self.recover(old)?),
        }
        result
    }

    /// Removes the mark, and then what it is about.
    fn clear(&self) -> anyhow::Result<()> {
        let gone = |path: &Path, result: std::io::Result<()>| match result {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(error).with_context(|| format!("failed to remove `{}`", path.display()))
            }
            _ => Ok(()),
        };
        gone(&self.mark, fs::remove_file(&self.mark))?;
        gone(&self.new, fs::remove_dir_all(&self.new))?;
        gone(&self.scratch, fs::remove_dir_all(&self.scratch))
    }

    /// Writes a file's text beside it, for the same users.
    fn prepare(&self, file: &Path, text: &[u8]) -> anyhow::Result<()> {
        let beside = self.beside(file);
        write(&beside, text)?;
        let mode = fs::metadata(self.root.join(file)).map(|old| old.permissions());
        mode.and_then(|mode| fs::set_permissions(&beside, mode))
            .with_context(|| format!("failed to write beside `{}`", file.display()))
    }

    /// Puts what is beside a file in its place.
    fn put(&self, file: &Path) -> anyhow::Result<()> {
        fs::rename(self.beside(file), self.root.join(file))
            .with_context(|| format!("failed to replace `{}`", file.display()))
    }

    /// In the same folder, so that a rename suffices, and always of the same name, so that none is left over.
    fn beside(&self, file: &Path) -> PathBuf {
        let mut name = file.as_os_str().to_owned();
        name.push(".new");
        self.root.join(name)
    }
}

/// Writes a file to the disk, and makes its folder.
fn write(path: &Path, text: &[u8]) -> anyhow::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let written = fs::create_dir_all(folder).and_then(|()| File::create(path));
    let written = written.and_then(|mut file| {
        file.write_all(text)?;
        file.sync_all()
    });
    written.with_context(|| format!("failed to write `{}`", path.display()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use tempfile::TempDir;

    use super::*;

    /// Files of several subjects, in several folders.
    const NAMES: [&str; 3] = [
        "Cargo.toml",
        "docker/Dockerfile.agent",
        "docker/a/lock.json",
    ];

    fn old(file: &Path) -> anyhow::Result<Vec<u8>> {
        anyhow::ensure!(NAMES.iter().any(|name| file == *name), "not in git");
        Ok(b"old".to_vec())
    }

    fn new() -> Vec<(PathBuf, Vec<u8>)> {
        NAMES.map(|name| (name.into(), b"new".to_vec())).to_vec()
    }

    /// Three old files.
    fn staged() -> (TempDir, Staged) {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("root");
        for name in NAMES {
            write(&root.join(name), b"old").unwrap();
        }
        let staged = Staged::start(root, &folder.path().join("records")).unwrap();
        (folder, staged)
    }

    fn count(folder: &Path) -> usize {
        let entries = folder
            .read_dir()
            .unwrap()
            .map(|entry| entry.unwrap().path());
        entries
            .map(|path| if path.is_dir() { count(&path) } else { 1 })
            .sum()
    }

    /// What the files have; nothing else is there.
    fn state(staged: &Staged) -> Vec<String> {
        assert_eq!(count(&staged.root), NAMES.len());
        for left in [&staged.new, &staged.scratch, &staged.mark] {
            assert!(!left.exists(), "{}", left.display());
        }
        NAMES
            .map(|name| fs::read_to_string(staged.root.join(name)).unwrap())
            .to_vec()
    }

    #[test]
    fn every_file_is_replaced_by_one_run_at_a_time_and_keeps_its_mode() {
        let (folder, staged) = staged();
        let other = Staged::start(staged.root.clone(), &folder.path().join("records"));
        let error = other.err().unwrap().to_string();
        assert!(error.starts_with("another `cargo xtask update`"), "{error}");
        let path = staged.root.join(NAMES[1]);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        staged.replace(&new(), old).unwrap();
        assert_eq!(state(&staged), ["new"; 3]);
        assert_eq!(
            fs::metadata(path).unwrap().permissions().mode() & 0o777,
            0o640
        );
    }

    /// Killed after each step of a move: three new files are kept, the mark is set, three are written beside the old
    /// ones, and three are put in their places.
    #[test]
    fn what_a_killed_run_leaves_is_undone() {
        for steps in 0..=10 {
            let (_folder, staged) = staged();
            for (number, name) in NAMES.iter().cycle().take(steps).enumerate() {
                if number == 3 {
                    write(&staged.mark, NAMES.join("\n").as_bytes()).unwrap();
                }
                match number {
                    0..3 => write(&staged.new.join(name), b"new").unwrap(),
                    3..6 => staged.prepare(Path::new(name), b"new").unwrap(),
                    6..9 => staged.put(Path::new(name)).unwrap(),
                    _ => fs::remove_file(&staged.mark).unwrap(),
                }
            }
            if steps == 10 {
                // All are in place: it is no longer half-way.
                assert!(!staged.recover(old).unwrap());
                assert_eq!(state(&staged), ["new"; 3]);
                continue;
            }
            // What somebody has changed or committed since is theirs.
            write(&staged.root.join(NAMES[2]), b"mine").unwrap();
            assert_eq!(staged.recover(old).unwrap(), steps > 6, "{steps}");
            assert_eq!(state(&staged), ["old", "old", "mine"], "{steps}");
        }
    }

    #[test]
    fn a_file_that_cannot_be_written_leaves_all_as_they_were() {
        for blocked in NAMES {
            let (_folder, staged) = staged();
            // A folder has the name of the file beside.
            let obstacle = staged.beside(Path::new(blocked));
            fs::create_dir(&obstacle).unwrap();
            let error = staged.replace(&new(), old).unwrap_err().to_string();
            assert!(error.contains(blocked), "{error}");
            fs::remove_dir(&obstacle).unwrap();
            assert_eq!(state(&staged), ["old"; 3]);
        }
    }

    #[test]
    fn a_link_is_not_replaced() {
        let (folder, staged) = staged();
        let (link, target) = (staged.root.join(NAMES[1]), folder.path().join("elsewhere"));
        write(&target, b"old").unwrap();
        fs::remove_file(&link).unwrap();
        std::os::unix::fs::symlink(&target, &link).unwrap();
        let error = staged.replace(&new(), old).unwrap_err().to_string();
        assert!(
            error.starts_with("`docker/Dockerfile.agent` is no plain file"),
            "{error}"
        );
        assert!(link.is_symlink());
        assert_eq!(fs::read(staged.root.join(NAMES[0])).unwrap(), b"old");
    }

    /// A mark that cannot be read is not taken for none: the tree may be half moved.
    #[test]
    fn a_mark_that_cannot_be_read_is_kept() {
        let (_folder, staged) = staged();
        write(&staged.mark, b"\xff").unwrap();
        write(&staged.new.join(NAMES[0]), b"new").unwrap();
        let error = staged.recover(old).unwrap_err().to_string();
        assert!(error.contains("moving"), "{error}");
        assert!(staged.mark.exists() && staged.new.exists());
    }

    #[test]
    fn what_git_does_not_have_is_not_replaced() {
        let (_folder, staged) = staged();
        let more = [("stray".into(), b"new".to_vec())];
        let error = staged.replace(&[&new()[..], &more].concat(), old);
        assert_eq!(error.unwrap_err().to_string(), "not in git");
        assert_eq!(state(&staged), ["old"; 3]);
    }
}
