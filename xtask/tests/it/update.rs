//! `cargo xtask update`: the locks of this checkout in a repository of the test's own, moved by a real npm from
//! a registry of the test's own (`real`), or by a fake npm that does what a real one rarely does (`fake`); and the
//! images of a Dockerfile, from an image registry of the test's own (`images`); and all of it in one run (`whole`).

mod actions;
mod crates;
mod fake;
mod images;
mod npm_registry;
mod propose;
mod real;
mod whole;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use crate::common::{Ran, set_author};
use crate::sandbox::Sandbox;

const ARCHES: [(&str, &str); 2] = [("amd64", "x64"), ("arm64", "arm64")];

/// A clean repository with the locks of this checkout, which pin `pinned`, and git on PATH.
pub(crate) fn sandbox(pinned: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    for (arch, _) in ARCHES {
        let folder = format!("docker/claude/{arch}");
        fs::create_dir_all(sandbox.path(&format!("work/{folder}"))).unwrap();
        let own = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("..")
            .join(&folder);
        for name in ["package.json", "package-lock.json"] {
            let text = fs::read_to_string(own.join(name)).unwrap();
            let text = text.lines().map(|line| repinned(line, pinned) + "\n");
            sandbox.write(&format!("work/{folder}/{name}"), &text.collect::<String>());
        }
    }
    // What is behind the base's name is asked for where a test says so.
    sandbox.write("work/docker/Dockerfile.agent", "FROM scratch\n");
    real_git(&sandbox);
    sandbox.git(&["add", "--all"]);
    sandbox.git(&["commit", "--quiet", "--message", "locks"]);
    sandbox
}

/// The message of the commit that an update made, which the tree is equal to.
fn committed(sandbox: &Sandbox) -> String {
    assert_eq!(sandbox.git(&["status", "--porcelain"]), "");
    sandbox.git(&["log", "-1", "--format=%B"])
}

/// A line of a manifest or a lock, for another version.
fn repinned(line: &str, version: &str) -> String {
    let start = |until: &str| &line[..line.find(until).unwrap() + until.len()];
    if line.contains("-musl\": \"") {
        return format!("{}{version}\"", start("-musl\": \""));
    }
    if line.trim_start().starts_with("\"version\"") {
        return format!("{}{version}\",", start(": \""));
    }
    if line.trim_start().starts_with("\"integrity\"") {
        let hash = npm_registry::integrity(version);
        return format!("{}{hash}\",", start(": \""));
    }
    line.to_owned()
}

/// Puts a shell script on PATH, which itself has the PATH of whoever runs the tests.
pub(crate) fn program(sandbox: &Sandbox, name: &str, script: &str) {
    let path = std::env::var("PATH").unwrap();
    let name = format!("bin/{name}");
    sandbox.write(
        &name,
        &format!("#!/bin/sh\nPATH='{path}'\nhere=$(dirname \"$0\")\n{script}"),
    );
    let mode = fs::Permissions::from_mode(0o755);
    fs::set_permissions(sandbox.path(&name), mode).unwrap();
}

/// The git of whoever runs the tests.
fn real_git(sandbox: &Sandbox) {
    program(sandbox, "git", "exec git \"$@\"\n");
}

/// `update ARGS`, by an author of its own.
fn update_command(sandbox: &Sandbox, args: &[&str]) -> Command {
    let mut command = sandbox.xtask(&[&["update"], args].concat());
    set_author(&mut command);
    command
}

fn update(sandbox: &Sandbox, args: &[&str]) -> Ran {
    Ran::of(&mut update_command(sandbox, args))
}

/// What the two locks pin.
fn pins(sandbox: &Sandbox) -> Vec<String> {
    let pin = |(arch, _): (&str, &str)| {
        let lock = sandbox.read(&format!("work/docker/claude/{arch}/package-lock.json"));
        let lock: serde_json::Value = serde_json::from_str(&lock).unwrap();
        let packages = lock["packages"].as_object().unwrap();
        let version = packages
            .values()
            .find_map(|package| package["version"].as_str());
        version.unwrap().to_owned()
    };
    ARCHES.map(pin).to_vec()
}

/// Nothing differs from the commit, and git has no new one.
#[track_caller]
fn is_untouched(sandbox: &Sandbox) {
    assert_eq!(sandbox.git(&["status", "--porcelain"]), "");
    assert_eq!(sandbox.git(&["log", "-1", "--format=%s"]), "locks\n");
}
