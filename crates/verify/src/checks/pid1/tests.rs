//! The judgements, on what containers of the good image and of broken ones did.

use super::*;
use crate::checks::fixture;
use crate::checks::fixture::{line as said, ran};

fn judged(id: &str, ran: &Ran) -> String {
    let check = CHECKS.iter().find(|check| check.id == id).unwrap();
    let How::Exec(_, judge) = check.how else {
        panic!("{id} does not look at one command");
    };
    said(judge(&fixture::good().expected, ran))
}

#[test]
fn pid_1_is_the_entrypoint_whatever_emulates_it() {
    for (cmdline, expected) in [
        (
            "/usr/local/bin/agent-entrypoint\0sleep\0infinity\0",
            "passed: /usr/local/bin/agent-entrypoint",
        ),
        (
            "/opt/bin/qemu-aarch64\0/usr/local/bin/agent-entrypoint\0sleep\0",
            "passed: /usr/local/bin/agent-entrypoint",
        ),
        ("sleep\0infinity\0", "failed: `sleep`"),
        (
            "/sbin/docker-init\0--\0/usr/local/bin/agent-entrypoint\0",
            "failed: `/sbin/docker-init`",
        ),
        ("", "failed: exit 0, no output"),
    ] {
        assert_eq!(judged("pid1-entrypoint", &ran(0, cmdline, "")), expected);
    }
}

#[test]
fn zombies_are_counted() {
    for (code, stdout, expected) in [
        (0, "0\n", "passed: no zombie"),
        (0, "10\n", "failed: 10 zombies after ten seconds"),
        (127, "", "failed: exit 127, no output"),
    ] {
        assert_eq!(judged("pid1-reap", &ran(code, stdout, "")), expected);
    }
}

#[test]
fn every_signal_is_heard_in_order() {
    let heard = "ready\ngot HUP\ngot USR2\ngot USR1\n";
    assert!(said(judge_signals(41, heard)).starts_with("passed"));
    for (code, heard) in [(143, heard), (41, "ready\ngot USR1\n"), (0, "")] {
        assert!(said(judge_signals(code, heard)).starts_with("failed"));
    }
}

#[test]
fn exit_codes_are_the_commands() {
    assert!(said(judge_exit_code((7, 137))).starts_with("passed"));
    for codes in [(0, 137), (7, 9), (1, 1)] {
        assert!(said(judge_exit_code(codes)).starts_with("failed"));
    }
}

#[test]
fn keeping_alive_is_running_answering_and_ending() {
    let here = ran(0, "here\n", "");
    for (answer, status, code, passes) in [
        (&here, "running", 143, true),
        (&here, "running", 0, true),
        (&here, "running", 137, false),
        (&here, "exited", 143, false),
        (&ran(1, "", "x"), "running", 143, false),
    ] {
        let text = said(judge_keep_alive(answer, status, code));
        assert_eq!(text.starts_with("passed"), passes, "{text}");
    }
}

#[test]
fn arguments_arrive_as_they_are() {
    assert!(said(judge_command(&ran(0, "[a b][][*][$HOME]", ""))).starts_with("passed"));
    for stdout in ["[a][b][*][$HOME]", "[a b][][*][/home/agentgate]", ""] {
        assert!(said(judge_command(&ran(0, stdout, ""))).starts_with("failed"));
    }
}

#[test]
fn a_missing_workspace_is_refused_in_one_line() {
    let why = "agent-entrypoint: error: workspace `/missing` does not exist; hint: …\n";
    assert!(said(judge_no_workspace(&ran(78, "", why))).starts_with("passed"));
    for ran in [
        ran(0, "started\n", ""),
        ran(78, "started\n", why),
        ran(1, "", why),
        ran(78, "", "no\n"),
        ran(78, "", &format!("{why}{why}")),
    ] {
        assert!(said(judge_no_workspace(&ran)).starts_with("failed"));
    }
}

#[test]
fn nothing_is_on_stdout_but_the_commands_own() {
    let note = "agent-entrypoint: note: workspace `/workspace` is not a mount\n";
    assert_eq!(said(judge_stdout(&ran(0, "", note))), "passed: nothing");
    assert_eq!(
        said(judge_stdout(&ran(0, "hello\n", ""))),
        "failed: `hello`"
    );
    assert_eq!(
        said(judge_stdout(&ran(1, "", ""))),
        "failed: exit 1, no output"
    );
}

#[test]
fn what_an_agent_kills_leaves_the_container() {
    for (status, answer, code, expected) in [
        (
            "running",
            ran(0, "here\n", ""),
            0,
            "passed: running, answers `docker exec`, and ends by `docker stop` with 0",
        ),
        (
            "running",
            ran(0, "here\n", ""),
            137,
            "failed: `docker stop` ends it with exit 137",
        ),
        ("running", ran(1, "", "no\n"), 0, "failed: exit 1, `no`"),
        (
            "exited",
            Ran::default(),
            143,
            "failed: exited with exit 143",
        ),
    ] {
        assert_eq!(said(agent::judge_kill(status, &answer, code)), expected);
    }
}

#[test]
fn whatever_an_agent_can_do_to_pid_1_is_named() {
    for (ran, expected) in [
        (
            ran(0, "nothing\n", ""),
            "passed: PID 1 can neither be traced nor read",
        ),
        (
            ran(0, "tracing it, opening /proc/1/mem\n", ""),
            "failed: tracing it, opening /proc/1/mem works",
        ),
        (
            ran(127, "", "no python3\n"),
            "failed: exit 127, `no python3`",
        ),
    ] {
        assert_eq!(judged("pid1-trace", &ran), expected);
    }
}

#[test]
fn a_terminal_that_freezes_is_seen() {
    for (ran, expected) in [
        (
            ran(0, "continued\n", ""),
            "passed: a stopped command goes on",
        ),
        (
            ran(0, "", ""),
            "failed: it is still stopped after ten seconds",
        ),
        (ran(126, "", "no\n"), "failed: exit 126, `no`"),
    ] {
        assert_eq!(said(agent::judge_terminal(&ran)), expected);
    }
}
