//! The walk to the nearest version, over commits as plain data.
//!
//! It goes from new to old, as `git describe` does, and keeps for each version that it meets, up
//! to ten, which of the commits seen belong to it. It ends once no commit ahead can change the
//! answer: on a straight line that is at the first version.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use git2::Oid;

/// As many versions as `git describe` compares before it settles.
const CANDIDATES: usize = 10;
/// So far is looked. Where git takes a name for a version that is none here, the nearest version
/// can be a million commits away; no tag hangs on the distance, so nobody should wait for it.
pub(crate) const LIMIT: usize = 20_000;
/// So many more commits are looked at when the answer seems sure: they find what a clock that
/// ran wrong has put out of order.
const SLOP: usize = 100;

/// What the walk needs of a commit.
pub(super) struct Commit {
    pub(super) time: i64,
    pub(super) parents: Vec<Oid>,
}

/// What the walk came to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// This commit has all but `lacks` of HEAD's commits.
    Candidate { id: Oid, lacks: usize },
    /// There is no version in HEAD's history.
    None,
    /// The last [`LIMIT`] commits do not tell.
    GivenUp,
}

/// Finds the version that lacks the fewest of `head`'s commits, among the first ten on the way.
///
/// Where commit times run backwards the choice can be off, git's own too; the count is right
/// unless more than [`SLOP`] commits stand between those that are out of order.
pub(super) fn nearest(
    head: Oid,
    is_version: impl Fn(Oid) -> bool,
    read: impl FnMut(Oid) -> anyhow::Result<Commit>,
) -> anyhow::Result<Found> {
    let mut walk = Walk::new(read);
    walk.reach(head, 0)?;
    let mut chosen = None;
    let mut sure_for = 0;
    while sure_for < SLOP
        && let Some(number) = walk.next()
    {
        if !walk.seen[number].is_counted {
            if walk.counted == LIMIT && sure_for == 0 {
                return Ok(Found::GivenUp);
            }
            if is_version(walk.seen[number].id) {
                if walk.candidates.len() < CANDIDATES {
                    walk.add_candidate(number);
                } else if chosen.is_none() {
                    chosen = walk.best();
                }
            }
            walk.count(number);
        }
        walk.go_on_from(number)?;
        let is_sure = chosen
            .or_else(|| walk.best())
            .is_some_and(|best| walk.is_settled(best));
        sure_for = if is_sure { sure_for + 1 } else { 0 };
    }
    let best = chosen.or_else(|| walk.best());
    Ok(best.map_or(Found::None, |best| Found::Candidate {
        id: walk.seen[walk.candidates[best].number].id,
        lacks: walk.candidates[best].lacks,
    }))
}

struct Walk<R> {
    read: R,
    /// Every commit that was reached, by its number.
    seen: Vec<Seen>,
    numbers: HashMap<Oid, usize>,
    /// Those to look at, the newest first; of equal times the one that was reached first.
    queue: BinaryHeap<(i64, Reverse<usize>)>,
    candidates: Vec<Candidate>,
    counted: usize,
    /// The oldest time of a counted commit.
    oldest: i64,
}

struct Seen {
    id: Oid,
    commit: Commit,
    /// As bits, the candidates that it belongs to.
    within: u16,
    is_counted: bool,
    is_queued: bool,
}

struct Candidate {
    number: usize,
    /// Counted commits that do not belong to it.
    lacks: usize,
    /// The oldest time of those.
    oldest: i64,
    /// Commits in the queue that do not belong to it.
    outside: usize,
}

impl<R: FnMut(Oid) -> anyhow::Result<Commit>> Walk<R> {
    fn new(read: R) -> Self {
        Walk {
            read,
            seen: Vec::new(),
            numbers: HashMap::new(),
            queue: BinaryHeap::new(),
            candidates: Vec::new(),
            counted: 0,
            oldest: i64::MAX,
        }
    }

    /// Comes to a commit from a child that belongs to the candidates in `within`.
    fn reach(&mut self, id: Oid, within: u16) -> anyhow::Result<()> {
        let Some(&number) = self.numbers.get(&id) else {
            let commit = (self.read)(id)?;
            self.numbers.insert(id, self.seen.len());
            self.seen.push(Seen {
                id,
                commit,
                within,
                is_counted: false,
                is_queued: false,
            });
            self.enqueue(self.seen.len() - 1);
            return Ok(());
        };
        let seen = &mut self.seen[number];
        let new = within & !seen.within;
        seen.within |= new;
        let (is_queued, is_counted) = (seen.is_queued, seen.is_counted);
        for candidate in those_in(new, &mut self.candidates) {
            candidate.outside -= usize::from(is_queued);
            candidate.lacks -= usize::from(is_counted);
        }
        // Its parents have to be told, too.
        if new != 0 && !is_queued {
            self.enqueue(number);
        }
        Ok(())
    }

    fn enqueue(&mut self, number: usize) {
        let seen = &mut self.seen[number];
        seen.is_queued = true;
        self.queue.push((seen.commit.time, Reverse(number)));
        for candidate in those_in(!seen.within, &mut self.candidates) {
            candidate.outside += 1;
        }
    }

    fn next(&mut self) -> Option<usize> {
        let (_, Reverse(number)) = self.queue.pop()?;
        let seen = &mut self.seen[number];
        seen.is_queued = false;
        for candidate in those_in(!seen.within, &mut self.candidates) {
            candidate.outside -= 1;
        }
        Some(number)
    }

    fn add_candidate(&mut self, number: usize) {
        self.seen[number].within |= 1 << self.candidates.len();
        self.candidates.push(Candidate {
            number,
            lacks: self.counted,
            oldest: self.oldest,
            outside: self.queue.len(),
        });
    }

    fn count(&mut self, number: usize) {
        let seen = &mut self.seen[number];
        seen.is_counted = true;
        let time = seen.commit.time;
        for candidate in those_in(!seen.within, &mut self.candidates) {
            candidate.lacks += 1;
            candidate.oldest = candidate.oldest.min(time);
        }
        self.counted += 1;
        self.oldest = self.oldest.min(time);
    }

    fn go_on_from(&mut self, number: usize) -> anyhow::Result<()> {
        for place in 0..self.seen[number].commit.parents.len() {
            let seen = &self.seen[number];
            self.reach(seen.commit.parents[place], seen.within)?;
        }
        Ok(())
    }

    /// The candidate that lacks the fewest commits; of equal ones the first.
    fn best(&self) -> Option<usize> {
        (0..self.candidates.len()).min_by_key(|&place| self.candidates[place].lacks)
    }

    /// Whether all that lies ahead belongs to the candidate, and nothing that it seems to lack
    /// could still turn out to: an ancestor is not newer than its descendants.
    fn is_settled(&self, candidate: usize) -> bool {
        let candidate = &self.candidates[candidate];
        let next = self.queue.peek();
        candidate.outside == 0 && next.is_none_or(|(time, _)| *time < candidate.oldest)
    }
}

/// The candidates whose bit is set.
fn those_in(bits: u16, candidates: &mut [Candidate]) -> impl Iterator<Item = &mut Candidate> {
    let candidates = candidates.iter_mut().enumerate();
    let those = candidates.filter(move |(place, _)| bits & (1 << place) != 0);
    those.map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests;
