//! `cargo xtask image` builds at once with the docker it remembers, and is right all the same.

use std::io::Read as _;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::common::Ran;
use crate::sandbox::Sandbox;

/// A builder that says enough to be known again.
const BUILDER: &str = "Name: default\nDriver: docker\nLast Activity: now\n\nNodes:\n\
                       Platforms: linux/amd64, linux/arm64\nLabels:\n \
                       org.mobyproject.buildkit.worker.containerd.uuid: 1\n";

const QUICK: [&str; 2] = ["buildx build", "buildx inspect"];
const BOTH: [&str; 4] = [
    "buildx build",
    "buildx inspect",
    "buildx inspect",
    "info --format",
];
const FULL: [&str; 3] = ["buildx build", "buildx inspect", "info --format"];
/// After a build that failed docker is looked at again.
const TWICE: [&str; 5] = [
    "buildx build",
    "buildx inspect",
    "buildx inspect",
    "info --format",
    "info --format",
];
/// What `docker info` says where no engine answers.
const STOPPED: &str = r#"{"ServerErrors":["Cannot connect"],"ClientInfo":{"Plugins":[{"Name":"buildx","Version":"1"}]}}"#;

/// A workspace after a build.
fn built() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("bin/builder", BUILDER);
    image(&sandbox, &[]).succeeded();
    assert_eq!(asked(&sandbox), FULL);
    sandbox
}

fn xtask(sandbox: &Sandbox, args: &[&str]) -> Command {
    let mut command = sandbox.xtask(&["image"]);
    command
        .args(args)
        .env("DOCKER_CONFIG", sandbox.path("config"));
    command
}

fn image(sandbox: &Sandbox, args: &[&str]) -> Ran {
    Ran::of(&mut xtask(sandbox, args))
}

/// The questions and builds since this was last asked, in alphabetical order: a build and a look at
/// its builder run side by side. What measures an image is left out.
fn asked(sandbox: &Sandbox) -> Vec<String> {
    let calls = sandbox.read("bin/calls");
    sandbox.write("bin/calls", "");
    let words = |call: &str| {
        let words: Vec<&str> = call.split(' ').take(2).collect();
        words.join(" ")
    };
    let calls = calls.lines().map(words);
    let mut calls: Vec<String> = calls
        .filter(|call| call.starts_with("buildx ") || call.starts_with("info "))
        .collect();
    calls.sort_unstable();
    calls
}

#[test]
fn the_next_build_does_not_wait_for_a_look() {
    let sandbox = built();
    for _ in 0..2 {
        let ran = image(&sandbox, &["--json"]).succeeded();
        let built: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
        assert_eq!(built["digest"], *crate::sandbox::digest("d1"));
        assert_eq!(ran.stderr, "");
        assert_eq!(asked(&sandbox), QUICK);
        sandbox.edit("bin/builder", "Activity: ", "Activity: just ");
    }
    image(&sandbox, &["--dry-run"]).succeeded();
    assert_eq!(asked(&sandbox), FULL[1..]);
}

#[test]
fn another_choice_of_docker_is_looked_at_first() {
    let sandbox = built();
    image(&sandbox, &["--builder", "default"]).succeeded();
    assert_eq!(asked(&sandbox), FULL, "--builder");
    image(&sandbox, &[]).succeeded();
    assert_eq!(asked(&sandbox), FULL, "no --builder");
    std::fs::create_dir_all(sandbox.path("config")).unwrap();
    sandbox.write("config/config.json", r#"{"currentContext":"far"}"#);
    image(&sandbox, &[]).succeeded();
    assert_eq!(asked(&sandbox), FULL, "another context");
    Ran::of(xtask(&sandbox, &[]).env("DOCKER_HOST", "tcp://far")).succeeded();
    assert_eq!(asked(&sandbox), FULL, "another engine");
    sandbox.write("work/target/xtask/docker.json", "{");
    image(&sandbox, &[]).succeeded();
    assert_eq!(asked(&sandbox), FULL, "a record that is cut off");
    image(&sandbox, &[]).succeeded();
    assert_eq!(asked(&sandbox), QUICK);
}

#[test]
fn a_builder_that_may_change_unseen_is_looked_at_first() {
    for (from, to) in [
        ("worker.containerd.uuid", "worker.other"),
        ("Driver: docker", "Driver: docker-container"),
    ] {
        let sandbox = built();
        sandbox.edit("bin/builder", from, to);
        image(&sandbox, &[]).succeeded();
        asked(&sandbox);
        image(&sandbox, &[]).succeeded();
        assert_eq!(asked(&sandbox), FULL, "{to}");
    }
}

#[test]
fn what_a_change_of_docker_leaves_right_is_not_built_again() {
    let sandbox = built();
    sandbox.edit("bin/builder", ", linux/arm64", "");
    sandbox.edit("bin/info", "28.5.2", "28.5.3");
    let ran = image(&sandbox, &["--json"]).succeeded();
    assert_eq!(ran.stderr, "");
    assert_eq!(asked(&sandbox), BOTH);
    image(&sandbox, &[]).succeeded();
    assert_eq!(asked(&sandbox), QUICK);
}

#[test]
fn what_a_change_of_docker_makes_wrong_is_built_again() {
    let sandbox = built();
    sandbox.edit(
        "bin/info",
        r#"["driver-type","io.containerd.snapshotter.v1"]"#,
        "",
    );
    sandbox.edit("bin/builder", "worker.containerd.uuid", "worker.moby.host");
    let ran = image(&sandbox, &["--json"]).succeeded();
    assert_eq!(
        ran.stderr,
        "note: docker has changed since the last build; building again\n"
    );
    let outputs: Vec<bool> = sandbox
        .builds()
        .iter()
        .map(|line| line.ends_with("--output type=docker ."))
        .collect();
    assert_eq!(outputs, [false, true]);
    asked(&sandbox);
    image(&sandbox, &[]).succeeded();
    assert_eq!(asked(&sandbox), QUICK);
}

#[test]
fn a_failure_is_told_once_and_the_next_build_looks_first() {
    let sandbox = built();
    sandbox.write("bin/build", "echo 'ERROR: no such stage' >&2; exit 17");
    image(&sandbox, &[]).failed_after(
        "ERROR: no such stage\n",
        "`docker buildx build` failed (exit status: 17); its output is above",
    );
    assert_eq!(asked(&sandbox), BOTH);
    for name in ["docker.json", "image.json"] {
        assert!(!sandbox.path("work/target/xtask").join(name).exists());
    }
    assert_eq!(image(&sandbox, &[]).code, Some(1));
    assert_eq!(asked(&sandbox), TWICE);
}

#[test]
fn an_engine_that_was_stopped_is_named() {
    let sandbox = built();
    sandbox.write("bin/build", "echo 'ERROR: failed to connect' >&2; exit 1");
    sandbox.write("bin/info", STOPPED);
    let ran = image(&sandbox, &[]);
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    let error = "ERROR: failed to connect\nerror: the build failed: the Docker Engine does not \
                 answer: Cannot connect\n";
    assert!(ran.stderr.starts_with(error), "{ran:#?}");
}

#[test]
fn an_engine_that_stops_during_a_build_is_named() {
    let sandbox = Sandbox::new();
    sandbox.write("bin/builder", BUILDER);
    sandbox.write("bin/stopped", STOPPED);
    sandbox.write("bin/build", r#"cp "$here/stopped" "$here/info"; exit 1"#);
    let ran = image(&sandbox, &[]);
    let error = "error: the build failed: the Docker Engine does not answer: Cannot connect\n";
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    assert!(ran.stderr.starts_with(error), "{ran:#?}");
}

#[test]
fn a_builder_that_is_gone_is_an_error_although_something_was_built() {
    let sandbox = built();
    std::fs::remove_file(sandbox.path("bin/builder")).unwrap();
    let ran = image(&sandbox, &[]);
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    let error = "error: the builder cannot be used: ";
    assert!(ran.stderr.starts_with(error), "{ran:#?}");
    assert!(!sandbox.path("work/target/xtask/image.json").exists());
}

#[test]
fn after_an_interruption_nothing_more_is_asked() {
    let sandbox = built();
    sandbox.write(
        "bin/build",
        "trap 'kill $! 2>/dev/null; exit 130' INT\nsleep 60 >/dev/null 2>&1 &\necho running >&2\n\
         while :; do wait; done",
    );
    let mut child = xtask(&sandbox, &[])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stderr = child.stderr.take().unwrap();
    let mut running = [0; 8];
    stderr.read_exact(&mut running).unwrap();
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let mut rest = String::new();
    stderr.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "error: interrupted\n");
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(!asked(&sandbox).contains(&"info --format".to_owned()));
}

#[test]
fn an_interruption_while_layers_are_counted_ends_the_run() {
    let sandbox = Sandbox::new();
    let save = "save*) echo \"this docker gives no image out\" >&2; exit 1 ;;";
    let waits = "save*) : >\"$here/saving\"; exec sleep 600 ;;";
    sandbox.edit("bin/docker", save, waits);
    let mut image = xtask(&sandbox, &[]);
    let child = image.stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
    let child = child.unwrap();
    while !sandbox.path("bin/saving").exists() {
        std::thread::yield_now();
    }
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let ran = Ran::from(child.wait_with_output().unwrap());
    assert_eq!(ran.code, Some(130), "{ran:#?}");
    assert!(ran.stderr.ends_with("error: interrupted\n"), "{ran:#?}");
    assert!(!sandbox.path("work/target/xtask/image.json").exists());
}

#[test]
fn what_a_local_build_leaves_out_can_be_asked_for() {
    let sandbox = built();
    sandbox.edit(
        "bin/build",
        "echo",
        "echo \"$BUILDX_GIT_INFO, $BUILDX_METADATA_PROVENANCE\"; echo",
    );
    let ran = image(&sandbox, &["--json"]).succeeded();
    assert_eq!(ran.stderr, "false, disabled\n");
    let ran = Ran::of(xtask(&sandbox, &["--json"]).env("BUILDX_GIT_INFO", "full")).succeeded();
    assert_eq!(ran.stderr, "full, disabled\n");
    let ran = image(&sandbox, &["--verbose"]).succeeded();
    let echoed = "$ BUILDX_GIT_INFO=false BUILDX_METADATA_PROVENANCE=disabled docker buildx build ";
    assert!(ran.stderr.contains(echoed), "{ran:#?}");
}
