//! Keep-alive mode: no command, no output, an orderly end, and no end by anything inside the container.

use std::time::{Duration, Instant};

use crate::harness::{As, GRACE, entrypoint, entrypoint_after, needs_root, program};
use crate::running::{Outcome, Running};
use crate::watch::{children, eventually, is_over, kill, state};

/// What `docker exec` does: a process joins the namespace whose parent is outside of it.
fn exec(init: u32, script: &str) -> Running {
    let mut command = program("nsenter");
    let target = init.to_string();
    command.args(["--target", &target, "--pid", "--mount"]);
    // By the container's user, as without `docker exec --user`.
    command.args(["--setuid=1000", "--setgid=1000", "sh", "-c", script]);
    Running::start(&mut command)
}

#[test]
fn term_and_int_end_it_with_0_and_others_do_not() {
    for how in As::every() {
        for signal in [libc::SIGINT, libc::SIGTERM] {
            let running = Running::start(&mut entrypoint(how, &[]));
            let init = running.init();
            for harmless in [
                libc::SIGHUP,
                libc::SIGQUIT,
                libc::SIGUSR1,
                libc::SIGPIPE,
                34,
            ] {
                kill(init, harmless);
            }
            let start = Instant::now();
            kill(init, signal);
            assert_eq!(running.wait(), Outcome::new(0, "", ""));
            assert!(start.elapsed() < GRACE, "{how:?}");
        }
    }
}

#[test]
fn it_sleeps_without_a_child() {
    for how in As::every() {
        for arguments in [
            &["--"][..],
            &["sleep", "infinity"],
            &["--child", "/bin/sleep", "inf"],
            &["tail", "-f", "/dev/null"],
            &["sh", "-c", "exec sleep infinity"],
        ] {
            let running = Running::start(&mut entrypoint(how, arguments));
            let init = running.init();
            eventually("sleep", || (state(init) == Some('S')).then_some(()));
            assert_eq!(children(init), [0; 0], "{how:?} {arguments:?}");
            kill(init, libc::SIGTERM);
            assert_eq!(running.wait(), Outcome::new(0, "", ""));
        }
    }
}

/// What agents type to clean up, and what ends a program otherwise (anthropics/claude-code#3068,
/// alp82/curia#385): each as the agent's user, whose UID PID 1 has, too.
#[test]
fn nothing_that_is_killed_inside_ends_it() {
    if needs_root("nothing_that_is_killed_inside_ends_it") {
        return;
    }
    let mut start = entrypoint(As::Pid1, &["sleep", "infinity"]);
    let running = Running::start(start.env("AGENT_ENTRYPOINT_QUIET", "0"));
    let init = running.init();
    for script in [
        "pkill sleep; pkill -f '[s]leep infinity'; killall -q sleep agent-entrypoint; true",
        "for signal in HUP INT QUIT ILL ABRT FPE KILL SEGV PIPE ALRM TERM STOP TSTP; do kill -s $signal 1; done",
        "trap '' TERM INT; pkill -TERM -u 1000; pkill -INT -u 1000; true",
        "bash -c 'kill -s TERM 1; kill -n 2 1'",
        "(sleep 1000 &) >/dev/null 2>&1; trap '' TERM; kill -s TERM -- -1; true",
    ] {
        let job = exec(init, script);
        assert_eq!(job.wait(), Outcome::new(0, "", ""), "{script}");
    }
    assert_eq!(exec(init, "kill -s KILL -- -1").wait().stdout, "");
    assert_eq!(exec(init, "echo up").wait(), Outcome::new(0, "up\n", ""));
    kill(init, libc::SIGTERM);
    let outcome = running.wait();
    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(0), ""));
    let note = "agent-entrypoint: note: ignored signal ";
    let declined: Vec<_> = outcome
        .stderr
        .lines()
        .filter_map(|line| line.strip_prefix(note))
        .collect();
    let reason = "only SIGTERM or SIGINT from outside the container ends it; hint: `docker stop`";
    assert!(
        declined.len() == 1 && declined[0].ends_with(reason),
        "{outcome:?}"
    );
}

#[test]
fn what_came_by_exec_gets_term_and_time() {
    if needs_root("what_came_by_exec_gets_term_and_time") {
        return;
    }
    let running = Running::start(&mut entrypoint(As::Pid1, &[]));
    let init = running.init();
    let script = "trap 'echo signalled; exit 4' TERM; echo ready; while :; do read -r line; done";
    let job = exec(init, script);
    assert_eq!(job.line(), "ready");
    let start = Instant::now();
    kill(init, libc::SIGTERM);
    assert_eq!(job.wait(), Outcome::new(4, "signalled\n", ""));
    assert_eq!(running.wait(), Outcome::new(0, "", ""));
    assert!(start.elapsed() < GRACE);
}

#[test]
fn the_stubborn_are_killed_within_five_seconds() {
    if needs_root("the_stubborn_are_killed_within_five_seconds") {
        return;
    }
    let running = Running::start(&mut entrypoint(As::Pid1, &[]));
    let init = running.init();
    let job = exec(
        init,
        "trap '' TERM; echo $$; echo ready; exec sleep infinity",
    );
    job.line();
    assert_eq!(job.line(), "ready");
    let start = Instant::now();
    kill(init, libc::SIGTERM);
    let stderr =
        "agent-entrypoint: warning: killing the processes that did not end within 4 s of SIGTERM\n";
    assert_eq!(running.wait(), Outcome::new(0, "", stderr));
    assert!(start.elapsed() >= GRACE);
    assert!(start.elapsed() < Duration::from_secs(5));
    assert_eq!(job.wait().stdout, "");
}

#[test]
fn orphans_of_exec_are_reaped() {
    if needs_root("orphans_of_exec_are_reaped") {
        return;
    }
    let running = Running::start(&mut entrypoint(As::Pid1, &[]));
    let init = running.init();
    let job = exec(init, "sleep infinity >/dev/null 2>&1 &");
    assert_eq!(job.wait(), Outcome::new(0, "", ""));
    let orphan = eventually("the orphan to be adopted", || {
        children(init).first().copied()
    });
    kill(orphan, libc::SIGKILL);
    eventually("the orphan to be reaped", || {
        (is_over(orphan) && children(init).is_empty()).then_some(())
    });
    kill(init, libc::SIGTERM);
    assert_eq!(running.wait(), Outcome::new(0, "", ""));
}

/// Sends signals that have lost the record of their sender; an end-to-end test of xtask runs it, too.
const LOSE_THE_SENDER: &str = include_str!("lose_the_sender.py");

/// A signal whose sender the kernel has dropped reads as one from outside: `si_code` 0, `si_pid` 0.
#[test]
fn a_signal_that_has_lost_its_sender_does_not_end_it() {
    if needs_root("a_signal_that_has_lost_its_sender_does_not_end_it") {
        return;
    }
    for trick in ["limit", "full"] {
        // All processes of a UID on the machine share a queue: a small limit fills it fast.
        let small = "prlimit --pid $$ --sigpending=64";
        let mut start = entrypoint_after(small, As::Pid1, &["sleep", "infinity"]);
        let running = Running::start(start.env("AGENT_ENTRYPOINT_QUIET", "0"));
        let init = running.init();
        let job = exec(
            init,
            &format!("exec python3 -c \"{LOSE_THE_SENDER}\" {trick}"),
        );
        assert_eq!(job.line(), "sent", "{trick}");
        assert_eq!(exec(init, "echo up").wait(), Outcome::new(0, "up\n", ""));
        assert_eq!(job.wait(), Outcome::new(0, "", ""), "{trick}");
        kill(init, libc::SIGTERM);
        // The queue has room again, the lowered limit stays: there the engine's SIGKILL is the end.
        if trick == "limit" {
            assert_eq!(exec(init, "echo up").wait(), Outcome::new(0, "up\n", ""));
            kill(init, libc::SIGKILL);
        }
        let outcome = running.wait();
        assert_eq!(outcome.code == Some(0), trick == "full", "{outcome:?}");
        let note = "agent-entrypoint: note: ignored signal ";
        let said: Vec<_> = outcome
            .stderr
            .lines()
            .filter(|line| line.starts_with(note))
            .collect();
        assert_eq!(said.len(), 1, "{outcome:?}");
        assert!(
            said[0].contains(" of an unknown sender (no room to queue signals): "),
            "{outcome:?}"
        );
    }
}
