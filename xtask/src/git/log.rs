//! What changed since the version before: commits of one version that its predecessor has not.

use std::path::Path;

use anyhow::Context as _;
use git2::{Commit, ErrorCode, Oid, Repository, Sort};

use super::open::open;
use crate::version::{Version, is_stable};

/// How many commits are listed.
const LISTED: usize = 200;
/// How many commits are counted.
const COUNTED: usize = 10_000;
/// The longest subject, in characters.
const SUBJECT: usize = 120;
/// How many versions are tried as the one before.
const TRIED: usize = 50;

/// The commits of a version since the one before, the newest first, without merges.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Changes {
    /// The highest lower version in the history; none for the first.
    pub(crate) since: Option<Version>,
    pub(crate) commits: Vec<Change>,
    /// Commits that are not listed, counted up to a limit.
    pub(crate) more: usize,
}

/// A commit.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Change {
    /// The full commit id.
    pub(crate) id: String,
    /// The first line of its message, as its author wrote it, but for its length.
    pub(crate) subject: String,
}

/// The commits that lead to `revision`, which is `version`, since the highest of `versions` below it
/// that is in its history. A stable version counts from a stable one, so that it has what its
/// prereleases had.
///
/// Assumes a clone that is not shallow. Fails when the repository lacks the commit.
pub(crate) fn changes(
    folder: &Path,
    version: &Version,
    revision: &str,
    versions: &[Version],
) -> anyhow::Result<Changes> {
    let repo = open(folder)?;
    let walked = || format!("failed to walk the history of `{revision}`");
    let id = Oid::from_str(revision).with_context(walked)?;
    let before = before(&repo, id, &candidates(version, versions)).with_context(walked)?;
    let mut walk = repo.revwalk().with_context(walked)?;
    walk.set_sorting(Sort::TOPOLOGICAL | Sort::TIME)
        .with_context(walked)?;
    walk.push(id).with_context(walked)?;
    if let Some((_, oid)) = &before {
        walk.hide(*oid).with_context(walked)?;
    }
    let (mut commits, mut more) = (Vec::new(), 0);
    for id in walk.take(COUNTED) {
        let commit = id
            .and_then(|id| repo.find_commit(id))
            .with_context(walked)?;
        if commit.parent_count() > 1 {
            continue;
        }
        if commits.len() < LISTED {
            commits.push(change(&commit));
        } else {
            more += 1;
        }
    }
    Ok(Changes {
        since: before.map(|(version, _)| version),
        commits,
        more,
    })
}

/// The versions that may come before `version`, the highest first.
fn candidates<'a>(version: &Version, versions: &'a [Version]) -> Vec<&'a Version> {
    let is_lower = |other: &&Version| *other < version && (is_stable(other) || !is_stable(version));
    let mut lower: Vec<&Version> = versions.iter().filter(is_lower).collect();
    lower.sort_unstable_by(|one, other| other.cmp(one));
    lower.dedup();
    lower.truncate(TRIED);
    lower
}

/// The first of the candidates whose commit comes before `id`.
fn before(
    repo: &Repository,
    id: Oid,
    candidates: &[&Version],
) -> Result<Option<(Version, Oid)>, git2::Error> {
    for &candidate in candidates {
        let found = match repo.find_reference(&format!("refs/tags/v{candidate}")) {
            Err(error) if error.code() == ErrorCode::NotFound => continue,
            found => found?,
        };
        // A tag may lead to something else than a commit.
        let Ok(commit) = found.peel_to_commit() else {
            continue;
        };
        if repo.graph_descendant_of(id, commit.id())? {
            return Ok(Some((candidate.clone(), commit.id())));
        }
    }
    Ok(None)
}

fn change(commit: &Commit<'_>) -> Change {
    let subject = String::from_utf8_lossy(commit.summary_bytes().unwrap_or_default());
    let mut short: String = subject.chars().take(SUBJECT).collect();
    if short.len() < subject.len() {
        short.push('…');
    }
    Change {
        id: commit.id().to_string(),
        subject: short,
    }
}

#[cfg(test)]
mod tests {
    use git2::{Signature, Time};

    use super::*;

    /// A repository whose commits are made by hand.
    struct Repo(tempfile::TempDir, Repository);

    impl Repo {
        fn new() -> Repo {
            let folder = tempfile::tempdir().unwrap();
            let repo = Repository::init(folder.path()).unwrap();
            Repo(folder, repo)
        }

        fn commit(&self, message: &str, parents: &[Oid]) -> Oid {
            let repo = &self.1;
            let who =
                Signature::new("Ada", "ada@example.org", &Time::new(1_767_323_045, 0)).unwrap();
            let tree = repo.treebuilder(None).unwrap().write().unwrap();
            let tree = repo.find_tree(tree).unwrap();
            let parents: Vec<_> = parents
                .iter()
                .map(|id| repo.find_commit(*id).unwrap())
                .collect();
            let parents: Vec<&Commit<'_>> = parents.iter().collect();
            repo.commit(None, &who, &who, message, &tree, &parents)
                .unwrap()
        }

        fn tag(&self, name: &str, id: Oid) {
            let object = self.1.find_object(id, None).unwrap();
            self.1.tag_lightweight(name, &object, false).unwrap();
        }

        fn changes(&self, version: &str, id: Oid, versions: &[&str]) -> Changes {
            let versions: Vec<Version> = versions.iter().map(|it| it.parse().unwrap()).collect();
            let version = version.parse().unwrap();
            changes(self.0.path(), &version, &id.to_string(), &versions).unwrap()
        }
    }

    fn subjects(changes: &Changes) -> Vec<&str> {
        changes.commits.iter().map(|it| &*it.subject).collect()
    }

    #[test]
    fn a_version_counts_from_the_one_before_in_its_own_history() {
        let repo = Repo::new();
        let a = repo.commit("a", &[]);
        let b = repo.commit("b\n\nbody", &[a]);
        let rc = repo.commit("rc", &[b]);
        let side = repo.commit("side", &[b]);
        let merge = repo.commit("Merge side", &[rc, side]);
        let backport = repo.commit("backport", &[b]);
        for (name, id) in [
            ("v1.0.0", b),
            ("v1.1.0-rc.1", rc),
            ("v1.1.0", merge),
            ("v1.0.1", backport),
        ] {
            repo.tag(name, id);
        }
        let all = ["1.0.0", "1.1.0-rc.1", "1.1.0", "1.0.1", "0.9.0"];
        let of = |version, id| repo.changes(version, id, &all);
        let first = of("1.0.0", b);
        assert_eq!(
            (first.since.clone(), subjects(&first)),
            (None, vec!["b", "a"])
        );
        // A stable version has the changes of its prereleases, and no merge; v1.0.1 is no part of it.
        let stable = of("1.1.0", merge);
        assert_eq!(stable.since, Some(Version::new(1, 0, 0)));
        let mut found = subjects(&stable);
        found.sort_unstable();
        assert_eq!(found, ["rc", "side"]);
        let pre = of("1.1.0-rc.1", rc);
        assert_eq!(
            (pre.since.clone(), subjects(&pre)),
            (Some(Version::new(1, 0, 0)), vec!["rc"])
        );
        let back = of("1.0.1", backport);
        assert_eq!(
            (back.since.clone(), subjects(&back)),
            (Some(Version::new(1, 0, 0)), vec!["backport"])
        );
        assert_eq!(back.commits[0].id, backport.to_string());
    }

    #[test]
    fn what_is_long_is_cut() {
        let repo = Repo::new();
        let mut last = repo.commit(&"x".repeat(SUBJECT + 1), &[]);
        let first = repo.changes("1.0.0", last, &[]);
        assert_eq!(
            first.commits[0].subject,
            format!("{}…", "x".repeat(SUBJECT))
        );
        for _ in 0..LISTED + 4 {
            last = repo.commit("", &[last]);
        }
        let many = repo.changes("1.0.0", last, &[]);
        assert_eq!((many.commits.len(), many.more), (LISTED, 5));
        assert_eq!(many.commits[0].subject, "");
    }
}
