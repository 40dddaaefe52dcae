//! Whom signals reach: the command's group or the command alone, and when everyone else hears of an end.

use crate::harness::{As, Outcome, Running, entrypoint};
use crate::watch::{children, kill};

/// A command and a child of its in the same group, each of which tells the signals that it gets.
const PAIR: &str = "
    trap 'echo command' USR1; exec 3<&0
    sh -c 'trap \"echo grandchild\" USR1; echo ready; while :; do read -r line <&3; done' &
    while :; do read -r line <&3; done";

fn pair(how: As, option: &[&str], variable: &str) -> Running {
    let words = [option, &["sh", "-c", PAIR]].concat();
    let mut command = entrypoint(how, &words);
    let running = Running::start(command.env("AGENT_ENTRYPOINT_SIGNALS", variable));
    assert_eq!(running.line(), "ready");
    running
}

fn end(running: Running) {
    kill(running.init(), libc::SIGTERM);
    assert_eq!(running.wait(), Outcome::new(143, "", ""));
}

#[test]
fn the_group_hears_it_unless_told_otherwise() {
    for how in As::every() {
        for (option, variable) in [(&[][..], ""), (&["--group"], "child"), (&[], "group")] {
            let running = pair(how, option, variable);
            kill(running.init(), libc::SIGUSR1);
            let mut heard = [running.line(), running.line()];
            heard.sort();
            assert_eq!(heard, ["command", "grandchild"], "{how:?} {option:?}");
            end(running);
        }
    }
}

#[test]
fn the_command_alone_hears_it_when_asked() {
    for how in As::every() {
        for (option, variable) in [
            (&["--child"][..], ""),
            (&["--child"], "group"),
            (&[], "child"),
        ] {
            let running = pair(how, option, variable);
            kill(running.init(), libc::SIGUSR1);
            assert_eq!(running.line(), "command");
            // Its own signal is the first that the grandchild hears of.
            kill(children(running.child())[0], libc::SIGUSR1);
            assert_eq!(running.line(), "grandchild", "{how:?} {option:?}");
            end(running);
        }
    }
}

#[test]
fn to_the_command_alone_term_reaches_daemons_when_it_has_ended() {
    let script = "
        exec 3<&0
        trap 'echo told; read -r line <&3; echo leaving; exit 3' TERM
        (setsid sh -c 'trap \"echo daemon told; exit\" TERM; echo ready; while :; do read -r line <&3; done' &)
        while :; do read -r line <&3; done";
    for how in As::every() {
        let mut running = Running::start(&mut entrypoint(how, &["--child", "sh", "-c", script]));
        assert_eq!(running.line(), "ready");
        kill(running.init(), libc::SIGTERM);
        assert_eq!(running.line(), "told");
        running.type_in("\n\n");
        let expected = Outcome::new(3, "leaving\ndaemon told\n", "");
        assert_eq!(running.wait(), expected, "{how:?}");
    }
}

#[test]
fn a_command_that_ignores_term_is_killed_in_time() {
    let script = "trap '' TERM; echo ready; while :; do read -r line || exec sleep infinity; done";
    for how in As::every() {
        for option in ["--group", "--child"] {
            let mut command = entrypoint(how, &[option, "sh", "-c", script]);
            let running = Running::start(command.env("AGENT_ENTRYPOINT_GRACE_SECONDS", "1"));
            assert_eq!(running.line(), "ready");
            kill(running.init(), libc::SIGTERM);
            let warning = "agent-entrypoint: warning: what outlived SIGTERM by 1 s is killed\n";
            let expected = Outcome::new(137, "", warning);
            assert_eq!(running.wait(), expected, "{how:?} {option}");
        }
    }
}

#[test]
fn a_second_term_is_passed_on_as_well() {
    let script =
        "trap 'echo told' TERM; echo ready; read -r line; read -r line; read -r line; exit 5";
    for how in As::every() {
        let mut running = Running::start(&mut entrypoint(how, &["sh", "-c", script]));
        assert_eq!(running.line(), "ready");
        for _ in 0..2 {
            kill(running.init(), libc::SIGTERM);
            assert_eq!(running.line(), "told");
        }
        running.type_in("\n\n\n");
        assert_eq!(running.wait(), Outcome::new(5, "", ""), "{how:?}");
    }
}
