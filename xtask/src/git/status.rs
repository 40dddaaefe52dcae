//! What differs from HEAD in the work tree.

use anyhow::Context as _;
use git2::{Repository, Status, StatusOptions};

use super::printable;

/// The paths that `git status` lists: changed, staged, untracked and not ignored, and submodules
/// that are. A bare repository has no work tree, so nothing in it can differ.
pub(super) fn dirty_paths(repo: &Repository) -> anyhow::Result<Vec<String>> {
    if repo.is_bare() {
        return Ok(Vec::new());
    }
    let mut options = StatusOptions::new();
    options.include_untracked(true).exclude_submodules(false);
    let statuses = repo.statuses(Some(&mut options)).with_context(|| {
        format!(
            "failed to compare the tree with HEAD; hint: `git status` in `{}` says what it \
             stumbles over; a broken index is made anew by `rm {} && git reset`",
            repo.workdir().unwrap_or(repo.path()).display(),
            repo.path().join("index").display()
        )
    })?;
    Ok(statuses
        .iter()
        .filter(|entry| entry.status() != Status::CURRENT && !entry.status().is_ignored())
        .map(|entry| printable(entry.path_bytes()))
        .collect())
}
