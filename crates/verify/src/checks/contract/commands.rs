//! What the server gets from the commands that it executes.

use std::sync::{Mutex, PoisonError};

use crate::check::Verdict;
use crate::checks::inspect::printed;
use crate::facts::Expected;
use crate::sandbox::{Container, Ran, Sandbox};

/// The same by three ways: neither the engine nor a shell may add a byte.
const PRINT: [(&str, &[&str]); 3] = [
    ("`printf`", &["printf", "x"]),
    ("`sh -c`", &["sh", "-c", "printf x"]),
    ("`bash -c`", &["bash", "-c", "printf x"]),
];

pub(super) fn exec(sandbox: &Sandbox) -> anyhow::Result<Verdict> {
    let container = sandbox.shared();
    let mut said = Vec::new();
    for (how, command) in PRINT {
        said.push((how, container.exec(command)?));
    }
    Ok(judge_exec(&said))
}

pub(super) fn judge_exec(said: &[(&str, Ran)]) -> Verdict {
    const EXPECTED: &str = "`x` on stdout, nothing on stderr, exit 0";
    for (how, ran) in said {
        let seen = match (ran.code, ran.stdout.as_str(), ran.stderr.as_str()) {
            (0, "x", "") => continue,
            (0, "x", _) => format!("{how} writes to stderr: {}", ran.describe()),
            (0, stdout, "") => format!("{how} prints {stdout:?}"),
            _ => format!("{how}: {}", ran.describe()),
        };
        return Verdict::failed(seen, EXPECTED);
    }
    Verdict::passed("exactly what is printed")
}

pub(super) fn workdir(_: &Expected, ran: &Ran) -> Verdict {
    printed(ran, &["/workspace"])
}

/// No image has it.
const MISSING: &str = "agentgate-no-such-command";
/// Every image has it, and nobody executes it.
const NO_PROGRAM: &str = "/etc/passwd";

pub(super) fn exit_127(sandbox: &Sandbox) -> anyhow::Result<Verdict> {
    Ok(judge_exit(127, &ways(sandbox, MISSING)?))
}

pub(super) fn exit_126(sandbox: &Sandbox) -> anyhow::Result<Verdict> {
    Ok(judge_exit(126, &ways(sandbox, NO_PROGRAM)?))
}

/// What comes of a command, however it is executed.
fn ways(sandbox: &Sandbox, command: &str) -> anyhow::Result<[(&'static str, Ran); 3]> {
    let container = sandbox.shared();
    Ok([
        ("`docker exec`", exec_in_vain(&container, command)?),
        ("`sh -c`", container.exec(&["sh", "-c", command])?),
        (
            "the entrypoint",
            sandbox.contract().command(&[command]).run()?,
        ),
    ])
}

/// Of two commands that cannot be executed in one container at the same time, containerd tells
/// each the reason of the one that failed last.
fn exec_in_vain(container: &Container, command: &str) -> anyhow::Result<Ran> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    container.exec(&[command])
}

pub(super) fn judge_exit(code: i32, ways: &[(&str, Ran)]) -> Verdict {
    let expected = format!("exit {code}");
    if let Some((how, ran)) = ways.iter().find(|(_, ran)| ran.code != code) {
        return Verdict::failed(format!("{how}: {}", ran.describe()), expected);
    }
    let ways: Vec<&str> = ways.iter().map(|(how, _)| *how).collect();
    Verdict::passed(format!("{expected} by {}", ways.join(", ")))
}
