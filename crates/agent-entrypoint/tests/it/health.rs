//! `health` against stand-ins for `node` and `claude` on PATH, and a real bind mount.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::harness::{
    AS_AGENT, MOUNT, binary, folder, home, needs_root, program, rest_is_well, write_program,
};
use crate::running::{Outcome, run};
use crate::watch::{eventually, is_over, kill};

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
    crate::harness::health(path.path(), workspace)
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
    fs::set_permissions(workspace.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let script = format!("mount --bind \"$WORKSPACE\" \"$WORKSPACE\" && {AS_AGENT}");
    let mut command = program("unshare");
    command.args(["--mount", "sh", "-c", &script, "env"]);
    command.arg(format!("PATH={}", path.path().display()));
    command.args([binary(), "health"]);
    let outcome = run(command
        .env("WORKSPACE", workspace.path())
        .env("HOME", home()));
    let stdout = format!(
        "ok node v20.20.2\nok claude 2.1.330 (Claude Code)\nok workspace {}\n{}",
        workspace.path().display(),
        rest_is_well()
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
        "fail node: `node` exited with 3\nfail claude: command not found: `claude`\nfail workspace: workspace `{name}` is not mounted; hint: docker run -v \"$PWD:{name}\" …\n{}",
        rest_is_well()
    );
    assert_eq!(outcome, Outcome::new(1, &stdout, ""));

    let path = programs(&[("node", "kill -KILL $$"), ("claude", "echo nothing >&2")]);
    let outcome = run(&mut health(&path, Path::new("/etc/passwd")));
    let stdout = "fail node: `node` was ended by signal 9\nfail claude: `claude` answered nothing\nfail workspace: workspace `/etc/passwd` is not a directory; hint: docker run -v \"$PWD:/etc/passwd\" …\n";
    let stdout = format!("{stdout}{}", rest_is_well());
    assert_eq!(outcome, Outcome::new(1, &stdout, ""));
}

#[test]
fn a_program_that_may_not_run_is_distinguished_from_a_missing_one() {
    let path = programs(&[("node", "echo v20"), ("claude", "echo 2")]);
    fs::set_permissions(path.path().join("node"), fs::Permissions::from_mode(0o644)).unwrap();
    let outcome = run(&mut health(&path, Path::new(MOUNT)));
    let stdout = "fail node: cannot execute `node`: Permission denied (errno 13)\nok claude 2\nok workspace /dev/shm\n";
    let stdout = format!("{stdout}{}", rest_is_well());
    assert_eq!(outcome, Outcome::new(1, &stdout, ""));
}

#[test]
fn a_probe_that_hangs_is_ended_with_all_it_started() {
    let path = programs(&[
        ("node", "echo v20"),
        // One in its group, one in a session of its own.
        (
            "claude",
            "/bin/sleep 1000 & first=$!; /usr/bin/setsid /bin/sleep 1000 & echo $$ $first $! >\"$PIDS\"; wait",
        ),
    ]);
    let pids = path.path().join("pids");
    let mut command = health(&path, Path::new(MOUNT));
    command
        .env("AGENT_ENTRYPOINT_PROBE_SECONDS", "1")
        .env("PIDS", &pids);
    let stdout = "ok node v20\nfail claude: no answer within 1 s\nok workspace /dev/shm\n";
    let stdout = format!("{stdout}{}", rest_is_well());
    assert_eq!(run(&mut command), Outcome::new(1, &stdout, ""));
    for pid in fs::read_to_string(pids).unwrap().split_whitespace() {
        let pid = pid.parse().unwrap();
        eventually("the end of what hung", || is_over(pid).then_some(()));
    }
}

#[test]
fn a_probe_that_never_stops_talking_has_no_more_time_than_others() {
    let path = programs(&[("node", "while echo v20; do :; done"), ("claude", "echo 2")]);
    let mut command = health(&path, Path::new(MOUNT));
    command.env("AGENT_ENTRYPOINT_PROBE_SECONDS", "1");
    let stdout = "fail node: no answer within 1 s\nok claude 2\nok workspace /dev/shm\n";
    let stdout = format!("{stdout}{}", rest_is_well());
    assert_eq!(run(&mut command), Outcome::new(1, &stdout, ""));
}

/// A run with `--json`: the exit code and the one document, which is one line.
fn json(command: &mut Command) -> (i32, Value) {
    let outcome = run(command.arg("--json"));
    assert_eq!(outcome.stderr, "");
    assert_eq!(outcome.stdout.matches('\n').count(), 1, "{outcome:?}");
    let document = serde_json::from_str(&outcome.stdout);
    let document = document.unwrap_or_else(|error| panic!("{error}: {outcome:?}"));
    (outcome.code.unwrap(), document)
}

/// The probes of a document by name, with the answer or the reason; each must have its time.
fn answers(document: &Value) -> Vec<(&str, Result<&str, &str>)> {
    assert_eq!(document["schema"], 1);
    let mut answers = Vec::new();
    for probe in document["probes"].as_array().unwrap() {
        assert!(probe["milliseconds"].is_u64(), "{document}");
        let text = |key: &str| probe[key].as_str().unwrap();
        let said = if probe["ok"].as_bool().unwrap() {
            Ok(text("answer"))
        } else {
            Err(text("reason"))
        };
        answers.push((text("name"), said));
    }
    let is_healthy = answers.iter().all(|(_, said)| said.is_ok());
    assert_eq!(document["healthy"], is_healthy, "{document}");
    answers
}

#[test]
fn json_agrees_with_the_text_of_success_and_failure() {
    if needs_root("json_agrees_with_the_text_of_success_and_failure") {
        return;
    }
    let path = programs(&[
        ("node", "echo v20"),
        ("claude", "echo 2"),
        ("git", "echo 3"),
    ]);
    let (code, document) = json(&mut health(&path, Path::new(MOUNT)));
    let public = home();
    let rest = [("tmp", Ok("/tmp")), ("credentials", Ok("none"))];
    let shallow = [
        ("node", Ok("v20")),
        ("claude", Ok("2")),
        ("workspace", Ok(MOUNT)),
        ("git", Ok("no repository")),
        ("home", Ok(public.to_str().unwrap())),
        rest[0],
        rest[1],
    ];
    assert_eq!((code, answers(&document)), (0, shallow.to_vec()));

    let home = folder();
    let mut command = health(&path, Path::new(MOUNT));
    command.arg("--deep").env("HOME", home.path());
    command.env("WORKSPACE", "/proc");
    let (code, document) = json(&mut command);
    let reason = "workspace `/proc` is not writable: it belongs to 0:0, mode 0555, and this is 1000:1000; hint: on the host: `sudo chown 1000:1000 \"$PWD\"`";
    let deep = [
        ("node", Ok("v20")),
        ("claude", Ok("2")),
        ("workspace", Err(reason)),
        ("git", Ok("3")),
        ("home", Ok(home.path().to_str().unwrap())),
        rest[0],
        rest[1],
    ];
    assert_eq!((code, answers(&document)), (1, deep.to_vec()));
    // The file that the probe wrote is gone.
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0);

    let empty = programs(&[]);
    let mut command = health(&empty, Path::new("/etc/passwd"));
    let (code, document) = json(&mut command);
    assert_eq!(code, 1);
    let answers = answers(&document);
    assert!(
        answers[..3].iter().all(|(_, said)| said.is_err()),
        "{answers:?}"
    );
}

#[test]
fn json_has_the_time_of_each_probe() {
    let path = programs(&[("node", "/bin/sleep 0.2; echo v20"), ("claude", "echo 2")]);
    let (_, document) = json(&mut health(&path, Path::new(MOUNT)));
    let time = |probe: usize| document["probes"][probe]["milliseconds"].as_u64().unwrap();
    assert!((200..30_000).contains(&time(0)), "{document}");
    let path = programs(&[("node", "exec /bin/sleep 1000"), ("claude", "echo 2")]);
    let mut hangs = health(&path, Path::new(MOUNT));
    let (_, document) = json(hangs.env("AGENT_ENTRYPOINT_PROBE_SECONDS", "1"));
    assert_eq!(document["probes"][0]["milliseconds"], 1000, "{document}");
}

#[test]
fn odd_answers_are_one_harmless_line_and_valid_json() {
    for (body, expected) in [
        (r#"printf 'a "b" \\ c\n'"#, r#"a "b" \ c"#),
        (r"printf '\377\376x\n'", "\u{fffd}\u{fffd}x"),
        (r"printf 'a\tb\033[1mc\177\n'", "a?b?[1mc?"),
        (r"printf '\n\n  late \r\nmore\n'", "late"),
        (r"printf 'a\000b'", "a?b"),
        (r"printf '\342\202\254'", "\u{20ac}"),
        // Cut in the middle of a character.
        (r"printf 'x\342\202'", "x\u{fffd}"),
        ("echo '{\"ok\":false}'", "{\"ok\":false}"),
        ("echo \"$(printf '%0900d' 0)\"", &"0".repeat(900)),
    ] {
        let path = programs(&[("node", body), ("claude", "echo 2")]);
        let (_, document) = json(&mut health(&path, Path::new(MOUNT)));
        assert_eq!(answers(&document)[0], ("node", Ok(expected)), "{body}");
        let outcome = run(&mut health(&path, Path::new(MOUNT)));
        let line = format!("ok node {expected}\n");
        assert!(outcome.stdout.starts_with(&line), "{body}: {outcome:?}");
        assert_eq!(outcome.stdout.lines().count(), 7, "{body}: {outcome:?}");
    }
}

#[test]
fn a_probe_that_hangs_after_its_answer_or_without_stdout_has_failed() {
    for body in [
        "echo v20; exec /bin/sleep 1000",
        "exec >&-; exec /bin/sleep 1000",
        // Stopped is not ended.
        "echo v20; kill -STOP $$",
        "trap '' TERM INT HUP; echo v20; while :; do /bin/sleep 1000; done",
    ] {
        let path = programs(&[("node", body), ("claude", "echo 2")]);
        let mut command = health(&path, Path::new(MOUNT));
        command.env("AGENT_ENTRYPOINT_PROBE_SECONDS", "1");
        let start = Instant::now();
        let (code, document) = json(&mut command);
        let time = start.elapsed();
        let expected = ("node", Err("no answer within 1 s"));
        assert_eq!((code, answers(&document)[0]), (1, expected), "{body}");
        // The program counts whole milliseconds.
        assert!(time > Duration::from_millis(900), "{body}: {time:?}");
    }
}

#[test]
fn nobody_waits_for_what_holds_the_pipe_of_a_good_answer() {
    let body = "/bin/sleep 1000 2>/dev/null & echo $! >\"$PIDS\"; echo v20";
    let path = programs(&[("node", body), ("claude", "echo 2")]);
    let pids = path.path().join("pids");
    let mut command = health(&path, Path::new(MOUNT));
    // Longer than a test may take.
    command.env("AGENT_ENTRYPOINT_PROBE_SECONDS", "3600");
    let (_, document) = json(command.env("PIDS", &pids));
    assert_eq!(answers(&document)[0], ("node", Ok("v20")));
    kill(fs::read_to_string(pids).unwrap().trim().parse().unwrap(), 9);
}

#[test]
fn health_does_not_mind_how_its_caller_treats_signals() {
    let path = programs(&[("node", "echo v20"), ("claude", "echo 2")]);
    for flags in ["--ignore-signal=CHLD", "--block-signal=CHLD"] {
        let mut command = program("/usr/bin/env");
        command.args([flags, binary(), "health"]);
        command.env("PATH", path.path()).env("WORKSPACE", MOUNT);
        // Longer than a test may take: the end of a probe has to be seen.
        command.env("AGENT_ENTRYPOINT_PROBE_SECONDS", "3600");
        let outcome = run(&mut command);
        let stdout = "ok node v20\nok claude 2\n";
        assert!(outcome.stdout.starts_with(stdout), "{flags}: {outcome:?}");
    }
}
