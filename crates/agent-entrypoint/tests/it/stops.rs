//! Stop and continue: what stops goes to the command, and never stops the entrypoint itself.

use crate::harness::{As, entrypoint};
use crate::running::{Outcome, Running, run};
use crate::watch::{children, eventually, kill, state};

fn wait_for(pid: u32, wanted: char) {
    let what = format!("process {pid} to be in state {wanted}");
    eventually(&what, || (state(pid) == Some(wanted)).then_some(()));
}

/// A command that sleeps, and a process in its group that does.
fn start(how: As, flag: &str) -> (Running, [u32; 3]) {
    let script = "sleep infinity & exec sleep infinity";
    let running = Running::start(&mut entrypoint(how, &[flag, "sh", "-c", script]));
    let (init, child) = (running.init(), running.child());
    let grandchild = eventually("the grandchild", || children(child).first().copied());
    wait_for(grandchild, 'S');
    wait_for(child, 'S');
    (running, [init, child, grandchild])
}

/// Ends the run, which must work whatever was stopped before.
fn end(running: Running) {
    kill(running.init(), libc::SIGTERM);
    assert_eq!(running.wait(), Outcome::new(143, "", ""));
}

#[test]
fn the_stops_of_a_terminal_and_the_continuation_are_passed_on() {
    for how in As::every() {
        let (running, [init, child, grandchild]) = start(how, "--group");
        for stop in [libc::SIGTSTP, libc::SIGTTIN, libc::SIGTTOU] {
            kill(init, stop);
            wait_for(child, 'T');
            wait_for(grandchild, 'T');
            // It has acted on the signal by now, and sleeps again.
            wait_for(init, 'S');
            kill(init, libc::SIGCONT);
            wait_for(child, 'S');
            wait_for(grandchild, 'S');
            wait_for(init, 'S');
        }
        end(running);
    }
}

#[test]
fn in_child_mode_the_command_alone_is_stopped() {
    for how in As::every() {
        let (running, [init, child, grandchild]) = start(how, "--child");
        kill(init, libc::SIGTSTP);
        wait_for(child, 'T');
        assert_eq!(state(grandchild), Some('S'), "{how:?}");
        kill(init, libc::SIGCONT);
        wait_for(child, 'S');
        end(running);
    }
}

#[test]
fn a_command_that_others_have_stopped_continues_by_the_entrypoint() {
    for how in As::every() {
        let (running, [init, child, _]) = start(how, "--group");
        kill(child, libc::SIGSTOP);
        wait_for(child, 'T');
        // A stop is not an end: SIGCHLD reports it, too, and there is nothing to reap.
        wait_for(init, 'S');
        kill(init, libc::SIGCONT);
        wait_for(child, 'S');
        end(running);
    }
}

#[test]
fn a_stopped_command_that_is_killed_is_noticed() {
    for how in As::every() {
        let (running, [_, child, _]) = start(how, "--group");
        kill(child, libc::SIGSTOP);
        wait_for(child, 'T');
        kill(child, libc::SIGKILL);
        assert_eq!(running.wait(), Outcome::new(137, "", ""), "{how:?}");
    }
}

#[test]
fn a_stopped_process_obeys_the_end() {
    for how in As::every() {
        let running = Running::start(&mut entrypoint(how, &["sleep", "1000000"]));
        let child = running.child();
        kill(child, libc::SIGSTOP);
        wait_for(child, 'T');
        end(running);
        // Left behind by a command that ends by itself.
        let script = "sleep infinity & kill -STOP $!; exit 3";
        let outcome = run(&mut entrypoint(how, &["sh", "-c", script]));
        assert_eq!(outcome, Outcome::new(3, "", ""), "{how:?}");
    }
}
