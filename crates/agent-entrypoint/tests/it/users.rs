//! Started as a user without an account, as clouds and `docker run --user 1234` do; the umask.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;

use crate::harness::{As, binary, entrypoint, entrypoint_as, folder, needs_root, program, set_up};
use crate::running::{Outcome, run};
use crate::via::entrypoint_via;
use crate::watch::kill;

const UNKNOWN: u32 = 1234;

/// The program as that user in a workspace of everyone's, with the variables that Docker gives it.
fn unknown_user(workspace: &Path, arguments: &[&str]) -> Command {
    let path = std::env::var_os("PATH").unwrap();
    let mut command = entrypoint_as(UNKNOWN, arguments);
    command.env_clear();
    command
        .env("PATH", path)
        .env("HOME", "/")
        .env("WORKSPACE", workspace)
        .env("AGENT_ENTRYPOINT_QUIET", "1");
    command
}

#[test]
fn an_unknown_user_has_a_home_and_a_name() {
    if needs_root("an_unknown_user_has_a_home_and_a_name") {
        return;
    }
    let dir = folder();
    let script = "id -u; id -g; id -G; echo \"$HOME|$USER|$LOGNAME|$SHELL|$LANG|$TMPDIR\"; cd \"$WORKSPACE\" && touch file";
    let outcome = run(&mut unknown_user(dir.path(), &["sh", "-c", script]));
    let account = "/home/agentgate|agentgate|agentgate|/bin/bash|C.UTF-8|/tmp";
    let stdout = format!("1234\n1234\n1234\n{account}\n");
    assert_eq!(outcome, Outcome::new(0, &stdout, ""));
    let file = fs::metadata(dir.path().join("file")).unwrap();
    assert_eq!((file.uid(), file.gid()), (UNKNOWN, UNKNOWN));
    // Only root changes the owner of the workspace.
    assert_eq!(fs::metadata(dir.path()).unwrap().uid(), 0);
}

#[test]
fn what_an_unknown_user_was_given_stays() {
    if needs_root("what_an_unknown_user_was_given_stays") {
        return;
    }
    let dir = folder();
    let script = "echo \"$HOME|$USER|$LOGNAME|$SHELL\"";
    let mut command = unknown_user(dir.path(), &["sh", "-c", script]);
    command.env("HOME", "/tmp").env("USER", "me");
    let outcome = run(&mut command);
    assert_eq!(outcome, Outcome::new(0, "/tmp|me|me|/bin/bash\n", ""));
}

#[test]
fn an_unknown_user_can_commit() {
    let test = "an_unknown_user_can_commit";
    if needs_root(test) {
        return;
    }
    if program("git").arg("--version").output().is_err() {
        eprintln!("NOT RUN: {test}: needs git; hint: `apt-get install git`");
        return;
    }
    let dir = folder();
    // git refuses a workspace of another user; the image's /etc/gitconfig allows it for all.
    let script = "set -e; cd \"$WORKSPACE\"
        git() { command git -c safe.directory='*' -c user.name=me -c user.email=me@example.invalid \"$@\"; }
        git init --quiet; echo text >file; git add file; git commit --quiet --message first
        git log --format='%an %s'; git status --short";
    let outcome = run(&mut unknown_user(dir.path(), &["sh", "-c", script]));
    assert_eq!(outcome, Outcome::new(0, "me first\n", ""));
}

#[test]
fn the_users_groups_are_kept_when_there_is_nothing_to_drop() {
    if needs_root("the_users_groups_are_kept_when_there_is_nothing_to_drop") {
        return;
    }
    // `docker run --user 1234 --group-add 4321`.
    let mut command = program("setpriv");
    command.args(["--reuid=1234", "--regid=0", "--groups=4321", binary()]);
    set_up(command.args(["id", "-G"]));
    let outcome = run(command.env("WORKSPACE", "/tmp"));
    assert_eq!(outcome, Outcome::new(0, "0 4321\n", ""));
}

#[test]
fn roots_groups_and_capabilities_go() {
    if needs_root("roots_groups_and_capabilities_go") {
        return;
    }
    let script = "id -G; grep -E '^Cap(Prm|Eff|Amb)' /proc/self/status";
    for flags in [
        &["--groups=0,27,4321"][..],
        &[
            "--clear-groups",
            "--inh-caps=+setuid,+chown",
            "--ambient-caps=+setuid,+chown",
        ],
    ] {
        let mut command = program("setpriv");
        command.args(flags);
        set_up(command.args([binary(), "sh", "-c", script]));
        let none = "0000000000000000";
        let stdout = format!("1000\nCapPrm:\t{none}\nCapEff:\t{none}\nCapAmb:\t{none}\n");
        assert_eq!(run(&mut command), Outcome::new(0, &stdout, ""), "{flags:?}");
    }
}

#[test]
fn capabilities_that_would_stay_go_too() {
    if needs_root("capabilities_that_would_stay_go_too") {
        return;
    }
    let mut command = program("setpriv");
    // The kernel is set to keep them over the change of user.
    command.args(["--securebits=+no_setuid_fixup", binary(), "grep", "-E"]);
    command.args(["^(Uid|Cap(Prm|Eff))", "/proc/self/status"]);
    set_up(&mut command);
    let none = "0000000000000000";
    let stdout = format!("Uid:\t1000\t1000\t1000\t1000\nCapPrm:\t{none}\nCapEff:\t{none}\n");
    assert_eq!(run(&mut command), Outcome::new(0, &stdout, ""));
}

#[test]
fn the_command_has_the_umask_that_was_asked_for() {
    let caller = {
        let output = program("sh").args(["-c", "umask"]).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    for how in As::every() {
        for (value, expected) in [
            ("0027", "0027\n"),
            ("77", "0077\n"),
            ("0", "0000\n"),
            ("", &caller),
        ] {
            let mut command = entrypoint(how, &["sh", "-c", "umask"]);
            let outcome = run(command.env("AGENT_ENTRYPOINT_UMASK", value));
            assert_eq!(outcome, Outcome::new(0, expected, ""), "{how:?}: {value}");
        }
    }
    let dir = folder();
    let mut command = entrypoint(As::Ordinary, &["sh", "-c", "touch \"$WORKSPACE/file\""]);
    command
        .env("AGENT_ENTRYPOINT_UMASK", "0027")
        .env("WORKSPACE", dir.path());
    assert_eq!(run(&mut command), Outcome::new(0, "", ""));
    let file = fs::metadata(dir.path().join("file")).unwrap();
    assert_eq!(file.mode() & 0o7777, 0o640);
}

#[test]
fn wrong_umasks_are_refused() {
    for value in [
        "8",
        "0888",
        "1000",
        "-1",
        "+7",
        "0o27",
        " 27",
        "27 ",
        "u=rwx",
        "٣",
        "99999999999",
    ] {
        let mut command = entrypoint(As::Ordinary, &["true"]);
        let outcome = run(command.env("AGENT_ENTRYPOINT_UMASK", value));
        let stderr = format!(
            "agent-entrypoint: error: bad value of `AGENT_ENTRYPOINT_UMASK`: `{value}`; hint: set it to an octal number, 0 to 0777\n"
        );
        assert_eq!(outcome, Outcome::new(2, "", &stderr));
    }
}

/// Root's own process from before, which the agent that root has become may not signal.
#[test]
fn a_refused_signal_is_reported_once() {
    if needs_root("a_refused_signal_is_reported_once") {
        return;
    }
    let script = "sleep 20 >/dev/null 2>&1 & echo $! >\"$PID\"; exec \"$0\" \"$@\"";
    let dir = folder();
    let file = dir.path().join("pid");
    let mut start = entrypoint_via(As::Ordinary, &["sh", "-c", script], &["true"]);
    start
        .env("PID", &file)
        .env("AGENT_ENTRYPOINT_GRACE_SECONDS", "1");
    let outcome = run(&mut start);
    let pid = fs::read_to_string(file).unwrap();
    kill(pid.trim().parse().unwrap(), libc::SIGKILL);
    let lines: Vec<&str> = outcome.stderr.lines().collect();
    assert!(
        matches!(lines[..], [refused, killed]
        if refused.contains("cannot send signal 15 to ") && killed.ends_with("of SIGTERM")),
        "{lines:?}"
    );
}
