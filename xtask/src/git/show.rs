//! A commit by any of its names, and files as they were in it.

use std::path::Path;

use anyhow::{Context as _, anyhow};
use git2::{ErrorCode, Repository};

use super::open::open;
use crate::version::Version;

/// A commit that was looked up by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// The full commit id.
    pub revision: String,
    /// The committer's time, in seconds since 1970.
    pub epoch: i64,
}

/// The commit that `name` (an id, a tag, a branch) leads to.
pub fn commit(folder: &Path, name: &str) -> anyhow::Result<Named> {
    let repo = open(folder)?;
    let commit = find(&repo, name)?.ok_or_else(|| {
        anyhow!("no commit `{name}` in this repository; hint: `git fetch --tags`, or `git log`")
    })?;
    Ok(Named {
        revision: commit.id().to_string(),
        epoch: commit.time().seconds(),
    })
}

/// The full id of the commit that the tag of `version` leads to. A branch of that name is ignored.
pub fn tagged(folder: &Path, version: &Version) -> anyhow::Result<String> {
    Ok(commit(folder, &format!("refs/tags/v{version}"))?.revision)
}

/// The content of a file in a commit; `None` when the repository lacks the commit, or the commit the
/// file.
pub fn file(folder: &Path, commit: &str, path: &Path) -> anyhow::Result<Option<Vec<u8>>> {
    let repo = open(folder)?;
    let Some(commit) = find(&repo, commit)? else {
        return Ok(None);
    };
    let failed = || format!("failed to read `{}` of `{}`", path.display(), commit.id());
    let entry = match commit.tree().and_then(|tree| tree.get_path(path)) {
        Err(error) if error.code() == ErrorCode::NotFound => return Ok(None),
        result => result.with_context(failed)?,
    };
    let object = entry.to_object(&repo).with_context(failed)?;
    Ok(object.as_blob().map(|blob| blob.content().to_vec()))
}

/// The content of a file of the workspace at `root`: as it was in the commit `revision`, or as it is now
/// when that is absent, no full id, or unknown here.
pub fn file_or_here(root: &Path, revision: Option<&str>, path: &Path) -> anyhow::Result<Vec<u8>> {
    let of_commit = match revision {
        Some(commit) if commit.len() == 40 => file(root, commit, path)?,
        _ => None,
    };
    match of_commit {
        Some(content) => Ok(content),
        None => std::fs::read(root.join(path))
            .with_context(|| format!("failed to read `{}`", path.display())),
    }
}

/// Whether `later` comes after `earlier` in history; `None` when the repository lacks one of them, or the
/// history between.
pub fn descends(folder: &Path, later: &str, earlier: &str) -> anyhow::Result<Option<bool>> {
    descends_in(&open(folder)?, later, earlier)
}

fn descends_in(repo: &Repository, later: &str, earlier: &str) -> anyhow::Result<Option<bool>> {
    let (Some(later), Some(earlier)) = (find(repo, later)?, find(repo, earlier)?) else {
        return Ok(None);
    };
    match repo.graph_descendant_of(later.id(), earlier.id()) {
        // libgit2 looks up where a shallow clone ends only in a repository that it opened itself.
        Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
        descends => descends.map(Some).context("failed to walk the history"),
    }
}

/// The commit of that name; `None` when there is nothing of that name, or it is not a commit.
fn find<'a>(repo: &'a Repository, name: &str) -> anyhow::Result<Option<git2::Commit<'a>>> {
    let object = match repo.revparse_single(name) {
        Err(error) if [ErrorCode::NotFound, ErrorCode::InvalidSpec].contains(&error.code()) => {
            return Ok(None);
        }
        result => result.with_context(|| format!("failed to look up `{name}`"))?,
    };
    Ok(object.peel_to_commit().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_repository_knows_its_head() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let head = commit(root, "HEAD").unwrap();
        let again = commit(root, &head.revision).unwrap();
        assert_eq!(head, again);
        let manifest = file(root, &head.revision, Path::new("xtask/Cargo.toml")).unwrap();
        assert!(manifest.unwrap().starts_with(b"[package]"));
        assert_eq!(file(root, "HEAD", Path::new("no/such/file")).unwrap(), None);
        assert_eq!(file(root, &"0".repeat(40), Path::new("x")).unwrap(), None);
        assert!(commit(root, "no such name").is_err());
    }

    #[test]
    fn where_history_is_missing_its_order_is_not_known() {
        let folder = tempfile::tempdir().unwrap();
        let repo = Repository::init(folder.path()).unwrap();
        let who = git2::Signature::new("Ada", "ada@example.org", &git2::Time::new(0, 0)).unwrap();
        let tree = repo.treebuilder(None).unwrap().write().unwrap();
        let tree = repo.find_tree(tree).unwrap();
        let commit = |message: &str, parent: Option<git2::Oid>| {
            let parent = parent.map(|id| repo.find_commit(id).unwrap());
            let parents: Vec<_> = parent.iter().collect();
            let made = repo.commit(None, &who, &who, message, &tree, &parents);
            made.unwrap()
        };
        let other = commit("other", None);
        let first = commit("first", None);
        let second = commit("second", Some(first));
        let third = commit("third", Some(second));
        let ask = |later: git2::Oid, earlier: git2::Oid| {
            let repo = Repository::open_bare(repo.path()).unwrap();
            descends_in(&repo, &later.to_string(), &earlier.to_string()).unwrap()
        };
        assert_eq!(ask(third, second), Some(true));
        assert_eq!(ask(third, other), Some(false));
        // The clone ends at `second`, as one of two commits does.
        let name = first.to_string();
        let (start, rest) = name.split_at(2);
        std::fs::remove_file(repo.path().join("objects").join(start).join(rest)).unwrap();
        std::fs::write(repo.path().join("shallow"), format!("{second}\n")).unwrap();
        assert_eq!(ask(third, second), None);
        assert_eq!(ask(third, other), None);
    }
}
