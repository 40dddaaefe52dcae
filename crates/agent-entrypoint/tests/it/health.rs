//! `health` against stand-ins for `node` and `claude` on PATH, and a real bind mount.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::harness::{
    As, Outcome, binary, entrypoint, folder, needs_root, program, run, write_program,
};
use crate::watch::{eventually, is_over};

/// A folder for PATH with these programs, each a shell script's body.
fn programs(bodies: &[(&str, &str)]) -> TempDir {
    let dir = folder();
    for (name, body) in bodies {
        let path = dir.path().join(name);
        write_program(&path, &format!("#!/bin/sh\n{body}\n"));
    }
    dir
}

fn health(path: &TempDir, workspace: &Path) -> Command {
    let mut command = entrypoint(As::Ordinary, &["health"]);
    command.env("PATH", path.path()).env("WORKSPACE", workspace);
    command
}

#[test]
fn all_is_well_on_a_mounted_workspace() {
    if needs_root("all_is_well_on_a_mounted_workspace") {
        return;
    }
    let path = programs(&[
        ("node", "[ \"$*\" = --version ] && echo v20.20.2"),
        (
            "claude",
            "[ \"$*\" = --version ] && echo '2.1.330 (Claude Code)'",
        ),
    ]);
    let workspace = tempfile::Builder::new()
        .prefix("with blank")
        .tempdir()
        .unwrap();
    let script = "mount --bind \"$1\" \"$1\" && PATH=\"$2\" && exec \"$0\" health";
    let mut command = program("unshare");
    command.args(["--mount", "sh", "-c", script, binary()]);
    command.arg(workspace.path()).arg(path.path());
    let outcome = run(command.env("WORKSPACE", workspace.path()));
    let stdout = format!(
        "ok node v20.20.2\nok claude 2.1.330 (Claude Code)\nok workspace {}\n",
        workspace.path().display()
    );
    assert_eq!(outcome, Outcome::new(0, &stdout, ""));
}

#[test]
fn each_failure_has_its_line() {
    let path = programs(&[("node", "echo v20; exit 3")]);
    let workspace = folder();
    let name = workspace.path().display();
    let outcome = run(&mut health(&path, workspace.path()));
    let stdout = format!(
        "fail node: `node` exited with 3\nfail claude: command not found: `claude`\nfail workspace: workspace `{name}` is not mounted; hint: docker run -v \"$PWD:{name}\" …\n"
    );
    assert_eq!(outcome, Outcome::new(1, &stdout, ""));

    let path = programs(&[("node", "kill -KILL $$"), ("claude", "echo nothing >&2")]);
    let outcome = run(&mut health(&path, Path::new("/etc/passwd")));
    let stdout = "fail node: `node` was ended by signal 9\nfail claude: `claude` answered nothing\nfail workspace: workspace `/etc/passwd` is not a directory; hint: docker run -v \"$PWD:/etc/passwd\" …\n";
    assert_eq!(outcome, Outcome::new(1, stdout, ""));
}

#[test]
fn a_program_that_may_not_run_is_told_from_a_missing_one() {
    let path = programs(&[("node", "echo v20"), ("claude", "echo 2")]);
    fs::set_permissions(path.path().join("node"), fs::Permissions::from_mode(0o644)).unwrap();
    let outcome = run(&mut health(&path, Path::new("/proc")));
    let stdout = "fail node: cannot execute `node`: Permission denied (errno 13)\nok claude 2\nok workspace /proc\n";
    assert_eq!(outcome, Outcome::new(1, stdout, ""));
}

#[test]
fn a_probe_that_hangs_is_ended_with_all_it_started() {
    let path = programs(&[
        ("node", "echo v20"),
        ("claude", "/bin/sleep 1000 & echo $$ $! >\"$PIDS\"; wait"),
    ]);
    let pids = path.path().join("pids");
    let mut command = health(&path, Path::new("/proc"));
    command
        .env("AGENT_ENTRYPOINT_PROBE_SECONDS", "1")
        .env("PIDS", &pids);
    let stdout = "ok node v20\nfail claude: no answer within 1 s\nok workspace /proc\n";
    assert_eq!(run(&mut command), Outcome::new(1, stdout, ""));
    for pid in fs::read_to_string(pids).unwrap().split_whitespace() {
        let pid = pid.parse().unwrap();
        eventually("the end of what hung", || is_over(pid).then_some(()));
    }
}

#[test]
fn a_probe_that_never_stops_talking_has_no_more_time_than_others() {
    let path = programs(&[("node", "while echo v20; do :; done"), ("claude", "echo 2")]);
    let mut command = health(&path, Path::new("/proc"));
    command.env("AGENT_ENTRYPOINT_PROBE_SECONDS", "1");
    let stdout = "fail node: no answer within 1 s\nok claude 2\nok workspace /proc\n";
    assert_eq!(run(&mut command), Outcome::new(1, stdout, ""));
}
