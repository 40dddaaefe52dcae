//! The manifests that a run is about to delete after their tags. Only this file knows of them once
//! the tags are gone: an interrupted run is finished by the next one on the same machine.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use serde::{Deserialize, Serialize};

use crate::oci::Digest;
use crate::reference::Repository;
use crate::report;

/// The file of one repository.
pub(super) struct LeftOver {
    path: PathBuf,
    repository: Repository,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    schema: u32,
    repository: Repository,
    manifests: Vec<Digest>,
}

impl LeftOver {
    /// `records` is the folder of the records of past runs.
    pub(super) fn new(records: &Path, repository: &Repository) -> LeftOver {
        // A repository's name has slashes, and may be longer than a file's.
        let name = Digest::of(repository.to_string().as_bytes());
        LeftOver {
            path: records.join(format!("prune/{}.json", name.short())),
            repository: repository.clone(),
        }
    }

    /// What an interrupted run has left, in the order of deletion; empty when the last run finished.
    pub(super) fn read(&self) -> anyhow::Result<Vec<Digest>> {
        let text = match fs::read(&self.path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            result => result.with_context(|| self.failed("read"))?,
        };
        let record: Record =
            serde_json::from_slice(&text).with_context(|| self.failed("understand"))?;
        ensure!(
            record.schema == 1 && record.repository == self.repository,
            "`{}` is of another repository or version; hint: delete it",
            self.path.display()
        );
        Ok(record.manifests)
    }

    pub(super) fn write(&self, manifests: Vec<Digest>) -> anyhow::Result<()> {
        let record = Record {
            schema: 1,
            repository: self.repository.clone(),
            manifests,
        };
        let text = serde_json::to_string_pretty(&record)?;
        report::write_whole(&self.path, &text).with_context(|| self.failed("write"))
    }

    /// Says that nothing is left.
    pub(super) fn clear(&self) -> anyhow::Result<()> {
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            result => result.with_context(|| self.failed("remove")),
        }
    }

    fn failed(&self, what: &str) -> String {
        format!("failed to {what} `{}`", self.path.display())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_known_until_it_is_done() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| LeftOver::new(folder.path(), &name.parse().unwrap());
        let (one, other) = (file("ghcr.io/me/agent"), file("ghcr.io/me/other"));
        assert_eq!(one.read().unwrap(), Vec::new());
        let manifests = vec![Digest::of(b"a")];
        one.write(manifests.clone()).unwrap();
        assert_eq!(one.read().unwrap(), manifests);
        assert_eq!(other.read().unwrap(), Vec::new());
        fs::copy(&one.path, &other.path).unwrap();
        let error = other.read().unwrap_err().to_string();
        assert!(
            error.ends_with("of another repository or version; hint: delete it"),
            "{error}"
        );
        one.clear().unwrap();
        one.clear().unwrap();
        assert_eq!(one.read().unwrap(), Vec::new());
        fs::write(&one.path, "{").unwrap();
        assert!(one.read().is_err());
    }
}
