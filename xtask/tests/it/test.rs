//! `cargo xtask test`: which steps run, where, and how it reports what failed or did not run.
//!
//! `CARGO` names a fake that records its calls; the real steps run when these tests do.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crate::common::Ran;
use crate::sandbox::Sandbox;

/// Fails the calls that match a line of `failing`; the test bed answers as `up` and `status` say.
const CARGO: &str = r#"#!/bin/sh
PATH=/usr/bin:/bin
here=$(dirname "$0")
echo "$*" >> "$here/calls"
case "$*" in
*"-- up") . "$here/up" ;;
*"-- status --json") cat "$here/status" ;;
esac
echo "$*" | grep -qxf "$here/failing" && exit 101
exit 0
"#;

const RUNNING: &str = r#"{"running":true,"env":{"DOCKER_HOST":"unix:///testbed"}}"#;

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("bin/cargo", CARGO);
    fs::set_permissions(sandbox.path("bin/cargo"), fs::Permissions::from_mode(0o755)).unwrap();
    sandbox.write("bin/hadolint", "#!/bin/sh\n");
    fs::set_permissions(
        sandbox.path("bin/hadolint"),
        fs::Permissions::from_mode(0o755),
    )
    .unwrap();
    sandbox.write("bin/failing", "");
    sandbox.write("bin/up", "");
    sandbox.write("bin/status", r#"{"running":false,"env":{}}"#);
    sandbox
}

fn run(sandbox: &Sandbox, args: &[&str], ci: bool) -> Ran {
    let mut command = sandbox.xtask(args);
    command.env("CARGO", sandbox.path("bin/cargo"));
    if ci {
        command.env("CI", "true");
    }
    Ran::of(&mut command)
}

/// The table at the end: each step's name and its first word, `passed`, `FAILED` or `NOT`.
fn outcomes(ran: &Ran) -> Vec<(String, String)> {
    let line = |line: &str| {
        let (name, outcome) = line.split_once("  ").unwrap();
        let first = outcome.split_whitespace().next().unwrap();
        (name.trim().to_owned(), first.to_owned())
    };
    ran.stdout.lines().map(line).collect()
}

const STEPS: [&str; 7] = [
    "format",
    "lint",
    "test",
    "dockerfile",
    "hadolint",
    "compose",
    "end to end",
];

fn all(outcome: &str) -> Vec<(String, String)> {
    STEPS
        .iter()
        .map(|step| ((*step).to_owned(), outcome.to_owned()))
        .collect()
}

#[test]
fn an_engine_that_has_the_base_is_used_as_it_is() {
    let sandbox = sandbox();
    let ran = run(&sandbox, &["test"], true).succeeded();
    assert_eq!(outcomes(&ran), all("passed"));
    let calls = sandbox.read("bin/calls");
    assert!(calls.contains("pull --quiet node:20-alpine\n"), "{calls}");
    assert!(!calls.contains("testbed"), "{calls}");
    assert!(calls.ends_with("--features e2e --test e2e\n"), "{calls}");
}

#[test]
fn without_an_engine_the_test_bed_is_brought_up_and_taken_down() {
    let sandbox = sandbox();
    fs::write(sandbox.path("bin/info"), r#"{"ClientInfo":{}}"#).unwrap();
    sandbox.write(
        "bin/up",
        r#"echo '{"running":true,"env":{}}' > "$here/status""#,
    );
    let ran = run(&sandbox, &["test"], true).succeeded();
    assert_eq!(outcomes(&ran), all("passed"));
    let down = "run --quiet --package testbed -- down\n";
    assert!(sandbox.read("bin/calls").contains(down));

    sandbox.write("bin/calls", "");
    run(&sandbox, &["test", "--keep"], true).succeeded();
    assert!(!sandbox.read("bin/calls").contains(down));
}

#[test]
fn all_runs_the_ignored_tests_and_the_faults_of_the_test_bed() {
    let sandbox = sandbox();
    sandbox.write("bin/status", RUNNING);
    let ran = run(&sandbox, &["test", "--all", "--testbed"], true).succeeded();
    let mut steps = all("passed");
    // The test bed's own tests run only where there can be one.
    steps.push(("test bed".to_owned(), "passed".to_owned()));
    assert_eq!(outcomes(&ran), steps);
    let calls = sandbox.read("bin/calls");
    assert!(
        calls.contains("--test e2e -- --include-ignored\n"),
        "{calls}"
    );

    let ran = run(&sandbox, &["test", "--all", "--quick"], true);
    assert_eq!(ran.code, Some(2));
}

#[test]
fn a_test_bed_that_was_up_before_stays_up() {
    let sandbox = sandbox();
    sandbox.write("bin/status", RUNNING);
    run(&sandbox, &["test", "--testbed"], true).succeeded();
    let calls = sandbox.read("bin/calls");
    assert!(!calls.contains("pull"), "{calls}");
    assert!(!calls.contains("-- down"), "{calls}");
}

#[test]
fn every_step_runs_and_every_failure_is_reported() {
    let sandbox = sandbox();
    sandbox.write("bin/failing", "fmt .*\n.*--test e2e\n");
    let ran = run(&sandbox, &["test"], false);
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    let failed: Vec<String> = outcomes(&ran)
        .into_iter()
        .filter(|step| step.1 == "FAILED")
        .map(|step| step.0)
        .collect();
    assert_eq!(failed, ["format", "end to end"]);
    assert!(
        ran.stderr.ends_with("\nerror: 2 of 7 steps failed\n"),
        "{ran:#?}"
    );
}

#[test]
fn what_did_not_run_is_reported_last_and_fails_in_ci() {
    let sandbox = sandbox();
    fs::write(sandbox.path("bin/info"), r#"{"ClientInfo":{}}"#).unwrap();
    sandbox.write("bin/up", "exit 3");
    let ran = run(&sandbox, &["test"], false).succeeded();
    assert_eq!(outcomes(&ran)[3..], all("NOT")[3..]);
    assert!(
        ran.stdout.contains("this machine cannot have the test bed"),
        "{ran:#?}"
    );
    assert!(
        ran.stderr
            .ends_with("NOT EVERYTHING RAN: 4 of 7 steps did not, see above\n"),
        "{ran:#?}"
    );

    let ran = run(&sandbox, &["test"], true);
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    assert!(
        ran.stderr
            .ends_with("error: in CI a step that does not run is a failure\n"),
        "{ran:#?}"
    );
}

#[test]
fn a_test_bed_that_fails_to_come_up_is_a_failure() {
    let sandbox = sandbox();
    fs::write(sandbox.path("bin/info"), r#"{"ClientInfo":{}}"#).unwrap();
    sandbox.write("bin/up", "echo 'error: no network' >&2; exit 1");
    let ran = run(&sandbox, &["test"], false);
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    assert!(ran.stderr.contains("error: no network\n"), "{ran:#?}");
    assert!(
        ran.stderr
            .contains("the test bed did not come up; hint: once the cause above is mended"),
        "{ran:#?}"
    );
}
