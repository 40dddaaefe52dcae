//! Claude Code: its packages at npm, and the version that `docker/claude/<arch>/package-lock.json` pins.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};

use crate::git;
use crate::platform::Platform;
use crate::version::Version;

/// The version that the lock of `platform` pins: at the commit `revision`, or in the working tree when
/// that is absent or unknown here.
///
/// Fails when the lock cannot be read or does not pin exactly one version.
pub fn version(root: &Path, platform: Platform, revision: Option<&str>) -> anyhow::Result<String> {
    let path = path(platform);
    let text = git::file_or_here(root, revision, &path)?;
    pinned(&text).with_context(|| format!("`{}` pins no version of Claude Code", path.display()))
}

/// npm's name of the architecture.
pub(crate) fn cpu(platform: Platform) -> &'static str {
    match platform {
        Platform::LinuxAmd64 => "x64",
        Platform::LinuxArm64 => "arm64",
    }
}

/// npm's name of the package with the program.
pub(crate) fn package(platform: Platform) -> String {
    format!("@anthropic-ai/claude-code-linux-{}-musl", cpu(platform))
}

/// The version that both locks of the commit `revision` pin; none when this clone lacks the commit, and where the
/// commit has no locks or they do not agree.
///
/// Fails when the repository cannot be read.
pub(crate) fn at(root: &Path, revision: &str) -> anyhow::Result<Option<Version>> {
    // Anybody may write anything into a label, the name of a branch for one.
    let is_id = revision.len() == 40 && revision.bytes().all(|c| c.is_ascii_hexdigit());
    let mut found = Vec::new();
    for platform in Platform::ALL.into_iter().filter(|_| is_id) {
        let lock = git::file(root, revision, &path(platform))?;
        found.push(lock.and_then(|lock| pinned(&lock).ok()));
    }
    let [Some(one), Some(other)] = &found[..] else {
        return Ok(None);
    };
    Ok(one.parse().ok().filter(|_| one == other))
}

fn path(platform: Platform) -> PathBuf {
    let arch = platform.architecture();
    PathBuf::from(format!("docker/claude/{arch}/package-lock.json"))
}

fn pinned(lock: &[u8]) -> anyhow::Result<String> {
    let lock: serde_json::Value = serde_json::from_slice(lock)?;
    let packages = lock["packages"]
        .as_object()
        .context("it has no `packages`")?;
    let is_claude = |name: &str| name.contains("@anthropic-ai/claude-code-linux-");
    let mut versions = packages
        .iter()
        .filter(|(name, _)| is_claude(name))
        .filter_map(|(_, package)| package["version"].as_str());
    let version = versions
        .next()
        .context("it has no package of Claude Code")?;
    ensure!(versions.next().is_none(), "it has several");
    Ok(version.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_pins_one_version() {
        let lock = |packages: &str| pinned(format!(r#"{{"packages":{{{packages}}}}}"#).as_bytes());
        let claude =
            r#""node_modules/@anthropic-ai/claude-code-linux-x64-musl":{"version":"2.1.330"}"#;
        assert_eq!(lock(&format!(r#""":{{}},{claude}"#)).unwrap(), "2.1.330");
        assert!(lock(r#""":{}"#).is_err());
        let another = claude.replace("x64", "arm64");
        assert!(lock(&format!("{claude},{another}")).is_err());
        assert!(pinned(b"").is_err());
    }

    #[test]
    fn the_checkouts_own_locks_pin_a_version() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        for platform in Platform::ALL {
            assert!(version(&root, platform, None).is_ok(), "{platform}");
        }
    }
}
