//! The build itself: its report, what it leaves behind, and that it fails closed.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::common::{Ran, command};
use crate::world::{
    arch, build, built, docker, git, image, inspect, other_platform, pinned_claude, root,
    unique_name, xtask, xtask_in,
};

#[test]
fn the_image_names_its_commit_and_a_second_build_is_the_same() {
    let first = built().clone();
    let dirty = if git(&["status", "--porcelain"]).is_empty() {
        ""
    } else {
        "-dirty"
    };
    let revision = format!("{}{dirty}", git(&["rev-parse", "HEAD"]));
    assert_eq!(first["revision"], revision);
    let labels = &inspect(image())["Config"]["Labels"];
    let label = |name: &str| {
        labels[format!("org.opencontainers.image.{name}")]
            .as_str()
            .unwrap()
    };
    assert_eq!(label("revision"), revision);
    assert_eq!(label("version"), env!("CARGO_PKG_VERSION"));
    assert!(label("base.name").ends_with("node:20-alpine"), "{labels}");
    let digest = label("base.digest");
    assert!(
        digest.starts_with("sha256:") && digest.len() == 71,
        "{labels}"
    );
    for name in ["title", "description", "created", "licenses"] {
        assert_ne!(label(name), "", "{labels}");
    }
    let second = build();
    assert_eq!(
        (&second["digest"], &second["revision"]),
        (&first["digest"], &first["revision"])
    );
}

#[test]
fn a_second_build_is_the_same_image_and_starts_docker_at_most_four_times() {
    built();
    let folder = tempfile::tempdir().unwrap();
    let clone = clone_into(folder.path());
    change_entrypoint(&clone);
    let args = [
        "image",
        "--tag",
        "e2e-twice",
        "--progress",
        "plain",
        "--json",
        "-v",
    ];
    let build = || {
        let ran = Ran::of(&mut xtask_in(&clone, &args)).succeeded();
        let report: Value = serde_json::from_str(&ran.stdout).unwrap();
        (ran, report)
    };
    let (first, report) = build();
    assert!(!first.stderr.contains("$ docker info "), "{first:#?}");
    assert!(first.stderr.contains("$ docker save "), "{first:#?}");
    assert_ne!(report["platforms"][0]["layers"], serde_json::json!([]));
    let platform = &report["platforms"][0];
    let count = |name: &str| platform[name].as_u64().unwrap();
    // The compiler ran, and Claude Code was cached.
    assert!(
        0 < count("cached") && count("cached") < count("steps"),
        "{report}"
    );
    assert!(platform["seconds"].as_f64().unwrap() > 0.0, "{report}");
    let (second, again) = build();
    let calls = second.stderr.lines().filter(|line| line.starts_with("$ "));
    let calls: Vec<&str> = calls.collect();
    let is_build = calls[0].starts_with("$ docker buildx build --file ");
    // Besides the build a name is given, and buildx is asked about the steps of what takes a second or more.
    assert!(is_build && calls.len() <= 4, "{second:#?}");
    assert_eq!(again["digest"], report["digest"]);
    let platform = &again["platforms"][0];
    assert_eq!(platform["cached"], platform["steps"], "{again}");
    docker(&["image", "rm", "agentgate/agent:e2e-twice"]).succeeded();
}

#[test]
fn plain_docker_build_works_by_itself() {
    built();
    let tag = "agentgate/agent:e2e-plain";
    docker(&["build", "-f", "docker/Dockerfile.agent", "-t", tag, "."]).succeeded();
    let ran = docker(&["run", "--rm", tag, "whoami"]).succeeded();
    assert_eq!(ran.stdout, "agentgate\n");
    docker(&["image", "rm", tag]).succeeded();
}

#[test]
fn the_other_platform_is_built_and_runs() {
    let (other, machine) = match arch() {
        "amd64" => ("arm64", "aarch64"),
        _ => ("amd64", "x86_64"),
    };
    let platform = format!("linux/{other}");
    let args = [
        "image",
        "--platform",
        &platform,
        "--tag",
        "e2e-other",
        "--progress",
        "plain",
        "--json",
    ];
    let ran = Ran::of(&mut xtask(&args)).succeeded();
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(report["platforms"][0]["platform"], platform);
    let tag = "agentgate/agent:e2e-other";
    let script = "uname -m && node --version | cut -d. -f1 && claude --version && whoami";
    let ran = docker(&[
        "run",
        "--rm",
        "--platform",
        &platform,
        tag,
        "sh",
        "-c",
        script,
    ])
    .succeeded();
    let claude = pinned_claude(other);
    assert_eq!(
        ran.stdout,
        format!("{machine}\nv20\n{claude} (Claude Code)\nagentgate\n")
    );
    crate::verify::prove_emulated(tag);
    docker(&["image", "rm", tag]).succeeded();
}

/// A clone of the checkout under test, for a build that must not touch its cache.
pub(crate) fn clone_into(folder: &Path) -> PathBuf {
    let clone = folder.join("clone");
    let mut git = command("git", &root());
    Ran::of(git.args(["clone", "--quiet", "."]).arg(&clone)).succeeded();
    clone
}

/// Builds a folder, with `more` options, and pushes what it makes as `reference`; its digest.
pub(crate) fn publish(folder: &Path, reference: &str, more: &[&str]) -> String {
    let metadata = folder.join("metadata.json");
    let mut line = command("docker", folder);
    line.args(["buildx", "build", "--provenance=false", "--push"]);
    line.args(more);
    line.args(["--tag", reference, "--metadata-file"]);
    Ran::of(line.arg(&metadata).arg(".")).succeeded();
    let metadata: Value = serde_json::from_slice(&fs::read(metadata).unwrap()).unwrap();
    let digest = metadata["containerimage.digest"].as_str();
    digest.unwrap().to_owned()
}

/// Another source, so that the compiler runs; `--no-cache` would replace what others build on.
fn change_entrypoint(clone: &Path) {
    let main = clone.join("crates/agent-entrypoint/src/main.rs");
    let source = fs::read_to_string(&main).unwrap();
    fs::write(main, format!("{source}\n// {}\n", unique_name())).unwrap();
}

#[test]
fn a_tampered_lock_fails_the_build() {
    built();
    let folder = tempfile::tempdir().unwrap();
    let clone = clone_into(folder.path());
    let lock = clone.join(format!("docker/claude/{}/package-lock.json", arch()));
    let text = fs::read_to_string(&lock).unwrap();
    let (start, hash) = text.split_once("\"sha512-").unwrap();
    let (_, end) = hash.split_once('"').unwrap();
    let args = ["image", "--tag", "e2e-tampered", "--progress", "plain"];
    for hash in [format!("sha512-{}==", "A".repeat(86)), String::new()] {
        fs::write(&lock, format!("{start}\"{hash}\"{end}")).unwrap();
        let ran = Ran::of(&mut xtask_in(&clone, &args));
        assert_eq!(ran.code, Some(1), "{ran:#?}");
        let said = "/package-lock.json has another hash, or none; hint: ";
        assert!(ran.stderr.contains(said), "{ran:#?}");
    }
    assert_ne!(
        docker(&["image", "inspect", "agentgate/agent:e2e-tampered"]).code,
        Some(0)
    );
}

/// As on a disk that is full for a moment. For another platform: on the build's own, a part of the program
/// would fail at its first start anyway.
#[test]
#[ignore = "fills a disk in a build of the image: `cargo xtask test --all`"]
fn a_claude_code_that_cannot_be_written_whole_fails_the_build() {
    let platform = other_platform();
    let args = ["image", "--dry-run", "--json", "--platform", platform];
    let plan = Ran::of(xtask(&args).args(["--tag", "e2e-part"])).succeeded();
    let plan: Value = serde_json::from_str(&plan.stdout).unwrap();
    let line = plan["command"].as_array().unwrap().iter();
    let mut line: Vec<&str> = line.map(|word| word.as_str().unwrap()).collect();
    // What is fetched has 168 MB, the program 367 MB.
    line.extend(["--target", "claude", "--ulimit", "fsize=250000000"]);
    let ran = docker(&line);
    assert_ne!(ran.code, Some(0), "{ran:#?}");
    assert!(ran.stderr.contains("File size limit exceeded"), "{ran:#?}");
}

#[test]
fn an_interrupted_build_ends_and_leaves_nothing() {
    built();
    let folder = tempfile::tempdir().unwrap();
    let clone = clone_into(folder.path());
    change_entrypoint(&clone);
    let temporary = folder.path().join("tmp");
    fs::create_dir(&temporary).unwrap();
    let args = ["image", "--tag", "e2e-interrupted", "--progress", "plain"];
    let mut child = xtask_in(&clone, &args)
        .env("TMPDIR", &temporary)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let compiling = |line: Result<String, _>| line.unwrap().contains("Compiling");
    assert!(lines.any(compiling), "the compiler did not start");
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let last = lines.last().unwrap().unwrap();
    assert_eq!(last, "error: interrupted");
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(fs::read_dir(temporary).unwrap().count(), 0);
    let left = fs::read_dir(clone.join("target/xtask")).unwrap();
    let left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["local.lock"]);
    assert_ne!(
        docker(&["image", "inspect", "agentgate/agent:e2e-interrupted"]).code,
        Some(0)
    );
}
