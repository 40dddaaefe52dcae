//! Files of a build that no other build may take for its own.

use std::fs;
use std::path::Path;

use anyhow::Context as _;
use tempfile::TempDir;

use crate::files;

/// What the name of a [`RunFolder`] begins with.
const RUN: &str = "run-";

/// A folder for one run, which goes with it. What the buildx of a killed run still writes is not taken for
/// this run's.
pub(super) struct RunFolder(TempDir);

impl RunFolder {
    /// Makes one in `folder`, and removes those of runs that were killed: the caller has the lock that
    /// keeps out those that go on.
    pub(super) fn new(folder: &Path) -> anyhow::Result<RunFolder> {
        let make = || {
            for left in fs::read_dir(folder)? {
                let left = left?;
                if left
                    .file_name()
                    .as_encoded_bytes()
                    .starts_with(RUN.as_bytes())
                {
                    files::remove_folder(&left.path())?;
                }
            }
            tempfile::Builder::new().prefix(RUN).tempdir_in(folder)
        };
        make()
            .map(RunFolder)
            .with_context(|| format!("failed to prepare `{}`", folder.display()))
    }

    pub(super) fn path(&self) -> &Path {
        self.0.path()
    }
}

/// Removes what an earlier build wrote, so that nobody takes it for the result of this one.
pub(super) fn remove_old(file: &Path) -> anyhow::Result<()> {
    files::remove(file).with_context(|| format!("failed to remove `{}`", file.display()))
}
