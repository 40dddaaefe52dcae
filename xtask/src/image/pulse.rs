//! A build on a pod: buildx before 0.36 waits for ever for a pod that was deleted, evicted or
//! restarted, so the builder is asked whether it still builds.

use std::time::Duration;

use anyhow::bail;

use crate::docker::{self, Builder, Docker};
use crate::exec::Exec;

/// Between two looks.
const PAUSE: Duration = Duration::from_secs(10);
/// How often in turn nothing must be seen of the build: buildx has something left to do after it,
/// and a cluster may be out of reach for a moment.
const OFTEN: u32 = 4;

/// What the looks at a builder have shown.
#[derive(Default)]
struct Pulse {
    was_felt: bool,
    missed: u32,
}

impl Pulse {
    /// Takes whether the builder builds anything (none: that cannot be said); true if a build is
    /// lost. One that was never seen is not: an old buildx or BuildKit shows none.
    fn is_lost(&mut self, beats: Option<bool>) -> bool {
        match beats {
            Some(true) => {
                self.was_felt = true;
                self.missed = 0;
            }
            Some(false) if self.was_felt => self.missed += 1,
            _ => {}
        }
        self.missed >= OFTEN
    }
}

/// Runs a build by `docker`, and ends it where its pod is gone.
pub(super) fn watch(
    exec: &Exec,
    docker: &Docker,
    program: &str,
    args: &[String],
) -> anyhow::Result<()> {
    let pods = docker
        .builder
        .as_ref()
        .filter(|builder| builder.is_kubernetes());
    let Some(Builder { name, .. }) = pods else {
        return exec.watch(program, args);
    };
    let mut pulse = Pulse::default();
    let own = exec.clone();
    let is_lost = move || pulse.is_lost(docker::builds(&own, docker, name));
    if exec.watch_unless(program, args, PAUSE, is_lost)? {
        return Ok(());
    }
    bail!(
        "the builder `{name}` has lost the build: its pod was deleted, evicted or restarted\n  \
         hint: `kubectl get events` says why; run this again"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_is_lost_when_nothing_is_seen_of_it_any_more() {
        let is_lost = |looks: &str| {
            let mut pulse = Pulse::default();
            let mut ends = looks.chars().map(|look| {
                pulse.is_lost(match look {
                    '+' => Some(true),
                    '-' => Some(false),
                    _ => None,
                })
            });
            ends.any(|end| end)
        };
        for (looks, lost) in [
            ("+++++++", false),
            ("+----", true),
            ("+---", false),
            ("+---+---", false),
            ("+--?--", true),
            ("-------", false),
            ("???????", false),
            ("-?-+?----", true),
        ] {
            assert_eq!(is_lost(looks), lost, "{looks}");
        }
    }
}
