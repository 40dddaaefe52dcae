//! What the last build of this workspace made: `image` writes it, `verify` reads it.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use crate::ctx::Ctx;
use crate::oci::Digest;
use crate::packages::Package;
use crate::platform::Platform;
use crate::report;

/// The file, among the records, that keeps it.
const RECORD: &str = "image.json";

/// A finished build, as `--json` prints it and `target/xtask/image.json` keeps it.
#[derive(Debug, Serialize, Deserialize)]
pub struct LastBuild {
    pub(crate) schema: u32,
    pub references: Vec<String>,
    /// Of the index or manifest; none where the engine's classic store keeps neither.
    pub digest: Option<Digest>,
    pub(crate) revision: String,
    /// Whether it is in its registry rather than in the engine's store.
    #[serde(default, rename = "pushed")]
    pub(crate) is_pushed: bool,
    /// What a push did for each tag, in the order of `references`.
    #[serde(default)]
    pub(crate) tags: Vec<TagState>,
    pub(crate) platforms: Vec<BuiltPlatform>,
    pub(crate) seconds: f64,
}

/// What a push did for a tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum TagState {
    Pushed,
    /// It led there before.
    Present,
}

/// One platform of a finished build.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct BuiltPlatform {
    pub(crate) platform: Platform,
    /// None from the classic image store, which keeps no manifest.
    #[serde(default)]
    pub(crate) manifest: Option<Digest>,
    /// Bytes of the layers as a registry stores them; else, from the classic store, unpacked.
    pub(crate) size: Option<u64>,
    /// Bytes of the layers' archives; none where a layer's is not known.
    #[serde(default)]
    pub(crate) unpacked: Option<u64>,
    /// Bytes that `size` is more than before; none when there is nothing to compare with.
    #[serde(default)]
    pub(crate) growth: Option<i64>,
    /// None where nobody knows, or asked.
    #[serde(flatten)]
    pub(crate) steps: Option<Steps>,
    /// What apk had installed, in the order of the names; none where the layers were not to be had.
    #[serde(default)]
    pub(crate) packages: Option<Vec<Package>>,
    /// The lowest first.
    #[serde(default)]
    pub(crate) layers: Vec<Layer>,
}

/// A layer of an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Layer {
    pub(crate) digest: Digest,
    /// Bytes as a registry stores them.
    pub(crate) size: u64,
    /// Bytes of the archive within.
    pub(crate) unpacked: Option<u64>,
    /// What apk's database in it lists; none when it has no database.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) packages: Option<Vec<Package>>,
    /// What it is in a few words, for example `packages and user`.
    #[serde(default)]
    pub(crate) name: Option<String>,
    /// The line of the Dockerfile that made it, where the history says it.
    pub(crate) step: Option<String>,
    /// Whether the image before had it; none when there is nothing to compare with.
    #[serde(default)]
    pub(crate) is_new: Option<bool>,
}

/// The steps of the Dockerfile that one platform's image came of.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Steps {
    #[serde(rename = "steps")]
    pub(crate) all: usize,
    pub(crate) cached: usize,
    /// From the clock on the wall, in which any of the others ran.
    pub(crate) seconds: f64,
}

/// Seconds with one decimal.
pub(crate) fn rounded(time: Duration) -> f64 {
    (time.as_secs_f64() * 10.0).round() / 10.0
}

impl LastBuild {
    /// What the last build of this workspace was; none when there was none.
    pub fn read(ctx: &Ctx) -> anyhow::Result<Option<LastBuild>> {
        let record = LastBuild::record(ctx);
        let text = match std::fs::read_to_string(&record) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            result => result.with_context(|| format!("failed to read `{}`", record.display()))?,
        };
        let built = serde_json::from_str(&text).with_context(|| {
            format!(
                "`{}` is not the record of a build; hint: `cargo xtask image` writes it anew",
                record.display()
            )
        })?;
        Ok(Some(built))
    }

    /// Keeps it for those that read it.
    pub(crate) fn write(&self, ctx: &Ctx) -> anyhow::Result<()> {
        let record = LastBuild::record(ctx);
        report::write_whole(&record, &serde_json::to_string_pretty(self)?)
            .with_context(|| format!("failed to write `{}`", record.display()))
    }

    /// Whether the packages of all its platforms were read.
    pub(crate) fn knows_packages(&self) -> bool {
        let mut platforms = self.platforms.iter();
        platforms.all(|platform| platform.packages.is_some())
    }

    /// The file that keeps it.
    pub(crate) fn record(ctx: &Ctx) -> PathBuf {
        ctx.records().join(RECORD)
    }
}
