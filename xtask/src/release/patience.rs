//! Waiting for a registry that is busy, broken or out of reach, and trying again.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::time::{Duration, Instant};

use crate::exec;
use crate::registry::Passing;
use crate::report;

/// The longest pause between two tries, in seconds.
const LONGEST: u64 = 30;

/// How long a step may take once something in its way has failed.
#[derive(Clone, Copy)]
pub(super) struct Patience(pub(super) Duration);

impl Patience {
    /// Does `step`, and again while it fails in a way that passes, until patience ends.
    ///
    /// Each try must look anew at what it changes: the one before may have been done.
    pub(super) fn run<T>(self, mut step: impl FnMut() -> anyhow::Result<T>) -> anyhow::Result<T> {
        let (mut end, mut tries) = (None, 0);
        loop {
            let error = match step() {
                Ok(done) => return Ok(done),
                Err(error) => error,
            };
            let Some(passing) = error.downcast_ref::<Passing>() else {
                return Err(error);
            };
            let end = *end.get_or_insert_with(|| Instant::now() + self.0);
            let pause = pause(tries, passing.asked, random());
            let left = end.saturating_duration_since(Instant::now());
            if pause > left {
                return Err(error);
            }
            anstream::eprintln!(
                "note: {error:#}; the next try is in {}, the last one within {}",
                report::seconds(pause),
                report::seconds(left)
            );
            exec::sleep(pause)?;
            tries += 1;
        }
    }
}

/// The pause after a number of tries: one that doubles, less up to a half at random (`random` is
/// from 0 to 1), so that two who wait do not meet again; or what the registry asks for, if that is
/// longer.
fn pause(tries: u32, asked: Option<u64>, random: f64) -> Duration {
    let seconds = 1u64.checked_shl(tries).unwrap_or(LONGEST).min(LONGEST);
    let own = Duration::from_secs(seconds).mul_f64(1.0 - random / 2.0);
    own.max(Duration::from_secs(asked.unwrap_or_default()))
}

/// From 0 to 1; the standard library's own seeds are the only randomness that is needed here.
fn random() -> f64 {
    let [low, high, ..] = RandomState::new().build_hasher().finish().to_le_bytes();
    f64::from(u16::from_le_bytes([low, high])) / f64::from(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_limit_and_a_registry_may_ask_for_its_own() {
        for (tries, asked, random, seconds) in [
            (0, None, 0.0, 1.0),
            (0, None, 1.0, 0.5),
            (3, None, 0.0, 8.0),
            (5, None, 0.0, 30.0),
            (200, None, 0.0, 30.0),
            (3, Some(0), 1.0, 4.0),
            (0, Some(7), 0.5, 7.0),
        ] {
            let pause = pause(tries, asked, random).as_secs_f64();
            assert!((pause - seconds).abs() < 1e-9, "{tries} {asked:?}: {pause}");
        }
    }

    #[test]
    fn only_what_passes_is_tried_again() {
        let mut tries = 0;
        let patience = Patience(Duration::from_mins(1));
        let done = patience.run(|| {
            tries += 1;
            if tries < 2 {
                return Err(Passing::new("busy".to_owned(), Some(0)).into());
            }
            Ok(tries)
        });
        assert_eq!(done.unwrap(), 2);
        let failed = patience.run(|| -> anyhow::Result<()> { anyhow::bail!("no") });
        assert_eq!(failed.unwrap_err().to_string(), "no");
        let none = Patience(Duration::ZERO);
        let failed = none
            .run(|| -> anyhow::Result<()> { Err(Passing::new("busy".to_owned(), None).into()) });
        assert_eq!(failed.unwrap_err().to_string(), "busy");
    }
}
