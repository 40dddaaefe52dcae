//! A build on a pod: buildx before 0.36 waits for ever for a pod that was deleted, evicted or
//! restarted, so the builder is asked whether it still builds.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use super::Run;
use crate::docker::{self, Activity, Builder};
use crate::exec::Exec;

/// Between two looks, the first few of which come sooner.
const PAUSE: Duration = Duration::from_secs(10);
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// How often in turn nothing must be seen of the build: buildx has something left to do after it,
/// and a cluster may be out of reach for a moment.
const OFTEN: u32 = 4;

/// What the looks at a builder have shown.
#[derive(Default)]
struct Pulse {
    looks: u32,
    was_felt: bool,
    missed: u32,
}

impl Pulse {
    /// Takes what a look shows, and says when to look again; not at all when the build is lost. One
    /// that was never seen is not, while its nodes run: an old buildx or BuildKit shows none.
    fn take(&mut self, activity: Option<Activity>) -> Option<Duration> {
        match activity {
            Some(Activity::Builds) => {
                self.was_felt = true;
                self.missed = 0;
            }
            Some(Activity::IsGone) => self.missed += 1,
            Some(Activity::Rests) if self.was_felt => self.missed += 1,
            _ => {}
        }
        self.looks += 1;
        if self.was_felt || self.missed > 0 {
            return (self.missed < OFTEN).then_some(PAUSE);
        }
        let sooner = FIRST_PAUSE.saturating_mul(1 << self.looks.min(8));
        Some(sooner.min(PAUSE))
    }
}

/// Runs a build, and ends it where its pod is gone.
pub(super) fn watch(exec: &Exec, run: &Run) -> anyhow::Result<()> {
    let (docker, platforms) = (run.docker, run.platforms);
    let pods = docker.builder.as_ref().filter(|it| it.is_kubernetes());
    let Some(Builder { name, .. }) = pods else {
        return exec.watch(run.program, run.args);
    };
    let mut pulse = Pulse::default();
    let own = exec.clone();
    let look = move || pulse.take(docker::activity(&own, docker, name, platforms));
    if exec.watch_unless(run.program, run.args, FIRST_PAUSE, look)? {
        return Ok(());
    }
    let builder = name.clone();
    Err(Lost { builder }.into())
}

/// A build whose pod is gone.
#[derive(Debug)]
pub(super) struct Lost {
    builder: String,
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the builder `{}` has lost the build: its pod was deleted, evicted or restarted\n  \
             hint: `kubectl get events` says why; run this again",
            self.builder
        )
    }
}

impl Error for Lost {}

#[cfg(test)]
mod tests {
    use super::*;

    /// The seconds between the looks that show this, as far as the first that ends the build.
    fn pauses(looks: &str) -> (Vec<u64>, bool) {
        let mut pulse = Pulse::default();
        let mut pauses = Vec::new();
        for look in looks.chars() {
            let activity = match look {
                '+' => Some(Activity::Builds),
                '-' => Some(Activity::Rests),
                'x' => Some(Activity::IsGone),
                _ => None,
            };
            match pulse.take(activity) {
                Some(pause) => pauses.push(pause.as_secs()),
                None => return (pauses, true),
            }
        }
        (pauses, false)
    }

    #[test]
    fn a_build_is_lost_when_nothing_is_seen_of_it_any_more() {
        for (looks, lost) in [
            ("+++++++", false),
            ("+----", true),
            ("+---", false),
            ("+---+---", false),
            ("+--?--", true),
            ("-------", false),
            ("???????", false),
            ("-?-+?----", true),
            ("xxxx", true),
            ("-xx-xx", true),
            ("xxx+xxx", false),
        ] {
            assert_eq!(pauses(looks).1, lost, "{looks}");
        }
    }

    #[test]
    fn the_first_looks_come_soon() {
        assert_eq!(pauses("-----+").0, [2, 4, 8, 10, 10, 10]);
        assert_eq!(pauses("-+-").0, [2, 10, 10]);
        assert_eq!(pauses("xxxx").0, [10, 10, 10]);
    }
}
