//! With a real npm, and a registry that fails at every request in turn.

use std::process::Command;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::npm_registry::{Fault, NpmRegistry};
use super::{committed, is_untouched, pins, program, sandbox, update_command};
use crate::common::Ran;
use crate::sandbox::Sandbox;

const LONG_AGO: &str = "2020-01-01T00:00:00.000Z";
const VERSIONS: [(&str, &str); 4] = [
    ("2.0.9", LONG_AGO),
    ("2.0.10", LONG_AGO),
    ("2.1.0-rc.1", LONG_AGO),
    ("2.0.11", "2999-01-01T00:00:00.000Z"),
];

/// A repository that pins 2.0.9, beside a real npm; none where there is no npm.
fn world() -> Option<(Sandbox, NpmRegistry)> {
    let path = std::env::var_os("PATH").unwrap();
    if !std::env::split_paths(&path).any(|folder| folder.join("npm").is_file()) {
        eprintln!("NOT RUN: there is no npm on PATH");
        return None;
    }
    let sandbox = sandbox("2.0.9");
    program(&sandbox, "npm", "exec npm \"$@\"\n");
    Some((sandbox, NpmRegistry::with(&VERSIONS)))
}

/// xtask with an npm that is configured for the registry alone, and tries nothing again.
fn update(sandbox: &Sandbox, registry: &NpmRegistry, args: &[&str]) -> Command {
    let mut command = update_command(sandbox, args);
    let cache = tempfile::tempdir_in(sandbox.path("tmp")).unwrap().keep();
    command
        .env("HOME", sandbox.path("tmp"))
        .env("npm_config_cache", cache)
        // npm takes it for its registry, too.
        .env_remove("HTTPS_PROXY")
        .env("npm_config_registry", &registry.address)
        .env("npm_config_fetch_retries", "0");
    command
}

fn run(sandbox: &Sandbox, registry: &NpmRegistry, args: &[&str]) -> Ran {
    Ran::of(&mut update(sandbox, registry, args))
}

#[test]
fn one_command_moves_both_locks_and_a_second_says_that_all_is_current() {
    let Some((sandbox, registry)) = world() else {
        return;
    };
    let ran = run(&sandbox, &registry, &["--dry-run"]).succeeded();
    assert!(
        ran.stdout.contains("nothing was moved: a dry run\n"),
        "{ran:#?}"
    );
    is_untouched(&sandbox);

    let ran = run(&sandbox, &registry, &["claude", "--commit"]).succeeded();
    assert!(ran.stdout.contains("\nmoved and committed\n"), "{ran:#?}");
    assert!(
        ran.stderr
            .contains("2.0.11 is passed over: it is 0 days old"),
        "{ran:#?}"
    );
    assert_eq!(pins(&sandbox), ["2.0.10"; 2]);
    let message = committed(&sandbox);
    assert!(
        message.starts_with("Move Claude Code from 2.0.9 to 2.0.10\n\n"),
        "{message}"
    );
    assert!(message.contains("amd64 367.0 MB → 367.0 MB"), "{message}");
    // Only the version and the hash differ from what was there, and no address came in.
    let stat = sandbox.git(&["diff", "--numstat", "HEAD^", "HEAD"]);
    let counts: Vec<&str> = stat
        .lines()
        .map(|line| line.rsplit_once('\t').unwrap().0)
        .collect();
    assert_eq!(counts, ["3\t3", "1\t1", "3\t3", "1\t1"], "{stat}");

    let ran = run(&sandbox, &registry, &[]).succeeded();
    assert_eq!(ran.stdout, "Claude Code: current (2.0.10)\n");
}

#[test]
fn who_names_a_young_version_gets_it_and_npms_own_rule_holds() {
    let Some((sandbox, registry)) = world() else {
        return;
    };
    // npm's rule holds for exact versions, and its error is short (dylang/npm-check#813).
    let mut command = update(&sandbox, &registry, &["--claude", "2.0.11"]);
    let ran = Ran::of(command.env("npm_config_before", "2021-01-01"));
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    assert!(
        ran.stderr
            .contains("npm's own `min-release-age` or `before` forbids"),
        "{ran:#?}"
    );
    is_untouched(&sandbox);

    let ran = run(&sandbox, &registry, &["--claude", "2.0.11"]).succeeded();
    assert!(
        ran.stderr.contains(
            "note: Claude Code: 2.0.11 is taken, since it is named, although it is 0 days old"
        ),
        "{ran:#?}"
    );
    assert_eq!(pins(&sandbox), ["2.0.11"; 2]);

    sandbox.git(&["checkout", "--", "."]);
    let ran = run(&sandbox, &registry, &["--claude", "9.9.9"]);
    assert_eq!(ran.code, Some(3), "{ran:#?}");
    assert!(
        ran.stderr
            .contains("9.9.9 is not moved to: the registry does not have it\n  hint: "),
        "{ran:#?}"
    );
    is_untouched(&sandbox);
}

/// Whichever request it is: a move that fails leaves everything as it was, and another one succeeds.
#[test]
fn a_move_that_is_cut_off_at_any_request_changes_nothing() {
    let Some((sandbox, registry)) = world() else {
        return;
    };
    run(&sandbox, &registry, &[]).succeeded();
    sandbox.git(&["checkout", "--", "."]);
    let requests = registry.requests();
    assert!(requests >= 2, "{requests}");
    for number in 1..=requests {
        let fault = [Fault::Status, Fault::Cut][number % 2];
        registry.fail_from(number, fault);
        let ran = run(&sandbox, &registry, &["--commit"]);
        assert_eq!(
            (ran.code, &*ran.stdout),
            (Some(1), ""),
            "{number}, {fault:?}: {ran:#?}"
        );
        assert!(registry.requests() >= number, "{number}: {ran:#?}");
        is_untouched(&sandbox);
    }
    registry.fail_from(usize::MAX, Fault::Status);
    run(&sandbox, &registry, &[]).succeeded();
    assert_eq!(pins(&sandbox), ["2.0.10"; 2]);
}

#[test]
fn a_move_that_is_interrupted_while_it_waits_changes_nothing() {
    let Some((sandbox, registry)) = world() else {
        return;
    };
    registry.fail_from(1, Fault::Silence);
    let mut command = update(&sandbox, &registry, &[]);
    command
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped());
    let mut child = command.spawn().unwrap();
    while registry.requests() == 0 {
        assert_eq!(child.try_wait().unwrap(), None);
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    let ran = Ran::from(child.wait_with_output().unwrap());
    assert_eq!(ran.code, Some(143), "{ran:#?}");
    is_untouched(&sandbox);
}

#[test]
fn what_is_behind_is_said_with_an_exit_code_of_its_own() {
    let Some((sandbox, registry)) = world() else {
        return;
    };
    let ran = run(&sandbox, &registry, &["--check", "--json"]);
    assert_eq!(ran.code, Some(4), "{ran:#?}");
    assert!(
        ran.stderr
            .ends_with("behind: Claude Code; hint: `cargo xtask update claude`\n"),
        "{ran:#?}"
    );
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    let row = &report["rows"][0];
    assert_eq!(
        (&row["pinned"], &row["newest"]),
        (&"2.0.9".into(), &"2.0.10".into())
    );
    assert_eq!(row["is_behind"], true);
    assert!(row["age_days"].as_u64().unwrap() > 2000, "{row}");
    // A check does not mind a tree that differs.
    let registry = NpmRegistry::with(&VERSIONS[..1]);
    let ran = run(&sandbox, &registry, &["--check"]).succeeded();
    assert!(ran.stdout.contains("nothing: it is current"), "{ran:#?}");
}
