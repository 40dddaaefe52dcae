//! The two locks of Claude Code: what they pin, and whether what npm made may take their place.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use crate::claude_lock;
use crate::platform::Platform;
use crate::refusal::Refusal;
use crate::stop::Stop;
use crate::version::Version;

/// An architecture by its two names.
#[derive(Debug)]
pub(super) struct Arch {
    /// Docker's, which is that of the folder.
    pub(super) docker: &'static str,
    /// npm's.
    pub(super) cpu: &'static str,
}

pub(super) const ARCHES: [Arch; 2] = [
    Arch {
        docker: "amd64",
        cpu: "x64",
    },
    Arch {
        docker: "arm64",
        cpu: "arm64",
    },
];

pub(super) const MANIFEST: &str = "package.json";
pub(super) const LOCK: &str = "package-lock.json";

impl Arch {
    /// The package with the program.
    pub(super) fn package(&self) -> String {
        format!("@anthropic-ai/claude-code-linux-{}-musl", self.cpu)
    }

    /// The folder of its lock, relative to the workspace.
    pub(super) fn folder(&self) -> PathBuf {
        Path::new("docker/claude").join(self.docker)
    }
}

/// The version that both locks pin.
///
/// Fails when a lock pins none, and when they pin two different ones.
pub(super) fn pinned(root: &Path) -> anyhow::Result<Version> {
    let [amd64, arm64] = Platform::ALL.map(|platform| claude_lock::version(root, platform, None));
    let (amd64, arm64) = (amd64?, arm64?);
    if amd64 != arm64 {
        return Err(Stop::from(Refusal::new(
            format!("the locks disagree: amd64 pins {amd64}, arm64 pins {arm64}"),
            "`git checkout -- docker/claude` brings back those of the commit",
        ))
        .into());
    }
    amd64
        .parse()
        .with_context(|| format!("the locks pin `{amd64}`, which is not a version"))
}

/// Whether a lock's hash is a SHA-512 in full.
pub(super) fn is_sha512(integrity: &str) -> bool {
    let bytes = integrity
        .strip_prefix("sha512-")
        .and_then(|hash| BASE64_STANDARD.decode(hash).ok());
    bytes.is_some_and(|bytes| bytes.len() == 64)
}

/// Checks what npm made for `arch`: it pins `version` of the one package, with the hash that the registry
/// gave, and names no address. npm drops hashes (npm/cli#6301, npm/cli#4460) and packages of other
/// platforms (npm/cli#4828), and writes down the address of a registry that only this machine knows
/// (dependabot/dependabot-core#4922); it ends well each time.
///
/// Fails with the first thing that is wrong.
pub(super) fn check(
    arch: &Arch,
    version: &Version,
    integrity: &str,
    manifest: &str,
    lock: &str,
) -> anyhow::Result<()> {
    let package = arch.package();
    let wanted = json!({ &package: version.to_string() });
    let manifest: Value = serde_json::from_str(manifest).context("its manifest is not JSON")?;
    ensure!(
        manifest["dependencies"] == wanted,
        "its manifest does not pin {version} of the one package"
    );
    let lock: Value = serde_json::from_str(lock).context("the lock is not JSON")?;
    ensure!(lock["lockfileVersion"] == 3, "its lock is not of version 3");
    let packages = lock["packages"].as_object();
    let packages = packages.context("the lock has no `packages`")?;
    let key = format!("node_modules/{package}");
    let Some(locked) = packages.get(&key) else {
        bail!("the lock lacks the package for {}", arch.docker);
    };
    ensure!(packages.len() == 2, "the lock has other packages, too");
    ensure!(
        packages
            .get("")
            .is_some_and(|root| root["dependencies"] == wanted),
        "the lock asks for something else than the manifest"
    );
    ensure!(
        locked["version"] == version.to_string(),
        "the lock has another version"
    );
    ensure!(
        locked.get("resolved").is_none(),
        "the lock names a registry (`resolved`), which other machines may not have; hint: npm 10 or later"
    );
    let found = locked["integrity"].as_str().unwrap_or_default();
    ensure!(is_sha512(found), "the lock has no SHA-512");
    ensure!(
        found == integrity,
        "the lock has another hash than the registry gave before"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_lock_takes_the_place() {
        let hash = format!("sha512-{}==", "A".repeat(86));
        let package = "@anthropic-ai/claude-code-linux-x64-musl";
        let manifest = format!(r#"{{"dependencies":{{"{package}":"1.2.3"}}}}"#);
        let lock = format!(
            r#"{{"lockfileVersion":3,"packages":{{"":{manifest},"node_modules/{package}":{{"version":"1.2.3","integrity":"{hash}"}}}}}}"#
        );
        let check = |manifest: &str, lock: &str| {
            let checked = check(&ARCHES[0], &Version::new(1, 2, 3), &hash, manifest, lock);
            checked.map_err(|error| format!("{error:#}"))
        };
        assert_eq!(check(&manifest, &lock), Ok(()));
        for (from, to, why) in [
            (
                "\"lockfileVersion\":3",
                "\"lockfileVersion\":1",
                "version 3",
            ),
            (
                "node_modules/@anthropic",
                "node_modules/@other",
                "lacks the package for amd64",
            ),
            (
                "\"packages\":{",
                "\"packages\":{\"node_modules/x\":{},",
                "other packages",
            ),
            ("\"\":{\"dependencies\"", "\"\":{\"x\"", "something else"),
            (
                "\"version\":\"1.2.3\"",
                "\"version\":\"1.2.4\"",
                "another version",
            ),
            ("\"integrity\"", "\"was\"", "no SHA-512"),
            ("sha512-AA", "sha1-AA", "no SHA-512"),
            ("sha512-AA", "sha512-BA", "another hash"),
            (
                "\"integrity\"",
                "\"resolved\":\"x\",\"integrity\"",
                "names a registry",
            ),
            ("{", "", "not JSON"),
        ] {
            let bad = lock.replacen(from, to, 1);
            assert_ne!(bad, lock, "{from}");
            let error = check(&manifest, &bad).unwrap_err();
            assert!(error.contains(why), "{to}: {error}");
        }
        for bad in [manifest.replace("1.2.3", "^1.2.3"), "{}".to_owned()] {
            let error = check(&bad, &lock).unwrap_err();
            assert!(error.contains("does not pin 1.2.3"), "{bad}: {error}");
        }
    }
}
