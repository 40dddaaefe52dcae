//! `cargo xtask image`: builds the agent image into the engine's store.
//!
//! Runs `docker buildx build` and nothing else; writes `target/xtask/image.json`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, bail, ensure};
use serde::Serialize;

use crate::ctx::Ctx;
use crate::docker::{self, Docker};
use crate::exec;
use crate::git::{self, Head};
use crate::platform::{self, Platform};
use crate::settings::{NodeVersion, Settings};
use crate::tags::{self, Tag};
use crate::{github, preflight, report};

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

fn build_arg(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(format!(
            "expected NAME=VALUE, as in `NODE_VERSION=22`, not `{text}`"
        )),
    }
}

impl Args {
    pub(crate) fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        if ctx.testbed {
            crate::testbed::enter(ctx, self.dry_run)?;
        }
        let facts = observe(ctx, &self)?;
        let plan = plan(&facts, &ctx.settings, &self)?;
        if self.dry_run {
            return plan.print(ctx.json);
        }
        let built = apply(ctx, &plan)?;
        built.report(ctx)
    }
}

/// What a build depends on, all observed before anything is decided.
struct Facts {
    head: Head,
    docker: Docker,
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
        docker: docker::observe(&ctx.exec, args.builder.as_deref())?,
        ca_bundle: find_ca_bundle(ctx, args.ca_bundle.as_deref())?,
        metadata_file: ctx.records().join("build-metadata.json"),
    })
}

/// The bundle asked for, which must exist; else the environment's, which may be stale.
fn find_ca_bundle(ctx: &Ctx, asked: Option<&Path>) -> anyhow::Result<Option<PathBuf>> {
    if let Some(path) = asked {
        ensure!(
            path.is_file(),
            "the CA bundle `{}` (`--ca-bundle`) is not a file",
            path.display()
        );
        return Ok(Some(std::path::absolute(path)?));
    }
    for name in ["SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS"] {
        let Some(path) = ctx.exec.var(name).map(PathBuf::from) else {
            continue;
        };
        if path.is_file() {
            return Ok(Some(path));
        }
        anstream::eprintln!(
            "note: {name} names `{}`, which is not a file; going without",
            path.display()
        );
    }
    Ok(None)
}

/// A build that is decided: everything the command line says.
#[derive(Debug, Serialize)]
struct Plan {
    references: Vec<String>,
    tags: Vec<Tag>,
    revision: String,
    platforms: Vec<Platform>,
    command: Vec<String>,
    #[serde(skip)]
    metadata_file: PathBuf,
    #[serde(skip)]
    dirty: Vec<String>,
}

fn plan(facts: &Facts, settings: &Settings, args: &Args) -> anyhow::Result<Plan> {
    let tags = if args.tag.is_empty() {
        tags::local_tags(&facts.head)
    } else {
        tags::chosen_tags(&args.tag, &facts.head)?
    };
    let mut platforms = args.platform.clone();
    platforms.sort_unstable();
    platforms.dedup();
    let lacks = preflight::lacks(&facts.docker, &platforms);
    if !lacks.is_empty() {
        bail!(
            lacks
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join("\n")
        );
    }
    if platforms.is_empty() {
        platforms.extend(
            facts
                .docker
                .engine
                .as_ref()
                .and_then(|engine| engine.platform),
        );
    }
    let references = tags
        .iter()
        .map(|tag| settings.repository.reference(&tag.name))
        .collect();
    let mut plan = Plan {
        references,
        tags,
        revision: facts.head.revision_label(),
        platforms,
        command: Vec::new(),
        metadata_file: facts.metadata_file.clone(),
        dirty: facts.head.dirty.clone(),
    };
    plan.command = plan.buildx_args(facts, settings, args)?;
    Ok(plan)
}

impl Plan {
    /// The arguments of `docker`. Attestations stay off: they carry a fresh id, which would give
    /// every local build of one commit another digest.
    fn buildx_args(
        &self,
        facts: &Facts,
        settings: &Settings,
        args: &Args,
    ) -> anyhow::Result<Vec<String>> {
        let mut line: Vec<String> = ["buildx", "build"].map(String::from).to_vec();
        let mut flag = |name: &str, value: &str| line.extend([name.to_owned(), value.to_owned()]);
        flag("--file", &settings.dockerfile.display().to_string());
        flag("--platform", &platform::join(&self.platforms));
        for reference in &self.references {
            flag("--tag", reference);
        }
        for (name, value) in build_args(facts, settings, args)? {
            flag("--build-arg", &format!("{name}={value}"));
        }
        if let Some(path) = &facts.ca_bundle {
            flag("--secret", &format!("id=ca-bundle,src={}", path.display()));
        }
        if let Some(builder) = &args.builder {
            flag("--builder", builder);
        }
        flag("--progress", &args.progress);
        flag("--metadata-file", &self.metadata_file.display().to_string());
        flag("--provenance", "false");
        flag("--sbom", "false");
        line.push("--load".to_owned());
        line.extend(args.no_cache.then(|| "--no-cache".to_owned()));
        line.push(".".to_owned());
        Ok(line)
    }

    fn print(&self, json: bool) -> anyhow::Result<()> {
        if json {
            return report::print_json(self);
        }
        anstream::println!("{}", exec::quoted("docker", &self.command));
        Ok(())
    }
}

/// The build arguments; those of the command line come last and win.
fn build_args(
    facts: &Facts,
    settings: &Settings,
    args: &Args,
) -> anyhow::Result<Vec<(String, String)>> {
    let node = args.node.as_ref().unwrap_or(&settings.node);
    let mut all = vec![
        ("NODE_VERSION", node.as_str().to_owned()),
        ("IMAGE_VERSION", settings.version.clone()),
        ("IMAGE_REVISION", facts.head.revision_label()),
        ("IMAGE_CREATED", facts.head.created()?),
        ("SOURCE_DATE_EPOCH", facts.head.epoch.to_string()),
    ];
    all.extend(
        facts
            .head
            .source
            .clone()
            .map(|source| ("IMAGE_SOURCE", source)),
    );
    let asked = |name: &str| args.build_arg.iter().any(|(asked, _)| asked == name);
    let ours = all
        .into_iter()
        .filter(|(name, _)| !asked(name))
        .map(|(n, v)| (n.to_owned(), v));
    Ok(ours.chain(args.build_arg.iter().cloned()).collect())
}

/// A finished build, as `--json` prints it and `target/xtask/image.json` keeps it.
#[derive(Debug, Serialize)]
struct Built {
    schema: u32,
    references: Vec<String>,
    digest: String,
    revision: String,
    platforms: Vec<BuiltPlatform>,
    seconds: f64,
}

#[derive(Debug, Serialize)]
struct BuiltPlatform {
    platform: Platform,
    /// Bytes in the engine's store.
    size: u64,
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
    let start = Instant::now();
    ctx.exec.watch("docker", &plan.command)?;
    let seconds = start.elapsed().as_secs_f64();
    let text = std::fs::read_to_string(&plan.metadata_file)
        .with_context(|| format!("failed to read `{}`", plan.metadata_file.display()))?;
    let reference = plan.references.first().context("the build has no tag")?;
    let mut platforms = Vec::new();
    for &platform in &plan.platforms {
        // An engine too old to be asked for one platform has just one to show.
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

/// The digest in buildx's metadata file. The file's `containerimage.config.digest` is not it.
fn parse_digest(metadata: &str) -> anyhow::Result<String> {
    let metadata: serde_json::Value =
        serde_json::from_str(metadata).context("buildx's metadata file is not JSON")?;
    let digest = metadata
        .get("containerimage.digest")
        .and_then(serde_json::Value::as_str);
    digest
        .map(str::to_owned)
        .context("buildx's metadata file names no `containerimage.digest`")
}

impl Built {
    fn report(&self, ctx: &Ctx) -> anyhow::Result<()> {
        let record = ctx.records().join("image.json");
        let text = serde_json::to_string_pretty(self)?;
        std::fs::write(&record, text)
            .with_context(|| format!("failed to write `{}`", record.display()))?;
        github::write_outputs(
            &ctx.exec,
            &[
                ("digest", self.digest.clone()),
                ("tags", self.references.join("\n")),
                ("revision", self.revision.clone()),
            ],
        )?;
        github::write_summary(&ctx.exec, &self.markdown())?;
        if ctx.json {
            return report::print_json(self);
        }
        anstream::print!("{}", report::table(&self.rows()));
        if let Some(reference) = self.references.first() {
            let testbed = if ctx.testbed {
                "eval \"$(cargo xtask testbed env)\" && "
            } else {
                ""
            };
            anstream::eprintln!("try it: {testbed}docker run --rm -it {reference} bash");
        }
        Ok(())
    }

    fn rows(&self) -> Vec<(&str, String)> {
        let mut rows: Vec<(&str, String)> = self
            .references
            .iter()
            .map(|reference| ("tag", reference.clone()))
            .collect();
        rows.push(("digest", self.digest.clone()));
        rows.push(("revision", self.revision.clone()));
        for built in &self.platforms {
            rows.push((
                "platform",
                format!("{}, {}", built.platform, report::bytes(built.size)),
            ));
        }
        rows.push(("time", format!("{} s", self.seconds)));
        rows
    }

    fn markdown(&self) -> String {
        let mut text = String::from("### Agent image\n\n| | |\n| --- | --- |\n");
        for (name, value) in self.rows() {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "| {name} | `{value}` |");
        }
        text
    }
}
