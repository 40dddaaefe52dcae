//! Signals reach the command, `docker stop` reaches everyone, and orphans leave no zombies.

use std::time::Instant;

use crate::harness::{As, GRACE, entrypoint};
use crate::running::{Outcome, Running, run};
use crate::watch::{eventually, kill, mask};

#[test]
fn every_signal_that_can_be_caught_is_forwarded() {
    // The command blocks everything, so that what was sent stays to be seen as pending.
    let arguments = [
        "env",
        "--block-signal",
        "sh",
        "-c",
        "echo ready; exec sleep infinity",
    ];
    for how in As::every() {
        let running = Running::start(&mut entrypoint(how, &arguments));
        assert_eq!(running.line(), "ready");
        let (init, child) = (running.init(), running.child());
        for signal in (1..=31).chain(34..=64) {
            if [libc::SIGKILL, libc::SIGSTOP, libc::SIGCHLD].contains(&signal) {
                continue;
            }
            kill(init, signal);
            eventually(&format!("signal {signal} ({how:?})"), || {
                let pending = mask(child, "ShdPnd")?;
                (pending & (1 << (signal - 1)) != 0).then_some(())
            });
        }
        kill(child, libc::SIGKILL);
        assert_eq!(running.wait(), Outcome::new(137, "", ""));
    }
}

#[test]
fn term_reaches_the_command_and_its_answer_counts() {
    // Builtins only: a shell can lose a signal for the process that it is just forking.
    let script = "trap 'echo signalled; exit 7' TERM; echo ready; while :; do read -r line; done";
    for how in As::every() {
        let running = Running::start(&mut entrypoint(how, &["sh", "-c", script]));
        assert_eq!(running.line(), "ready");
        let start = Instant::now();
        kill(running.init(), libc::SIGTERM);
        let outcome = running.wait();
        assert_eq!(outcome, Outcome::new(7, "signalled\n", ""));
        assert!(start.elapsed() < GRACE, "{how:?}");
    }
}

#[test]
fn the_default_command_obeys_term_at_once() {
    for how in As::every() {
        let running = Running::start(&mut entrypoint(how, &["sleep", "1000000"]));
        running.child();
        let start = Instant::now();
        kill(running.init(), libc::SIGTERM);
        assert_eq!(running.wait(), Outcome::new(143, "", ""));
        assert!(start.elapsed() < GRACE, "{how:?}");
    }
}

#[test]
fn term_reaches_daemons_too_and_only_once() {
    // The daemon prints each signal it gets; the command ends of the first, long before the daemon.
    let script = "
        exec 3<&0
        (setsid sh -c 'exec 2>/dev/null; trap \"echo signalled\" TERM; echo ready
            read -r line <&3; sleep 0.3; echo daemon ended' &)
        exec sleep infinity";
    for how in As::every() {
        let running = Running::start(&mut entrypoint(how, &["sh", "-c", script]));
        assert_eq!(running.line(), "ready");
        kill(running.init(), libc::SIGTERM);
        let outcome = running.wait();
        let expected = Outcome::new(143, "signalled\ndaemon ended\n", "");
        assert_eq!(outcome, expected, "{how:?}");
    }
}

#[test]
fn orphans_are_reaped_and_leave_no_zombie() {
    // In the end the entrypoint has one child: the shell itself. Builtins only, so it stays so.
    let script = "
        i=0; while [ $i -lt 300 ]; do (true & true &); i=$((i + 1)); done
        while read -r children </proc/$PPID/task/$PPID/children; [ \"$children\" != $$ ]; do :; done
        echo clean";
    for how in As::every() {
        let outcome = run(&mut entrypoint(how, &["sh", "-c", script]));
        assert_eq!(outcome, Outcome::new(0, "clean\n", ""), "{how:?}");
    }
}
