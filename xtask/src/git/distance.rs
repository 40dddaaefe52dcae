//! How far HEAD is from the nearest version, as `git describe` counts.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use anyhow::Context as _;
use git2::{Oid, Repository};
use serde::Serialize;

use crate::version::Version;

/// The version that HEAD comes after, and how many commits it does not have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Nearest {
    /// Its git tag.
    pub(crate) tag: String,
    /// Commits that HEAD has and the version has not.
    pub(crate) commits: u64,
}

/// As many versions as `git describe` compares before it settles.
const CANDIDATES: usize = 10;

/// Finds the version whose commit lacks the fewest of `head`'s commits.
///
/// Walks from new to old, as `git describe` does, and no further than it takes to know that no
/// other version can be nearer: on a straight line, to the first one. Where commit times run
/// backwards the count can be off, git's own too.
pub(super) fn nearest(
    repo: &Repository,
    head: Oid,
    versions: &HashMap<Oid, &Version>,
) -> anyhow::Result<Option<Nearest>> {
    if versions.is_empty() {
        return Ok(None);
    }
    let mut walk = Walk::new(repo);
    walk.push(head, 0)?;
    let mut candidates: Vec<Candidate> = Vec::new();
    let mut seen = 0;
    while let Some((commit, mut within)) = walk.pop() {
        for (place, candidate) in candidates.iter_mut().enumerate() {
            candidate.lacks += u64::from(within & (1 << place) == 0);
        }
        if let Some(&version) = versions.get(&commit)
            && candidates.len() < CANDIDATES
        {
            within |= 1 << candidates.len();
            candidates.push(Candidate {
                version,
                lacks: seen,
            });
        }
        seen += 1;
        walk.push_parents(commit, within)?;
        let best = candidates.iter().enumerate().min_by_key(|(_, c)| c.lacks);
        if let Some((place, _)) = best
            && walk.is_all_within(place)
        {
            break;
        }
    }
    Ok(candidates
        .iter()
        .min_by_key(|candidate| candidate.lacks)
        .map(|best| Nearest {
            tag: format!("v{}", best.version),
            commits: best.lacks,
        }))
}

struct Candidate<'a> {
    version: &'a Version,
    /// Commits seen so far that the version has not.
    lacks: u64,
}

/// The commits to look at, the newest first; and, as bits, which candidates each belongs to.
struct Walk<'repo> {
    repo: &'repo Repository,
    queue: BinaryHeap<(i64, Reverse<u64>, Oid)>,
    within: HashMap<Oid, u32>,
    pushed: u64,
}

impl<'repo> Walk<'repo> {
    fn new(repo: &'repo Repository) -> Self {
        Walk {
            repo,
            queue: BinaryHeap::new(),
            within: HashMap::new(),
            pushed: 0,
        }
    }

    fn push(&mut self, id: Oid, within: u32) -> anyhow::Result<()> {
        if let Some(known) = self.within.get_mut(&id) {
            *known |= within;
            return Ok(());
        }
        let commit = self.repo.find_commit(id).with_context(|| {
            format!(
                "commit `{id}` of HEAD's history is not here; hint: `git fsck` shows what is \
                 broken, `git fetch --refetch` brings what is missing"
            )
        })?;
        self.within.insert(id, within);
        // Of equal times the first one found comes first.
        let key = (commit.time().seconds(), Reverse(self.pushed), id);
        self.queue.push(key);
        self.pushed += 1;
        Ok(())
    }

    fn pop(&mut self) -> Option<(Oid, u32)> {
        let (_, _, id) = self.queue.pop()?;
        Some((id, self.within.get(&id).copied().unwrap_or_default()))
    }

    fn push_parents(&mut self, id: Oid, within: u32) -> anyhow::Result<()> {
        let commit = self.repo.find_commit(id)?;
        for parent in commit.parent_ids() {
            self.push(parent, within)?;
        }
        Ok(())
    }

    fn is_all_within(&self, candidate: usize) -> bool {
        let has = |id: &Oid| {
            self.within
                .get(id)
                .is_some_and(|w| w & (1 << candidate) != 0)
        };
        self.queue.iter().all(|(_, _, id)| has(id))
    }
}
