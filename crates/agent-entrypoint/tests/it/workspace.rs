//! The check of the workspace before start: exact texts, and the owner put right.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;

use crate::harness::{
    As, NOT_PID_1, STEPPED_DOWN, binary, entrypoint, entrypoint_as, folder, is_root, needs_root,
    program, set_up, workspace,
};
use crate::running::{Outcome, run};

fn entrypoint_in(path: &Path) -> Outcome {
    run(entrypoint(As::Ordinary, &["true"]).env("WORKSPACE", path))
}

fn run_as(uid: u32, path: &Path) -> Outcome {
    run(entrypoint_as(uid, &["true"]).env("WORKSPACE", path))
}

/// The message of root, who often runs these tests.
fn stepped_down() -> &'static str {
    if is_root() { STEPPED_DOWN } else { "" }
}

fn open(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn warning(text: &str) -> Outcome {
    let stderr = format!("agent-entrypoint: warning: {text}\n");
    Outcome::new(0, "", &stderr)
}

#[test]
fn a_missing_workspace_shows_the_missing_flag() {
    let dir = folder();
    let missing = dir.path().join("missing");
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    for (path, what) in [(&missing, "does not exist"), (&file, "is not a directory")] {
        let name = path.display();
        let text = format!("workspace `{name}` {what}; hint: docker run -v \"$PWD:{name}\" …");
        let stderr = format!("agent-entrypoint: error: {text}\n");
        let expected = Outcome::new(78, "", &stderr);
        assert_eq!(entrypoint_in(path), expected);
        let keep_alive = run(entrypoint(As::Ordinary, &[]).env("WORKSPACE", path));
        assert_eq!(keep_alive, expected);
    }
}

#[test]
fn an_unmounted_workspace_is_fine_and_noted() {
    let path = workspace();
    assert_eq!(entrypoint_in(&path), Outcome::new(0, "", ""));
    let outcome = run(entrypoint(As::Ordinary, &["true"]).env("AGENT_ENTRYPOINT_QUIET", "0"));
    let name = path.display();
    let stepped = stepped_down();
    let stderr = format!(
        "agent-entrypoint: note: workspace `{name}` is not a mount: its files are lost with the container; hint: docker run -v \"$PWD:{name}\" …\n{NOT_PID_1}"
    );
    assert_eq!(outcome, Outcome::new(0, "", &format!("{stepped}{stderr}")));
}

#[test]
fn an_unwritable_workspace_is_a_warning_with_its_cure() {
    if needs_root("an_unwritable_workspace_is_a_warning_with_its_cure") {
        return;
    }
    let dir = folder();
    let name = dir.path().display();
    for (owner, mode, text) in [
        (
            0,
            0o755,
            "it belongs to 0:0, mode 0755, and this is 1000:1000; hint: on the host: `sudo chown 1000:1000 \"$PWD\"`",
        ),
        (
            1001,
            0o750,
            "it belongs to 1001:1001, mode 0750, and this is 1000:1000; hint: on the host: `sudo chown 1000:1000 \"$PWD\"`, or run the container with `--user 1001:1001`",
        ),
        (
            1000,
            0o555,
            "mode 0555; hint: on the host: `chmod u+rwx \"$PWD\"`",
        ),
    ] {
        chown(dir.path(), Some(owner), Some(owner)).unwrap();
        open(dir.path(), mode);
        let text = format!("workspace `{name}` is not writable: {text}");
        assert_eq!(run_as(1000, dir.path()), warning(&text));
    }
    open(dir.path(), 0o777);
    assert_eq!(run_as(1234, dir.path()), Outcome::new(0, "", ""));
}

#[test]
fn a_read_only_mount_is_a_warning() {
    if needs_root("a_read_only_mount_is_a_warning") {
        return;
    }
    let dir = folder();
    let script =
        "mount --bind \"$1\" \"$1\" && mount -o remount,bind,ro \"$1\" && exec \"$0\" true";
    let mut command = program("unshare");
    command.args(["--mount", "sh", "-c", script, binary()]);
    set_up(&mut command);
    let outcome = run(command.arg(dir.path()).env("WORKSPACE", dir.path()));
    let name = dir.path().display();
    let text = format!("workspace `{name}` is read-only; hint: docker run -v \"$PWD:{name}\" …");
    assert_eq!(outcome, warning(&text));
}

#[test]
fn root_of_a_user_namespace_leaves_the_owner_alone() {
    let dir = folder();
    let owner = fs::metadata(dir.path()).unwrap().uid();
    let mut command = program("unshare");
    command.args(["--user", "--map-root-user", binary(), "id", "-u"]);
    set_up(&mut command);
    let outcome = run(command.env("WORKSPACE", dir.path()));
    if outcome.stderr.starts_with("unshare: ") {
        eprintln!("NOT RUN: root_of_a_user_namespace_leaves_the_owner_alone: {outcome:?}");
        return;
    }
    assert_eq!(outcome, Outcome::new(0, "0\n", ""));
    assert_eq!(fs::metadata(dir.path()).unwrap().uid(), owner);
}
