//! Builders whose nodes do not run, end, or cannot be reached.

use std::io::Read as _;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::sandbox::Sandbox;

/// As after `docker buildx create` without `--bootstrap`, and after `docker buildx stop`.
pub(crate) const IDLE: &str =
    "Name: box\nDriver: docker-container\n\nNodes:\nName: box0\nStatus: inactive\n";

/// As `--bootstrap` leaves it.
pub(crate) const STARTS: &str =
    "printf 'Status: running\\nPlatforms: linux/amd64, linux/arm64\\n' >> \"$here/builder\"";

const BOTH: [&str; 5] = [
    "image",
    "--builder",
    "box",
    "--platform",
    "linux/amd64,linux/arm64",
];

fn idle(start: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("bin/builder", IDLE);
    sandbox.write("bin/start", start);
    sandbox
}

#[test]
fn a_builder_that_does_not_run_is_started() {
    let sandbox = idle(STARTS);
    let ran = sandbox.run(&BOTH).succeeded();
    assert!(
        ran.stderr.starts_with("starting the builder `box`\n"),
        "{ran:#?}"
    );
    assert!(
        sandbox
            .read("bin/calls")
            .contains("buildx inspect --bootstrap box\n")
    );
    assert_eq!(sandbox.builds().len(), 1);
    // It runs by now.
    let ran = sandbox.run(&BOTH).succeeded();
    assert!(!ran.stderr.contains("starting"), "{ran:#?}");
}

#[test]
fn what_a_started_builder_lacks_is_named() {
    let sandbox = idle("printf 'Status: running\\nPlatforms: linux/amd64\\n' >> \"$here/builder\"");
    let ran = sandbox.run(&BOTH);
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    assert!(
        ran.stderr
            .contains("error: the builder `box` cannot build `linux/arm64`\n  hint: "),
        "{ran:#?}"
    );
    assert_eq!(sandbox.builds(), [""; 0]);
}

#[test]
fn a_builder_that_does_not_start_is_reported_with_the_reason() {
    let sandbox = idle("printf '#1 pulling\\nERROR: not found\\n' >&2; exit 1");
    sandbox.run(&BOTH).failed_after(
        "starting the builder `box`\n",
        "the builder `box` does not start: not found\n  hint: `docker buildx rm box` and make it \
         anew, or choose another with `--builder NAME`",
    );
    assert_eq!(sandbox.builds(), [""; 0]);
}

#[test]
fn an_interruption_while_it_starts_is_not_blamed_on_the_builder() {
    let sandbox = idle(": > \"$here/up\"; exec sleep 60");
    let mut child = sandbox
        .xtask(&BOTH)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stderr = child.stderr.take().unwrap();
    while !sandbox.path("bin/up").exists() {
        std::thread::sleep(Duration::from_millis(5));
    }
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let mut said = String::new();
    stderr.read_to_string(&mut said).unwrap();
    assert_eq!(said, "starting the builder `box`\nerror: interrupted\n");
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(sandbox.builds(), [""; 0]);
}

#[test]
fn a_dry_run_and_doctor_start_no_builder() {
    let sandbox = idle("exit 99");
    let mut dry = BOTH.to_vec();
    dry.push("--dry-run");
    sandbox.run(&dry).succeeded();
    let ran = sandbox.run(&["doctor", "--builder", "box"]).succeeded();
    assert!(
        ran.stdout
            .contains("builder  box (docker-container): `box0` does not run, a build starts it\n"),
        "{ran:#?}"
    );
    assert!(ran.stdout.contains("image    can be built\n"), "{ran:#?}");
    assert!(!ran.stdout.contains("lack"), "{ran:#?}");
}

#[test]
fn a_node_that_cannot_be_reached_is_named() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "bin/builder",
        "Name: farm\nDriver: docker-container\n\nNodes:\nName: farm0\nStatus: running\n\
         Platforms: linux/amd64*, linux/arm64\n\nName: farm1\nEndpoint: ssh://x\nError: no route\n",
    );
    sandbox
        .run(&["image", "--platform", "linux/amd64,linux/arm64"])
        .failed(
            1,
            "the node `farm1` of the builder `farm` cannot be used: no route\n  hint: start what it \
             runs on, or do without it: `docker buildx create --name farm --leave --node farm1`, or \
             another `--builder NAME`",
        );
    assert_eq!(sandbox.builds(), [""; 0]);
    sandbox.run(&["image"]).succeeded();
}

#[test]
fn a_builder_that_ends_during_a_build_is_named() {
    let sandbox = idle(STARTS);
    sandbox.write("bin/ended", IDLE);
    sandbox.write("bin/build", r#"cp "$here/ended" "$here/builder"; exit 1"#);
    let ran = sandbox.run(&BOTH);
    let error = "error: the build failed: the builder `box` has ended\n  hint: run this again, ";
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    assert!(ran.stderr.contains(error), "{ran:#?}");
}

/// A cluster where no node can take the second pod, in buildx's words.
const CLUSTER: &str = "Name: farm\nDriver: kubernetes\n\nNodes:\nName: farm0\nStatus: running\n\
                       Platforms: linux/amd64*, linux/386\n\nName: farm1\nStatus: stopped\n\
                       Platforms: linux/arm64*\n";

/// `docker info` on a machine that has docker's client alone.
const NO_ENGINE: &str = r#"{"ServerErrors":["no answer"],
"ClientInfo":{"Plugins":[{"Name":"buildx","Version":"0.29.1"}]}}"#;

#[test]
fn only_the_nodes_that_a_build_needs_must_run() {
    let sandbox = idle("printf '#1 waiting\\nERROR: expected 1 replicas, got 0\\n' >&2; exit 1");
    sandbox.write("bin/builder", CLUSTER);
    let image = |platforms: &str| {
        let image = ["image", "--builder", "farm", "--platform", platforms];
        sandbox.run(&image)
    };
    let ran = image("linux/amd64").succeeded();
    assert!(!ran.stderr.contains("starting"), "{ran:#?}");
    let error = "the builder `farm` does not start: expected 1 replicas, got 0\n  hint: `kubectl \
                 describe pods` says why of the pods in the namespace that `docker buildx inspect \
                 farm` names, or choose another with `--builder NAME`";
    image("linux/amd64,linux/arm64").failed_after("starting the builder `farm`\n", error);
    assert_eq!(sandbox.builds().len(), 1);
    sandbox.write("bin/build", "exit 1");
    image("linux/arm64").failed(1, &format!("the build failed: {error}"));
    // A build that fails by itself is not blamed on a node that it does not need.
    let ran = image("linux/amd64");
    assert!(!ran.stderr.contains("has ended"), "{ran:#?}");
    assert_eq!(sandbox.builds().len(), 3);
}

#[test]
fn a_push_by_another_builder_than_the_engines_needs_no_engine() {
    let sandbox = Sandbox::new();
    sandbox.write("bin/info", NO_ENGINE);
    sandbox.write("bin/builder", CLUSTER);
    let ran = sandbox.run(&["doctor", "--builder", "farm"]);
    assert!(
        ran.stdout.contains(
            "farm (kubernetes): linux/amd64, linux/386, linux/arm64; `farm1` does not run, a build \
             starts it (buildx says the same of a cluster that does not answer)\n"
        ),
        "{ran:#?}"
    );
    assert!(
        ran.stdout.contains("\nimage --push  can be built\n"),
        "{ran:#?}"
    );
    let warning = "warning       buildx 0.29.1 waits for ever when the pod of a build is deleted";
    assert!(ran.stdout.contains(warning), "{ran:#?}");
    // A local build ends in the engine, so no node is started for it.
    let ran = sandbox.run(&[&["image", "--builder", "farm"], &BOTH[3..]].concat());
    let error = "error: the Docker Engine does not answer: no answer\n  hint: start it";
    assert!(ran.stderr.starts_with(error), "{ran:#?}");
    sandbox.write("bin/build", "exit 1");
    let ran = sandbox.run(&["image", "--builder", "farm", "--platform", "linux/arm64"]);
    let error = "error: the build failed: the Docker Engine does not answer: no answer\n";
    assert!(ran.stderr.starts_with(error), "{ran:#?}");
    // buildx describes the engine's own builder in this way.
    sandbox.write("bin/builder", "Name: default\nDriver: \nError: no answer\n");
    let ran = sandbox.run(&["doctor"]);
    assert!(ran.stdout.contains("\nbuilder  none\n"), "{ran:#?}");
    assert!(!ran.stdout.contains("image --push"), "{ran:#?}");
}

#[test]
fn a_pod_that_is_started_again_is_not_blamed_on_the_build() {
    let sandbox = Sandbox::new();
    let runs = CLUSTER.replace("stopped", "running");
    sandbox.write("bin/builder", &runs);
    let gone = runs.replacen("Status: running", "Error: listing workers: not found", 1);
    sandbox.write("bin/gone", &gone);
    sandbox.write("bin/build", r#"cp "$here/gone" "$here/builder"; exit 1"#);
    let ran = sandbox.run(&["image", "--builder", "farm", "--platform", "linux/amd64"]);
    let error =
        "error: the build failed: the builder `farm` has ended\n  hint: `kubectl get events`";
    assert!(ran.stderr.contains(error), "{ran:#?}");
}
