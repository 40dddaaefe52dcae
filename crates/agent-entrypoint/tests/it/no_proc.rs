//! Without `/proc`, as in a chroot or a sandbox that mounts none: everything is as with it.
//!
//! An empty file system covers `/proc`, and ends with the mount namespace.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::process::Command;
use std::time::Instant;

use crate::harness::{
    As, GRACE, NOT_PID_1, STEPPED_DOWN, binary, entrypoint_after, folder, needs_root, program,
    set_up,
};
use crate::running::{Outcome, Running, run};
use crate::watch::kill;

const HIDE: &str = "mount -t tmpfs none /proc && ! [ -e /proc/self ]";

fn without_proc(how: As, arguments: &[&str]) -> Command {
    entrypoint_after(HIDE, how, arguments)
}

#[test]
fn exit_codes_and_failures_to_start_are_the_same() {
    if needs_root("exit_codes_and_failures_to_start_are_the_same") {
        return;
    }
    for how in As::every() {
        for (script, code) in [("exit 0", 0), ("exit 7", 7), ("kill -KILL $$", 137)] {
            let outcome = run(&mut without_proc(how, &["sh", "-c", script]));
            assert_eq!(outcome, Outcome::new(code, "", ""), "{how:?}");
        }
        for (command, code, text) in [
            ("no-such", 127, "command not found: `no-such`"),
            (
                "/etc",
                126,
                "cannot execute `/etc`: Permission denied (errno 13)",
            ),
        ] {
            let outcome = run(&mut without_proc(how, &[command]));
            let stderr = format!("agent-entrypoint: error: {text}\n");
            assert_eq!(outcome, Outcome::new(code, "", &stderr), "{how:?}");
        }
    }
}

#[test]
fn keep_alive_ends_by_term() {
    if needs_root("keep_alive_ends_by_term") {
        return;
    }
    for how in As::every() {
        let start = Instant::now();
        let running = Running::start(&mut without_proc(how, &[]));
        kill(running.init(), libc::SIGTERM);
        assert_eq!(running.wait(), Outcome::new(0, "", ""), "{how:?}");
        assert!(start.elapsed() < GRACE, "{how:?}");
    }
}

#[test]
fn root_steps_down_and_the_notes_are_the_same() {
    if needs_root("root_steps_down_and_the_notes_are_the_same") {
        return;
    }
    let dir = folder();
    let name = dir.path().display();
    // Whether it is a mount comes from the kernel by `statx`, not from `/proc`.
    let message = format!(
        "agent-entrypoint: note: gave workspace `{name}` (top level only) to 1000:1000\n\
         {STEPPED_DOWN}\
         agent-entrypoint: note: workspace `{name}` is not a mount: its files are lost with the container; hint: docker run -v \"$PWD:{name}\" …\n"
    );
    for how in As::every() {
        chown(dir.path(), Some(0), Some(0)).unwrap();
        let mut command = without_proc(how, &["sh", "-c", "id -u; id -g; id -G"]);
        command
            .env("WORKSPACE", dir.path())
            .env("AGENT_ENTRYPOINT_QUIET", "0");
        let stderr = match how {
            As::Ordinary => format!("{message}{NOT_PID_1}"),
            As::Pid1 => message.clone(),
        };
        let expected = Outcome::new(0, "1000\n1000\n1000\n", &stderr);
        assert_eq!(run(&mut command), expected, "{how:?}");
        assert_eq!(fs::metadata(dir.path()).unwrap().uid(), 1000);
    }
}

/// A child in the command's group that is ready before the command ends with 5.
fn leaves_a_child(child: &str) -> String {
    format!(
        "exec 2>/dev/null; ({child}; echo ready >&3; while :; do sleep 0.1; done) 3>\"$DIR/ready\" & read -r line <\"$DIR/ready\"; exit 5"
    )
}

#[test]
fn what_the_command_leaves_gets_its_chance_and_then_the_kill() {
    if needs_root("what_the_command_leaves_gets_its_chance_and_then_the_kill") {
        return;
    }
    let killed =
        "agent-entrypoint: warning: killing the processes that did not end within 1 s of SIGTERM\n";
    for how in As::every() {
        // A shell answers only when the `sleep` of the moment is over.
        for (child, grace, stdout, stderr) in [
            (
                "trap \"echo signalled; exit\" TERM",
                "30",
                "signalled\n",
                "",
            ),
            ("trap \"\" TERM", "1", "", killed),
        ] {
            let dir = folder();
            let ready = dir.path().join("ready");
            let made = program("mkfifo").args(["--mode=666"]).arg(ready).status();
            assert!(made.unwrap().success());
            // The process that is left holds stdout: if it lived, the run would not end for the harness.
            let mut command = without_proc(how, &["sh", "-c", &leaves_a_child(child)]);
            command
                .env("DIR", dir.path())
                .env("AGENT_ENTRYPOINT_GRACE_SECONDS", grace);
            let expected = Outcome::new(5, stdout, stderr);
            assert_eq!(run(&mut command), expected, "{how:?}");
        }
    }
}

#[test]
fn term_reaches_the_command_and_its_group() {
    if needs_root("term_reaches_the_command_and_its_group") {
        return;
    }
    let script = "exec 2>/dev/null; trap 'echo signalled; exit 9' TERM; echo ready; while :; do sleep 0.05; done";
    for how in As::every() {
        let running = Running::start(&mut without_proc(how, &["sh", "-c", script]));
        assert_eq!(running.line(), "ready");
        kill(running.init(), libc::SIGTERM);
        assert_eq!(
            running.wait(),
            Outcome::new(9, "signalled\n", ""),
            "{how:?}"
        );
    }
}

#[test]
fn a_proc_of_another_pid_namespace_is_ignored() {
    if needs_root("a_proc_of_another_pid_namespace_is_ignored") {
        return;
    }
    // Its numbers are those of other processes, such as this test: none of them may get a signal.
    let mut command = program("unshare");
    command.args(["--pid", "--fork", "--kill-child", "sh", "-c"]);
    command.args([
        "\"$0\" sh -c 'sleep 1000 >/dev/null & exit 6'; exit $?",
        binary(),
    ]);
    set_up(&mut command);
    assert_eq!(run(&mut command), Outcome::new(6, "", ""));
}
