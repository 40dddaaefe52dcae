//! Other versions of Claude Code than the pinned one, to move to.

use std::io;
use std::path::Path;

use serde_json::Value;

use crate::command::{command, run, workspace};

/// Docker's and npm's names of the architectures.
const ARCHES: [(&str, &str); 2] = [("amd64", "x64"), ("arm64", "arm64")];

/// A published version, with the hash of each architecture's package.
pub(crate) struct Claude {
    pub(crate) version: String,
    integrity: Vec<String>,
}

impl Claude {
    /// The newest `count` versions that are not the pinned one, as npm's registry has them.
    pub(crate) fn others(count: usize) -> io::Result<Vec<Claude>> {
        let pinned = pinned()?;
        let listed = npm("@anthropic-ai/claude-code", "versions")?;
        let versions: Vec<String> = serde_json::from_value(listed)?;
        let others = versions.into_iter().rev().filter(|it| *it != pinned);
        others.take(count).map(Claude::published).collect()
    }

    fn published(version: String) -> io::Result<Claude> {
        let hash = |(_, cpu): (&str, &str)| -> io::Result<String> {
            let hash = npm(&format!("{}@{version}", package(cpu)), "dist.integrity")?;
            Ok(text(&hash)?.to_owned())
        };
        let integrity = ARCHES.into_iter().map(hash).collect::<io::Result<_>>()?;
        Ok(Claude { version, integrity })
    }

    /// Pins this version in a checkout, as `cargo xtask update` does, without asking npm again.
    pub(crate) fn pin(&self, checkout: &Path) -> io::Result<()> {
        for (arch, integrity) in ARCHES.into_iter().zip(&self.integrity) {
            let old = pin(checkout, arch)?;
            for file in ["package.json", "package-lock.json"] {
                let path = checkout.join("docker/claude").join(arch.0).join(file);
                let text = std::fs::read_to_string(&path)?;
                let text = text.replace(&old.version, &self.version);
                std::fs::write(&path, text.replace(&old.integrity[0], integrity))?;
            }
        }
        Ok(())
    }
}

/// The version that is pinned.
pub(crate) fn pinned() -> io::Result<String> {
    Ok(pin(&workspace(), ARCHES[0])?.version)
}

/// What a checkout's lock says for one architecture.
fn pin(checkout: &Path, (arch, cpu): (&str, &str)) -> io::Result<Claude> {
    let lock = format!("docker/claude/{arch}/package-lock.json");
    let lock: Value = serde_json::from_str(&std::fs::read_to_string(checkout.join(lock))?)?;
    let package = &lock["packages"][format!("node_modules/{}", package(cpu))];
    Ok(Claude {
        version: text(&package["version"])?.to_owned(),
        integrity: vec![text(&package["integrity"])?.to_owned()],
    })
}

fn package(cpu: &str) -> String {
    format!("@anthropic-ai/claude-code-linux-{cpu}-musl")
}

fn npm(package: &str, field: &str) -> io::Result<Value> {
    let said = run(command("npm", &workspace()).args(["view", package, field, "--json"]))?;
    Ok(serde_json::from_str(&said)?)
}

fn text(value: &Value) -> io::Result<&str> {
    let why = || io::Error::other(format!("expected a text, not `{value}`"));
    value.as_str().ok_or_else(why)
}
