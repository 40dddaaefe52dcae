//! The walk on histories that are plain data, against sets that are counted out.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

/// Commits by number, each with its time and its parents, which have lower numbers.
type History = Vec<(i64, Vec<usize>)>;

fn id(number: usize) -> Oid {
    Oid::from_str(&format!("{number:040x}")).unwrap()
}

fn number(id: Oid) -> usize {
    usize::from_str_radix(&id.to_string(), 16).unwrap()
}

/// The nearest version to the last commit with what it lacks, and how many commits were read.
fn look(history: &History, versions: &[usize]) -> (Found, usize) {
    let mut read = 0;
    let found = nearest(
        id(history.len() - 1),
        |id| versions.contains(&number(id)),
        |id| {
            read += 1;
            let (time, parents) = history[number(id)].clone();
            let parents = parents.into_iter().map(self::id).collect();
            Ok(Commit { time, parents })
        },
    );
    (found.unwrap(), read)
}

fn candidate(number: usize, lacks: usize) -> Found {
    let id = id(number);
    Found::Candidate { id, lacks }
}

/// A straight line of so many commits, a second apart.
fn line(commits: usize) -> History {
    let parents = |number: usize| number.checked_sub(1).into_iter().collect();
    (0..commits)
        .map(|n| (i64::try_from(n).unwrap(), parents(n)))
        .collect()
}

/// The commit and all that it comes after.
fn with_ancestors(history: &History, number: usize) -> BTreeSet<usize> {
    let mut all = BTreeSet::from([number]);
    for number in (0..=number).rev() {
        if all.contains(&number) {
            all.extend(&history[number].1);
        }
    }
    all
}

/// How many of the last commit's history the version has not.
fn lacks(history: &History, version: usize) -> usize {
    let all = with_ancestors(history, history.len() - 1);
    all.difference(&with_ancestors(history, version)).count()
}

#[test]
fn on_a_straight_line_the_walk_ends_soon_after_the_first_version() {
    let history = line(10_000);
    let (found, read) = look(&history, &[0, 5000, 9989, 9990]);
    assert_eq!(found, candidate(9990, 9));
    assert!(read <= 10 + SLOP + 1, "{read}");
    assert_eq!(look(&history, &[9999]).0, candidate(9999, 0));
    assert_eq!(look(&history, &[]).0, Found::None);
}

#[test]
fn what_lies_ahead_of_the_limit_is_not_looked_at() {
    let history = line(LIMIT + SLOP + 10);
    let last = history.len() - 1;
    for (version, want) in [
        (last - LIMIT + 1, candidate(last - LIMIT + 1, LIMIT - 1)),
        (last - LIMIT, Found::GivenUp),
    ] {
        let (found, read) = look(&history, &[version]);
        assert_eq!(found, want);
        assert!(read <= LIMIT + SLOP + 1, "{read}");
    }
    // Without an end to it, what is counted so far is not the answer either.
    let mut forked = line(LIMIT + 10);
    let time = forked.last().unwrap().0;
    forked.push((time + 1, vec![]));
    forked.push((time + 2, vec![forked.len() - 2, forked.len() - 1]));
    let version = forked.len() - 2;
    assert_eq!(look(&forked, &[version]).0, Found::GivenUp);
}

#[test]
fn of_two_sides_of_a_merge_the_one_counts_that_lacks_less() {
    // 0 - 1 - 2 - 3 ----- 6
    //      \- 4 - 5 -----/
    let history: History = vec![
        (0, vec![]),
        (1, vec![0]),
        (2, vec![1]),
        (3, vec![2]),
        (4, vec![1]),
        (5, vec![4]),
        (6, vec![3, 5]),
    ];
    for (versions, want) in [
        (&[0][..], candidate(0, 6)),
        (&[1, 4], candidate(4, 4)),
        (&[2, 4], candidate(4, 4)),
        (&[2, 5], candidate(5, 3)),
        (&[3, 4], candidate(3, 3)),
        // Of equal ones the newest.
        (&[3, 5], candidate(5, 3)),
    ] {
        assert_eq!(look(&history, versions).0, want, "{versions:?}");
    }
}

#[test]
fn ten_versions_are_compared_and_no_more() {
    // Ten branches of a commit and a version each; an eleventh, older and with more commits,
    // would lack less.
    let mut history = line(50);
    let time = 1000;
    let mut versions = vec![49];
    let mut tips = vec![49];
    for branch in 0..CANDIDATES {
        tips.push(history.len());
        history.push((time + i64::try_from(branch).unwrap(), vec![]));
    }
    let all: Vec<usize> = tips[1..].to_vec();
    history.push((time + 100, tips));
    versions.extend(&all);
    let newest = *all.last().unwrap();
    assert_eq!(look(&history, &versions).0, candidate(newest, 60));
    versions.remove(1);
    assert_eq!(look(&history, &versions).0, candidate(49, 11));
}

#[test]
fn a_clock_that_ran_wrong_does_not_spoil_the_count() {
    // The version's line was committed on a machine whose clock was an hour behind, so that the
    // root is found by the other side before it is known to be the version's, too.
    let history: History = vec![
        (5000, vec![]),
        (5001, vec![0]),
        (1401, vec![1]),
        (1402, vec![2]),
        (5002, vec![1]),
        (5003, vec![3, 4]),
    ];
    assert_eq!(look(&history, &[3]).0, candidate(3, 2));
    // All of it in one second.
    let at_once: History = history.into_iter().map(|(_, p)| (7, p)).collect();
    assert_eq!(look(&at_once, &[3]).0, candidate(3, 2));
}

#[test]
fn within_one_second_the_walk_goes_on_however_long_the_versions_line_is() {
    // 0 ---------------- last but one - last
    //  \- 1 - 2 - … - version ------/
    let mut history: History = line(3 * SLOP).into_iter().map(|(_, p)| (7, p)).collect();
    let version = history.len() - 1;
    history.push((7, vec![0]));
    history.push((7, vec![version + 1, version]));
    assert_eq!(look(&history, &[version]).0, candidate(version, 2));
}

/// Up to 60 commits: each the parents' distances back, a time and whether it is a version.
fn any_history() -> impl Strategy<Value = (History, Vec<usize>)> {
    let parents = proptest::collection::vec(1..8_usize, 1..4);
    let commit = (parents, 0..50_i64, proptest::bool::weighted(0.3));
    proptest::collection::vec(commit, 1..60).prop_map(|commits| {
        let mut history = History::new();
        let mut versions = Vec::new();
        for (number, (back, time, is_version)) in commits.into_iter().enumerate() {
            let parents: BTreeSet<usize> =
                back.iter().filter_map(|b| number.checked_sub(*b)).collect();
            history.push((time, parents.into_iter().rev().collect()));
            versions.extend(is_version.then_some(number));
        }
        (history, versions)
    })
}

/// The first ten versions on the way from new to old; they are all, where there are no more.
fn check(history: &History, versions: &[usize]) -> Result<Option<usize>, TestCaseError> {
    match look(history, versions).0 {
        Found::Candidate { id, lacks } => {
            let version = number(id);
            prop_assert!(versions.contains(&version));
            prop_assert_eq!(lacks, self::lacks(history, version));
            Ok(Some(lacks))
        }
        Found::None => Ok(None),
        Found::GivenUp => Err(TestCaseError::fail("given up")),
    }
}

proptest! {
    #[test]
    fn the_count_is_right_whatever_the_clocks_say((history, versions) in any_history()) {
        check(&history, &versions)?;
    }

    #[test]
    fn the_nearest_is_found_where_time_runs_forwards((mut history, mut versions) in any_history()) {
        for (time, commit) in history.iter_mut().enumerate() {
            // Two and two commits in one second.
            commit.0 = i64::try_from(time / 2).unwrap();
        }
        let all = with_ancestors(&history, history.len() - 1);
        versions.retain(|version| all.contains(version));
        versions = versions.split_off(versions.len().saturating_sub(CANDIDATES));
        let fewest = versions.iter().map(|&version| lacks(&history, version)).min();
        prop_assert_eq!(check(&history, &versions)?, fewest);
    }
}
