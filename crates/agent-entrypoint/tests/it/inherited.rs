//! What the caller hands down reaches the command untouched, and none of it stays with the entrypoint.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::harness::{As, folder, program};
use crate::running::{Outcome, Running, run};
use crate::via::entrypoint_via;
use crate::watch::{eventually, kill, state};

/// The signal state of the process that this runs: not `grep`, which catches one.
fn signal_state(command: &mut Command) -> Vec<String> {
    let outcome = run(command);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""));
    let is_state = |line: &&str| ["SigBlk", "SigIgn", "SigCgt"].contains(&&line[..6]);
    let lines = outcome.stdout.lines();
    lines.filter(is_state).map(str::to_owned).collect()
}

#[test]
fn the_callers_signal_state_is_the_commands_exactly() {
    for caller in [
        &["env", "--default-signal"][..],
        &["env", "--ignore-signal=PIPE"],
        &["env", "--default-signal=PIPE"],
        &["env", "--ignore-signal=CHLD"],
        &["env", "--ignore-signal=CHLD", "--block-signal=CHLD"],
        &["env", "--ignore-signal=USR1,TERM"],
        &["env", "--block-signal=HUP,USR1,TERM,CHLD,WINCH,34,64"],
        &["env", "--ignore-signal=INT,QUIT", "--block-signal=INT,TSTP"],
        &["env", "--ignore-signal"],
        &["env", "--block-signal"],
    ] {
        let look = ["cat", "/proc/self/status"];
        let direct = signal_state(program(caller[0]).args(&caller[1..]).args(look));
        assert_eq!(direct[2], "SigCgt:\t0000000000000000", "{caller:?}");
        for how in As::every() {
            let seen = signal_state(&mut entrypoint_via(how, caller, &look));
            assert_eq!(seen, direct, "{how:?} {caller:?}");
        }
    }
}

/// The numbers of a process's descriptors.
fn descriptors(pid: u32) -> Vec<u32> {
    let mut numbers: Vec<u32> = fs::read_dir(format!("/proc/{pid}/fd"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .map(|name| name.to_str().unwrap().parse().unwrap())
        .collect();
    numbers.sort_unstable();
    numbers
}

/// Waits until a process runs `sleep` and that sleeps: its loader has closed what it had opened.
fn asleep(pid: u32) {
    eventually("the command to be executed", || {
        let program = fs::read_link(format!("/proc/{pid}/exe")).ok()?;
        (program.ends_with("sleep") && state(pid) == Some('S')).then_some(())
    });
}

/// What `sleep` has open without an entrypoint: more than the caller opened, where tests inherit some.
fn descriptors_without(caller: &[&str], file: &Path) -> Vec<u32> {
    let words = [caller, &["sleep", "1000000"]].concat();
    let running = Running::start(program(words[0]).args(&words[1..]).env("FILE", file));
    asleep(running.pid());
    descriptors(running.pid())
}

/// Those of the three streams that are among them.
fn streams(descriptors: &[u32]) -> Vec<u32> {
    let streams = descriptors.iter().copied();
    streams.filter(|number| *number <= 2).collect()
}

fn cwd(pid: u32) -> PathBuf {
    fs::read_link(format!("/proc/{pid}/cwd")).unwrap()
}

#[test]
fn the_command_keeps_what_the_entrypoint_lets_go_of() {
    let dir = folder();
    let file = dir.path().join("file");
    fs::write(&file, "from the caller\n").unwrap();
    // One of them has a number above the 1024 that are usual.
    let script = "ulimit -n 4096; exec 9<\"$FILE\" 2000<\"$FILE\"; exec \"$0\" \"$@\"";
    let command = "cat <&9; echo ready; exec sleep infinity";
    let caller = ["bash", "-c", script];
    let expected = descriptors_without(&caller, &file);
    assert!(expected.contains(&9) && expected.contains(&2000));
    for how in As::every() {
        let arguments = ["sh", "-c", command];
        let mut start = entrypoint_via(how, &caller, &arguments);
        let running = Running::start(start.env("FILE", &file).current_dir(dir.path()));
        assert_eq!(running.line(), "from the caller");
        assert_eq!(running.line(), "ready");
        let (init, child) = (running.init(), running.child());
        // The command may be up before the entrypoint has let go.
        eventually("the entrypoint to let go", || {
            (descriptors(init) == [0, 1, 2]).then_some(())
        });
        assert_eq!(cwd(init), PathBuf::from("/"), "{how:?}");
        asleep(child);
        assert_eq!(descriptors(child), expected, "{how:?}");
        assert_eq!(cwd(child), dir.path(), "{how:?}");
        kill(child, libc::SIGKILL);
        assert_eq!(running.wait(), Outcome::new(137, "", ""));
    }
}

#[test]
fn closed_streams_stay_closed_and_nothing_takes_their_place() {
    for closed in ["<&-", ">&-", "2>&-", "<&- >&-", "<&- >&- 2>&-"] {
        let script = format!("exec \"$0\" \"$@\" {closed}");
        let caller = ["sh", "-c", &script];
        let expected = descriptors_without(&caller, Path::new(""));
        assert!(streams(&expected).len() < 3, "{closed}");
        for how in As::every() {
            let arguments = ["sleep", "1000000"];
            let running = Running::start(&mut entrypoint_via(how, &caller, &arguments));
            let (init, child) = (running.init(), running.child());
            asleep(child);
            assert_eq!(descriptors(child), expected, "{how:?} {closed}");
            eventually("the entrypoint to let go", || {
                (descriptors(init) == streams(&expected)).then_some(())
            });
            kill(init, libc::SIGTERM);
            assert_eq!(running.wait(), Outcome::new(143, "", ""));
        }
    }
}
