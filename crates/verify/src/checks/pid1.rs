//! The entrypoint as PID 1: whom it starts, what it passes on, and how it ends.

mod agent;
#[cfg(test)]
mod tests;

use super::inspect::lines;
use crate::check::{Check, How, Verdict};
use crate::facts::Expected;
use crate::sandbox::{Ran, Sandbox};

const ENTRYPOINT: &str = "/usr/local/bin/agent-entrypoint";
/// What the entrypoint ends with when there is no workspace (`EX_CONFIG`).
const NO_WORKSPACE: i32 = 78;

pub(crate) const CHECKS: &[Check] = &[
    Check {
        id: "pid1-entrypoint",
        proves: "the image's own entrypoint is PID 1",
        source: "docs/contract.md: the image's ENTRYPOINT stays",
        remedy: "set `ENTRYPOINT [\"/usr/local/bin/agent-entrypoint\"]` in docker/Dockerfile.agent",
        how: How::Exec(&["cat", "/proc/1/cmdline"], entrypoint),
    },
    Check {
        id: "pid1-signals",
        proves: "signals to the container reach its command",
        source: "docs/specification.md, 6.3.2: forward signals for graceful shutdown",
        remedy: "the entrypoint must pass on every signal that can be passed on",
        how: How::Containers(signals),
    },
    Check {
        id: "pid1-reap",
        proves: "orphans do not stay as zombies",
        source: "docs/contract.md: an exec that times out is let go of, PID 1 must reap",
        remedy: "the entrypoint must wait for every child, its command's orphans included",
        how: How::Exec(&["sh", "-c", ORPHANS], reap),
    },
    Check {
        id: "pid1-exit-code",
        proves: "a container ends as its command does",
        source: "docs/specification.md, 6.3.2: if command provided, execute directly",
        remedy: "the entrypoint must end with its command's exit code, 128 + n for a signal",
        how: How::Containers(exit_code),
    },
    Check {
        id: "pid1-keep-alive",
        proves: "without a command a container stays, for `docker exec`",
        source: "docs/specification.md, 6.3.2: keep-alive mode",
        remedy: "without a command the entrypoint must wait for SIGTERM; `CMD []` in the Dockerfile",
        how: How::Containers(keep_alive),
    },
    Check {
        id: "pid1-command",
        proves: "a command gets its arguments as they were given",
        source: "docs/specification.md, 6.3.2: command mode",
        remedy: "the entrypoint must execute the command itself, without a shell",
        how: How::Containers(command),
    },
    Check {
        id: "pid1-no-workspace",
        proves: "without a workspace nothing is started, and one line says why",
        source: "docs/specification.md, 6.3.2: validate workspace mount exists",
        remedy: "the entrypoint must refuse a `WORKSPACE` that is no directory, with exit code 78",
        how: How::Containers(no_workspace),
    },
    Check {
        id: "pid1-stdout",
        proves: "the entrypoint writes nothing to its command's stdout",
        source: "docs/contract.md: nothing else may write to an exec's stdout",
        remedy: "what the entrypoint says goes to stderr",
        how: How::Containers(stdout),
    },
    Check {
        id: "pid1-kill",
        proves: "nothing that an agent kills ends the container",
        source: "docs/contract.md: command `sleep infinity`; docs/specification.md, What the project adds: PID 1 outlives the agent's clean-up",
        remedy: "in keep-alive mode only a signal from outside the PID namespace may end PID 1",
        how: How::Containers(agent::kill),
    },
    Check {
        id: "pid1-trace",
        proves: "an agent cannot trace PID 1, or write to its memory",
        source: "docs/specification.md, What the project adds: PID 1 is out of the agent's reach",
        remedy: "the entrypoint must set `PR_SET_DUMPABLE` to 0",
        how: How::Exec(agent::TRACE, agent::trace),
    },
    Check {
        id: "pid1-terminal",
        proves: "a command that stops on its terminal goes on",
        source: "docs/specification.md, 6.4: `docker run --rm -it`; nobody can type `fg` (Yelp/dumb-init#184)",
        remedy: "PID 1 must continue a stopped command that holds the terminal",
        how: How::Containers(agent::terminal),
    },
];

/// An emulator's path may come first.
fn entrypoint(_: &Expected, ran: &Ran) -> Verdict {
    let words: Vec<&str> = ran.stdout.split('\0').collect();
    if words.iter().take(2).any(|word| *word == ENTRYPOINT) {
        return Verdict::passed(ENTRYPOINT);
    }
    let seen = match words.first() {
        Some(first) if ran.code == 0 && !first.is_empty() => format!("`{first}`"),
        _ => ran.describe(),
    };
    Verdict::failed(seen, format!("`{ENTRYPOINT}`"))
}

/// Tells of each signal that it gets, and ends at the last.
const LISTENER: &str = "trap 'echo got HUP' HUP; trap 'echo got USR2' USR2; \
     trap 'echo got USR1; exit 41' USR1; echo ready; while :; do sleep 0.05; done";

fn signals(sandbox: &Sandbox) -> anyhow::Result<Verdict> {
    let start = sandbox.contract().command(&["bash", "-c", LISTENER]);
    let container = start.start()?;
    let hears = |word: &str| {
        container.until(&format!("echo {word}"), |container| {
            let said = container.logs()?.stdout;
            Ok(said.lines().any(|line| line == word).then_some(()))
        })
    };
    hears("ready")?;
    for signal in ["HUP", "USR2"] {
        container.signal(signal)?;
        hears(&format!("got {signal}"))?;
    }
    container.signal("USR1")?;
    let code = container.wait()?;
    Ok(judge_signals(code, &container.logs()?.stdout))
}

fn judge_signals(code: i32, said: &str) -> Verdict {
    let seen = format!("{}; exit {code}", lines(said));
    Verdict::equal(seen, "`ready`, `got HUP`, `got USR2`, `got USR1`; exit 41")
}

/// Makes orphans that end at once, waits (a hundred times 0.1 s at most) until no zombie is left, and says
/// how many there are.
const ORPHANS: &str = r#"for i in 1 2 3 4 5 6 7 8 9 10; do (sleep 0.05 &); done
n=0
while sleep 0.1; zombies=$(grep -l '^State:.Z' /proc/[0-9]*/status 2>/dev/null | wc -l)
    [ "$zombies" -gt 0 ] && [ "$n" -lt 100 ]; do n=$((n + 1)); done
echo "$zombies""#;

fn reap(_: &Expected, ran: &Ran) -> Verdict {
    const EXPECTED: &str = "no zombie";
    match ran.stdout.trim() {
        "0" => Verdict::passed(EXPECTED),
        number if ran.code == 0 && !number.is_empty() => {
            Verdict::slow(format!("{number} zombies after ten seconds"), EXPECTED)
        }
        _ => Verdict::failed(ran.describe(), EXPECTED),
    }
}

fn exit_code(sandbox: &Sandbox) -> anyhow::Result<Verdict> {
    let run = |script: &str| sandbox.contract().command(&["sh", "-c", script]).run();
    let codes = (run("exit 7")?.code, run("kill -KILL $$")?.code);
    Ok(judge_exit_code(codes))
}

fn judge_exit_code((ended, killed): (i32, i32)) -> Verdict {
    let seen = format!("{ended} for 7, {killed} for SIGKILL");
    Verdict::equal(seen, "7 for 7, 137 for SIGKILL")
}

fn keep_alive(sandbox: &Sandbox) -> anyhow::Result<Verdict> {
    let container = sandbox.plain().start()?;
    let answer = container.exec(&["echo", "here"])?;
    let status = container.status()?;
    let code = container.stop_patiently()?.code;
    Ok(judge_keep_alive(&answer, &status, code))
}

/// It ends as asked: 0, or 143 for SIGTERM; 137 had to be killed.
fn judge_keep_alive(answer: &Ran, status: &str, code: i32) -> Verdict {
    const EXPECTED: &str = "running, answers `docker exec`, ends by SIGTERM";
    if status != "running" || answer.stdout != "here\n" {
        return Verdict::failed(format!("{status}, {}", answer.describe()), EXPECTED);
    }
    let seen = format!("running, stopped with exit {code}");
    if matches!(code, 0 | 143) {
        Verdict::passed(seen)
    } else {
        Verdict::failed(seen, EXPECTED)
    }
}

const ARGUMENTS: [&str; 6] = ["printf", "[%s]", "a b", "", "*", "$HOME"];

fn command(sandbox: &Sandbox) -> anyhow::Result<Verdict> {
    Ok(judge_command(
        &sandbox.contract().command(&ARGUMENTS).run()?,
    ))
}

fn judge_command(ran: &Ran) -> Verdict {
    const EXPECTED: &str = "[a b][][*][$HOME]";
    if ran.code == 0 && ran.stdout == EXPECTED {
        Verdict::passed(format!("`{EXPECTED}`"))
    } else {
        Verdict::failed(ran.describe(), format!("exit 0, `{EXPECTED}`"))
    }
}

fn no_workspace(sandbox: &Sandbox) -> anyhow::Result<Verdict> {
    let start = sandbox.contract().options(&["--env", "WORKSPACE=/missing"]);
    Ok(judge_no_workspace(
        &start.command(&["echo", "started"]).run()?,
    ))
}

fn judge_no_workspace(ran: &Ran) -> Verdict {
    let says_why = ran.stderr.lines().count() == 1 && ran.stderr.contains("/missing");
    if ran.code == NO_WORKSPACE && ran.stdout.is_empty() && says_why {
        return Verdict::passed(ran.describe());
    }
    let expected = format!("exit {NO_WORKSPACE}, one line that names `/missing`, no command");
    Verdict::failed(ran.describe(), expected)
}

fn stdout(sandbox: &Sandbox) -> anyhow::Result<Verdict> {
    Ok(judge_stdout(&sandbox.plain().command(&["true"]).run()?))
}

fn judge_stdout(ran: &Ran) -> Verdict {
    if ran.code == 0 && ran.stdout.is_empty() {
        return Verdict::passed("nothing");
    }
    let seen = match ran.stdout.as_str() {
        "" => ran.describe(),
        said => lines(said),
    };
    Verdict::failed(seen, "exit 0, nothing on stdout")
}
