//! How far HEAD is from the nearest version, as `git describe` counts.

use std::collections::HashMap;

use anyhow::Context as _;
use git2::{Oid, Repository, Sort};
use serde::Serialize;

use crate::version::Version;

/// The version that HEAD comes after, and how many commits it does not have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Nearest {
    /// Its git tag.
    pub(crate) tag: String,
    /// Commits that HEAD has and the version has not.
    pub(crate) commits: usize,
}

/// As many versions as `git describe` compares before it settles.
const CANDIDATES: usize = 10;
/// So far back is looked: no tag hangs on the distance, so nobody should wait for it.
pub(crate) const LIMIT: usize = 20_000;

/// What a look for the nearest version found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Search {
    Found(Nearest),
    /// HEAD comes after no version; or HEAD carries one itself, and nothing was looked for.
    None,
    /// There is none among HEAD's last [`LIMIT`] commits.
    GivenUp,
}

/// Finds the version whose commit lacks the fewest of `head`'s commits.
///
/// Walks from new to old, as `git describe` does. What comes before a commit on that walk is not
/// in its history, so a version further away than the best one so far is near cannot be nearer:
/// on a straight line the walk ends at the first one. Where commit times run backwards the
/// choice can be off, git's own too; the count is right.
pub(super) fn nearest(
    repo: &Repository,
    head: Oid,
    versions: &HashMap<Oid, &Version>,
) -> anyhow::Result<Search> {
    if versions.is_empty() {
        return Ok(Search::None);
    }
    let missing = "HEAD's history is not all here; hint: `git fsck` shows what is broken, \
                   `git fetch --refetch` brings what is missing";
    let mut walk = repo.revwalk().context(missing)?;
    walk.set_sorting(Sort::TIME).context(missing)?;
    walk.push(head).context(missing)?;
    let mut best: Option<Nearest> = None;
    let mut candidates = 0;
    for (seen, commit) in walk.enumerate() {
        let is_decided = best.as_ref().is_some_and(|best| best.commits <= seen);
        if is_decided || candidates == CANDIDATES {
            break;
        }
        if seen == LIMIT {
            return Ok(best.map_or(Search::GivenUp, Search::Found));
        }
        let commit = commit.context(missing)?;
        let Some(version) = versions.get(&commit) else {
            continue;
        };
        candidates += 1;
        let (commits, _) = repo.graph_ahead_behind(head, commit).context(missing)?;
        if best.as_ref().is_none_or(|best| commits < best.commits) {
            let tag = format!("v{version}");
            best = Some(Nearest { tag, commits });
        }
    }
    Ok(best.map_or(Search::None, Search::Found))
}
