//! What a builder does while a build is said to run on it.

use super::{Docker, ask, builder, inspect};
use crate::exec::Exec;
use crate::platform::Platform;

/// What a look at a builder shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Activity {
    /// It builds, for whomever.
    Builds,
    Rests,
    /// A node that the build needs does not run any more.
    IsGone,
}

/// What `builder` does now, which ran all that a build of `platforms` needs; none where that cannot be
/// said.
pub(crate) fn activity(
    exec: &Exec,
    docker: &Docker,
    builder: &str,
    platforms: &[Platform],
) -> Option<Activity> {
    let ask = |args: &[&str]| ask(exec, docker, args).ok().flatten();
    let seen = builder::parse(&ask(&inspect(Some(builder)))?, None)?;
    if seen.must_start(platforms) {
        return Some(Activity::IsGone);
    }
    if !seen.idle.is_empty() {
        // The history would start these first.
        return None;
    }
    let running = ["--filter", "status=running", "--format", "{{.Ref}}"];
    let history = ["buildx", "history", "ls", "--builder", builder].into_iter();
    let said = ask(&history.chain(running).collect::<Vec<_>>())?;
    Some(if said.trim().is_empty() {
        Activity::Rests
    } else {
        Activity::Builds
    })
}
