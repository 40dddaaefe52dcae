//! A local build of one platform: it starts at once, and docker is examined when it fails.

use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};

use crate::common::Ran;
use crate::sandbox::{Sandbox, digest};

/// The output of `docker info` when no engine answers.
const STOPPED: &str = r#"{"ServerErrors":["Cannot connect"],"ClientInfo":{"Plugins":[{"Name":"buildx","Version":"1"}]}}"#;

/// The questions to docker and the builds, in that order.
fn asked(sandbox: &Sandbox) -> Vec<String> {
    let calls = sandbox.read("bin/calls");
    let words = |call: &str| call.split(' ').take(2).collect::<Vec<_>>().join(" ");
    calls.lines().map(words).collect()
}

#[test]
fn it_starts_at_once() {
    let sandbox = Sandbox::new();
    sandbox.run(&["image"]).succeeded();
    assert_eq!(asked(&sandbox)[0], "buildx build");
    // buildx names the platform itself where it can; the same image has the same layers.
    let platform =
        r#""containerimage.descriptor":{"platform":{"os":"linux","architecture":"amd64"}}"#;
    sandbox.edit("bin/build", "{", &format!("{{{platform},"));
    sandbox.write("bin/calls", "");
    sandbox.run(&["image"]).succeeded();
    let tag = format!("tag {}", digest("d1"));
    assert_eq!(asked(&sandbox), ["buildx build", &tag, &tag]);
}

#[test]
fn a_failed_build_examines_docker() {
    let sandbox = Sandbox::new();
    sandbox.write("bin/build", "echo 'ERROR: no such stage' >&2; exit 17");
    sandbox.run(&["image"]).failed_after(
        "ERROR: no such stage\n",
        "`docker buildx build` failed (exit status: 17); its output is above",
    );
    let examined = ["info --format", "buildx inspect"];
    assert_eq!(asked(&sandbox)[1..], examined);
}

#[test]
fn a_builder_that_is_gone_is_named() {
    let sandbox = Sandbox::new();
    std::fs::remove_file(sandbox.path("bin/builder")).unwrap();
    sandbox.write("bin/build", "exit 1");
    let ran = sandbox.run(&["image", "--builder", "box"]);
    let error = "error: the build failed: the builder cannot be used: ";
    assert!(ran.stderr.starts_with(error), "{ran:#?}");
}

#[test]
fn a_builder_that_does_not_start_is_named_with_the_reason() {
    let sandbox = Sandbox::new();
    let idle = "Name: box\nDriver: docker-container\n\nNodes:\nName: box0\nStatus: inactive\n";
    sandbox.write("bin/builder", idle);
    sandbox.write("bin/build", "exit 1");
    sandbox.write("bin/start", "echo 'ERROR: not found' >&2; exit 1");
    sandbox.run(&["image", "--builder", "box"]).failed(
        1,
        "the build failed: the builder `box` does not start: not found\n  hint: `docker buildx rm \
         box` and make it anew, or choose another with `--builder NAME`",
    );
}

#[test]
fn an_engine_that_stops_during_a_build_is_named() {
    let sandbox = Sandbox::new();
    sandbox.write("bin/stopped", STOPPED);
    sandbox.write("bin/build", r#"cp "$here/stopped" "$here/info"; exit 1"#);
    let ran = sandbox.run(&["image"]);
    let error = "error: the build failed: the Docker Engine does not answer: Cannot connect\n";
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    assert!(ran.stderr.starts_with(error), "{ran:#?}");
}

#[test]
fn an_interruption_while_layers_are_counted_ends_the_run() {
    let sandbox = Sandbox::new();
    let save = "save*) echo \"this docker gives no image out\" >&2; exit 1 ;;";
    let waits = "save*) : >\"$here/saving\"; exec sleep 600 ;;";
    sandbox.edit("bin/docker", save, waits);
    let mut image = sandbox.xtask(&["image"]);
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

/// What docker was asked to name.
fn named(sandbox: &Sandbox) -> Vec<String> {
    let calls = sandbox.read("bin/calls");
    let tags = calls.lines().filter_map(|call| call.strip_prefix("tag "));
    tags.map(str::to_owned).collect()
}

/// moby/moby#45665: an image without a name is known by a digest, and not by the same one in both stores.
#[test]
fn a_name_is_given_by_the_digest_that_the_engine_knows() {
    let sandbox = Sandbox::new();
    let name = ["image", "--tag", "one"];
    sandbox.run(&name).succeeded();
    let given = format!("{} agentgate/agent:one", digest("d1"));
    assert_eq!(named(&sandbox), [&*given]);
    // The classic store, and a builder in a container.
    sandbox.write("bin/calls", "");
    sandbox.write("bin/tag", r#"case "$2" in sha256:c*) ;; *) exit 1 ;; esac"#);
    sandbox.run(&name).succeeded();
    let of_config = format!("{} agentgate/agent:one", digest("c"));
    assert_eq!(named(&sandbox), [given, of_config]);
}

/// kubernetes-sigs/dra-driver-nvidia-gpu#941: `docker tag` replaces a name in two steps.
#[test]
fn a_name_that_somebody_else_gives_at_that_moment_is_given_again() {
    let sandbox = Sandbox::new();
    let twice = r#"
        [ "$(grep -c '^tag ' "$here/calls")" -gt 2 ] && exit
        echo 'Error response from daemon: AlreadyExists: already exists' >&2; exit 1"#;
    sandbox.write("bin/tag", twice);
    sandbox.run(&["image", "--tag", "one"]).succeeded();
    assert_eq!(named(&sandbox).len(), 3);
    sandbox.write("bin/calls", "");
    sandbox.edit("bin/tag", "-gt 2", "-gt 99");
    sandbox.run(&["image", "--tag", "one"]).failed(
        1,
        "the image is built, but does not get the name `agentgate/agent:one`: AlreadyExists: \
         already exists\n  hint: run this again, its steps are cached",
    );
    assert!(!sandbox.path("work/target/xtask/image.json").exists());
}

#[test]
fn what_the_buildx_of_a_killed_run_writes_later_is_no_other_runs() {
    let sandbox = Sandbox::new();
    let records = sandbox.path("work/target/xtask");
    std::fs::create_dir_all(records.join("run-killed")).unwrap();
    sandbox.write("work/target/xtask/run-killed/build-metadata.json", "{}");
    sandbox.run(&["image"]).succeeded();
    let left = std::fs::read_dir(records).unwrap();
    let mut left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["image.json", "local.lock"]);
    sandbox.run(&["image"]).succeeded();
    let builds = sandbox.builds();
    let files = builds.iter().map(|line| {
        let mut words = line
            .split(' ')
            .skip_while(|word| *word != "--metadata-file");
        words.nth(1).unwrap()
    });
    let [first, second] = files.collect::<Vec<_>>()[..] else {
        panic!("{builds:?}");
    };
    assert_ne!(first, second);
}
