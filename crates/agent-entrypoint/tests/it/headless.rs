//! `headless` with a stand-in for `claude` that prints its arguments, one a line.

use std::process::Command;

use tempfile::TempDir;

use crate::harness::{As, entrypoint, folder, is_root, write_program};
use crate::running::{Outcome, Running, run};
use crate::watch::kill;

fn claude(body: &str) -> TempDir {
    let dir = folder();
    write_program(&dir.path().join("claude"), &format!("#!/bin/sh\n{body}\n"));
    dir
}

/// The stand-in goes before the rest of PATH, in which `unshare` is.
fn headless(how: As, path: &TempDir, arguments: &[&str]) -> Command {
    let mut command = entrypoint(how, &[&["headless"], arguments].concat());
    command.env("PATH", format!("{}:/usr/bin:/bin", path.path().display()));
    command
}

const PRINT: &str = "printf '%s\\n' \"$@\"";

#[test]
fn arguments_are_passed_on_behind_the_options_of_the_variables() {
    let path = claude(PRINT);
    for how in As::every() {
        let outcome = run(&mut headless(how, &path, &["two words", "", "--", "-x"]));
        let stdout = "--print\ntwo words\n\n--\n-x\n";
        assert_eq!(outcome, Outcome::new(0, stdout, ""), "{how:?}");

        let with_variables = |arguments: &[&str]| {
            let mut command = headless(how, &path, arguments);
            command
                .env("AGENT_ENTRYPOINT_OUTPUT_FORMAT", "stream-json")
                .env("AGENT_ENTRYPOINT_MAX_TURNS", "7")
                .env("AGENT_ENTRYPOINT_PERMISSION_MODE", "plan");
            run(&mut command)
        };
        let stdout = "--print\n--verbose\n--output-format\nstream-json\n--max-turns\n7\n--permission-mode\nplan\nhi\n";
        let outcome = with_variables(&["hi"]);
        assert_eq!(outcome, Outcome::new(0, stdout, ""), "{how:?}");
        // The caller's options override those of the variables.
        let given = ["-p", "--output-format=json", "--max-turns", "1", "hi"];
        let stdout = format!("--permission-mode\nplan\n{}\n", given.join("\n"));
        let outcome = with_variables(&given);
        assert_eq!(outcome, Outcome::new(0, &stdout, ""), "{how:?}");
    }
}

#[test]
fn the_exit_code_and_the_streams_are_claudes() {
    let path = claude("read -r line; echo \"got $line\"; echo hm >&2; exit 9");
    for how in As::every() {
        let mut running = Running::start(&mut headless(how, &path, &[]));
        running.type_in("this\n");
        assert_eq!(
            running.wait(),
            Outcome::new(9, "got this\n", "hm\n"),
            "{how:?}"
        );
    }
}

#[test]
fn beside_pid_1_the_process_itself_becomes_claude() {
    let path = claude("echo $$; id -u");
    let running = Running::start(&mut headless(As::Ordinary, &path, &[]));
    // By `docker exec` it keeps the user, unless that is root, and needs no workspace.
    assert_eq!(running.line(), running.pid().to_string());
    let uid = rustix::process::geteuid().as_raw();
    let uid = if uid == 0 { 1000 } else { uid };
    assert_eq!(running.line(), uid.to_string());
    assert_eq!(running.wait(), Outcome::new(0, "", ""));
    let mut command = headless(As::Ordinary, &path, &[]);
    assert_eq!(run(command.env("WORKSPACE", "/no/such")).code, Some(0));
}

#[test]
fn as_pid_1_it_is_supervised() {
    if !As::every().contains(&As::Pid1) {
        return;
    }
    // A child of PID 1, and not as root.
    let path = claude(
        "echo $PPID; id -u; exec 2>/dev/null; trap 'echo signalled; exit 4' TERM; echo ready; while :; do sleep 0.05; done",
    );
    let running = Running::start(&mut headless(As::Pid1, &path, &[]));
    assert_eq!(running.line(), "1");
    // Root of a user namespace without another user stays root.
    let uid = if is_root() { "1000" } else { "0" };
    assert_eq!(running.line(), uid);
    assert_eq!(running.line(), "ready");
    kill(running.init(), libc::SIGTERM);
    assert_eq!(running.wait(), Outcome::new(4, "signalled\n", ""));

    let mut command = headless(As::Pid1, &path, &[]);
    let outcome = run(command.env("WORKSPACE", "/no/such"));
    let stderr = "agent-entrypoint: error: workspace `/no/such` does not exist; hint: docker run -v \"$PWD:/no/such\" …\n";
    assert_eq!(outcome, Outcome::new(78, "", stderr));
}

#[test]
fn a_missing_claude_is_named() {
    let empty = folder();
    for how in As::every() {
        let outcome = run(&mut headless(how, &empty, &["hi"]));
        let stderr = "agent-entrypoint: error: command not found: `claude`\n";
        assert_eq!(outcome, Outcome::new(127, "", stderr), "{how:?}");
    }
}

#[test]
fn wrong_settings_are_refused_before_anything_runs() {
    let path = claude("echo ran");
    for how in As::every() {
        for (name, value, hint) in [
            ("OUTPUT_FORMAT", "xml", "`text`, `json` or `stream-json`"),
            ("MAX_TURNS", "0", "a whole number, 1 or more"),
            ("MAX_TURNS", "many", "a whole number, 1 or more"),
        ] {
            let mut command = headless(how, &path, &["hi"]);
            let name = format!("AGENT_ENTRYPOINT_{name}");
            let outcome = run(command.env(&name, value));
            let stderr = format!(
                "agent-entrypoint: error: bad value of `{name}`: `{value}`; hint: set it to {hint}\n"
            );
            assert_eq!(outcome, Outcome::new(2, "", &stderr), "{how:?}");
        }
    }
}
