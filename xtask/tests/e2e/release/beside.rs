//! A release beside a rollback: whoever comes last, `latest` is never left at a version that is withdrawn.

use std::process::{Child, Command, Stdio};

use super::Releases;
use crate::common::Ran;

fn start(mut command: Command) -> Child {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

/// Runs both at once; neither may end but by finishing, by being told to run again, or by a refusal.
#[track_caller]
fn at_once(one: Command, other: Command) -> [Ran; 2] {
    let runs = [start(one), start(other)];
    let ends = runs.map(|run| Ran::from(run.wait_with_output().unwrap()));
    for ran in &ends {
        assert!([Some(0), Some(1), Some(3)].contains(&ran.code), "{ran:#?}");
    }
    ends
}

/// How often the two meet.
fn rounds() -> usize {
    if super::faults::is_all() { 6 } else { 2 }
}

const BACK: [&str; 3] = ["--rollback", "--reason", "it leaks"];

/// The job of the bad version is run again while it is taken back.
#[test]
fn the_job_of_a_version_that_is_being_withdrawn_does_not_win() {
    let releases = Releases::new();
    let first = releases.release("1.0.0");
    let second = releases.release("2.0.0");
    for round in 0..rounds() {
        let ends = at_once(releases.command(&[]), releases.command(&BACK));
        let at = releases.digest("latest");
        assert_eq!(at.as_ref(), Some(&first), "{round}: {ends:#?}");
        assert_eq!(releases.state("2.0.0").unwrap().0, "withdrawn");
        releases.run(&["--latest", "require"]).succeeded();
        assert_eq!(releases.digest("latest").as_ref(), Some(&second));
    }
}

/// A higher version is released while the one below is taken back.
#[test]
fn a_higher_version_is_latest_after_the_one_below_was_withdrawn() {
    let releases = Releases::new();
    releases.release("1.0.0");
    let mut bad = "1.1.0".to_owned();
    releases.release(&bad);
    for minor in 2..2 + rounds() {
        let version = format!("1.{minor}.0");
        let digest = releases.prepare(&version);
        let ends = at_once(releases.command(&[]), releases.command(&BACK));
        let at = releases.digest("latest").unwrap();
        let (state, _) = releases.state(&bad).unwrap();
        let is_left = releases.digest(&format!("v{bad}")).as_ref() == Some(&at);
        assert!(!(is_left && state == "withdrawn"), "{ends:#?}");
        // One more run of each finishes, in any order.
        if releases
            .state(&version)
            .is_some_and(|(state, _)| state == "released")
        {
            releases.run(&[]).succeeded();
            assert_eq!(releases.digest("latest"), Some(digest), "{ends:#?}");
            bad = version;
        } else {
            // It was released first, and then it was the one that was taken back.
            releases.run(&["--latest", "require"]).succeeded();
            assert_eq!(releases.digest("latest"), Some(digest), "{ends:#?}");
            bad = version;
        }
    }
}

/// One restores the version, and another withdraws it again.
#[test]
fn a_record_says_what_latest_does_whoever_wrote_last() {
    let releases = Releases::new();
    let first = releases.release("1.0.0");
    let second = releases.release("2.0.0");
    releases.rollback(&[]).succeeded();
    for round in 0..rounds() {
        let restore = releases.command(&["--latest", "require"]);
        let ends = at_once(restore, releases.command(&BACK));
        let (state, _) = releases.state("2.0.0").unwrap();
        let at = releases.digest("latest").unwrap();
        let want = if state == "withdrawn" {
            &first
        } else {
            &second
        };
        assert_eq!(at, *want, "{round}: {state} {ends:#?}");
        releases.rollback(&[]).succeeded();
        assert_eq!(releases.digest("latest").as_ref(), Some(&first));
    }
}
