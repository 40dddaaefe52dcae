//! `cargo xtask image`: builds the agent image into the engine's store.
//!
//! Runs `docker buildx build` and nothing else; writes `target/xtask/image.json`.

mod built;
mod plan;

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, ensure};

pub(crate) use self::built::Built;
use self::built::BuiltPlatform;
use self::plan::Plan;
use crate::ca_bundle;
use crate::ctx::Ctx;
use crate::docker;
use crate::git::{self, Head};
use crate::github::Ci;
use crate::platform::Platform;
use crate::settings::NodeVersion;

const EXAMPLES: &str = "\
Examples:
  cargo xtask image                           this machine's platform, as :dev and :sha-…
  cargo xtask --testbed image                 the same on a machine without Docker
  cargo xtask image --dry-run                 print the docker command line, build nothing
  cargo xtask image --platform linux/arm64    another platform (needs emulation or a native node)
  cargo xtask image --node 22 --tag node22    another Node.js, under a tag of its own
  cargo xtask image --json | jq -r .digest    the digest alone";

/// Build the agent image into the engine's store, as :dev and (clean tree) :sha-…
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Platforms to build, comma-separated [default: the engine's own]
    #[arg(long, value_name = "PLATFORM", value_delimiter = ',')]
    platform: Vec<Platform>,
    /// Tag to give instead of `dev` and `sha-…` (repeatable)
    #[arg(long, value_name = "TAG")]
    tag: Vec<String>,
    /// Build argument for the Dockerfile (repeatable)
    #[arg(long, value_name = "NAME=VALUE", value_parser = build_arg)]
    build_arg: Vec<(String, String)>,
    /// Node.js version of the base image [default: `node` in Cargo.toml]
    #[arg(long, value_name = "VERSION")]
    node: Option<NodeVersion>,
    /// buildx builder to use [default: the current one]
    #[arg(long, value_name = "NAME")]
    builder: Option<String>,
    /// How buildx shows its progress
    #[arg(long, value_name = "TYPE", default_value = "auto",
          value_parser = ["auto", "plain", "tty", "quiet", "rawjson"])]
    progress: String,
    /// Build every step anew
    #[arg(long)]
    no_cache: bool,
    /// CA bundle (PEM) that build steps trust, for a network that inspects TLS; it never
    /// enters the image [default: what `SSL_CERT_FILE` or `NODE_EXTRA_CA_CERTS` names]
    #[arg(long, value_name = "FILE")]
    ca_bundle: Option<PathBuf>,
    /// Print the docker command line on stdout and build nothing
    #[arg(long)]
    dry_run: bool,
}

/// What git decides, so that the labels never name another commit than the one built.
const FROM_GIT: [&str; 4] = [
    "IMAGE_CREATED",
    "IMAGE_REVISION",
    "IMAGE_VERSION",
    "SOURCE_DATE_EPOCH",
];

fn build_arg(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, _)) if FROM_GIT.contains(&name) => Err(format!(
            "`{name}` comes from the commit; `docker build` by hand takes any value"
        )),
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(format!(
            "expected NAME=VALUE, as in `NODE_VERSION=22`, not `{text}`"
        )),
    }
}

impl Args {
    pub(crate) fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        let facts = observe(ctx, &self)?;
        // Wrong usage is found before an engine is brought up for it.
        let tags = plan::tags(&facts, &ctx.settings, &self)?;
        if ctx.testbed {
            crate::testbed::enter(ctx, self.dry_run)?;
        }
        let docker = docker::observe(&ctx.exec, self.builder.as_deref())?;
        let plan = plan::plan(&facts, &docker, tags, &ctx.settings, &self)?;
        if self.dry_run {
            if ctx.testbed {
                anstream::eprintln!("note: first `{}`", crate::testbed::ENTER);
            }
            return plan.print(ctx.json);
        }
        let built = apply(ctx, &plan)?;
        built.report(ctx)
    }
}

/// What a build depends on besides the engine.
struct Facts {
    head: Head,
    ci: Option<Ci>,
    ca_bundle: Option<PathBuf>,
    metadata_file: PathBuf,
}

fn observe(ctx: &Ctx, args: &Args) -> anyhow::Result<Facts> {
    let dockerfile = ctx.root.join(&ctx.settings.dockerfile);
    ensure!(
        dockerfile.is_file(),
        "the Dockerfile `{}` is missing; hint: `git checkout -- {0}`, \
         or mend `dockerfile` under `[workspace.metadata.image]` in Cargo.toml",
        ctx.settings.dockerfile.display()
    );
    Ok(Facts {
        head: git::read_head(&ctx.root)?,
        ci: Ci::of(&ctx.exec),
        ca_bundle: ca_bundle::find(&ctx.exec, args.ca_bundle.as_deref())?,
        metadata_file: ctx.records().join("build-metadata.json"),
    })
}

fn apply(ctx: &Ctx, plan: &Plan) -> anyhow::Result<Built> {
    if let [first, rest @ ..] = plan.dirty.as_slice() {
        let more = if rest.is_empty() {
            String::new()
        } else {
            format!(" and {} more", rest.len())
        };
        anstream::eprintln!(
            "note: the tree is dirty (`{first}`{more}): revision `…-dirty`, no `sha-…` tag"
        );
    }
    let records = ctx.records();
    std::fs::create_dir_all(&records)
        .with_context(|| format!("failed to create `{}`", records.display()))?;
    remove_old(&plan.metadata_file)?;
    remove_old(&records.join(built::RECORD))?;
    let start = Instant::now();
    ctx.exec.watch("docker", &plan.command)?;
    let seconds = start.elapsed().as_secs_f64();
    let text = std::fs::read_to_string(&plan.metadata_file)
        .with_context(|| format!("failed to read `{}`", plan.metadata_file.display()))?;
    let reference = plan.references.first().context("the build has no tag")?;
    let mut platforms = Vec::new();
    for &platform in &plan.platforms {
        // A single platform needs no narrowing, which an old client cannot do.
        let narrowed = (plan.platforms.len() > 1).then_some(platform);
        let size = docker::image_size(&ctx.exec, reference, narrowed)?;
        platforms.push(BuiltPlatform { platform, size });
    }
    Ok(Built {
        schema: 1,
        references: plan.references.clone(),
        digest: parse_digest(&text)?,
        revision: plan.revision.clone(),
        platforms,
        seconds: (seconds * 10.0).round() / 10.0,
    })
}

/// Removes what an earlier build said, so that it is never taken for what this one says.
fn remove_old(file: &Path) -> anyhow::Result<()> {
    match std::fs::remove_file(file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("failed to remove `{}`", file.display()))
        }
        _ => Ok(()),
    }
}

/// The digest in buildx's metadata file; none from the classic image store, which keeps no
/// manifest: there the file has the configuration's digest under both names.
fn parse_digest(metadata: &str) -> anyhow::Result<Option<String>> {
    let metadata: serde_json::Value =
        serde_json::from_str(metadata).context("buildx's metadata file is not JSON")?;
    let field = |name: &str| metadata.get(name).and_then(serde_json::Value::as_str);
    let digest = field("containerimage.digest")
        .context("buildx's metadata file names no `containerimage.digest`")?;
    let of_manifest = field("containerimage.config.digest") != Some(digest);
    Ok(of_manifest.then(|| digest.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_never_that_of_the_configuration() {
        for (metadata, digest) in [
            (
                r#"{"containerimage.digest":"sha256:d","containerimage.config.digest":"sha256:c"}"#,
                Some("sha256:d"),
            ),
            (r#"{"containerimage.digest":"sha256:d"}"#, Some("sha256:d")),
            (
                r#"{"containerimage.digest":"sha256:c","containerimage.config.digest":"sha256:c"}"#,
                None,
            ),
        ] {
            assert_eq!(
                parse_digest(metadata).unwrap().as_deref(),
                digest,
                "{metadata}"
            );
        }
        for wrong in ["", "{}", r#"{"containerimage.digest":1}"#] {
            assert!(parse_digest(wrong).is_err(), "{wrong}");
        }
    }
}
