//! Runs of buildx that build.

use super::cache;
use crate::docker;
use crate::exec::Exec;
use crate::github;
use crate::stop::Stop;

/// Runs `docker ARGS`, which builds, and ends with us; GitHub Actions folds what it says.
pub(super) fn build(exec: &Exec, args: &[String]) -> anyhow::Result<()> {
    let group = github::Group::start(exec, "docker buildx build");
    let result = attempt(exec, args);
    group.end();
    result
}

/// Runs `docker ARGS`, and once more without a cache if it fails with one: BuildKit asks for the layers of
/// a step when it needs them, and gives up the build where it gets none; and where it cannot read the
/// token.
pub(super) fn attempt(exec: &Exec, args: &[String]) -> anyhow::Result<()> {
    match docker::watch_tied(exec, args) {
        Err(error) if cache::is_in(args) && !error.is::<Stop>() => {
            crate::say::errln!(
                "note: building again without `--cache`, in case the failure is its doing"
            );
            docker::watch_tied(exec, &cache::without(args))
        }
        result => result,
    }
}
