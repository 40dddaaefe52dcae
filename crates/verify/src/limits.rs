//! Every time limit of a verification, with its reason.
//!
//! A limit catches what hangs, and nothing else: a program that answers is judged by its answer. So limits are
//! many times what a good image needs on a quiet machine, and grow with the pace of the machine that the engine
//! is on. The exceptions are the two times of docs/contract.md: [`START_MILLISECONDS`] and [`STOP`].
//!
//! Some scripts wait in the container, and so end within a program's limit: for what PID 1 does at once, a hundred
//! times 0.1 s (`pid1-reap`, `pid1-terminal`, `contract-pids`), for a request that is refused at once, 20 s
//! (`contract-network`), for a prompt that nobody answers, 5 s each (`hardening-su`). Running out of one of these is
//! a matter of time as well.

use std::time::Duration;

/// How long the engine may take to do something itself, beyond a program's limit: to inspect, to remove. It takes
/// tenths of a second.
const ENGINE: Duration = Duration::from_secs(30);

/// How long the engine may take to remove all that a run has left, however busy it is. It takes seconds.
pub(crate) const SWEEP: Duration = Duration::from_mins(5);

/// How long a program in a container may take. The slowest of a good image (`claude -p`, `npm install`) take 3 s
/// on two quiet cores.
const PROGRAM: Duration = Duration::from_secs(30);
/// The same where every instruction is translated.
const EMULATED: Duration = Duration::from_mins(3);
/// No limit grows beyond this: what takes longer is of no use, even if it does not hang.
const LONGEST: Duration = Duration::from_mins(15);

/// How long the engine gives a container to end, before it kills it (docs/contract.md: stop).
pub(crate) const STOP: Duration = Duration::from_secs(5);

/// From the creation of a container until it answers `exec` (docs/contract.md: start-up budget).
pub(crate) const START_MILLISECONDS: f64 = 500.0;

/// The time limit of the image's HEALTHCHECK, and that of a probe of `agent-entrypoint health`, in seconds. An
/// image keeps its own on a quiet machine.
const HEALTHCHECK: f64 = 10.0;
const PROBE: f64 = 8.0;

/// An `exec` of `true` takes half of this on a quiet machine. What is below counts as quiet: it is noise.
const QUIET: Duration = Duration::from_millis(100);

/// The pace of a machine: how many times longer everything takes than on a quiet one, from 1 to [`Pace::SLOWEST`].
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub(crate) struct Pace(f64);

impl Pace {
    pub(crate) const QUIET: Pace = Pace(1.0);
    /// What is assumed until something is measured. At a load of 65 on two cores the slowest program of a good image
    /// took 190 s, six times its limit.
    pub(crate) const SLOWEST: Pace = Pace(10.0);

    /// The pace of a machine on which an `exec` of `true` has taken so long.
    pub(crate) fn of(took: Duration) -> Pace {
        let times = took.as_secs_f64() / QUIET.as_secs_f64();
        Pace(times.clamp(Pace::QUIET.0, Pace::SLOWEST.0))
    }

    /// The slower of two.
    pub(crate) fn slower(self, other: Pace) -> Pace {
        Pace(self.0.max(other.0))
    }
}

/// The time limits of one platform on one machine.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Limits {
    /// Whether every instruction is translated.
    pub(crate) is_emulated: bool,
    pub(crate) pace: Pace,
}

impl Limits {
    /// For a program in a container.
    pub(crate) fn program(self) -> Duration {
        let base = if self.is_emulated { EMULATED } else { PROGRAM };
        base.mul_f64(self.pace.0).min(LONGEST)
    }

    /// For what the engine does itself with a container: to inspect, to remove.
    pub(crate) fn engine(self) -> Duration {
        self.program() + ENGINE
    }

    /// For the session that types the specification's steps: one of its programs may use up a limit of its own,
    /// [`Limits::step`], and the others answer all the same.
    pub(crate) fn session(self) -> Duration {
        2 * self.program()
    }

    /// For one program of the session.
    pub(crate) fn step(self) -> Duration {
        self.program() + self.program() / 2
    }

    /// For a stop whose length is not judged: only a PID 1 that does not obey takes so long.
    pub(crate) fn patient_stop(self) -> Duration {
        self.program()
    }

    /// The health check's time limit and that of its probes, in whole seconds, on a machine that is too slow for the
    /// image's own; none on a quiet one.
    ///
    /// The check is whether the image can tell healthy from unhealthy, not how busy the machine is.
    pub(crate) fn health(self) -> Option<(u64, u64)> {
        let scaled = |seconds: f64| Duration::from_secs_f64(seconds * self.pace.0).as_secs();
        (self.pace > Pace::QUIET).then(|| (scaled(HEALTHCHECK), scaled(PROBE)))
    }

    /// For how long second looks are begun. One that hangs takes a whole limit, so there is time for three of those.
    pub(crate) fn second_looks(self) -> Duration {
        3 * self.program()
    }
}

/// The times of the cleanup after a run.
pub(crate) struct Sweep {
    pub(crate) pace: Pace,
}

impl Sweep {
    /// How long after a run that was killed something may still come into being: the engine finishes what it was
    /// asked for.
    pub(crate) fn aftermath(&self) -> Duration {
        Duration::from_secs(3).mul_f64(self.pace.0)
    }

    /// How long what is left is removed again and again: somebody else may be at it, so that the engine refuses.
    pub(crate) fn patience(&self) -> Duration {
        Duration::from_secs(30).mul_f64(self.pace.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_exec_makes_every_limit_longer_up_to_a_bound() {
        for (took, pace, native, emulated) in [
            (0, 1.0, 30, 180),
            (100, 1.0, 30, 180),
            (50, 1.0, 30, 180),
            (200, 2.0, 60, 360),
            (400, 4.0, 120, 720),
            (800, 8.0, 240, 900),
            (1000, 10.0, 300, 900),
            (60_000, 10.0, 300, 900),
        ] {
            let seen = Pace::of(Duration::from_millis(took));
            assert_eq!(seen, Pace(pace), "{took} ms");
            for (is_emulated, seconds) in [(false, native), (true, emulated)] {
                let pace = seen;
                let limits = Limits { is_emulated, pace };
                assert_eq!(limits.program().as_secs(), seconds, "{took} ms");
                assert_eq!(limits.engine().as_secs(), seconds + 30, "{took} ms");
                assert!(limits.step() < limits.session());
            }
        }
        assert_eq!(Pace(2.0).slower(Pace(3.0)), Pace(3.0));
        assert_eq!(Pace(3.0).slower(Pace(2.0)), Pace(3.0));
    }

    #[test]
    fn a_slow_engine_has_longer_to_finish_what_it_was_asked_for() {
        for (took, aftermath, patience) in [(100, 3, 30), (400, 12, 120), (60_000, 30, 300)] {
            let pace = Pace::of(Duration::from_millis(took));
            let sweep = Sweep { pace };
            let seen = (sweep.aftermath().as_secs(), sweep.patience().as_secs());
            assert_eq!(seen, (aftermath, patience), "{took} ms");
        }
    }

    #[test]
    fn a_health_check_keeps_its_own_limits_on_a_quiet_machine() {
        let health = |pace| {
            let limits = Limits {
                is_emulated: false,
                pace,
            };
            // Three answers that each take all their time, a second apart, must fit into the wait for them.
            let longest = limits.health().unwrap_or((10, 8)).1;
            assert!(
                Duration::from_secs(3 * (longest + 1)) < limits.program() + Duration::from_secs(1)
            );
            limits.health()
        };
        assert_eq!(health(Pace::QUIET), None);
        assert_eq!(health(Pace(2.5)), Some((25, 20)));
        assert_eq!(health(Pace::SLOWEST), Some((100, 80)));
    }
}
