//! The judgements, on what containers of the good image and of broken ones did.

use super::*;
use crate::checks::fixture;
use crate::sandbox::{Ran, Stopped};

use crate::checks::fixture::{line as said, ran};

/// What a check of the shared container makes of what its command did.
pub(super) fn judged(id: &str, ran: &Ran) -> String {
    let check = CHECKS.iter().find(|check| check.id == id).unwrap();
    let How::Exec(_, judge) = check.how else {
        panic!("{id} does not look at one command");
    };
    said(judge(&fixture::good().expected, ran))
}

pub(super) const NOT_FOUND: &str = "exec: \"env\": executable file not found in $PATH: unknown\n";
const PROCESSES: &str = "1 (agent-entrypoin) /usr/local/bin/agent-entrypoint sleep infinity\n\
    33 (bash) bash -c for process in /proc/[0-9]*; do …\n\
    7 (sleep) sleep 0.05\n";
const EMULATED: &str = "1 (agent-entrypoin) /opt/bin/qemu-aarch64 /usr/local/bin/agent-entrypoint sleep infinity\n\
    11 (bash) /bin/bash -c for process in /proc/[0-9]*; do …\n";

#[test]
fn no_process_keeps_the_container_alive() {
    let passed = "passed: PID 1 keeps the container, and no process does";
    for (stdout, expected) in [
        (PROCESSES, passed),
        (EMULATED, passed),
        ("", "failed: no PID 1"),
    ] {
        assert_eq!(judged("contract-keep-alive", &ran(0, stdout, "")), expected);
    }
    for (old, new, seen) in [
        (
            "(agent-entrypoin) /usr/local/bin/agent-entrypoint sleep",
            "(sleep) sleep",
            "PID 1 is `sleep infinity`",
        ),
        (
            "/usr/local/bin/agent-entrypoint",
            "/sbin/docker-init -- /usr/bin/agent-entrypoint",
            "PID 1 is `/sbin/docker-init -- /usr/bin/agent-entrypoint sleep infinity`",
        ),
        (
            "entrypoint sleep infinity",
            "entrypoint sh -c \"$@\"; exit $?",
            "PID 1 is `/usr/local/bin/agent-entrypoint sh -c \"$@\"; exit $?`",
        ),
        ("sleep 0.05", "sleep infinity", "`sleep infinity` is PID 7"),
    ] {
        assert!(PROCESSES.contains(old), "{old:?}");
        let ran = ran(0, &PROCESSES.replace(old, new), "");
        let expected = format!("failed: {seen}");
        assert_eq!(judged("contract-keep-alive", &ran), expected);
    }
}

#[test]
fn the_second_way_ends_as_asked() {
    for (code, expected) in [
        (0, "passed: 9 checks, and an end in 0.2 s"),
        (137, "failed: it ends with exit 137"),
    ] {
        let stopped = Stopped { code, seconds: 0.2 };
        assert_eq!(said(mounted::judge_end(9, &stopped)), expected);
    }
}

#[test]
fn a_container_starts_without_a_word() {
    let note = "agent-entrypoint: warning: workspace `/workspace` is read-only";
    for (status, logs, expected) in [
        ("running", ran(0, "", ""), "passed: running, without a word"),
        ("running", ran(0, "hello\n", ""), "failed: `hello`"),
        ("running", ran(0, "", note), &format!("failed: `{note}`")),
        ("exited", ran(0, "", "no\n"), "failed: exited, `no`"),
        ("created", ran(0, "", ""), "failed: created"),
    ] {
        assert_eq!(said(start::judge_starts(status, &logs)), expected);
    }
}

#[test]
fn a_start_is_within_the_budget_or_the_engine_is_to_blame() {
    let whole = [267.2, 240.0, 900.0, 259.9, 271.0];
    for (whole, bare, expected) in [
        (
            &whole[..],
            &[246.4, 240.0, 270.0][..],
            "passed: 240 ms, 240 ms without the entrypoint",
        ),
        (
            &[800.0],
            &[710.0],
            "passed: 800 ms, 710 ms without the entrypoint",
        ),
        (
            &[800.0],
            &[240.0],
            "failed: 800 ms, 240 ms without the entrypoint",
        ),
        // An engine that is busy: a ratio, not so many milliseconds.
        (
            &[9000.0, 5000.0, 6100.0],
            &[9100.0, 4100.0],
            "passed: 5000 ms, 4100 ms without the entrypoint",
        ),
        (
            &[9000.0, 5200.0, 6100.0],
            &[9100.0, 4100.0],
            "failed: 5200 ms, 4100 ms without the entrypoint",
        ),
        (
            &[800.0],
            &[],
            "failed: 800 ms; without the entrypoint it does not start",
        ),
        (
            &[300.0],
            &[],
            "passed: 300 ms; without the entrypoint it does not start",
        ),
        (&[], &[1.0], "failed: no start was measured"),
    ] {
        let verdict = start::judge_time(whole, bare);
        // Without a single start there is nothing to measure again.
        assert_eq!(
            verdict.too_slow().is_some(),
            expected.starts_with("failed: ") && !whole.is_empty()
        );
        assert_eq!(said(verdict), expected);
    }
}

#[test]
fn an_exec_prints_what_its_command_prints() {
    for (ran, expected) in [
        (ran(0, "x", ""), "passed: exactly what is printed"),
        (
            ran(0, "noise\nx", ""),
            "failed: `sh -c` prints \"noise\\nx\"",
        ),
        (
            ran(0, "x", "noise\n"),
            "failed: `sh -c` writes to stderr: exit 0, `noise`",
        ),
        (ran(0, "", ""), "failed: `sh -c` prints \"\""),
        (ran(3, "x", ""), "failed: `sh -c`: exit 3, `x`"),
    ] {
        assert_eq!(said(commands::judge_exec(&[("`sh -c`", ran)])), expected);
    }
}

#[test]
fn a_command_that_cannot_be_run_has_its_exit_code() {
    let error = "agent-entrypoint: error: command not found: `x`\n";
    let ways = |code| {
        [
            ("`docker exec`", ran(127, NOT_FOUND, "")),
            ("the entrypoint", ran(code, "", error)),
        ]
    };
    assert_eq!(
        said(commands::judge_exit(127, &ways(127))),
        "passed: exit 127 by `docker exec`, the entrypoint"
    );
    assert_eq!(
        said(commands::judge_exit(127, &ways(2))),
        "failed: the entrypoint: exit 2, `agent-entrypoint: error: command not found: `x``"
    );
    let failed = commands::judge_exit(126, &ways(126));
    assert!(said(failed).starts_with("failed: `docker exec`: exit 127"));
}

#[test]
fn a_storm_of_processes_is_outlived() {
    let eagain = "sh: can't fork: Resource temporarily unavailable\n";
    let storm = |stdout| ran(137, stdout, eagain);
    for (storm, calm, expected) in [
        (
            storm("253\n"),
            ran(0, "3\n", ""),
            "passed: 253 processes, reaped",
        ),
        (
            storm("127\n"),
            ran(0, "3\n", ""),
            "passed: 127 processes, reaped",
        ),
        (
            ran(0, "300\n", ""),
            ran(0, "3\n", ""),
            "failed: 300 processes at once",
        ),
        (
            storm("3\n"),
            ran(0, "3\n", ""),
            "failed: only 3 processes could be had: exit 137, `sh: can't fork: Resource temporarily unavailable`",
        ),
        (
            storm("253\n"),
            ran(0, "255\n", ""),
            "failed: 255 of 253 processes are left",
        ),
        (
            storm("253\n"),
            ran(2, "", eagain),
            "failed: afterwards: exit 2, `sh: can't fork: Resource temporarily unavailable`",
        ),
        (
            ran(127, "", "exec: \"sh\": not found\n"),
            ran(0, "3\n", ""),
            "failed: exit 127, `exec: \"sh\": not found`",
        ),
    ] {
        assert_eq!(said(processes::judge_pids(&storm, &calm)), expected);
    }
}

#[test]
fn a_stop_is_the_containers_own_and_in_time() {
    let stopped = |code, seconds| Stopped { code, seconds };
    for (stopped, obeyed, expected) in [
        (stopped(143, 0.12), true, "passed: exit 143 after 0.1 s"),
        (stopped(0, 0.12), true, "passed: exit 0 after 0.1 s"),
        (
            stopped(143, 0.1),
            false,
            "failed: an exec'd process got no SIGTERM; exit 143 after 0.1 s",
        ),
        (
            stopped(137, 5.1),
            true,
            "failed: killed by the engine after 5.1 s (exit 137)",
        ),
        (
            stopped(137, 5.1),
            false,
            "failed: killed by the engine after 5.1 s (exit 137)",
        ),
        // Docker's client started late: the engine did not have to kill.
        (stopped(143, 9.2), true, "passed: exit 143 after 9.2 s"),
    ] {
        let verdict = stop::judge_obey(&stopped, obeyed);
        // Whom the engine kills may have had too little of a busy machine.
        assert_eq!(verdict.too_slow().is_some(), stopped.code == 137);
        assert_eq!(said(verdict), expected);
    }
    for (stopped, expected) in [
        (stopped(143, 4.13), "passed: exit 143 after 4.1 s"),
        (stopped(143, 6.009), "passed: exit 143 after 6.0 s"),
        (
            stopped(137, 5.1),
            "failed: killed by the engine after 5.1 s (exit 137)",
        ),
    ] {
        let verdict = stop::judge_stubborn(&stopped);
        assert_eq!(verdict.too_slow().is_some(), stopped.code == 137);
        assert_eq!(said(verdict), expected);
    }
}
