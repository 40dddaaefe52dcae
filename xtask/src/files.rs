//! Files that may be absent, or may be something else.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::Path;

/// Opens what must be a file: a pipe would be waited for.
pub fn open(path: &Path) -> io::Result<File> {
    if fs::metadata(path)?.is_file() {
        File::open(path)
    } else {
        Err(io::Error::other("it is no file"))
    }
}

/// Removes a file, if it is there.
pub fn remove(file: &Path) -> io::Result<()> {
    absent_is_fine(fs::remove_file(file))
}

/// Removes a folder with all that is in it, if it is there.
pub fn remove_folder(folder: &Path) -> io::Result<()> {
    absent_is_fine(fs::remove_dir_all(folder))
}

fn absent_is_fine(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_file_is_opened() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        assert_eq!(open(&file).unwrap_err().kind(), ErrorKind::NotFound);
        fs::write(&file, "x").unwrap();
        assert!(open(&file).is_ok());
        let error = open(folder.path()).unwrap_err();
        assert_eq!(error.to_string(), "it is no file");
    }

    #[test]
    fn what_is_absent_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        fs::write(&path, "x").unwrap();
        // A file is no folder.
        assert!(remove_folder(&path).is_err() && path.is_file());
        remove(&path).unwrap();
        assert!(!path.exists());
        remove(&path).unwrap();
        fs::create_dir_all(path.join("y")).unwrap();
        assert!(remove(&path).is_err() && path.is_dir());
        remove_folder(&path).unwrap();
        assert!(!path.exists());
        remove_folder(&path).unwrap();
    }
}
