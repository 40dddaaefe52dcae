//! The workspace's files as they are, and as the subjects before have planned them: one subject's file may be
//! another's, too.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::base::Bases;

/// The workspace's files with what is planned for them.
pub(super) struct Files<'a> {
    root: &'a Path,
    new: BTreeMap<PathBuf, Vec<u8>>,
}

impl Files<'_> {
    pub(super) fn of(root: &Path) -> Files<'_> {
        Files {
            root,
            new: BTreeMap::new(),
        }
    }

    /// The text of a file, by its path relative to the workspace; none where there is no such file.
    ///
    /// Fails when it cannot be read, or is not UTF-8: nobody could edit it safely.
    pub(super) fn text(&self, path: &Path) -> anyhow::Result<Option<String>> {
        let bytes = match self.new.get(path) {
            Some(bytes) => bytes.clone(),
            None => match fs::read(self.root.join(path)) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
                result => result.with_context(|| format!("failed to read `{}`", path.display()))?,
            },
        };
        let text = String::from_utf8(bytes);
        Ok(Some(text.with_context(|| {
            format!("`{}` is not UTF-8", path.display())
        })?))
    }

    /// The text of the Dockerfile, and the images that it names; both are empty where there is no such file.
    ///
    /// Fails as [`Files::text`] does, and when it names a digest that is none.
    pub(super) fn bases(&self, dockerfile: &Path) -> anyhow::Result<(String, Bases)> {
        let text = self.text(dockerfile)?.unwrap_or_default();
        let bases = Bases::of(&text).map_err(anyhow::Error::msg)?;
        Ok((text, bases))
    }

    /// Lets later subjects see what one has planned.
    pub(super) fn put(&mut self, files: &[(PathBuf, Vec<u8>)]) {
        self.new.extend(files.iter().cloned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_planned_hides_what_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let mut files = Files::of(folder.path());
        let path = Path::new("a.toml");
        assert_eq!(files.text(path).unwrap(), None);
        fs::write(folder.path().join(path), b"old").unwrap();
        assert_eq!(files.text(path).unwrap().as_deref(), Some("old"));
        files.put(&[(path.to_owned(), b"new".to_vec())]);
        assert_eq!(files.text(path).unwrap().as_deref(), Some("new"));
        fs::write(folder.path().join("b"), b"\xff").unwrap();
        let error = files.text(Path::new("b")).unwrap_err().to_string();
        assert_eq!(error, "`b` is not UTF-8");
    }
}
