//! What an agent can do to PID 1: kill, trace and stop it.

use crate::check::Verdict;
use crate::facts::Expected;
use crate::sandbox::{Ran, Sandbox};

/// What agents type to clean up, and what else they can send; the shell itself is to survive it.
const KILL: &str = r#"trap '' HUP INT TERM
pkill sleep; pkill -f '[s]leep infinity'; pkill agent-entrypoin
for signal in HUP INT QUIT KILL TERM STOP TSTP; do kill -s "$signal" 1; done
kill -s TERM -- -1; kill -s KILL -- -1"#;

pub(super) fn kill(sandbox: &Sandbox) -> anyhow::Result<Verdict> {
    let container = sandbox.contract().start()?;
    container.exec(&["bash", "-c", KILL])?;
    let answer = container.exec(&["echo", "here"]);
    let status = container.status()?;
    // A container that has ended answers nothing.
    let answer = if status == "running" {
        answer?
    } else {
        Ran::default()
    };
    Ok(judge_kill(
        &status,
        &answer,
        container.stop_patiently()?.code,
    ))
}

pub(super) fn judge_kill(status: &str, answer: &Ran, code: i32) -> Verdict {
    const EXPECTED: &str = "running, answers `docker exec`, and ends by `docker stop` with 0";
    match (status, answer.stdout.as_str(), code) {
        ("running", "here\n", 0) => Verdict::passed(EXPECTED),
        ("running", "here\n", code) => {
            Verdict::failed(format!("`docker stop` ends it with exit {code}"), EXPECTED)
        }
        ("running", ..) => Verdict::failed(answer.describe(), EXPECTED),
        (status, _, code) => Verdict::failed(format!("{status} with exit {code}"), EXPECTED),
    }
}

/// Names what works; 0x4206 is `PTRACE_SEIZE`, which stops nobody by itself and ends with this process.
pub(super) const TRACE: &[&str] = &[
    "python3",
    "-c",
    "import ctypes, os
works = []
if ctypes.CDLL(None).ptrace(0x4206, 1, None, None) == 0:
    works.append('tracing it')
for name, flags in ('mem', os.O_RDWR), ('environ', os.O_RDONLY):
    try:
        os.close(os.open('/proc/1/' + name, flags))
        works.append('opening /proc/1/' + name)
    except OSError:
        pass
print(', '.join(works) or 'nothing')",
];

pub(super) fn trace(_: &Expected, ran: &Ran) -> Verdict {
    const EXPECTED: &str = "PID 1 can neither be traced nor read";
    match (ran.code, ran.stdout.trim()) {
        (0, "nothing") => Verdict::passed(EXPECTED),
        (0, works) if !works.is_empty() => Verdict::failed(format!("{works} works"), EXPECTED),
        _ => Verdict::failed(ran.describe(), EXPECTED),
    }
}

/// Says where it can be found, and when it goes on.
const COMMAND: &str =
    "trap 'echo >/tmp/continued' CONT; echo $$ >/tmp/pid; while :; do sleep 0.1; done";
/// Stops it with all of its group, as a terminal's Ctrl-Z does, and waits (at most ten seconds) until it goes on.
const STOP: &str = r#"n=0
wait_for() { until [ -s "$1" ]; do n=$((n + 1)); [ "$n" -lt 100 ] || exit; sleep 0.1; done; }
wait_for /tmp/pid; kill -s TSTP -- "-$(cat /tmp/pid)" || exit
wait_for /tmp/continued; echo continued"#;

pub(super) fn terminal(sandbox: &Sandbox) -> anyhow::Result<Verdict> {
    let start = sandbox.contract().options(&["--tty", "--interactive"]);
    let container = start.command(&["sh", "-c", COMMAND]).start()?;
    Ok(judge_terminal(&container.exec(&["bash", "-c", STOP])?))
}

pub(super) fn judge_terminal(ran: &Ran) -> Verdict {
    const EXPECTED: &str = "a stopped command goes on";
    match (ran.code, ran.stdout.trim()) {
        (0, "continued") => Verdict::passed(EXPECTED),
        (0, "") => Verdict::slow("it is still stopped after ten seconds", EXPECTED),
        _ => Verdict::failed(ran.describe(), EXPECTED),
    }
}
