//! Branches of a remote: where they are, what they have, and a push to one. Asked and written through the `git`
//! command: it has the user's credentials.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, bail};
use git2::{Commit, Delta, Oid, Repository};

use super::ls_remote::{self, RemoteRef};
use super::open::open;
use crate::exec::Exec;
use crate::printable;

/// How long a remote may take to send or to take commits.
const LIMIT: Duration = Duration::from_mins(5);

/// At most so many commits above a base are read.
const READ: usize = 20;

/// A commit that a branch has above its base.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BranchCommit {
    pub(crate) id: String,
    /// The only one; none for a merge.
    pub(crate) parent: Option<String>,
    /// The e-mail addresses of its author and of its committer.
    pub(crate) by: [String; 2],
    pub(crate) message: String,
    /// Each path that differs from the first parent, with the mode and the id of what is there now.
    pub(crate) files: BTreeMap<String, String>,
}

/// Where the branches are on the remote, in their order; none for one that it lacks.
///
/// Fails when the remote does not answer.
pub(crate) fn tips(
    exec: &Exec,
    remote: &str,
    branches: &[&str],
) -> anyhow::Result<Vec<Option<String>>> {
    let names: Vec<String> = branches
        .iter()
        .map(|branch| format!("refs/heads/{branch}"))
        .collect();
    let found = ls_remote::ask(exec, remote, &names)?
        .map_err(|why| anyhow::anyhow!("the remote `{remote}` cannot be asked: {why}"))?;
    let tip = |name: &String| {
        let is_it = |found: &&RemoteRef| found.name == *name;
        found.iter().find(is_it).map(|found| found.id.clone())
    };
    Ok(names.iter().map(tip).collect())
}

/// Brings the commits of branches of the remote.
pub(crate) fn fetch(exec: &Exec, remote: &str, branches: &[&str]) -> anyhow::Result<()> {
    let names = branches.iter().map(|branch| format!("refs/heads/{branch}"));
    let options = [
        "fetch",
        "--quiet",
        "--no-tags",
        "--no-write-fetch-head",
        remote,
    ];
    let args: Vec<String> = options
        .map(str::to_owned)
        .into_iter()
        .chain(names)
        .collect();
    run(exec, &args, "fetch")
}

/// Pushes a commit to a branch of the remote, if the branch is still where it was seen: at `before`, or not there.
///
/// Fails when it has moved since, or the remote refuses it.
pub(crate) fn push(
    exec: &Exec,
    remote: &str,
    commit: &str,
    branch: &str,
    before: Option<&str>,
) -> anyhow::Result<()> {
    let name = format!("refs/heads/{branch}");
    let lease = format!("--force-with-lease={name}:{}", before.unwrap_or_default());
    let target = format!("{commit}:{name}");
    run(exec, &["push", "--quiet", &lease, remote, &target], "push")
}

fn run(exec: &Exec, args: &[impl AsRef<str>], what: &str) -> anyhow::Result<()> {
    exec.set_var("GIT_TERMINAL_PROMPT", "0");
    let ended = exec.within("git", args, LIMIT)?;
    if ended.success() {
        return Ok(());
    }
    let said = printable::short(&String::from_utf8_lossy(&ended.stderr));
    let why = match (ended.status, &*said) {
        (None, _) => "the remote does not answer",
        (_, "") => "no reason given",
        (_, said) => said,
    };
    bail!("`git {what}` failed: {why}")
}

/// The commits that lead to `tip` and not to `base`, the newest first: at most 20.
///
/// Fails when the repository lacks one of them.
pub(crate) fn above(folder: &Path, tip: &str, base: &str) -> anyhow::Result<Vec<BranchCommit>> {
    let repo = open(folder)?;
    let failed = || format!("failed to read the commits from `{base}` to `{tip}`");
    let commits = walk(&repo, tip, base).with_context(failed)?;
    let read = commits.iter().map(|commit| read(&repo, commit));
    read.collect::<Result<_, _>>().with_context(failed)
}

fn walk<'a>(repo: &'a Repository, tip: &str, base: &str) -> Result<Vec<Commit<'a>>, git2::Error> {
    let mut walk = repo.revwalk()?;
    walk.push(Oid::from_str(tip)?)?;
    walk.hide(Oid::from_str(base)?)?;
    walk.take(READ).map(|id| repo.find_commit(id?)).collect()
}

fn read(repo: &Repository, commit: &Commit<'_>) -> Result<BranchCommit, git2::Error> {
    let parent = commit.parent(0).ok();
    let before = parent.as_ref().map(Commit::tree).transpose()?;
    let diff = repo.diff_tree_to_tree(before.as_ref(), Some(&commit.tree()?), None)?;
    let files = diff.deltas().map(|delta| {
        let file = match delta.status() {
            Delta::Deleted => delta.old_file(),
            _ => delta.new_file(),
        };
        let path = file.path_bytes().unwrap_or_default();
        let path = String::from_utf8_lossy(path).into_owned();
        let now = delta.new_file();
        (path, format!("{:06o} {}", u32::from(now.mode()), now.id()))
    });
    let address =
        |who: git2::Signature<'_>| String::from_utf8_lossy(who.email_bytes()).into_owned();
    Ok(BranchCommit {
        id: commit.id().to_string(),
        parent: parent
            .filter(|_| commit.parent_count() == 1)
            .map(|parent| parent.id().to_string()),
        by: [address(commit.author()), address(commit.committer())],
        message: String::from_utf8_lossy(commit.message_bytes()).into_owned(),
        files: files.collect(),
    })
}
