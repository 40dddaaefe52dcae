//! `[workspace.metadata.image]` in `Cargo.toml`: the image's settings, read and validated.

mod expression;
mod packages;
mod proof;
mod severity;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use serde::Deserialize;

pub use self::expression::Expression;
use self::packages::Packages;
pub(crate) use self::proof::ProofSettings;
pub use self::severity::Severity;
use crate::day::Day;
use crate::platform::Platform;
use crate::reference::Repository;
use crate::refusal::Refusal;

/// The image's settings, from the workspace's `Cargo.toml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Settings {
    /// Where the image is published, and its name in the engine.
    pub repository: Repository,
    /// The Dockerfile, relative to the workspace's root.
    pub dockerfile: PathBuf,
    /// Every platform that a published index has.
    pub platforms: Vec<Platform>,
    /// The branch whose builds in CI are `dev`. Without it: `origin/HEAD`, `main` or `master`.
    pub(crate) default_branch: Option<String>,
    /// No longer a setting: the Dockerfile's base says it.
    #[serde(default, rename = "node", deserialize_with = "node_is_no_setting")]
    _node: (),
    /// Packages besides the image's default ones.
    #[serde(default)]
    pub(crate) extra_packages: Packages,
    /// The day whose Alpine packages the image has. Another day makes the layer of packages anew, with what
    /// Alpine's repositories offer then. Without it: a builder keeps the layer that it has.
    pub(crate) packages: Option<Day>,
    /// The largest compressed size of the image of a platform, in bytes. Without it: no limit.
    #[serde(default)]
    pub size_budget: BTreeMap<Platform, u64>,
    /// By how many percent an image may be larger than that of the last release.
    #[serde(default = "growth_percent")]
    pub growth_percent: u64,
    /// How many days ago a version must have been published before `update` moves to it.
    #[serde(default = "minimum_age")]
    pub(crate) minimum_age: u32,
    /// The least severity of a vulnerability for which `verify --scan` fails. Without it: none fails it.
    pub fail_on: Option<Severity>,
    /// Who makes the SBOMs of pushes, an image or `off`. Without it: BuildKit's usual generator.
    pub(crate) sbom_generator: Option<String>,
    /// How every release is signed. Without it: only when `--sign` asks for it.
    pub signing: Option<Signing>,
    /// Whose proofs and release records are believed. Without it: nobody's proof.
    pub(crate) proof: Option<ProofSettings>,
    /// The version being worked on: `[workspace.package] version`.
    #[serde(skip)]
    pub version: String,
}

impl Settings {
    /// What signs where a signature is asked for: by the key that the command line names, or else as the
    /// settings say.
    pub fn signing_by(&self, key: Option<&str>) -> Result<Signing, Refusal> {
        let named = key.map(|key| Signing::Key(key.to_owned()));
        named.or_else(|| self.signing.clone()).ok_or_else(|| {
            Refusal::new(
                "a signature is asked for, and there is no key to sign with",
                "`--sign=KEY`, or `signing` under `[workspace.metadata.image]` in Cargo.toml",
            )
        })
    }
}

/// What cosign signs with.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "SigningTable")]
pub enum Signing {
    /// A key, as `cosign --key` takes it.
    Key(String),
    /// A certificate for the identity of who signs, as GitHub Actions has one ("keyless").
    Identity {
        /// Whose signatures are recognized.
        identity: Expression,
        /// Who says who somebody is, a URL.
        issuer: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SigningTable {
    key: Option<String>,
    identity: Option<Expression>,
    issuer: Option<String>,
}

impl TryFrom<SigningTable> for Signing {
    type Error = &'static str;

    fn try_from(table: SigningTable) -> Result<Self, Self::Error> {
        match (table.key, table.identity, table.issuer) {
            (Some(key), None, None) if !key.is_empty() => Ok(Signing::Key(key)),
            (None, Some(identity), Some(issuer)) => Ok(Signing::Identity { identity, issuer }),
            _ => Err("`signing` has either a `key`, or an `identity` and an `issuer`"),
        }
    }
}

fn node_is_no_setting<'de, D: serde::Deserializer<'de>>(_: D) -> Result<(), D::Error> {
    Err(serde::de::Error::custom(
        "`node` is no longer a setting; hint: remove this line, and say the version in the first FROM of the \
         Dockerfile, as in `FROM docker.io/library/node:22-alpine AS system`",
    ))
}

fn growth_percent() -> u64 {
    10
}

fn minimum_age() -> u32 {
    2
}

#[derive(Deserialize)]
struct CargoManifest {
    workspace: Workspace,
}

#[derive(Deserialize)]
struct Workspace {
    package: Package,
    #[serde(default)]
    metadata: Metadata,
}

#[derive(Deserialize)]
struct Package {
    version: String,
}

#[derive(Default, Deserialize)]
struct Metadata {
    image: Option<Settings>,
}

impl Settings {
    /// Reads the settings of the workspace at `root`.
    pub fn read(root: &Path) -> anyhow::Result<Settings> {
        let path = root.join("Cargo.toml");
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("failed to read `{}`", path.display()))?;
        parse(&text).with_context(|| format!("bad image settings in `{}`", path.display()))
    }
}

fn parse(text: &str) -> anyhow::Result<Settings> {
    let Workspace { package, metadata } = toml::from_str::<CargoManifest>(text)?.workspace;
    let Some(mut settings) = metadata.image else {
        bail!("the table `[workspace.metadata.image]` is missing");
    };
    settings.version = package.version;
    ensure!(
        !settings.platforms.is_empty(),
        "`platforms` is empty: name at least `linux/amd64`"
    );
    let mut seen = settings.platforms.clone();
    seen.sort_unstable();
    seen.dedup();
    ensure!(
        seen.len() == settings.platforms.len(),
        "`platforms` names a platform twice"
    );
    if let Some(stray) = settings.size_budget.keys().find(|key| !seen.contains(key)) {
        bail!("`size-budget` names `{stray}`, which is not among `platforms`");
    }
    ensure!(
        settings.dockerfile.is_relative(),
        "`dockerfile` must be relative to the workspace: `{}`",
        settings.dockerfile.display()
    );
    ensure!(
        settings.default_branch.as_deref() != Some(""),
        "`default-branch` is empty"
    );
    Ok(settings)
}

/// What the Cargo manifest of any other repository says. A field is none when the manifest does not
/// have it, or not in a form that can be read.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct OtherManifest {
    pub(crate) repository: Option<Repository>,
    pub(crate) default_branch: Option<String>,
    pub(crate) version: Option<String>,
}

impl OtherManifest {
    /// Reads the manifest for `folder`: the workspace's at or above it within the repository at `top`,
    /// or else the nearest package's.
    pub(crate) fn find(folder: &Path, top: Option<&Path>) -> anyhow::Result<OtherManifest> {
        let mut found = OtherManifest::default();
        let Some(top) = top else {
            return Ok(found);
        };
        let top = top
            .canonicalize()
            .with_context(|| format!("failed to find `{}`", top.display()))?;
        for folder in folder
            .ancestors()
            .take_while(|folder| folder.starts_with(&top))
        {
            let path = folder.join("Cargo.toml");
            let text = match std::fs::read_to_string(&path) {
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                result => result.with_context(|| format!("failed to read `{}`", path.display()))?,
            };
            if let Ok(settings) = parse(&text) {
                return Ok(OtherManifest {
                    repository: Some(settings.repository),
                    default_branch: settings.default_branch,
                    version: Some(settings.version),
                });
            }
            found.version = own_version(&text).or(found.version);
        }
        Ok(found)
    }
}

/// The version in a Cargo manifest of any kind: the workspace's, or the package's.
pub(crate) fn own_version(manifest: &str) -> Option<String> {
    let table: toml::Table = toml::from_str(manifest).ok()?;
    let version = |package: Option<&toml::Value>| {
        let version = package?.get("version")?.as_str()?;
        Some(version.to_owned())
    };
    let workspace = table.get("workspace").and_then(|w| w.get("package"));
    version(workspace).or_else(|| version(table.get("package")))
}

/// The folder of the workspace that `start` is in: the nearest one upwards whose
/// `Cargo.toml` has a `[workspace]`.
pub(crate) fn find_root(start: &Path) -> anyhow::Result<PathBuf> {
    for folder in start.ancestors() {
        let manifest = folder.join("Cargo.toml");
        if let Ok(text) = std::fs::read_to_string(&manifest)
            && text.lines().any(|line| line.trim_end() == "[workspace]")
        {
            return Ok(folder.to_owned());
        }
    }
    bail!(
        "no Cargo workspace at or above `{}`; hint: run `cargo xtask` inside the checkout",
        start.display()
    )
}
