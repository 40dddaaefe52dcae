//! `--cache`: docker's command line, and the second try of a build that fails with a cache.

use std::process::Command;

use crate::common::Ran;
use crate::sandbox::Sandbox;

/// The variables of a workflow after the step that exports them.
fn with_github(sandbox: &Sandbox, args: &[&str]) -> Command {
    let mut xtask = sandbox.xtask(&["image", "--cache", "gha"]);
    xtask.args(args);
    xtask.env("ACTIONS_RUNTIME_TOKEN", "s3cret");
    xtask.env("ACTIONS_RESULTS_URL", "https://results.example.org/");
    xtask
}

/// The notes on the cache.
fn notes(ran: &Ran) -> String {
    let lines = ran.stderr.lines().filter(|line| line.contains("cache"));
    lines.map(|line| format!("{line}\n")).collect()
}

#[test]
fn githubs_cache_is_left_out_with_a_note_when_it_cannot_be_reached() {
    for lacking in ["ACTIONS_RUNTIME_TOKEN", "ACTIONS_RESULTS_URL"] {
        let sandbox = Sandbox::new();
        let ran = Ran::of(with_github(&sandbox, &["--json"]).env(lacking, "")).succeeded();
        assert_eq!(
            notes(&ran),
            format!(
                "note: `--cache gha` is not used: `{lacking}` is not set, which GitHub gives to \
                 actions alone; hint: a step `uses: crazy-max/ghaction-github-runtime@v4` before \
                 this one hands it on; elsewhere `--cache registry=REPOSITORY` or `--cache \
                 local=DIR`\n"
            )
        );
        assert!(!sandbox.builds()[0].contains("--cache"));
    }
}

#[test]
fn the_token_is_not_on_the_command_line() {
    let sandbox = Sandbox::new();
    let ran = Ran::of(&mut with_github(&sandbox, &["--json"])).succeeded();
    assert_eq!(notes(&ran), "");
    let calls = sandbox.read("bin/calls");
    assert!(calls.contains(" --cache-to type=gha,scope=agent-linux-amd64,"));
    assert!(!calls.contains("s3cret"), "{calls}");
}

#[test]
fn a_build_that_fails_with_a_cache_is_run_once_more_without() {
    let sandbox = Sandbox::new();
    let build = sandbox.read("bin/build");
    let fails = r#"tail -n 1 "$here/calls" | grep -q -e --cache- && exit 1"#;
    sandbox.write("bin/build", &format!("{fails}\n{build}"));
    let ran = Ran::of(&mut with_github(&sandbox, &["--json"])).succeeded();
    let note = "note: building again without `--cache`, in case the failure is its doing\n";
    assert_eq!(notes(&ran), note);
    let cached = sandbox.builds().into_iter();
    let cached: Vec<bool> = cached.map(|build| build.contains("--cache-")).collect();
    assert_eq!(cached, [true, false]);
    // A build that fails without a cache, too, fails as usual.
    sandbox.write("bin/build", "exit 1");
    Ran::of(&mut with_github(&sandbox, &[])).failed_after(
        note,
        "`docker buildx build` failed (exit status: 1); its output is above",
    );
}

#[test]
fn a_relative_folder_starts_from_the_callers_folder() {
    let sandbox = Sandbox::new();
    let mut xtask = sandbox.xtask(&["image", "--cache", "local=c", "--json"]);
    Ran::of(xtask.current_dir(sandbox.path("work/docker"))).succeeded();
    let folder = sandbox.path("work/docker/c/linux-amd64");
    let write = format!(" --cache-to type=local,dest={},", folder.display());
    let build = &sandbox.builds()[0];
    assert!(build.contains(&write), "{build}");
}

#[test]
fn the_classic_stores_builder_writes_no_cache() {
    let sandbox = Sandbox::new();
    let containerd = r#"["driver-type","io.containerd.snapshotter.v1"]"#;
    sandbox.edit("bin/info", containerd, "");
    let ran = Ran::of(&mut with_github(&sandbox, &["--json"])).succeeded();
    assert_eq!(
        notes(&ran),
        "note: the cache is not written: the engine's own builder on the classic image store \
         writes none; hint: `--create-builder`\n"
    );
    assert!(!sandbox.builds()[0].contains("--cache-to"));
}
