//! Signals and ends by the thousand: none is lost, none is taken for another, no zombie stays.

use std::fs;
use std::process::Child;

use crate::harness::{
    As, Outcome, Running, entrypoint, entrypoint_as, folder, needs_root, program,
};
use crate::watch::{children, eventually, kill};

/// Nobody else's: the kernel counts queued signals by user.
const UID: u32 = 54_321;
const QUEUED: usize = 2000;

/// A shell that sends a signal again and again without starting a process for it.
fn sender(script: &str) -> Child {
    program("bash").args(["-c", script]).spawn().unwrap()
}

/// How many signals wait for processes of this one's user.
fn queued(pid: u32) -> Option<usize> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("SigQ:"))?;
    let count = line.split_whitespace().nth(1)?.split('/').next()?;
    count.parse().ok()
}

#[test]
fn queued_real_time_signals_are_all_passed_on() {
    if needs_root("queued_real_time_signals_are_all_passed_on") {
        return;
    }
    // The command blocks them, so that what was sent stays to be counted.
    let blocked = [
        "env",
        "--block-signal",
        "sh",
        "-c",
        "echo ready; exec sleep infinity",
    ];
    let mut command = entrypoint_as(UID, &blocked);
    let workspace = folder();
    let running = Running::start(command.env("WORKSPACE", workspace.path()));
    assert_eq!(running.line(), "ready");
    let (init, child) = (running.init(), running.child());
    let before = queued(child).unwrap();
    let script = format!("for ((i = 0; i < {QUEUED}; i++)); do kill -35 {init}; done");
    assert!(sender(&script).wait().unwrap().success());
    eventually("all of them at the command", || {
        // Those that still wait for the entrypoint count as well; in the end none does.
        let pending = crate::watch::mask(init, "ShdPnd")?;
        (pending == 0 && queued(child)? == before + QUEUED).then_some(())
    });
    kill(child, libc::SIGKILL);
    assert_eq!(running.wait(), Outcome::new(137, "", ""));
}

#[test]
fn a_storm_of_signals_changes_no_exit_code() {
    // Builtins and short lives: what the group's signals end among the children is no matter.
    let script = "
        trap : USR1 USR2 HUP WINCH
        echo ready
        i=0; while [ $i -lt 300 ]; do (true &) 2>/dev/null; true & i=$((i + 1)); done
        exit 7";
    for how in As::every() {
        let running = Running::start(&mut entrypoint(how, &["sh", "-c", script]));
        assert_eq!(running.line(), "ready");
        let init = running.init();
        let storm = |signal: &str| {
            sender(&format!(
                "while kill -{signal} {init} 2>/dev/null; do :; done"
            ))
        };
        let senders = ["USR1", "USR2", "WINCH"].map(storm);
        let outcome = running.wait();
        for mut sender in senders {
            sender.wait().unwrap();
        }
        assert_eq!(outcome.code, Some(7), "{how:?} {outcome:?}");
        assert_eq!(outcome.stdout, "", "{how:?}");
    }
}

/// The resident memory of a process, as the kernel prints it.
fn resident(pid: u32) -> String {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    line.unwrap().to_owned()
}

#[test]
fn ten_thousand_orphans_leave_no_zombie_and_take_no_memory() {
    let how = As::every().pop().unwrap();
    // Some first, so that the memory of the code that reaps is there.
    let script = "
        orphans() { i=0; while [ $i -lt $1 ]; do (true & true &); i=$((i + 1)); done; }
        orphans 10; echo ready; read -r line
        orphans 5000; echo done; read -r line; exit 3";
    let mut running = Running::start(&mut entrypoint(how, &["sh", "-c", script]));
    assert_eq!(running.line(), "ready");
    let (init, child) = (running.init(), running.child());
    let reaped = |what: &str| {
        eventually(what, || (children(init) == [child]).then_some(()));
        resident(init)
    };
    let before = reaped("the first orphans to be reaped");
    running.type_in("\n");
    assert_eq!(running.line(), "done");
    assert_eq!(reaped("ten thousand orphans to be reaped"), before);
    running.type_in("\n");
    assert_eq!(running.wait(), Outcome::new(3, "", ""));
}
