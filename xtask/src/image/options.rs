//! The flags of `image` that every kind of build takes.

use std::path::PathBuf;

use super::cache::Cache;
use super::compression::Compression;
use super::provenance::Provenance;
use crate::base::NodeVersion;
use crate::platform::Platform;
use crate::preflight;

/// What a build is asked for.
#[derive(clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag")]
pub(super) struct Options {
    /// Build although the commit's index is published; refused unless it is the same images
    #[arg(long, requires = "push")]
    pub(super) rebuild: bool,
    /// Platforms to build, comma-separated [default: the engine's own; all with `--push` and
    /// `--reproduce`]
    #[arg(long, value_name = "PLATFORM", value_delimiter = ',')]
    pub(super) platform: Vec<Platform>,
    /// Tag to give instead of `dev` and `sha-…` (repeatable)
    #[arg(long, value_name = "TAG")]
    pub(super) tag: Vec<String>,
    /// Build argument for the Dockerfile (repeatable)
    #[arg(long, value_name = "NAME=VALUE", value_parser = build_arg)]
    pub(super) build_arg: Vec<(String, String)>,
    /// Node.js version of the base image, for this build [default: the Dockerfile's]
    #[arg(long, value_name = "VERSION")]
    pub(super) node: Option<NodeVersion>,
    /// buildx builder to use [default: the current one]
    #[arg(long, value_name = "NAME")]
    pub(super) builder: Option<String>,
    /// Use a builder in a container, called `agentgate`; make it unless it is there
    #[arg(long, conflicts_with = "builder")]
    pub(super) create_builder: bool,
    /// How buildx shows its progress
    #[arg(long, value_name = "TYPE", default_value = "auto",
          value_parser = ["auto", "plain", "tty", "quiet", "rawjson"])]
    pub(super) progress: String,
    /// Build every step anew
    #[arg(long)]
    pub(super) no_cache: bool,
    /// Where steps are remembered besides the builder: `gha`, `registry=REPOSITORY`, `local=DIR`
    #[arg(long, value_name = "CACHE")]
    pub(super) cache: Option<Cache>,
    /// How the layers above the base are compressed: `zstd` or `gzip` (all layers, for clients before
    /// Docker 23), `:LEVEL` for those that the builder makes anew
    #[arg(long, value_name = "KIND", default_value = "zstd")]
    pub(super) compression: Compression,
    /// How much provenance a push attaches to its images
    #[arg(long, value_name = "MODE", default_value = "max", requires = "push")]
    pub(super) provenance: Provenance,
    /// Who makes the SBOM of a push: an image, `off`, or `auto`: `sbom-generator` in Cargo.toml or the
    /// usual one, without which a push in CI fails
    #[arg(long, value_name = "GENERATOR", default_value = "auto")]
    pub(super) sbom: String,
    /// CA bundle (PEM) that build steps trust, for a network that inspects TLS; it never
    /// enters the image [default: what `SSL_CERT_FILE` or `NODE_EXTRA_CA_CERTS` names]
    #[arg(long, value_name = "FILE")]
    pub(super) ca_bundle: Option<PathBuf>,
    /// Receipts of `verify`: `dev` moves only to an index that they prove [default:
    /// target/xtask/receipts]
    #[arg(long, value_name = "DIR")]
    pub(super) receipt_dir: Option<PathBuf>,
    /// Print what would be run on stdout, and change nothing
    #[arg(long)]
    pub(super) dry_run: bool,
}

/// What git and the Dockerfile decide, so that the labels never name another commit or base than the one
/// built.
const FROM_COMMIT: [&str; 6] = [
    "IMAGE_BASE",
    "IMAGE_BASE_DIGEST",
    "IMAGE_CREATED",
    "IMAGE_REVISION",
    "IMAGE_VERSION",
    "SOURCE_DATE_EPOCH",
];

fn build_arg(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, _)) if FROM_COMMIT.contains(&name) => Err(format!(
            "`{name}` comes from the commit; `docker build` by hand takes any value"
        )),
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(format!(
            "expected NAME=VALUE, as in `EXTRA_PACKAGES=make`, not `{text}`"
        )),
    }
}

impl Options {
    /// The builder that is asked for.
    pub(super) fn builder(&self) -> Option<&str> {
        let created = self.create_builder.then_some(preflight::BUILDER);
        self.builder.as_deref().or(created)
    }
}
