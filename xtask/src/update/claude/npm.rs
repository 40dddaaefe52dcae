//! npm: it alone knows the machine's registry, scopes, tokens, proxies and certificates. Only here is it started.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, anyhow, ensure};
use serde_json::Value;

use super::locks::{cpu, package};
use super::package::{FIELDS, Package};
use crate::exec::{Ended, Exec};
use crate::platform::Platform;
use crate::printable;
use crate::version::Version;

/// npm has limits of its own for each request, which the user may set; this is for one that hangs all the same.
const LIMIT: Duration = Duration::from_mins(10);

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
    // The user's configuration may have each of these otherwise.
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

fn run(exec: &Exec, args: &[&str]) -> anyhow::Result<Ended> {
    ensure!(
        exec.find("npm").is_some(),
        "there is no `npm` on PATH; hint: install Node.js, which brings it (npm 10 or later)"
    );
    exec.within("npm", args, LIMIT)
}

fn failed(command: &str, ended: &Ended) -> anyhow::Error {
    if ended.status.is_none() {
        return anyhow!(
            "`npm {command}` did not end within {} minutes",
            LIMIT.as_secs() / 60
        );
    }
    let said = printable::short(&String::from_utf8_lossy(&ended.stderr));
    anyhow!(
        "`npm {command}` failed: {said}; hint: `npm ping` asks the registry that npm is configured for"
    )
}
