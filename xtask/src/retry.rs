//! Trying again: how often, how long, and after which pauses.

use std::collections::hash_map::RandomState;
use std::error::Error;
use std::fmt;
use std::hash::{BuildHasher as _, Hasher as _};
use std::time::{Duration, Instant};

use crate::exec;
use crate::report;
use crate::stop::Stop;

/// The longest pause between two tries, in seconds, whoever asks for it.
const LONGEST: u64 = 30;

/// A failure that another try may not meet: the other side was busy or broken, or the connection
/// broke. Whether a write was done is not known.
#[derive(Debug)]
pub(crate) struct Transient {
    text: String,
    /// The seconds that the other side asks to wait.
    asked: Option<u64>,
    cause: Option<Box<dyn Error + Send + Sync>>,
}

impl Transient {
    pub(crate) fn new(text: String) -> Transient {
        Transient {
            text,
            asked: None,
            cause: None,
        }
    }

    /// With the seconds that the other side asks to wait, if it asks.
    pub(crate) fn asking(self, asked: Option<u64>) -> Transient {
        Transient { asked, ..self }
    }

    pub(crate) fn caused_by(self, cause: impl Error + Send + Sync + 'static) -> Transient {
        Transient {
            cause: Some(Box::new(cause)),
            ..self
        }
    }
}

impl fmt::Display for Transient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Error for Transient {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        let cause = self.cause.as_deref()?;
        Some(cause)
    }
}

/// How long a step is tried again.
#[derive(Clone, Copy)]
pub struct Retry {
    /// How often at most, after the first try.
    pub(crate) times: u32,
    /// How long at most, from the first failure on.
    pub(crate) time: Duration,
    /// Whether stderr says why there is a pause.
    pub(crate) is_announced: bool,
    pub(crate) sleep: fn(Duration) -> Result<(), Stop>,
    /// From 0 to 1.
    pub(crate) random: fn() -> f64,
}

impl Retry {
    /// For who has a policy of its own above.
    pub const NEVER: Retry = Retry {
        times: 0,
        time: Duration::ZERO,
        is_announced: false,
        sleep: exec::sleep,
        random,
    };

    /// For a single request. Pauses are short and not announced: many requests may wait at once.
    pub const BRIEFLY: Retry = Retry {
        times: 3,
        time: Duration::from_mins(2),
        ..Retry::NEVER
    };

    /// For a step of several requests: as often as `time` allows.
    pub fn within(time: Duration) -> Retry {
        Retry {
            times: u32::MAX,
            time,
            is_announced: true,
            ..Retry::NEVER
        }
    }

    /// Does `step`, and again while it fails with [`Transient`].
    ///
    /// A step that writes must check first: the try before may have written.
    pub(crate) fn run<T>(self, mut step: impl FnMut() -> anyhow::Result<T>) -> anyhow::Result<T> {
        let (mut end, mut tries) = (None, 0);
        loop {
            let error = match step() {
                Ok(done) => return Ok(done),
                Err(error) => error,
            };
            let Some(transient) = error.downcast_ref::<Transient>() else {
                return Err(error);
            };
            let end = *end.get_or_insert_with(|| Instant::now() + self.time);
            let pause = pause(tries, transient.asked, (self.random)());
            let left = end.saturating_duration_since(Instant::now());
            // Who asks for longer than anybody waits means hours: a shorter pause cannot help.
            let asks_for_too_long = transient.asked.is_some_and(|asked| asked > left.as_secs());
            if tries == self.times || pause > left || asks_for_too_long {
                return Err(error);
            }
            if self.is_announced {
                crate::say::errln!(
                    "note: {error:#}; the next try is in {}, the last one within {}",
                    report::seconds(pause),
                    report::seconds(left)
                );
            }
            (self.sleep)(pause)?;
            tries += 1;
        }
    }
}

/// The pause after a number of tries. It doubles up to a limit, less up to a half at random
/// (`random` is from 0 to 1), so that two who wait do not meet again. The other side may ask for a
/// longer one.
fn pause(tries: u32, asked: Option<u64>, random: f64) -> Duration {
    let seconds = 1u64.checked_shl(tries).unwrap_or(LONGEST).min(LONGEST);
    let own = Duration::from_secs(seconds).mul_f64(1.0 - random / 2.0);
    own.max(Duration::from_secs(asked.unwrap_or_default().min(LONGEST)))
}

/// From 0 to 1. The keys of the standard library's hasher are random enough for a pause.
fn random() -> f64 {
    let [low, high, ..] = RandomState::new().build_hasher().finish().to_le_bytes();
    f64::from(u16::from_le_bytes([low, high])) / f64::from(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_limit_and_the_other_side_may_ask_for_a_longer_one() {
        for (tries, asked, random, seconds) in [
            (0, None, 0.0, 1.0),
            (0, None, 1.0, 0.5),
            (3, None, 0.0, 8.0),
            (5, None, 0.0, 30.0),
            (200, None, 0.0, 30.0),
            (3, Some(0), 1.0, 4.0),
            (0, Some(7), 0.5, 7.0),
            (0, Some(86_400), 0.0, 30.0),
        ] {
            let pause = pause(tries, asked, random).as_secs_f64();
            assert!((pause - seconds).abs() < 1e-9, "{tries} {asked:?}: {pause}");
        }
    }

    #[test]
    fn only_what_is_transient_is_tried_again_and_not_for_ever() {
        fn quick(retry: Retry) -> Retry {
            Retry {
                sleep: |_| Ok(()),
                is_announced: false,
                ..retry
            }
        }
        for (retry, failures, tries) in [
            (Retry::NEVER, 1, 1),
            (Retry::BRIEFLY, 3, 4),
            (Retry::BRIEFLY, 4, 4),
            (Retry::within(Duration::from_mins(1)), 9, 10),
            (Retry::within(Duration::ZERO), 1, 1),
        ] {
            let mut done = 0;
            let result = quick(retry).run(|| {
                done += 1;
                if done <= failures {
                    return Err(Transient::new("busy".to_owned()).into());
                }
                Ok(())
            });
            assert_eq!(done, tries);
            assert_eq!(result.is_ok(), tries > failures);
        }
        for (asked, tries) in [(0, 4), (60, 4), (21_600, 1)] {
            let mut done = 0;
            let failed = quick(Retry::BRIEFLY).run(|| -> anyhow::Result<()> {
                done += 1;
                Err(Transient::new("busy".to_owned()).asking(Some(asked)).into())
            });
            assert!(failed.is_err());
            assert_eq!(done, tries, "{asked}");
        }
        let mut done = 0;
        let failed = quick(Retry::BRIEFLY).run(|| -> anyhow::Result<()> {
            done += 1;
            anyhow::bail!("no")
        });
        assert_eq!((failed.unwrap_err().to_string().as_str(), done), ("no", 1));
    }
}
