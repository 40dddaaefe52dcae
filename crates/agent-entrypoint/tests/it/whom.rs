//! Whom a signal reaches: the command or its whole group, and on SIGTERM everyone else, and when.

use std::time::{Duration, Instant};

use crate::harness::{As, GRACE, entrypoint, folder};
use crate::running::{Outcome, Running};
use crate::watch::{children, eventually, kill, mask};

/// What `docker stop` gives by default in an agent's container, before it kills.
const STOP: Duration = Duration::from_secs(5);

/// How long a run may go on after its end was due, on a busy machine.
const SLACK: Duration = Duration::from_millis(900);

fn is_pending(pid: u32, signal: i32) -> bool {
    mask(pid, "ShdPnd").is_some_and(|pending| pending & (1 << (signal - 1)) != 0)
}

/// Does a forwarded signal get to a process that the command has started in its group?
///
/// Both block everything, so that what was sent stays to be seen as pending.
fn reaches_the_grandchild(how: As, flags: &[&str], variable: Option<&str>) -> bool {
    let script = "sleep infinity & echo ready; exec sleep infinity";
    let command = ["env", "--block-signal", "sh", "-c", script];
    let mut start = entrypoint(how, &[flags, &command].concat());
    let running = Running::start(start.envs(variable.map(|it| ("AGENT_ENTRYPOINT_SIGNALS", it))));
    assert_eq!(running.line(), "ready");
    let (init, child) = (running.init(), running.child());
    let grandchild = eventually("the grandchild", || children(child).first().copied());
    // A second signal shows that the entrypoint is done with the first.
    for signal in [libc::SIGUSR1, libc::SIGUSR2] {
        kill(init, signal);
        eventually("the command to be signalled", || {
            is_pending(child, signal).then_some(())
        });
    }
    let reached = is_pending(grandchild, libc::SIGUSR1);
    kill(grandchild, libc::SIGKILL);
    kill(child, libc::SIGKILL);
    assert_eq!(running.wait(), Outcome::new(137, "", ""));
    reached
}

#[test]
fn a_signal_goes_to_the_group_or_to_the_command_alone() {
    for how in As::every() {
        for (flags, variable, expected) in [
            (&[][..], None, true),
            (&["--group"], None, true),
            (&["--child"], None, false),
            (&[], Some("group"), true),
            (&[], Some("child"), false),
            (&["--group"], Some("child"), true),
            (&["--child"], Some("group"), false),
        ] {
            let reached = reaches_the_grandchild(how, flags, variable);
            assert_eq!(reached, expected, "{how:?} {flags:?} {variable:?}");
        }
    }
}

/// A daemon in a session of its own, and a command that ends when it gets a line.
///
/// Both only wait by builtins: a shell can lose a signal for the process that it is just forking.
const WITH_DAEMON: &str = "
    mkfifo \"$DIR/never\"; exec 3<>\"$DIR/never\"; mkfifo \"$DIR/up\"
    (setsid sh -c 'trap \"echo daemon signalled; exit\" TERM; echo >\"$DIR/up\"
        while :; do read -r line <&3; done' 2>/dev/null &)
    trap 'echo command signalled' TERM
    read -r line <\"$DIR/up\"; echo ready
    until read -r line; do :; done
    echo command ends; exit 6";

#[test]
fn a_daemon_is_signalled_at_once_in_group_mode() {
    for how in As::every() {
        let dir = folder();
        let mut start = entrypoint(how, &["sh", "-c", WITH_DAEMON]);
        let mut running = Running::start(start.env("DIR", dir.path()));
        assert_eq!(running.line(), "ready");
        kill(running.init(), libc::SIGTERM);
        let mut signalled = [running.line(), running.line()];
        signalled.sort();
        assert_eq!(
            signalled,
            ["command signalled", "daemon signalled"],
            "{how:?}"
        );
        running.type_in("end\n");
        assert_eq!(running.wait(), Outcome::new(6, "command ends\n", ""));
    }
}

#[test]
fn a_daemon_outlives_the_command_in_child_mode() {
    for how in As::every() {
        let dir = folder();
        let mut start = entrypoint(how, &["--child", "sh", "-c", WITH_DAEMON]);
        let mut running = Running::start(start.env("DIR", dir.path()));
        assert_eq!(running.line(), "ready");
        kill(running.init(), libc::SIGTERM);
        assert_eq!(running.line(), "command signalled", "{how:?}");
        running.type_in("end\n");
        let outcome = running.wait();
        let expected = Outcome::new(6, "command ends\ndaemon signalled\n", "");
        assert_eq!(outcome, expected, "{how:?}");
    }
}

#[test]
fn a_second_term_is_passed_on_as_well() {
    let script = "trap 'n=$((n + 1)); echo signalled $n; [ $n = 2 ] && exit 6' TERM
        echo ready; while :; do read -r line; done";
    for how in As::every() {
        for flag in ["--group", "--child"] {
            let running = Running::start(&mut entrypoint(how, &[flag, "sh", "-c", script]));
            assert_eq!(running.line(), "ready");
            let init = running.init();
            kill(init, libc::SIGTERM);
            assert_eq!(running.line(), "signalled 1", "{how:?} {flag}");
            kill(init, libc::SIGTERM);
            assert_eq!(running.wait(), Outcome::new(6, "signalled 2\n", ""));
        }
    }
}

/// A command and a daemon that ignore SIGTERM, which get SIGTERM at the returned moment.
fn stubborn(how: As, flag: &str, grace: Option<&str>) -> (Running, Instant) {
    let script = "trap '' TERM; (setsid sleep infinity &); echo ready; exec sleep infinity";
    let mut start = entrypoint(how, &[flag, "sh", "-c", script]);
    let grace = grace.map(|seconds| ("AGENT_ENTRYPOINT_GRACE_SECONDS", seconds));
    let running = Running::start(start.envs(grace));
    assert_eq!(running.line(), "ready");
    let init = running.init();
    let signalled = Instant::now();
    kill(init, libc::SIGTERM);
    (running, signalled)
}

#[test]
fn what_ignores_term_is_killed_when_the_grace_is_over() {
    for how in As::every() {
        for flag in ["--group", "--child"] {
            let (running, signalled) = stubborn(how, flag, Some("1"));
            let outcome = running.wait();
            let took = signalled.elapsed();
            let stderr = "agent-entrypoint: warning: killing the processes that did not end within 1 s of SIGTERM\n";
            assert_eq!(outcome, Outcome::new(137, "", stderr), "{how:?} {flag}");
            assert!(took >= Duration::from_secs(1), "{how:?} {flag} {took:?}");
            assert!(
                took < Duration::from_secs(1) + SLACK,
                "{how:?} {flag} {took:?}"
            );
        }
    }
}

#[test]
fn by_default_it_is_over_before_docker_stop_kills() {
    // All at the same time: each waits for most of five seconds.
    let ways = As::every();
    let ways = ways
        .iter()
        .flat_map(|how| [(*how, "--group"), (*how, "--child")]);
    let runs: Vec<_> = ways.map(|(how, flag)| stubborn(how, flag, None)).collect();
    for (running, signalled) in runs {
        let outcome = running.wait();
        let took = signalled.elapsed();
        let stderr = "agent-entrypoint: warning: killing the processes that did not end within 4 s of SIGTERM\n";
        assert_eq!(outcome, Outcome::new(137, "", stderr));
        assert!(took >= GRACE && took < STOP, "{took:?}");
    }
}
