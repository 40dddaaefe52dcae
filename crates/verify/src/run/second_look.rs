//! What becomes of a check whose time ran out: it is inspected once more, alone, at the end of the run. A machine
//! that is still busy then leaves it unproven; on a quiet one it has failed.

use std::time::Duration;

use super::jobs::Job;
use crate::check::{Check, Outcome, Status, Verdict};
use crate::load::Busy;
use crate::sandbox::Trouble;

const HINT: &str = "hint: run it again when less runs beside it";

/// What is inspected again.
pub(super) struct Held {
    pub(super) job: Job,
    /// What ran out of time at the first look.
    pub(super) why: String,
}

/// What ran out of time, if that is all that is known.
pub(super) fn out_of_time(verdict: &anyhow::Result<Verdict>) -> Option<String> {
    match verdict {
        Ok(verdict) => verdict.too_slow().map(str::to_owned),
        Err(error) => {
            let trouble: &Trouble = error.downcast_ref()?;
            trouble.is_time().then(|| trouble.to_string())
        }
    }
}

/// The outcome of a look that is the last.
pub(super) fn outcome(check: &Check, verdict: anyhow::Result<Verdict>, seconds: f64) -> Outcome {
    let is_images = |error: &anyhow::Error| {
        let trouble: Option<&Trouble> = error.downcast_ref();
        trouble.is_some_and(Trouble::is_images)
    };
    match verdict {
        Ok(verdict) => Outcome::of(check, verdict, seconds),
        // The fault is the image's: a container of a good image does not do this.
        Err(error) if is_images(&error) => {
            let verdict = Verdict::failed(format!("{error:#}"), check.proves);
            Outcome::of(check, verdict, seconds)
        }
        Err(error) => Outcome {
            seconds,
            ..Outcome::without_verdict(check, Status::Unproven, &format!("{error:#}"))
        },
    }
}

/// The outcome of a second look; `busy` is how the engine's machine was during it, which counts where time ran out
/// again.
pub(super) fn second_outcome(
    check: &Check,
    verdict: anyhow::Result<Verdict>,
    busy: &Busy,
    seconds: f64,
) -> Outcome {
    let Some(why) = out_of_time(&verdict) else {
        return outcome(check, verdict, seconds);
    };
    let unproven = |why: String, busy: bool| Outcome {
        busy,
        seconds,
        ..Outcome::without_verdict(check, Status::Unproven, &why)
    };
    match busy {
        Busy::No => {
            let mut outcome = outcome(check, verdict, seconds);
            outcome.seen += " (at a second look, too)";
            outcome
        }
        Busy::Yes(how) => unproven(
            format!("{why} (at a second look, too); the machine is busy: {how}; {HINT}"),
            true,
        ),
        Busy::Unknown => unproven(
            format!(
                "{why} (at a second look, too), and the engine's machine does not say how busy it is; {HINT}"
            ),
            false,
        ),
    }
}

/// The outcome of a check whose second look comes too late; `busy` is how the machine was at the one before.
pub(super) fn without_second_look(check: &Check, why: &str, busy: &Busy) -> Outcome {
    let more = match busy {
        Busy::Yes(how) => format!("; the machine is busy: {how}"),
        Busy::No | Busy::Unknown => String::new(),
    };
    let why = format!(
        "{why}, and second looks at other checks took too long for one at it{more}; {HINT}"
    );
    Outcome {
        busy: matches!(busy, Busy::Yes(_)),
        ..Outcome::without_verdict(check, Status::Unproven, &why)
    }
}

/// Inspects again, one after the other, what was held; stops beginning once `limit` is over. `look` says how busy
/// the machine was if time ran out again, `leave` is for what comes too late.
pub(super) fn look_again(
    held: Vec<Held>,
    limit: Duration,
    now: impl Fn() -> Duration,
    mut look: impl FnMut(Job) -> anyhow::Result<Option<Busy>>,
    mut leave: impl FnMut(&Held, &Busy),
) -> anyhow::Result<()> {
    let begun = now();
    let mut busy = Busy::Unknown;
    for one in held {
        if now().saturating_sub(begun) >= limit {
            leave(&one, &busy);
        } else if let Some(seen) = look(one.job)? {
            busy = seen;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};

    use super::*;
    use crate::checks::catalogue;

    const LIMIT: Duration = Duration::from_secs(30);

    fn timed_out() -> anyhow::Result<Verdict> {
        Err(Trouble::TimedOut("claude -p hi".to_owned(), LIMIT).into())
    }

    fn busy() -> Busy {
        Busy::Yes("11 tasks share a core".to_owned())
    }

    #[test]
    fn only_time_is_given_a_second_look() {
        for (verdict, why) in [
            (timed_out(), Some("`claude -p hi` did not end within 30 s")),
            (
                Err(Trouble::NoAnswer("docker inspect".to_owned(), LIMIT).into()),
                Some("`docker inspect` did not end within 30 s"),
            ),
            (Ok(Verdict::slow("9 s", "5 s")), Some("9 s")),
            (Ok(Verdict::failed("v18", "v20")), None),
            (Ok(Verdict::passed("v20")), None),
            (Err(Trouble::Ended("gone".to_owned()).into()), None),
            (Err(anyhow::anyhow!("no engine")), None),
        ] {
            assert_eq!(out_of_time(&verdict).as_deref(), why);
        }
    }

    #[test]
    fn a_second_look_decides_by_the_load() {
        type Case<'a> = (anyhow::Result<Verdict>, Busy, Status, bool, &'a [&'a str]);
        let check = catalogue().next().unwrap();
        let slow = || Ok(Verdict::slow("9 s", "5 s"));
        let engine = || Err(Trouble::NoAnswer("docker inspect".to_owned(), LIMIT).into());
        let passed = || Ok(Verdict::passed("v20"));
        let failed = || Ok(Verdict::failed("v18", "v20"));
        let table: [Case; 10] = [
            (
                timed_out(),
                Busy::No,
                Status::Failed,
                false,
                &["within 30 s (at a second look, too)"],
            ),
            (
                slow(),
                Busy::No,
                Status::Failed,
                false,
                &["9 s (at a second look, too)"],
            ),
            (
                timed_out(),
                busy(),
                Status::Unproven,
                true,
                &[
                    "within 30 s",
                    "the machine is busy: 11 tasks share a core",
                    "hint: run it again",
                ],
            ),
            (
                slow(),
                busy(),
                Status::Unproven,
                true,
                &["9 s", "busy", "hint:"],
            ),
            (
                timed_out(),
                Busy::Unknown,
                Status::Unproven,
                false,
                &["does not say how busy it is", "hint:"],
            ),
            (
                engine(),
                Busy::No,
                Status::Unproven,
                false,
                &["`docker inspect`"],
            ),
            (engine(), busy(), Status::Unproven, true, &["busy"]),
            // An answer counts, however busy the machine is.
            (passed(), busy(), Status::Passed, false, &["v20"]),
            (failed(), busy(), Status::Failed, false, &["v18"]),
            (
                Err(Trouble::Ended("gone".to_owned()).into()),
                busy(),
                Status::Failed,
                false,
                &["gone"],
            ),
        ];
        for (verdict, load, status, is_busy, words) in table {
            let outcome = second_outcome(check, verdict, &load, 1.0);
            assert_eq!(
                (outcome.status, outcome.busy),
                (status, is_busy),
                "{outcome:?}"
            );
            for word in words {
                assert!(outcome.seen.contains(word), "{word}: {outcome:?}");
            }
        }
    }

    #[test]
    fn second_looks_are_begun_for_a_while_only() {
        let clock = Cell::new(Duration::from_secs(1000));
        let (looked, left) = (RefCell::new(0), RefCell::new(Vec::new()));
        let check = catalogue().next().unwrap();
        let held = || Held {
            job: Job::Check(check),
            why: "`x` did not end within 30 s".to_owned(),
        };
        // Each takes 30 s, and then the machine is busy.
        look_again(
            (0..6).map(|_| held()).collect(),
            Duration::from_secs(90),
            || clock.get(),
            |_| {
                *looked.borrow_mut() += 1;
                clock.set(clock.get() + Duration::from_secs(30));
                Ok(Some(busy()))
            },
            |held, busy| {
                left.borrow_mut()
                    .push(without_second_look(check, &held.why, busy));
            },
        )
        .unwrap();
        assert_eq!(*looked.borrow(), 3);
        let left = left.into_inner();
        assert_eq!(left.len(), 3);
        assert!(
            left.iter()
                .all(|one| one.status == Status::Unproven && one.busy),
            "{left:?}"
        );
        assert!(
            left[0].seen.starts_with("`x` did not end within 30 s, and"),
            "{left:?}"
        );
        // A quiet machine is not to blame.
        assert!(!without_second_look(check, "x", &Busy::No).busy);
        // The run was interrupted.
        let ended = look_again(
            vec![held()],
            Duration::from_secs(90),
            || clock.get(),
            |_| anyhow::bail!("interrupted"),
            |_, _| panic!("nothing is left"),
        );
        assert!(ended.is_err());
    }
}
