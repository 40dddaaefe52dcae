//! A stderr that cannot be written to any more. The entrypoint's own write raises a signal, which must reach
//! neither the command nor the entrypoint.

use std::process::Command;

use crate::harness::{As, folder};
use crate::running::{Outcome, Running, run};
use crate::via::entrypoint_via;
use crate::watch::kill;

/// Lines of shell that start the rest with such a stderr: a pipe that nobody reads, which raises SIGPIPE,
/// and a file that may not grow, which raises SIGXFSZ.
const UNREAD: [&str; 2] = [
    "mkfifo \"$DIR/pipe\" && exec 3<>\"$DIR/pipe\" 2>\"$DIR/pipe\" 3<&- && exec \"$@\"",
    "ulimit -f 0 && exec \"$@\" 2>\"$DIR/file\"",
];

/// The entrypoint with all its messages on, and both signals at their default.
fn unread(how: As, line: &str, arguments: &[&str]) -> Command {
    let caller = ["env", "--default-signal=PIPE,XFSZ", "sh", "-c", line, "sh"];
    let mut command = entrypoint_via(how, &caller, arguments);
    command.env("AGENT_ENTRYPOINT_QUIET", "0");
    command
}

#[test]
fn a_note_that_nobody_reads_sends_the_command_no_signal() {
    for how in As::every() {
        for line in UNREAD {
            let dir = folder();
            let script = "echo ready; read -r line; exit 3";
            let mut command = unread(how, line, &["sh", "-c", script]);
            let mut running = Running::start(command.env("DIR", dir.path()));
            assert_eq!(running.line(), "ready", "{how:?} {line}");
            // It waits for signals, and has passed on all that came before.
            running.init();
            running.type_in("\n");
            assert_eq!(running.wait(), Outcome::new(3, "", ""), "{how:?} {line}");
        }
    }
}

#[test]
fn a_warning_that_nobody_reads_does_not_change_the_end() {
    for how in As::every() {
        for line in UNREAD {
            let dir = folder();
            let script =
                "trap '' TERM; echo ready; while :; do read -r line || sleep infinity; done";
            let mut command = unread(how, line, &["sh", "-c", script]);
            command.env("AGENT_ENTRYPOINT_GRACE_SECONDS", "1");
            let running = Running::start(command.env("DIR", dir.path()));
            assert_eq!(running.line(), "ready", "{how:?} {line}");
            kill(running.init(), libc::SIGTERM);
            assert_eq!(running.wait(), Outcome::new(137, "", ""), "{how:?} {line}");
        }
    }
}

#[test]
fn a_refusal_that_nobody_reads_keeps_its_exit_code() {
    for how in As::every() {
        for line in UNREAD {
            for (arguments, code) in [
                (&["no-such-command"][..], 127),
                (&["/etc"], 126),
                (&["--no-such-option"], 2),
                (&["headless", "hi"], 127),
            ] {
                let dir = folder();
                let mut command = unread(how, line, arguments);
                command.env("DIR", dir.path()).env("PATH", "/usr/bin:/bin");
                let outcome = run(&mut command);
                assert_eq!(
                    outcome,
                    Outcome::new(code, "", ""),
                    "{how:?} {arguments:?} {line}"
                );
            }
        }
    }
}

#[test]
fn a_real_sigpipe_is_still_the_commands() {
    for how in As::every() {
        let dir = folder();
        let script =
            "trap 'echo signalled; exit 7' PIPE; echo ready; while :; do read -r line; done";
        let mut command = unread(how, UNREAD[0], &["sh", "-c", script]);
        let running = Running::start(command.env("DIR", dir.path()));
        assert_eq!(running.line(), "ready", "{how:?}");
        kill(running.init(), libc::SIGPIPE);
        assert_eq!(
            running.wait(),
            Outcome::new(7, "signalled\n", ""),
            "{how:?}"
        );
    }
}
