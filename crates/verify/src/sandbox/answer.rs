//! What it means for a check that the engine does not do what it is asked for.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde::de::DeserializeOwned;
use xtask::docker::api::Failure;

use super::trouble::Trouble;

/// HTTP's status for a container, or an exec, that is not there.
const NOT_FOUND: u16 = 404;
/// HTTP's status for a container that is in no state for what is asked: most often it does not run.
const CONFLICT: u16 = 409;

/// When something must have ended that takes several requests.
#[derive(Clone, Copy)]
pub(super) struct Deadline {
    pub(super) limit: Duration,
    end: Instant,
}

impl Deadline {
    pub(super) fn after(limit: Duration) -> Deadline {
        Deadline {
            limit,
            end: Instant::now() + limit,
        }
    }

    /// Nothing when it is over.
    pub(super) fn left(&self) -> Duration {
        self.end.saturating_duration_since(Instant::now())
    }
}

/// Why something that the engine itself does came to nothing.
pub(super) fn of_docker(verb: &str, failure: Failure, limit: Duration) -> anyhow::Error {
    match failure {
        Failure::Refused(NOT_FOUND | CONFLICT, why) => Trouble::Ended(why).into(),
        Failure::Refused(_, why) => anyhow::anyhow!("`docker {verb}` failed: {why}"),
        Failure::TimedOut => Trouble::NoAnswer(format!("docker {verb}"), limit).into(),
        Failure::Stopped(stop) => stop.into(),
        gone @ Failure::Gone(_) => gone.into(),
    }
}

/// Why a program in a container did not run to its end.
pub(super) fn of_program(what: &str, failure: Failure, limit: Duration) -> anyhow::Error {
    match failure {
        Failure::TimedOut => Trouble::TimedOut(what.to_owned(), limit).into(),
        failure => of_docker(what, failure, limit),
    }
}

/// Why a container did not start.
pub(super) fn of_start(what: &str, failure: Failure, limit: Duration) -> anyhow::Error {
    match failure {
        Failure::Refused(_, why) => Trouble::DidNotStart(why).into(),
        failure => of_program(what, failure, limit),
    }
}

/// Why a container did not start in the background: how long that takes is the engine's matter alone.
pub(super) fn of_detached(failure: Failure, limit: Duration) -> anyhow::Error {
    match failure {
        Failure::Refused(_, why) => Trouble::DidNotStart(why).into(),
        failure => of_docker("run --detach IMAGE", failure, limit),
    }
}

/// Reads what the engine describes.
pub(super) fn parsed<T: DeserializeOwned>(what: &str, bytes: &[u8]) -> anyhow::Result<T> {
    serde_json::from_slice(bytes)
        .with_context(|| format!("the engine describes {what} in another way than expected"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trouble_is_known_by_the_status_of_the_answer() {
        let limit = Duration::from_secs(30);
        let refused = |status| Failure::Refused(status, "why".to_owned());
        let gone = || Failure::Gone("x".to_owned());
        let engine = "the engine does not answer: x";
        for (error, is_images, said) in [
            (
                of_docker("stop", refused(404), limit),
                true,
                "the container has ended: why",
            ),
            (
                of_docker("kill", refused(409), limit),
                true,
                "the container has ended: why",
            ),
            (
                of_docker("stop", refused(500), limit),
                false,
                "`docker stop` failed: why",
            ),
            (
                of_docker("stop", Failure::TimedOut, limit),
                false,
                "`docker stop` did not end within 30 s",
            ),
            (of_docker("stop", gone(), limit), false, engine),
            (
                of_program("id", refused(409), limit),
                true,
                "the container has ended: why",
            ),
            (
                of_program("id", Failure::TimedOut, limit),
                true,
                "`id` did not end within 30 s",
            ),
            (of_program("id", gone(), limit), false, engine),
            (
                of_start("id", refused(400), limit),
                true,
                "the container did not start: why",
            ),
            (
                of_start("id", refused(404), limit),
                true,
                "the container did not start: why",
            ),
            (of_start("id", gone(), limit), false, engine),
        ] {
            assert_eq!(error.to_string(), said);
            assert_eq!(
                error.downcast_ref().is_some_and(Trouble::is_images),
                is_images,
                "{said}"
            );
        }
    }

    #[test]
    fn an_engine_that_is_slow_is_not_the_images_fault() {
        let limit = Duration::from_secs(30);
        let kind = |failure| of_detached(failure, limit).downcast::<Trouble>().ok();
        let slow = kind(Failure::TimedOut).unwrap();
        assert!(slow.is_time() && !slow.is_images());
        assert_eq!(
            slow.to_string(),
            "`docker run --detach IMAGE` did not end within 30 s"
        );
        for status in [400, 404, 409, 500] {
            let refused = kind(Failure::Refused(status, "why".to_owned())).unwrap();
            assert_eq!(refused, Trouble::DidNotStart("why".to_owned()), "{status}");
            assert!(!refused.is_time() && refused.is_images());
        }
        assert_eq!(kind(Failure::Gone("no engine".to_owned())), None);
    }

    #[test]
    fn an_interruption_is_no_trouble() {
        use xtask::stop::Stop;
        let stopped = || Failure::Stopped(Stop::Interrupted(2));
        for error in [
            of_start("id", stopped(), Duration::ZERO),
            of_detached(stopped(), Duration::ZERO),
        ] {
            assert!(error.downcast_ref::<Stop>().is_some());
        }
    }
}
