//! At the limits of a container: processes, disk, descriptors, a read-only root, large words.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use tempfile::TempDir;

use crate::harness::{
    AS_AGENT, As, GRACE, binary, entrypoint, entrypoint_after, entrypoint_as, folder, needs_root,
    program, set_up, write_program,
};
use crate::running::{Outcome, Running, run};
use crate::via::entrypoint_via;
use crate::watch::{eventually, kill};

const NO_PROCESS: &str = "cannot start a process: Resource temporarily unavailable (errno 11); hint: raise `--pids-limit`";

/// The probes of health, in its order.
const PROBES: [&str; 7] = [
    "node",
    "claude",
    "workspace",
    "git",
    "home",
    "tmp",
    "credentials",
];

/// A folder with every program that health asks; each answers with 1.
fn answering() -> TempDir {
    let dir = folder();
    for name in ["node", "claude", "git"] {
        write_program(&dir.path().join(name), "#!/bin/sh\necho 1\n");
    }
    dir
}

/// A PATH that begins with this folder.
fn path(first: &TempDir) -> String {
    format!("{}:/usr/bin:/bin", first.path().display())
}

/// A control group that holds so many processes, and goes with this value.
struct Group(PathBuf);

impl Group {
    /// `None` when this machine has control groups of neither version.
    fn of(test: &str, most: u32) -> Option<Self> {
        let name = format!("agent-entrypoint-{test}-{}", std::process::id());
        let roots = ["/sys/fs/cgroup", "/sys/fs/cgroup/pids"].map(Path::new);
        let mut groups = roots.into_iter().map(|root| root.join(&name));
        groups.find_map(|path| {
            fs::create_dir(&path).ok()?;
            let group = Self(path);
            let file = group.0.join("pids.max");
            // In the second version the limit is there only if the parent hands it down.
            let set = file.exists() && fs::write(file, most.to_string()).is_ok();
            set.then_some(group)
        })
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // The last process of a group stays in it for a moment after it was waited for.
        eventually("the end of the group", || fs::remove_dir(&self.0).ok());
    }
}

#[test]
fn a_full_control_group_is_named_with_its_cure() {
    let test = "a_full_control_group_is_named_with_its_cure";
    if needs_root(test) {
        return;
    }
    let Some(group) = Group::of(test, 1) else {
        eprintln!("NOT RUN: {test}: no control group for processes can be had");
        return;
    };
    let programs = answering();
    let within = |arguments: &[&str]| {
        let mut command = program("sh");
        command.args(["-c", "echo $$ >\"$GROUP\" && exec \"$0\" \"$@\"", binary()]);
        set_up(command.args(arguments));
        command
            .env("GROUP", group.0.join("cgroup.procs"))
            .env("PATH", path(&programs));
        command
    };
    let stderr = format!("agent-entrypoint: error: {NO_PROCESS}\n");
    assert_eq!(run(&mut within(&["true"])), Outcome::new(126, "", &stderr));
    let stdout: String = PROBES
        .map(|name| format!("fail {name}: {NO_PROCESS}\n"))
        .concat();
    assert_eq!(run(&mut within(&["health"])), Outcome::new(1, &stdout, ""));
    // Without a command nothing has to be started.
    let running = Running::start(&mut within(&[]));
    kill(running.init(), libc::SIGTERM);
    assert_eq!(running.wait(), Outcome::new(0, "", ""));
}

/// A UID that no other process of this machine has.
fn lone_uid() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    let round = NEXT.fetch_add(1, Ordering::Relaxed);
    round * 10_000_000 + std::process::id()
}

#[test]
fn a_full_container_still_ends_at_once() {
    let test = "a_full_container_still_ends_at_once";
    if needs_root(test) || !As::every().contains(&As::Pid1) {
        return;
    }
    let Some(group) = Group::of(test, 20) else {
        eprintln!("NOT RUN: {test}: no control group for processes can be had");
        return;
    };
    // The shell that can start no more ends, and leaves the rest; nor could the entrypoint start any.
    let script =
        "sh -c 'while :; do sleep infinity & done' 2>/dev/null; echo full; exec sleep infinity";
    let caller = ["sh", "-c", "echo 0 >\"$GROUP\" && exec \"$@\"", "sh"];
    let mut command = entrypoint_via(As::Pid1, &caller, &["sh", "-c", script]);
    let running = Running::start(command.env("GROUP", group.0.join("cgroup.procs")));
    assert_eq!(running.line(), "full");
    let hits = fs::read_to_string(group.0.join("pids.events")).unwrap();
    assert_ne!(hits, "max 0\n");
    let start = Instant::now();
    kill(running.init(), libc::SIGTERM);
    assert_eq!(running.wait(), Outcome::new(143, "", ""));
    assert!(start.elapsed() < GRACE);
}

#[test]
fn a_users_last_process_is_named_with_its_cure() {
    if needs_root("a_users_last_process_is_named_with_its_cure") {
        return;
    }
    let limited = |arguments: &[&str]| {
        let user = entrypoint_as(lone_uid(), arguments);
        let mut command = program("prlimit");
        command.arg("--nproc=1").arg(user.get_program());
        set_up(command.args(user.get_args()));
        command.env("WORKSPACE", "/tmp");
        command
    };
    let stderr = format!("agent-entrypoint: error: {NO_PROCESS}\n");
    assert_eq!(run(&mut limited(&["true"])), Outcome::new(126, "", &stderr));
    let line = |name| format!("fail {name}: {NO_PROCESS}\n");
    let stdout: String = PROBES.map(line).concat();
    let outcome = run(&mut limited(&["health", "--deep"]));
    assert_eq!(outcome, Outcome::new(1, &stdout, ""));
}

#[test]
fn health_without_descriptors_fails_and_does_not_hang() {
    let why = "cannot start a process: Too many open files (errno 24)";
    let mut command = program("prlimit");
    // There is room for one pipe, and for half of the next one.
    command.args(["--nofile=5", binary(), "health"]);
    set_up(&mut command);
    let outcome = run(&mut command);
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    let fail = |name: &&str| format!("fail {name}: {why}\n");
    let stdout: String = PROBES[1..].iter().map(fail).collect();
    assert!(outcome.stdout.ends_with(&stdout), "{outcome:?}");
}

#[test]
fn a_full_disk_is_seen() {
    if needs_root("a_full_disk_is_seen") {
        return;
    }
    let (programs, home, workspace) = (answering(), folder(), folder());
    let name = workspace.path().display();
    let fill_up = "mount -t tmpfs -o mode=777,size=64k none \"$WORKSPACE\" && ! cat /dev/zero 2>/dev/null >\"$WORKSPACE/full\"";
    let full = format!(
        "ok node 1\nok claude 1\nfail workspace: workspace `{name}` is full: no space is left (`df`); hint: remove files there, on the host or here\n"
    );
    let rest = format!(
        "ok home {}\nok tmp /tmp\nok credentials none\n",
        home.path().display()
    );
    for (arguments, git) in [
        (&["health"][..], "no repository"),
        (&["health", "--deep"], "1"),
    ] {
        let stdout = format!("{full}ok git {git}\n{rest}");
        let script = format!("{fill_up} && {AS_AGENT}");
        let mut command = entrypoint_after(&script, As::Ordinary, arguments);
        command
            .env("WORKSPACE", workspace.path())
            .env("PATH", path(&programs))
            .env("HOME", home.path());
        assert_eq!(run(&mut command), Outcome::new(1, &stdout, ""));
    }
    // The command runs on a full disk, too.
    let mut command = entrypoint_after(fill_up, As::Pid1, &["sh", "-c", "exit 3"]);
    command
        .env("WORKSPACE", workspace.path())
        .env("PATH", path(&programs));
    assert_eq!(run(&mut command), Outcome::new(3, "", ""));
}

#[test]
fn a_home_that_cannot_be_written_to_is_seen() {
    if needs_root("a_home_that_cannot_be_written_to_is_seen") {
        return;
    }
    let programs = answering();
    for (home, reason) in [
        (
            "/etc",
            "home `/etc` is not writable: it belongs to 0:0, mode 0755, and this is 1234:1234; hint: docker run --tmpfs /etc …",
        ),
        (
            "/etc/passwd",
            "home `/etc/passwd` is not a directory; hint: docker run --tmpfs /etc/passwd …",
        ),
        (
            "/no/such",
            "home `/no/such` does not exist; hint: docker run --tmpfs /no/such …",
        ),
        ("", "`HOME` is not set; hint: `-e HOME=/home/agentgate`"),
    ] {
        let mut command = entrypoint_as(1234, &["health", "--deep"]);
        command.env("HOME", home).env("PATH", path(&programs));
        let outcome = run(&mut command);
        assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(1), ""));
        let line = format!("ok git 1\nfail home: {reason}\nok tmp /tmp\n");
        assert!(outcome.stdout.contains(&line), "{outcome:?}");
    }
}

#[test]
fn full_streams_are_survived() {
    let full = |stream: &str, arguments: &[&str]| {
        let script = format!("exec \"$0\" \"$@\" {stream}>/dev/full");
        let mut command = program("sh");
        set_up(command.args(["-c", &script, binary()]).args(arguments));
        command.env("AGENT_ENTRYPOINT_QUIET", "0");
        command
    };
    for (arguments, code) in [
        (&["sh", "-c", "exit 3"][..], 3),
        (&["no-such-command"], 127),
        (&["--no-such-option"], 2),
    ] {
        let outcome = run(&mut full("2", arguments));
        assert_eq!(outcome, Outcome::new(code, "", ""), "{arguments:?}");
    }
    let running = Running::start(&mut full("2", &[]));
    kill(running.init(), libc::SIGTERM);
    assert_eq!(running.wait(), Outcome::new(0, "", ""));
    // Output that was asked for and cannot be written is a failure.
    for arguments in [&["--version"][..], &["--help"], &["health", "--json"]] {
        assert_eq!(run(&mut full("1", arguments)), Outcome::new(1, "", ""));
    }
}

#[test]
fn every_mode_works_on_a_read_only_root() {
    let test = "every_mode_works_on_a_read_only_root";
    if needs_root(test) {
        return;
    }
    let (programs, workspace) = (answering(), folder());
    let seal = "mount -t tmpfs -o mode=777 none \"$WORKSPACE\" && mkdir -m 777 \"$WORKSPACE/tmp\" && mount -o remount,bind,ro / && ! touch /tmp/sealed 2>/dev/null";
    let tmp = workspace.path().join("tmp");
    let sealed = |how, arguments: &[&str]| {
        let mut command = entrypoint_after(seal, how, arguments);
        command
            .env("WORKSPACE", workspace.path())
            .env("HOME", &tmp)
            .env("TMPDIR", &tmp)
            .env("PATH", path(&programs));
        command
    };
    let tried = run(&mut sealed(As::Ordinary, &["--version"]));
    if tried.code != Some(0) {
        eprintln!("NOT RUN: {test}: {tried:?}");
        return;
    }
    for how in As::every() {
        let script = "touch \"$WORKSPACE/file\" && exit 3";
        let outcome = run(&mut sealed(how, &["sh", "-c", script]));
        assert_eq!(outcome, Outcome::new(3, "", ""), "{how:?}");
        let outcome = run(&mut sealed(how, &["headless", "hi"]));
        assert_eq!(outcome, Outcome::new(0, "1\n", ""), "{how:?}");
        let running = Running::start(&mut sealed(how, &[]));
        kill(running.init(), libc::SIGTERM);
        assert_eq!(running.wait(), Outcome::new(0, "", ""), "{how:?}");
    }
    let (name, own) = (workspace.path().display(), tmp.display());
    let stdout = format!(
        "ok node 1\nok claude 1\nok workspace {name}\nok git no repository\nok home {own}\nok tmp {own}\nok credentials none\n"
    );
    let seal = format!("{seal} && {AS_AGENT}");
    let mut command = entrypoint_after(&seal, As::Ordinary, &["health"]);
    command
        .env("WORKSPACE", workspace.path())
        .env("HOME", tmp.as_os_str())
        .env("TMPDIR", tmp.as_os_str())
        .env("PATH", path(&programs));
    let outcome = run(&mut command);
    assert_eq!(outcome, Outcome::new(0, &stdout, ""));
}

#[test]
fn large_words_and_many_variables_are_handed_on() {
    let word = "x".repeat(120 * 1024);
    for how in As::every() {
        let mut command: Command = entrypoint(how, &["sh", "-c", "echo ${#1}", "sh", &word]);
        assert_eq!(run(&mut command), Outcome::new(0, "122880\n", ""));
        let mut command = entrypoint(how, &["grep", "-zc", "^V[0-9]*=$", "/proc/self/environ"]);
        command.envs((0..100_000).map(|number| (format!("V{number}"), "")));
        assert_eq!(run(&mut command), Outcome::new(0, "100000\n", ""));
    }
}
