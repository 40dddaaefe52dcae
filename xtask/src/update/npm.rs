//! npm: it alone knows the machine's registry, scopes, tokens, proxies and certificates. Only here is it started.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use serde_json::Value;

use super::locks::Arch;
use super::package::{FIELDS, Package};
use crate::exec::{Ended, Exec};
use crate::printable;
use crate::version::Version;

/// npm has its own limits for a request and for retries, which the user may set; this is for one that hangs.
const LIMIT: Duration = Duration::from_mins(10);

const MISSING: &str =
    "there is no `npm` on PATH; hint: install Node.js, which brings it (npm 10 or later)";

/// What the registry has of the package for `arch` in `range`. A package or a range that it does not have is
/// an empty one.
///
/// Fails when npm is missing or the registry cannot be asked.
pub(super) fn view(exec: &Exec, arch: &Arch, range: &str) -> anyhow::Result<Package> {
    let package = format!("{}@{range}", arch.package());
    let args = [&["view", &package, "--json"][..], &FIELDS].concat();
    let ended = run(exec, &args)?;
    if ended.success() {
        return Package::parse(&ended.stdout);
    }
    let said: Value = serde_json::from_slice(&ended.stdout).unwrap_or_default();
    if said["error"]["code"] == "E404" {
        return Ok(Package::default());
    }
    Err(failed("view", &ended))
}

/// Lets npm write the manifest and the lock in `folder`, which has a manifest, for `version` of the package
/// for `arch`. It downloads metadata alone.
///
/// Fails when npm does; what it has written then is of no use.
pub(super) fn lock(
    exec: &Exec,
    folder: &Path,
    arch: &Arch,
    version: &Version,
) -> anyhow::Result<()> {
    let folder = folder
        .to_str()
        .context("the workspace's path is not UTF-8")?;
    let package = format!("{}@{version}", arch.package());
    let cpu = format!("--cpu={}", arch.cpu);
    // Each of these may be otherwise in the user's configuration.
    let args = [
        "install",
        "--prefix",
        folder,
        "--package-lock-only",
        "--save-prod",
        "--save-exact",
        "--force",
        "--ignore-scripts",
        "--omit-lockfile-registry-resolved",
        "--lockfile-version=3",
        "--no-audit",
        "--no-fund",
        "--os=linux",
        &cpu,
        "--libc=musl",
        &package,
    ];
    let ended = run(exec, &args)?;
    if ended.success() {
        return Ok(());
    }
    let mut error = failed("install", &ended);
    // npm's own rule holds for a version that is named, too (dylang/npm-check#813).
    if String::from_utf8_lossy(&ended.stderr).contains("with a date before") {
        error = error.context(
            "npm's own `min-release-age` or `before` forbids the version; hint: `npm config list` shows where it \
             is set, and `minimum-age` in Cargo.toml may be as long",
        );
    }
    Err(error)
}

fn run(exec: &Exec, args: &[&str]) -> anyhow::Result<Ended> {
    if exec.find("npm").is_none() {
        bail!("{MISSING}");
    }
    exec.within("npm", args, LIMIT)
}

fn failed(command: &str, ended: &Ended) -> anyhow::Error {
    if ended.status.is_none() {
        let minutes = LIMIT.as_secs() / 60;
        return anyhow!("`npm {command}` did not end within {minutes} minutes");
    }
    let said = String::from_utf8_lossy(&ended.stderr);
    // The log of npm tells nothing more, and its path is long.
    let lines = said
        .lines()
        .filter(|line| !line.contains("complete log of this run"));
    let said = printable::short(&lines.collect::<Vec<_>>().join(" "));
    anyhow!(
        "`npm {command}` failed: {said}; hint: `npm ping` asks the registry that npm is configured for"
    )
}
