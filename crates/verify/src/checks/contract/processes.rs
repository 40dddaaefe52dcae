//! The processes of a container: what keeps it alive, and how many there may be.

use crate::check::Verdict;
use crate::facts::Expected;
use crate::sandbox::{Ran, Sandbox};

const ENTRYPOINT: &str = "/usr/local/bin/agent-entrypoint";

/// Lists PID, name and command line of every process, without starting another.
pub(super) const LIST: &[&str] = &[
    "bash",
    "-c",
    r#"for process in /proc/[0-9]*; do
    { mapfile -d '' -t words <"$process/cmdline" && read -r stat <"$process/stat"; } 2>/dev/null || continue
    name=${stat#*(}
    echo "${process#/proc/} (${name%)*}) ${words[*]//$'\n'/ }"
done"#,
];

/// Other checks' commands run in the same container: only what waits for ever counts.
pub(super) fn keep_alive(_: &Expected, ran: &Ran) -> Verdict {
    const EXPECTED: &str = "PID 1 is the entrypoint with `sleep infinity`, which is no process";
    if ran.code != 0 {
        return Verdict::failed(ran.describe(), EXPECTED);
    }
    let processes: Vec<Process> = ran.stdout.lines().filter_map(process).collect();
    let Some(first) = processes.iter().find(|process| process.pid == "1") else {
        return Verdict::failed("no PID 1", EXPECTED);
    };
    let is_entrypoint = first.command.split(' ').any(|word| word == ENTRYPOINT);
    if !is_entrypoint || !first.command.ends_with("sleep infinity") {
        return Verdict::failed(format!("PID 1 is `{}`", first.command), EXPECTED);
    }
    let is_sleep = |process: &&Process| {
        process.name == "(sleep)" && process.command.ends_with("sleep infinity")
    };
    match processes.iter().find(is_sleep) {
        Some(sleep) => Verdict::failed(format!("`sleep infinity` is PID {}", sleep.pid), EXPECTED),
        None => Verdict::passed("PID 1 keeps the container, and no process does"),
    }
}

struct Process<'a> {
    pid: &'a str,
    /// In parentheses; the program's own where the command line has an emulator before it.
    name: &'a str,
    command: &'a str,
}

fn process(line: &str) -> Option<Process<'_>> {
    let mut words = line.splitn(3, ' ');
    Some(Process {
        pid: words.next()?,
        name: words.next()?,
        command: words.next()?,
    })
}

/// What the server has an engine allow.
const LIMIT: usize = 256;
/// Starts processes until no more can be had, and kills them all and itself: PID 1 inherits the
/// dead.
const STORM: &str = r#"count() { echo "$#"; }
trap 'count $pids; kill -9 $pids $$' EXIT
pids=; n=0
while [ "$n" -lt 300 ]; do
    sleep 1000 &
    pids="$pids $!"; n=$((n + 1))
done"#;
/// Waits (at most ten seconds) until few processes are left, and says how many.
const CALM: &str = r#"n=0
while set -- /proc/[0-9]*; [ "$#" -gt 20 ] && [ "$n" -lt 100 ]; do
    n=$((n + 1)); sleep 0.1
done
echo "$#""#;

pub(super) fn pids(sandbox: &Sandbox) -> anyhow::Result<Verdict> {
    let container = sandbox.contract().start()?;
    let storm = container.exec(&["sh", "-c", STORM])?;
    let calm = container.exec(&["sh", "-c", CALM])?;
    Ok(judge_pids(&storm, &calm))
}

pub(super) fn judge_pids(storm: &Ran, calm: &Ran) -> Verdict {
    const EXPECTED: &str = "no more than 256 processes, and all of them reaped";
    let Ok(started) = storm.stdout.trim().parse::<usize>() else {
        return Verdict::failed(storm.describe(), EXPECTED);
    };
    if started > LIMIT {
        return Verdict::failed(format!("{started} processes at once"), EXPECTED);
    }
    // An emulator makes two or three of each.
    if started < LIMIT / 4 {
        let seen = format!(
            "only {started} processes could be had: {}",
            storm.describe()
        );
        return Verdict::failed(seen, EXPECTED);
    }
    match calm.stdout.trim().parse::<usize>() {
        Ok(left) if calm.code == 0 && left <= 20 => {
            Verdict::passed(format!("{started} processes, reaped"))
        }
        Ok(left) if calm.code == 0 => {
            Verdict::slow(format!("{left} of {started} processes are left"), EXPECTED)
        }
        _ => Verdict::failed(format!("afterwards: {}", calm.describe()), EXPECTED),
    }
}
