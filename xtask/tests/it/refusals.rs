//! Refusals before a build: each names what is missing, why, and what to type; nothing is built.

use std::fs;

use crate::sandbox::Sandbox;

#[track_caller]
fn refused(sandbox: &Sandbox, args: &[&str], code: i32, error: &str) {
    sandbox.run(args).failed(code, error);
    assert_eq!(sandbox.builds(), [""; 0]);
}

/// Fails with exit code 2 in clap's words; only our part of them is checked.
#[track_caller]
fn wrong_usage(sandbox: &Sandbox, args: &[&str], part: &str) {
    let ran = sandbox.run(args);
    assert_eq!(ran.code, Some(2), "{ran:#?}");
    assert!(ran.stderr.contains(part), "{ran:#?}");
    assert_eq!(sandbox.builds(), [""; 0]);
}

#[test]
fn no_docker_on_path() {
    let sandbox = Sandbox::new();
    fs::remove_file(sandbox.path("bin/docker")).unwrap();
    refused(
        &sandbox,
        &["image"],
        1,
        "there is no `docker` on PATH\n  hint: install Docker Engine \
         (https://docs.docker.com/engine/install/), or: as root on Debian or Ubuntu \
         `cargo xtask --testbed …` brings an engine of its own",
    );
}

#[test]
fn the_engine_does_not_run() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "bin/info",
        r#"{"ServerErrors":["Cannot connect to the Docker daemon at unix:///var/run/docker.sock."],
           "ClientInfo":{"Plugins":[{"Name":"buildx","Version":"0.29.1"}]}}"#,
    );
    let ran = sandbox.run(&["image", "--platform", "linux/amd64,linux/arm64"]);
    let error = "error: the Docker Engine does not answer: Cannot connect";
    assert!(ran.stderr.starts_with(error), "{ran:#?}");
    assert_eq!(sandbox.builds(), [""; 0]);
    // One platform is tried first.
    sandbox.write("bin/build", "echo 'ERROR: no such socket' >&2; exit 1");
    sandbox.run(&["image"]).failed_after(
        "ERROR: no such socket\n",
        "the build failed: the Docker Engine does not answer: Cannot connect to the Docker daemon at \
         unix:///var/run/docker.sock.\n  hint: start it (`sudo systemctl start docker`, or Docker \
         Desktop) or point DOCKER_HOST at one; or: as root on Debian or Ubuntu `cargo xtask \
         --testbed …` brings an engine of its own",
    );
}

#[test]
fn no_buildx() {
    let sandbox = Sandbox::new();
    sandbox.edit("bin/info", r#"{"Name":"buildx","Version":"0.29.1"}"#, "");
    sandbox.write("bin/build", "echo 'unknown flag: --file' >&2; exit 125");
    sandbox.run(&["image"]).failed_after(
        "unknown flag: --file\n",
        "the build failed: docker has no `buildx` plugin\n  hint: install `docker-buildx-plugin` (Docker's packages) \
         or `docker-buildx` (Debian's, Ubuntu's)",
    );
}

#[test]
fn two_platforms_on_the_classic_store() {
    let sandbox = Sandbox::new();
    sandbox.edit(
        "bin/info",
        r#"["driver-type","io.containerd.snapshotter.v1"]"#,
        "",
    );
    refused(
        &sandbox,
        &["image", "--platform", "linux/amd64,linux/arm64"],
        1,
        "the engine's classic image store holds one platform of an image, and several are asked \
         for\n  hint: build one `--platform` at a time, or turn on the containerd image store \
         (`\"features\": {\"containerd-snapshotter\": true}` in /etc/docker/daemon.json, then \
         restart docker)",
    );
}

#[test]
fn a_platform_that_the_builder_cannot_build() {
    let sandbox = Sandbox::new();
    sandbox.edit("bin/builder", ", linux/arm64", "");
    let both = ["image", "--platform", "linux/amd64,linux/arm64"];
    let ran = sandbox.run(&both);
    let error = "error: the builder `default` cannot build `linux/arm64`\n  hint: register";
    assert!(ran.stderr.starts_with(error), "{ran:#?}");
    assert_eq!(sandbox.builds(), [""; 0]);
    // One platform is tried first.
    sandbox.write("bin/build", "echo 'exec format error' >&2; exit 1");
    sandbox.run(&["image", "--platform", "linux/arm64"]).failed_after(
        "exec format error\n",
        "the build failed: the builder `default` cannot build `linux/arm64`\n  hint: register its emulation \
         (`docker run --privileged --rm tonistiigi/binfmt --install all`) or choose a builder with \
         a native node (`--builder NAME`)",
    );
}

#[test]
fn not_a_git_repository() {
    let sandbox = Sandbox::without_git();
    let work = sandbox.path("work").canonicalize().unwrap();
    refused(
        &sandbox,
        &["image"],
        1,
        &format!(
            "`{}` is not in a git repository, and an image is named after its commit; hint: build \
             in a `git clone`, or `git init && git add --all && git commit` here",
            work.display()
        ),
    );
}

#[test]
fn no_commit_yet() {
    let sandbox = Sandbox::without_git();
    sandbox.git(&["init", "--quiet"]);
    let work = sandbox.path("work").canonicalize().unwrap();
    refused(
        &sandbox,
        &["image"],
        1,
        &format!(
            "the repository `{}` has no commit yet, so an image of it has no revision; hint: `git \
             add --all && git commit`",
            work.display()
        ),
    );
}

#[test]
fn the_dockerfile_is_missing() {
    let sandbox = Sandbox::new();
    fs::remove_file(sandbox.path("work/docker/Dockerfile.agent")).unwrap();
    refused(
        &sandbox,
        &["image"],
        1,
        "the Dockerfile `docker/Dockerfile.agent` is missing; hint: `git checkout -- \
         docker/Dockerfile.agent`, or mend `dockerfile` under `[workspace.metadata.image]` in \
         Cargo.toml",
    );
}

#[test]
fn an_unknown_platform() {
    wrong_usage(
        &Sandbox::new(),
        &["image", "--platform", "linux/sparc"],
        "unknown platform `linux/sparc`, expected one of `linux/amd64`, `linux/arm64`",
    );
}

#[test]
fn values_that_mean_nothing() {
    let sandbox = Sandbox::new();
    for (args, part) in [
        (["--node", "sixteen"], "bad Node.js version `sixteen`"),
        (["--build-arg", "=x"], "expected NAME=VALUE"),
        (["--progress", "loud"], "possible values: auto, plain"),
        (["--repository", "Me/agent"], "`Me` must be lower case"),
        (["--tag", "a b"], "bad tag `a b`"),
    ] {
        wrong_usage(&sandbox, &["image", args[0], args[1]], part);
    }
}

#[test]
fn a_bad_metadata_key_is_named() {
    let sandbox = Sandbox::new();
    sandbox.edit("work/Cargo.toml", "default-branch", "defaultbranch");
    let ran = sandbox.run(&["image"]);
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    assert!(
        ran.stderr
            .contains("Cargo.toml`: TOML parse error at line "),
        "{ran:#?}"
    );
    assert!(
        ran.stderr.contains("unknown field `defaultbranch`"),
        "{ran:#?}"
    );
}

#[test]
fn tags_that_only_a_release_gives() {
    let sandbox = Sandbox::new();
    for tag in ["latest", "v0.2.13"] {
        refused(
            &sandbox,
            &["image", "--tag", tag],
            3,
            &format!(
                "`{tag}` is given only to a verified digest, by a release; hint: build as `dev`, \
                 or with a tag of your own"
            ),
        );
    }
}

#[test]
fn a_ca_bundle_that_is_not_there() {
    refused(
        &Sandbox::new(),
        &["image", "--ca-bundle", "/nowhere/ca.pem"],
        1,
        "the CA bundle `/nowhere/ca.pem` (`--ca-bundle`) is not a file; hint: name one with \
         certificates (PEM)",
    );
}

#[test]
fn outside_a_workspace() {
    let sandbox = Sandbox::new();
    let elsewhere = sandbox.path("tmp").canonicalize().unwrap();
    let ran = crate::common::Ran::of(sandbox.xtask(&["image"]).current_dir(&elsewhere));
    ran.failed(
        1,
        &format!(
            "no Cargo workspace at or above `{}`; hint: run `cargo xtask` inside the checkout",
            elsewhere.display()
        ),
    );
}

/// A job's argument may be what somebody has typed into a form; clap quotes it.
#[test]
fn an_argument_that_is_quoted_is_no_command_to_the_runner() {
    let sandbox = Sandbox::new();
    for args in [
        &["release", "--version", "1\n::add-mask::x"][..],
        &["release", "--rollback", "--reason=a\n::add-mask::x"],
        &["tags", "\n::add-mask::x\u{1b}[2J"],
    ] {
        wrong_usage(&sandbox, args, "\\u{3a}:add-mask::x");
        let ran = sandbox.run(args);
        assert!(!ran.stderr.contains("\u{1b}[2J"), "{ran:#?}");
    }
    let help = sandbox.run(&["release", "--help"]);
    assert_eq!((help.code, &*help.stderr), (Some(0), ""), "{help:#?}");
    assert!(help.stdout.contains("--rollback"), "{help:#?}");
}
