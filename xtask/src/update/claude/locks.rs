//! The two locks of Claude Code: what they pin, and whether what npm made may take their place.

use std::path::Path;

use anyhow::{Context as _, bail, ensure};
use serde_json::{Value, json};

use crate::claude_lock::{self, package};
use crate::platform::Platform;
use crate::refusal::Refusal;
use crate::stop::Stop;
use crate::version::Version;

/// What is replaced for each architecture.
pub(super) const FILES: [&str; 2] = ["package.json", "package-lock.json"];

/// The version that both locks pin.
///
/// Fails when a lock pins none, and when they pin two different ones.
pub(super) fn pinned(root: &Path) -> anyhow::Result<Version> {
    let [amd64, arm64] = Platform::ALL.map(|platform| claude_lock::version(root, platform, None));
    let (amd64, arm64) = (amd64?, arm64?);
    if amd64 != arm64 {
        let why = format!("the locks disagree: amd64 pins {amd64}, arm64 pins {arm64}");
        let remedy = "`git checkout -- docker/claude` brings back those of the commit";
        return Err(Stop::from(Refusal::new(why, remedy)).into());
    }
    let version = amd64.parse();
    version.with_context(|| format!("the locks pin `{amd64}`, which is not a version"))
}

/// Checks what npm made: it pins `version` of the one package, with the hash that the registry gave before, and
/// names no address. npm drops hashes (npm/cli#6301, npm/cli#4460) and packages of other platforms (npm/cli#4828),
/// and writes down a registry that only this machine knows (dependabot/dependabot-core#4922); it ends well each time.
///
/// Fails with the first thing that is wrong.
pub(super) fn check(
    platform: Platform,
    version: &Version,
    integrity: &str,
    [manifest, lock]: [&str; 2],
) -> anyhow::Result<()> {
    let version = version.to_string();
    let wanted = json!({ package(platform): version });
    let manifest: Value = serde_json::from_str(manifest).context("its manifest is not JSON")?;
    let lock: Value = serde_json::from_str(lock).context("the lock is not JSON")?;
    let packages = &lock["packages"];
    let locked = &packages[format!("node_modules/{}", package(platform))];
    let rules = [
        (
            manifest["dependencies"] == wanted,
            "its manifest pins something else",
        ),
        (lock["lockfileVersion"] == 3, "its lock is not of version 3"),
        (locked.is_object(), "the lock lacks the package"),
        (
            packages.as_object().is_some_and(|all| all.len() == 2),
            "the lock has other packages, too",
        ),
        (
            packages[""]["dependencies"] == wanted,
            "the lock asks for something else",
        ),
        (locked["version"] == version, "the lock has another version"),
        (
            locked["resolved"].is_null(),
            "the lock names a registry (`resolved`), which other machines may not have; hint: use npm 10 or later",
        ),
        (
            locked["integrity"] == integrity,
            "the lock has another hash than the registry gave, or none",
        ),
    ];
    match rules.iter().find(|(holds, _)| !holds) {
        Some((_, why)) => bail!("{why}"),
        None => Ok(()),
    }
}

/// Checks what somebody else has made, in the place of what had the manifest `old`.
///
/// Fails with the first thing that is wrong.
pub(super) fn check_moved(
    platform: Platform,
    old: &str,
    [manifest, lock]: [&str; 2],
) -> anyhow::Result<()> {
    let made: Value = serde_json::from_str(lock).context("the lock is not JSON")?;
    let locked = &made["packages"][format!("node_modules/{}", package(platform))];
    let text = |key: &str| locked[key].as_str().unwrap_or_default();
    let version = text("version").parse();
    let version = version.context("the lock pins no version")?;
    ensure!(
        text("integrity").starts_with("sha512-"),
        "the lock has no SHA-512"
    );
    check(platform, &version, text("integrity"), [manifest, lock])?;
    let rest = |text: &str| -> anyhow::Result<Value> {
        let mut value: Value = serde_json::from_str(text).context("a manifest is not JSON")?;
        if let Some(fields) = value.as_object_mut() {
            fields.remove("dependencies");
        }
        Ok(value)
    };
    ensure!(
        rest(old)? == rest(manifest)?,
        "the manifest differs by more than another version"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_lock_takes_the_place() {
        let package = package(Platform::LinuxAmd64);
        let manifest = format!(r#"{{"dependencies":{{"{package}":"1.2.3"}}}}"#);
        let lock = format!(
            r#"{{"lockfileVersion":3,"packages":{{"":{manifest},"node_modules/{package}":{{"version":"1.2.3","integrity":"I"}}}}}}"#
        );
        let check = |manifest: &str, lock: &str| {
            let version = Version::new(1, 2, 3);
            let checked = check(Platform::LinuxAmd64, &version, "I", [manifest, lock]);
            checked.err().map(|error| format!("{error:#}"))
        };
        assert_eq!(check(&manifest, &lock), None);
        for (from, to, why) in [
            (
                "\"lockfileVersion\":3",
                "\"lockfileVersion\":1",
                "version 3",
            ),
            (
                "node_modules/@anthropic",
                "node_modules/@other",
                "lacks the package",
            ),
            (
                "\"packages\":{",
                "\"packages\":{\"x\":{},",
                "other packages",
            ),
            (
                "\"\":{\"dependencies\"",
                "\"\":{\"x\"",
                "asks for something else",
            ),
            (
                "\"version\":\"1.2.3\"",
                "\"version\":\"1.2.4\"",
                "another version",
            ),
            (
                "\"integrity\"",
                "\"was\"",
                "another hash than the registry gave, or none",
            ),
            ("\"I\"", "\"J\"", "another hash"),
            (
                "\"integrity\"",
                "\"resolved\":\"x\",\"integrity\"",
                "names a registry",
            ),
            ("{", "", "not JSON"),
        ] {
            let error = check(&manifest, &lock.replacen(from, to, 1)).unwrap();
            assert!(error.contains(why), "{to}: {error}");
        }
        for bad in [manifest.replace("1.2.3", "^1.2.3"), "{}".to_owned()] {
            assert_eq!(
                check(&bad, &lock).unwrap(),
                "its manifest pins something else"
            );
        }
    }
}
