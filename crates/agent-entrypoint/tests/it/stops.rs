//! Stop and continue: the command stops, the entrypoint never does.

use crate::harness::{As, Outcome, Running, entrypoint};
use crate::watch::{eventually, kill, state};

fn is(pid: u32, letter: char) {
    eventually(&format!("state {letter}"), || {
        (state(pid)? == letter).then_some(())
    });
}

#[test]
fn stop_signals_stop_the_command_and_not_the_entrypoint() {
    for how in As::every() {
        let running = Running::start(&mut entrypoint(how, &["sleep", "infinity"]));
        let (init, child) = (running.init(), running.child());
        is(child, 'S');
        for signal in [libc::SIGTSTP, libc::SIGTTIN, libc::SIGTTOU] {
            kill(init, signal);
            is(child, 'T');
            is(init, 'S');
            kill(init, libc::SIGCONT);
            is(child, 'S');
        }
        // One that only the kernel can send on: the command is stopped behind the entrypoint's back.
        kill(child, libc::SIGSTOP);
        is(child, 'T');
        is(init, 'S');
        kill(init, libc::SIGCONT);
        is(child, 'S');
        kill(init, libc::SIGTERM);
        assert_eq!(running.wait(), Outcome::new(143, "", ""));
    }
}

#[test]
fn a_stopped_command_does_not_put_off_the_end() {
    for how in As::every() {
        let mut command = entrypoint(how, &["sleep", "infinity"]);
        let running = Running::start(command.env("AGENT_ENTRYPOINT_GRACE_SECONDS", "1"));
        let child = running.child();
        kill(child, libc::SIGSTOP);
        is(child, 'T');
        kill(running.init(), libc::SIGTERM);
        let warning = "agent-entrypoint: warning: what outlived SIGTERM by 1 s is killed\n";
        assert_eq!(running.wait(), Outcome::new(137, "", warning), "{how:?}");
    }
}

#[test]
fn idle_is_idle() {
    for arguments in [&["sleep", "infinity"][..], &[]] {
        let how = As::every().pop().unwrap();
        let running = Running::start(&mut entrypoint(how, arguments));
        let init = running.init();
        is(init, 'S');
        let switches = || {
            let status = std::fs::read_to_string(format!("/proc/{init}/status")).unwrap();
            let is_count = |line: &&str| line.starts_with("voluntary_ctxt_switches");
            status.lines().find(is_count).unwrap().to_owned()
        };
        let before = switches();
        // That nothing happens cannot be waited for: this is time enough for the tick of other inits.
        std::thread::sleep(std::time::Duration::from_millis(1100));
        assert_eq!(switches(), before, "{arguments:?}");
        kill(init, libc::SIGTERM);
        running.wait();
    }
}
