//! What `update` asks npm for: the versions of a package, and a lock.

use std::path::Path;

use anyhow::Context as _;
use serde_json::Value;

use super::package::{FIELDS, Package};
use crate::claude_lock::{cpu, package};
use crate::exec::Exec;
use crate::npm::{failed, run};
use crate::platform::Platform;
use crate::version::Version;

/// What the registry has of the package in `range`: nothing, where it does not know one of them.
///
/// Fails when npm is missing or the registry cannot be asked.
pub(super) fn view(exec: &Exec, platform: Platform, range: &str) -> anyhow::Result<Package> {
    let package = format!("{}@{range}", package(platform));
    let ended = run(exec, &[&["view", &package, "--json"][..], &FIELDS].concat())?;
    let said: Value = serde_json::from_slice(&ended.stdout).unwrap_or_default();
    if ended.success() {
        Package::parse(&ended.stdout)
    } else if said["error"]["code"] == "E404" {
        Ok(Package::default())
    } else {
        Err(failed("view", &ended))
    }
}

/// Lets npm write manifest and lock in `folder`, which has a manifest. It downloads metadata alone.
///
/// Fails when npm does; what it has written then is of no use.
pub(super) fn lock(
    exec: &Exec,
    folder: &Path,
    platform: Platform,
    version: &Version,
) -> anyhow::Result<()> {
    let folder = folder
        .to_str()
        .context("the workspace's path is not UTF-8")?;
    let cpu = format!("--cpu={}", cpu(platform));
    let package = format!("{}@{version}", package(platform));
    // The user's configuration may set each of these to something else.
    let words = "--package-lock-only --save-prod --save-exact --force --ignore-scripts --omit-lockfile-registry-resolved \
                 --lockfile-version=3 --no-audit --no-fund --os=linux --libc=musl";
    let args = ["install", "--prefix", folder].into_iter();
    let args: Vec<&str> = args
        .chain(words.split_whitespace())
        .chain([&*cpu, &package])
        .collect();
    let ended = run(exec, &args)?;
    if ended.success() {
        return Ok(());
    }
    let error = failed("install", &ended);
    // npm's own rule holds for a version that is named, too (dylang/npm-check#813).
    let is_young = String::from_utf8_lossy(&ended.stderr).contains("with a date before");
    Err(if is_young {
        error.context(
            "npm's own `min-release-age` or `before` forbids the version; hint: `npm config list` says where it is \
             set, and `minimum-age` in Cargo.toml can be as long",
        )
    } else {
        error
    })
}
