//! npm: it alone knows the machine's registry, scopes, tokens, proxies and certificates. No other file starts it.

use std::time::Duration;

use anyhow::{Context as _, anyhow, ensure};

use crate::claude_lock::package;
use crate::exec::{Ended, Exec};
use crate::platform::Platform;
use crate::printable;
use crate::version::Version;

/// npm has limits of its own for each request, which the user may set; this is for one that hangs all the same.
const LIMIT: Duration = Duration::from_mins(10);

/// Starts npm; how it ended.
///
/// Fails when there is none, and after an interruption.
pub(crate) fn run(exec: &Exec, args: &[&str]) -> anyhow::Result<Ended> {
    ensure!(
        exec.find("npm").is_some(),
        "there is no `npm` on PATH; hint: install Node.js, which brings it (npm 10 or later)"
    );
    exec.within("npm", args, LIMIT)
}

/// The error for an npm that did not end well, or not in time.
pub(crate) fn failed(command: &str, ended: &Ended) -> anyhow::Error {
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

/// The version of Claude Code that npm calls `latest` for every platform: the lower one, where the packages of one
/// release came at different times.
///
/// Fails when npm is missing, or the registry cannot be asked or does not say.
pub(crate) fn newest(exec: &Exec) -> anyhow::Result<Version> {
    let mut all = Vec::new();
    for platform in Platform::ALL {
        let package = package(platform);
        let ended = run(exec, &["view", &package, "dist-tags.latest", "--json"])?;
        if !ended.success() {
            return Err(failed("view", &ended));
        }
        let latest: Version = serde_json::from_slice(&ended.stdout)
            .with_context(|| format!("`npm view` names no version for `{package}`"))?;
        all.push(latest);
    }
    all.into_iter().min().context("there is no platform")
}
