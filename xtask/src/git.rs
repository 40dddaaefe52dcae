//! Reads a repository. With its parts in `git/` the only user of git2 and the only place that starts
//! `git`. `git/commit.rs` and `git/branch.rs` alone write, by git itself.

mod branch;
mod commit;
mod log;
mod ls_remote;
mod open;
mod owner;
mod remote;
mod show;
mod status;
mod tag_refs;
mod versions;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use anyhow::{Context as _, bail};
use git2::{Commit, ErrorCode, Reference, Repository};
use serde::Serialize;

pub(crate) use self::branch::{BranchCommit, above, fetch, push, tips};
pub(crate) use self::commit::commit_files;
#[cfg(test)]
pub(crate) use self::log::Change;
pub(crate) use self::log::{Changes, changes};
pub(crate) use self::ls_remote::{RemoteRef, ask as ls_remote};
pub use self::ls_remote::{RemoteTag, remote_tag};
pub use self::show::{commit, descends, file, file_or_here, tagged};
use self::versions::Versions;
use crate::exec;
use crate::version::Version;

/// The first second that RFC 3339 cannot express.
const YEAR_10000: u64 = 253_402_300_800;

/// HEAD and the tree around it, as plain data.
#[derive(Clone, Debug, Serialize)]
pub struct Head {
    /// The full commit id.
    pub(crate) revision: String,
    /// The branch's short name; `None` when HEAD is detached.
    pub(crate) branch: Option<String>,
    /// The committer's time, in seconds since 1970 (what `SOURCE_DATE_EPOCH` takes).
    pub(crate) epoch: i64,
    /// Paths that differ from the commit, untracked ones that are not ignored included.
    pub(crate) dirty: Vec<String>,
    /// Of those, the ones that only git can compare. They may be equal after all.
    pub(crate) filtered: Vec<String>,
    /// Where the source can be read: the `origin` remote as a web address.
    pub(crate) source: Option<String>,
}

impl Head {
    /// The `org.opencontainers.image.revision` label. A dirty tree is not the commit, and its
    /// label says so.
    pub fn revision_label(&self) -> String {
        let suffix = if self.dirty.is_empty() { "" } else { "-dirty" };
        format!("{}{suffix}", self.revision)
    }

    /// The paths that make the tree dirty, for a message: `` `a` and 2 more ``; none for a clean tree.
    pub(crate) fn dirty_paths(&self) -> Option<String> {
        let (first, rest) = self.dirty.split_first()?;
        Some(match rest.len() {
            0 => format!("`{first}`"),
            more => format!("`{first}` and {more} more"),
        })
    }

    /// The commit's time as RFC 3339, in UTC.
    pub fn created(&self) -> anyhow::Result<String> {
        created(&self.revision, self.epoch)
    }
}

/// The time of a commit as RFC 3339, in UTC.
pub fn created(revision: &str, epoch: i64) -> anyhow::Result<String> {
    let seconds = u64::try_from(epoch)
        .ok()
        .filter(|seconds| *seconds < YEAR_10000);
    let seconds =
        seconds.with_context(|| format!("commit `{revision}` has no usable time: {epoch}"))?;
    let time = UNIX_EPOCH + Duration::from_secs(seconds);
    Ok(humantime::format_rfc3339_seconds(time).to_string())
}

/// Everything that the tags of a commit depend on, as far as git knows it.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    pub(crate) head: Head,
    /// The work tree's root; `None` for a bare repository.
    pub(crate) top: Option<PathBuf>,
    /// Every git tag that leads to HEAD.
    pub(crate) at_head: Vec<String>,
    /// The version of every git tag that is one, without those that have build metadata.
    pub(crate) versions: Vec<Version>,
    /// Tags that look like versions but are not, each with the reason.
    pub(crate) near_misses: BTreeMap<String, String>,
    /// Tags that lead to something else than a commit, each with what that is.
    pub(crate) no_commits: BTreeMap<String, &'static str>,
    /// The clone is shallow: tags may be missing.
    pub(crate) shallow: bool,
    /// `git replace` shows another commit in place of HEAD.
    pub(crate) replaced: bool,
    /// What `origin/HEAD` points to, else `main` or `master` when there is such a branch.
    pub(crate) default_branch: Option<String>,
}

/// Reads HEAD of the repository that `folder` is in.
pub fn read_head(folder: &Path) -> anyhow::Result<Head> {
    let repo = open::open(folder)?;
    let head = head_reference(&repo, folder)?;
    describe_head(&repo, &head, &head_commit(&head)?)
}

/// Reads everything about the repository that `folder` is in, in one pass over its tags.
pub(crate) fn read_facts(folder: &Path) -> anyhow::Result<Facts> {
    let repo = open::open(folder)?;
    let head = head_reference(&repo, folder)?;
    let commit = head_commit(&head)?;
    let versions = Versions::read(&repo, commit.id())?;
    Ok(Facts {
        head: describe_head(&repo, &head, &commit)?,
        top: repo.workdir().map(Path::to_owned),
        shallow: repo.is_shallow(),
        replaced: find(&repo, &format!("refs/replace/{}", commit.id()))?.is_some(),
        default_branch: default_branch(&repo)?,
        at_head: versions.at_head,
        versions: versions.all,
        near_misses: versions.near_misses,
        no_commits: versions.no_commits,
    })
}

fn head_reference<'repo>(
    repo: &'repo Repository,
    folder: &Path,
) -> anyhow::Result<Reference<'repo>> {
    match repo.head() {
        Ok(head) => Ok(head),
        Err(error) if error.code() == ErrorCode::UnbornBranch => bail!(
            "the repository `{}` has no commit yet, so an image of it has no revision; \
             hint: `git add --all && git commit`",
            folder.display()
        ),
        Err(error) => Err(anyhow::Error::new(error).context(format!(
            "git's HEAD is broken (`{}`); hint: `git symbolic-ref HEAD refs/heads/BRANCH` points \
             it to a branch again, `git fsck` shows what else is broken",
            repo.path().join("HEAD").display()
        ))),
    }
}

fn head_commit<'repo>(head: &Reference<'repo>) -> anyhow::Result<Commit<'repo>> {
    head.peel_to_commit().with_context(|| {
        format!(
            "git's HEAD (`{}`) does not lead to a commit that is here; hint: `git fsck` shows what \
             is broken, `git fetch` brings what is missing",
            String::from_utf8_lossy(head.name_bytes())
        )
    })
}

fn describe_head(
    repo: &Repository,
    head: &Reference<'_>,
    commit: &Commit<'_>,
) -> anyhow::Result<Head> {
    let branch = head
        .is_branch()
        .then(|| String::from_utf8_lossy(head.shorthand_bytes()).into_owned());
    let differences = status::differences(repo)?;
    Ok(Head {
        revision: commit.id().to_string(),
        branch,
        epoch: commit.time().seconds(),
        dirty: differences.paths,
        filtered: differences.filtered,
        source: remote::source(repo)?,
    })
}

/// The branch that a clone of `origin` starts on, else the one with a usual name.
fn default_branch(repo: &Repository) -> anyhow::Result<Option<String>> {
    if let Some(origin) = find(repo, "refs/remotes/origin/HEAD")?
        && let Some(target) = origin.symbolic_target_bytes()
        && let Some(branch) = target.strip_prefix(b"refs/remotes/origin/")
    {
        return Ok(Some(String::from_utf8_lossy(branch).into_owned()));
    }
    for name in ["main", "master"] {
        for place in ["refs/heads", "refs/remotes/origin"] {
            if find(repo, &format!("{place}/{name}"))?.is_some() {
                return Ok(Some(name.to_owned()));
            }
        }
    }
    Ok(None)
}

fn find<'repo>(repo: &'repo Repository, name: &str) -> anyhow::Result<Option<Reference<'repo>>> {
    match repo.find_reference(name) {
        Ok(reference) => Ok(Some(reference)),
        Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
        Err(error) => {
            let path = repo.commondir().join(name);
            let remedy = exec::quoted("rm", &[path.display().to_string()]);
            Err(error).with_context(|| {
                format!("the reference `{name}` is broken; hint: `{remedy} && git fetch`")
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dirty_paths_are_the_first_and_a_count() {
        let paths = |dirty: &[&str]| {
            let head = Head {
                revision: "0123456789".into(),
                branch: None,
                epoch: 0,
                dirty: dirty.iter().map(ToString::to_string).collect(),
                filtered: Vec::new(),
                source: None,
            };
            head.dirty_paths()
        };
        assert_eq!(paths(&[]), None);
        assert_eq!(paths(&["a"]).unwrap(), "`a`");
        assert_eq!(paths(&["a", "b", "c"]).unwrap(), "`a` and 2 more");
    }

    #[test]
    fn an_impossible_time_is_an_error() {
        let head = |epoch| Head {
            revision: "0123456789".into(),
            branch: None,
            epoch,
            dirty: vec![],
            filtered: Vec::new(),
            source: None,
        };
        assert_eq!(head(0).created().unwrap(), "1970-01-01T00:00:00Z");
        assert_eq!(
            head(1_764_000_000).created().unwrap(),
            "2025-11-24T16:00:00Z"
        );
        for bad in [-1, i64::MAX, i64::MIN] {
            let error = head(bad).created().unwrap_err().to_string();
            assert!(error.contains("`0123456789` has no usable time"), "{error}");
        }
    }
}
