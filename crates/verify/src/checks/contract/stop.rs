//! How a container ends when the server stops it.

use crate::check::Verdict;
use crate::sandbox::{Sandbox, Stopped};

/// The exit code of a container whose PID 1 the engine has killed. The engine waits by its own clock: with any other
/// code PID 1 has ended in time, even if a busy machine was slow to send our request.
const KILLED: i32 = 137;

/// Leaves a process running that writes to the workspace when it gets SIGTERM.
const OBEDIENT: &str = r#"sh -c 'trap "echo obeyed >obeyed; exit" TERM; echo >ready; sleep 1000 & wait' >/dev/null 2>&1 &
until [ -e ready ]; do sleep 0.02; done"#;

pub(super) fn obey(sandbox: &Sandbox) -> anyhow::Result<Verdict> {
    let folder = sandbox.workspace()?;
    let container = sandbox.contract().workspace(&folder, "rw").start()?;
    let left = container.exec(&["sh", "-c", OBEDIENT])?;
    if left.code != 0 {
        return Ok(Verdict::failed(
            left.describe(),
            "a process that an exec leaves",
        ));
    }
    let stopped = container.stop()?;
    Ok(judge_obey(&stopped, folder.join("obeyed").is_file()))
}

/// `obeyed` is whether what was exec'd got SIGTERM, and the time to do something about it.
pub(super) fn judge_obey(stopped: &Stopped, obeyed: bool) -> Verdict {
    const EXPECTED: &str = "SIGTERM reaches every process, and the container ends at once";
    let seen = seen(stopped);
    if stopped.code == KILLED {
        return Verdict::slow(seen, EXPECTED);
    }
    if !obeyed {
        return Verdict::failed(
            format!("an exec'd process got no SIGTERM; {seen}"),
            EXPECTED,
        );
    }
    Verdict::passed(seen)
}

/// The command leaves a child that ignores SIGTERM.
const COMMAND: &str = "trap '' TERM; sleep 1001 & trap - TERM; exec sleep infinity";
/// So does an exec, which first waits for that child.
const EXEC: &str = r"trap '' TERM; sleep 1002 >/dev/null 2>&1 &
until pgrep -f 'sleep 1001$' >/dev/null; do sleep 0.02; done";

pub(super) fn stubborn(sandbox: &Sandbox) -> anyhow::Result<Verdict> {
    let start = sandbox.contract().command(&["sh", "-c", COMMAND]);
    let container = start.start()?;
    let left = container.exec(&["sh", "-c", EXEC])?;
    if left.code != 0 {
        return Ok(Verdict::failed(
            left.describe(),
            "a process that an exec leaves",
        ));
    }
    Ok(judge_stubborn(&container.stop()?))
}

/// An engine's SIGKILL ends everything as well, but with nobody there to say what was killed.
pub(super) fn judge_stubborn(stopped: &Stopped) -> Verdict {
    let seen = seen(stopped);
    match stopped.code {
        KILLED => Verdict::slow(seen, "its own end, within five seconds"),
        _ => Verdict::passed(seen),
    }
}

fn seen(stopped: &Stopped) -> String {
    let Stopped { code, seconds } = stopped;
    match *code {
        KILLED => format!("killed by the engine after {seconds:.1} s (exit {KILLED})"),
        code => format!("exit {code} after {seconds:.1} s"),
    }
}
