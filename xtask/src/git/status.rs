//! What differs from HEAD in the work tree.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use anyhow::Context as _;
use git2::{
    AttrCheckFlags, AttrValue, ErrorClass, IndexEntry, IndexEntryExtendedFlag, Repository, Status,
    StatusOptions,
};

use crate::printable;

/// Set for the files that a sparse checkout leaves out.
const SKIP: u16 = IndexEntryExtendedFlag::SKIP_WORKTREE.bits();

/// How the tree differs from HEAD.
#[derive(Default)]
pub(super) struct Differences {
    pub(super) paths: Vec<String>,
    /// Of those, the ones that only git can compare: libgit2 sees a different file until git has
    /// put its size and time into the index.
    pub(super) filtered: Vec<String>,
}

/// The paths that `git status` lists: changed, staged, untracked and not ignored, and submodules
/// with such paths. A bare repository has no work tree, so nothing can differ.
pub(super) fn differences(repo: &Repository) -> anyhow::Result<Differences> {
    let mut found = Differences::default();
    if repo.is_bare() {
        return Ok(found);
    }
    let mut options = StatusOptions::new();
    options
        .include_untracked(true)
        .include_ignored(true)
        .exclude_submodules(false);
    let statuses = include_files_that_are_here(repo)
        .and_then(|()| repo.statuses(Some(&mut options)))
        .map_err(|error| {
            let remedy = remedy(repo, &error);
            let what = format!("failed to compare the tree with HEAD; hint: {remedy}");
            anyhow::Error::new(error).context(what)
        })?;
    for entry in statuses.iter() {
        let path = Path::new(OsStr::from_bytes(entry.path_bytes()));
        let differs = if entry.status().is_ignored() {
            hides_repository(repo, path)?
        } else if entry.status() == Status::WT_DELETED {
            !is_left_out(repo, path)?
        } else {
            entry.status() != Status::CURRENT
        };
        if differs {
            found.paths.push(printable::bytes(entry.path_bytes()));
        }
        if entry.status() == Status::WT_MODIFIED && is_filtered(repo, path)? {
            found.filtered.push(printable::bytes(entry.path_bytes()));
        }
    }
    Ok(found)
}

/// Clears, in memory, the mark of files that the sparse checkout leaves out although they are here.
/// git compares such a file, libgit2 takes it for unchanged.
fn include_files_that_are_here(repo: &Repository) -> Result<(), git2::Error> {
    let is_sparse = repo.config()?.get_bool("core.sparseCheckout");
    let (true, Some(root)) = (is_sparse.unwrap_or(false), repo.workdir()) else {
        return Ok(());
    };
    let mut index = repo.index()?;
    let is_here = |entry: &IndexEntry| {
        let path = root.join(OsStr::from_bytes(&entry.path));
        path.symlink_metadata().is_ok()
    };
    let left_out = index
        .iter()
        .filter(|entry| entry.flags_extended & SKIP != 0);
    let here: Vec<IndexEntry> = left_out.filter(is_here).collect();
    for mut entry in here {
        entry.flags_extended &= !SKIP;
        index.add(&entry)?;
    }
    Ok(())
}

/// The remedy when libgit2 cannot read the index.
fn remedy(repo: &Repository, error: &git2::Error) -> String {
    let is_index = error.class() == ErrorClass::Index;
    // Forms of the index that git may use, by the names of their extensions.
    if is_index && error.message().contains("'sdir'") {
        return "libgit2 cannot read a sparse index; `git sparse-checkout reapply \
                --no-sparse-index` makes it a full one"
            .to_owned();
    }
    if is_index && error.message().contains("'link'") {
        return "libgit2 cannot read a split index; `git update-index --no-split-index` makes it \
                one again"
            .to_owned();
    }
    format!(
        "`git status` in `{}` shows what is wrong; a broken index is made anew by \
         `rm {} && git reset`",
        repo.workdir().unwrap_or(repo.path()).display(),
        repo.path().join("index").display()
    )
}

/// Whether a sparse checkout leaves the file out of the tree: then it is not missing.
fn is_left_out(repo: &Repository, path: &Path) -> anyhow::Result<bool> {
    let index = repo.index().context("failed to read git's index")?;
    let entry = index.get_path(path, 0);
    Ok(entry.is_some_and(|entry| entry.flags_extended & SKIP != 0))
}

/// Whether git runs a program over the file, or changes its encoding, before it compares it.
fn is_filtered(repo: &Repository, path: &Path) -> anyhow::Result<bool> {
    for name in ["filter", "working-tree-encoding"] {
        let value = repo
            .get_attr_bytes(path, name, AttrCheckFlags::default())
            .with_context(|| format!("failed to read the attributes of `{}`", path.display()))?;
        let value = AttrValue::from_bytes(value);
        if matches!(value, AttrValue::String(_) | AttrValue::Bytes(_)) {
            return Ok(true);
        }
    }
    Ok(false)
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
