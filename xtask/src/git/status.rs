//! What differs from HEAD in the work tree.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

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
    options
        .include_untracked(true)
        .include_ignored(true)
        .exclude_submodules(false);
    let statuses = repo.statuses(Some(&mut options)).with_context(|| {
        format!(
            "failed to compare the tree with HEAD; hint: `git status` in `{}` says what it \
             stumbles over; a broken index is made anew by `rm {} && git reset`",
            repo.workdir().unwrap_or(repo.path()).display(),
            repo.path().join("index").display()
        )
    })?;
    let mut paths = Vec::new();
    for entry in statuses.iter() {
        let path = Path::new(OsStr::from_bytes(entry.path_bytes()));
        let differs = if entry.status().is_ignored() {
            hides_repository(repo, path)?
        } else {
            entry.status() != Status::CURRENT
        };
        if differs {
            paths.push(printable(entry.path_bytes()));
        }
    }
    Ok(paths)
}

/// Whether there is a repository in an untracked folder that no rule ignores. To git that is an
/// untracked file like any other; libgit2 counts it among the ignored.
fn hides_repository(repo: &Repository, path: &Path) -> anyhow::Result<bool> {
    let folder = repo.workdir().unwrap_or(repo.path()).join(path);
    if !folder.is_dir() || folder.is_symlink() || repo.is_path_ignored(path)? {
        return Ok(false);
    }
    if folder.join(".git").exists() {
        return Ok(true);
    }
    let failed = || format!("failed to list `{}`", folder.display());
    for entry in folder.read_dir().with_context(failed)? {
        let name = entry.with_context(failed)?.file_name();
        if hides_repository(repo, &path.join(name))? {
            return Ok(true);
        }
    }
    Ok(false)
}
