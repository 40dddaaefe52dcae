//! Runs without an engine: what cannot be known is never passed.

use std::sync::OnceLock;

use super::*;
use crate::checks::{catalogue, fixture};
use crate::sandbox::VerifyRun;

/// Runs all checks on the good image of the tests, where no container can be started.
fn outcomes(
    executes: bool,
    read: impl FnOnce() -> anyhow::Result<ImageFacts> + Send,
) -> Vec<Outcome> {
    let folder = std::env::temp_dir();
    let exec = Exec::new(&folder, false).unwrap();
    exec.set_var("PATH", "/nowhere");
    let facts = fixture::good();
    let candidate = Candidate {
        run: VerifyRun::named(&folder, "test"),
        image: "sha256:00".to_owned(),
        platform: facts.platform,
        is_emulated: false,
        expected: facts.expected,
        shared: "test".to_owned(),
        used: OnceLock::new(),
        pace: Mutex::new(Pace::SLOWEST),
    };
    let checks: Vec<&Check> = catalogue().collect();
    let work = Work {
        candidate: &candidate,
        checks: &checks,
        executes,
        tell: &|_| {},
    };
    run(&exec, &work, read).unwrap()
}

fn count(outcomes: &[Outcome], status: Status) -> usize {
    outcomes.iter().filter(|one| one.status == status).count()
}

#[test]
fn what_cannot_be_executed_is_never_passed() {
    let outcomes = outcomes(false, || Ok(fixture::good()));
    let executed = catalogue().filter(|check| check.how.needs_a_container());
    assert_eq!(outcomes.len(), catalogue().count());
    assert_eq!(count(&outcomes, Status::NotExecuted), executed.count());
    assert_eq!(count(&outcomes, Status::Failed), 0);
    assert!(count(&outcomes, Status::Passed) > 0);
}

#[test]
fn without_an_engine_and_without_files_nothing_is_known() {
    let outcomes = outcomes(true, || anyhow::bail!("gone"));
    assert_eq!(count(&outcomes, Status::Unproven), catalogue().count());
}

#[test]
fn a_check_that_panics_takes_no_other_with_it() {
    let verdict = guarded(|| panic!("a bug"));
    assert!(verdict.is_err());
}

#[test]
fn trouble_in_a_container_is_the_images_and_the_rest_proves_nothing() {
    let check = catalogue().next().unwrap();
    let trouble = Trouble::Ended("exit 1".to_owned());
    let of = |error| outcome(check, Err(error), 0.0).status;
    assert_eq!(of(trouble.into()), Status::Failed);
    assert_eq!(of(anyhow::anyhow!("no engine")), Status::Unproven);
}
