//! System calls that sandboxes (gVisor, old seccomp profiles) do not have or forbid, and interrupted ones.
//!
//! `strace` makes them fail, each alone, in the entrypoint and not in the command.

use std::fs;
use std::process::Command;
use std::sync::OnceLock;

use crate::harness::{
    MOUNT, NOT_PID_1, binary, folder, is_root, needs_root, program, rest_is_well, set_up,
    workspace, write_program,
};
use crate::running::{Outcome, Running, run};
use crate::watch::kill;

/// Returns true, and prints NOT RUN, if the machine cannot make calls fail.
fn needs_strace(test: &str) -> bool {
    static TRIED: OnceLock<Result<(), String>> = OnceLock::new();
    let tried = TRIED.get_or_init(|| {
        let tried = program("strace")
            .args(["-o", "/dev/null", "-e", "trace=none", "true"])
            .output();
        match tried {
            Ok(output) if output.status.success() => Ok(()),
            failed => Err(format!("{failed:?}")),
        }
    });
    if let Err(why) = tried {
        eprintln!("NOT RUN: {test}: needs strace; hint: `apt-get install strace`; {why}");
    }
    tried.is_err()
}

/// `strace` before the entrypoint, with this call failing as given; forks are not traced.
fn failing(call: &str, how: &str) -> [String; 6] {
    let (trace, inject) = (format!("trace={call}"), format!("inject={call}:{how}"));
    ["-o", "/dev/null", "-e", &trace, "-e", &inject].map(str::to_owned)
}

/// The program as it starts for most: as an ordinary user.
fn entrypoint(call: &str, how: &str, arguments: &[&str]) -> Command {
    let mut command = if is_root() {
        let mut command = program("setpriv");
        command.args(["--reuid=1234", "--regid=1234", "--clear-groups", "strace"]);
        command
    } else {
        program("strace")
    };
    command.args(failing(call, how)).arg(binary());
    command.args(arguments);
    set_up(&mut command);
    command.env("WORKSPACE", "/tmp").env("HOME", "/tmp");
    command
}

const ERRORS: [&str; 2] = ["error=ENOSYS", "error=EPERM"];
const SAYS_HI: [&str; 3] = ["sh", "-c", "echo hi; exit 3"];

#[test]
fn the_command_runs_without_each_dispensable_call() {
    if needs_strace("the_command_runs_without_each_dispensable_call") {
        return;
    }
    for call in [
        "close_range",
        "statx",
        "chdir",
        "clock_gettime",
        "ioctl",
        "rt_sigaction",
        "openat",
    ] {
        for error in ERRORS {
            let outcome = run(&mut entrypoint(call, error, &SAYS_HI));
            assert_eq!(outcome, Outcome::new(3, "hi\n", ""), "{call}:{error}");
        }
    }
}

#[test]
fn what_is_missing_is_reported_and_the_command_runs() {
    if needs_strace("what_is_missing_is_reported_and_the_command_runs") {
        return;
    }
    for (call, error, text) in [
        ("faccessat", ERRORS[1], "workspace `/tmp` is not writable: "),
        (
            "prctl",
            ERRORS[0],
            "this is not PID 1 and cannot reap orphans: ",
        ),
        (
            "prctl",
            ERRORS[1],
            "this is not PID 1 and cannot reap orphans: ",
        ),
    ] {
        let outcome = run(&mut entrypoint(call, error, &SAYS_HI));
        let start = format!("agent-entrypoint: warning: {text}");
        assert!(outcome.stderr.starts_with(&start), "{call}: {outcome:?}");
        let expected = Outcome::new(3, "hi\n", &outcome.stderr);
        assert_eq!(outcome, expected, "{call}:{error}");
    }
}

#[test]
fn the_end_of_the_last_process_is_seen_without_waitid() {
    if needs_strace("the_end_of_the_last_process_is_seen_without_waitid") {
        return;
    }
    for error in ERRORS {
        let outcome = run(&mut entrypoint("waitid", error, &SAYS_HI));
        // If a process were left, there would be a warning.
        assert_eq!(outcome, Outcome::new(3, "hi\n", ""), "{error}");
    }
}

#[test]
fn without_a_process_or_memory_nothing_starts_and_the_reason_is_printed() {
    if needs_strace("without_a_process_or_memory_nothing_starts_and_the_reason_is_printed") {
        return;
    }
    for (call, error, text) in [
        (
            "clone",
            "error=EAGAIN",
            "cannot start a process: Resource temporarily unavailable (errno 11); hint: raise `--pids-limit`",
        ),
        (
            "clone",
            "error=ENOMEM",
            "cannot start a process: Cannot allocate memory (errno 12); hint: raise `--memory`",
        ),
        (
            "mmap",
            "error=ENOMEM",
            "no memory: Cannot allocate memory (errno 12); hint: raise `--memory`",
        ),
    ] {
        // Memory is needed for what is added to the environment.
        let outcome = run(entrypoint(call, error, &SAYS_HI).env("HOME", "/"));
        let stderr = format!("agent-entrypoint: error: {text}\n");
        assert_eq!(outcome, Outcome::new(126, "", &stderr));
    }
}

#[test]
fn interrupted_calls_are_survived() {
    if needs_strace("interrupted_calls_are_survived") {
        return;
    }
    for (call, how) in [
        ("rt_sigtimedwait", "error=EINTR:when=1..9"),
        ("read", "error=EINTR:when=1"),
        ("waitid", "error=EINTR:when=1"),
        ("wait4", "error=EINTR:when=1"),
        ("write", "error=EINTR:when=1..9"),
    ] {
        let mut command = entrypoint(call, how, &SAYS_HI);
        // With a note to write, and an account to read.
        command.env("AGENT_ENTRYPOINT_QUIET", "0").env("HOME", "/");
        let outcome = run(&mut command);
        assert!(outcome.stderr.ends_with(NOT_PID_1), "{outcome:?}");
        let expected = Outcome::new(3, "hi\n", &outcome.stderr);
        assert_eq!(outcome, expected, "{call}");
    }
}

#[test]
fn an_interrupted_wait_for_an_answer_is_repeated() {
    if needs_strace("an_interrupted_wait_for_an_answer_is_repeated") {
        return;
    }
    let path = folder();
    for name in ["node", "claude"] {
        write_program(&path.path().join(name), "#!/bin/sh\necho 1\n");
    }
    let mut command = entrypoint("read", "error=EINTR:when=1", &["health"]);
    let path = format!("{}:/usr/bin:/bin", path.path().display());
    let outcome = run(command.env("PATH", path));
    assert!(
        outcome.stdout.starts_with("ok node 1\nok claude 1\n"),
        "{outcome:?}"
    );
}

#[test]
fn the_note_on_the_mount_comes_from_mountinfo_without_statx() {
    if needs_strace("the_note_on_the_mount_comes_from_mountinfo_without_statx") {
        return;
    }
    let unmounted = workspace();
    for error in ERRORS {
        for (workspace, is_noted) in [(unmounted.to_str().unwrap(), true), ("/proc", false)] {
            let mut command = entrypoint("statx", error, &SAYS_HI);
            command
                .env("AGENT_ENTRYPOINT_QUIET", "0")
                .env("WORKSPACE", workspace);
            let outcome = run(&mut command);
            let note = format!(
                "agent-entrypoint: note: workspace `{workspace}` is not a mount: its files"
            );
            let is_there = outcome.stderr.contains(&note);
            assert_eq!(is_there, is_noted, "{outcome:?}");
            let expected = Outcome::new(3, "hi\n", &outcome.stderr);
            assert_eq!(outcome, expected);
        }
        // A missing one gives the same message as with it.
        let mut command = entrypoint("statx", error, &SAYS_HI);
        let outcome = run(command.env("WORKSPACE", "/no/such"));
        let stderr = "agent-entrypoint: error: workspace `/no/such` does not exist; hint: docker run -v \"$PWD:/no/such\" …\n";
        assert_eq!(outcome, Outcome::new(78, "", stderr));
    }
}

#[test]
fn health_sees_the_mount_without_statx() {
    let test = "health_sees_the_mount_without_statx";
    if needs_strace(test) || needs_root(test) {
        return;
    }
    let path = folder();
    for name in ["node", "claude"] {
        write_program(&path.path().join(name), "#!/bin/sh\necho 1\n");
    }
    let unmounted = workspace();
    let name = unmounted.display();
    let fail = format!(
        "fail workspace: workspace `{name}` is not mounted; hint: docker run -v \"$PWD:{name}\" …\n"
    );
    for (workspace, code, line) in [
        (unmounted.to_str().unwrap(), 1, fail.as_str()),
        (MOUNT, 0, "ok workspace /dev/shm\n"),
    ] {
        let mut command = program("setpriv");
        command.args(["--reuid=1000", "--regid=1000", "--clear-groups", "strace"]);
        // Each probe is a fork, and only they are to find no `strace` in PATH.
        command.arg("-f").args(failing("statx", "error=ENOSYS"));
        command.arg("-E");
        command.arg(format!("PATH={}", path.path().display()));
        command.args([binary(), "health"]);
        set_up(&mut command);
        command.env("WORKSPACE", workspace);
        let stdout = format!("ok node 1\nok claude 1\n{line}{}", rest_is_well());
        assert_eq!(run(&mut command), Outcome::new(code, &stdout, ""));
    }
}

#[test]
fn descriptors_are_closed_without_close_range() {
    if needs_strace("descriptors_are_closed_without_close_range") {
        return;
    }
    for error in ERRORS {
        let mut strace = failing("close_range", error).to_vec();
        strace.extend([binary().to_owned()]);
        let mut command = program("sh");
        let script = "exec 7</dev/null 9>/dev/null; exec strace \"$@\"";
        set_up(command.args(["-c", script, "sh"]).args(strace));
        let running = Running::start(&mut command);
        let init = running.init();
        crate::watch::eventually("the descriptors to be closed", || {
            let open = fs::read_dir(format!("/proc/{init}/fd")).ok()?;
            (open.count() == 3).then_some(())
        });
        kill(init, libc::SIGTERM);
        assert_eq!(running.wait(), Outcome::new(0, "", ""));
    }
}

#[test]
fn root_that_cannot_step_down_starts_nothing() {
    let test = "root_that_cannot_step_down_starts_nothing";
    if needs_strace(test) || needs_root(test) {
        return;
    }
    for (call, step) in [
        ("setgroups", "setgroups"),
        ("setresgid", "setresgid"),
        ("setresuid", "setresuid"),
        ("prctl", "no_new_privs"),
    ] {
        let mut command = program("strace");
        command.args(failing(call, "error=EPERM"));
        command.args([binary(), "id", "-u"]);
        set_up(&mut command);
        let stderr = format!(
            "agent-entrypoint: error: started as root, and cannot become 1000:1000: {step}: Operation not permitted (errno 1); hint: `--user agentgate`, or leave root the capabilities CHOWN, SETUID and SETGID\n"
        );
        assert_eq!(run(&mut command), Outcome::new(77, "", &stderr));
    }
}
