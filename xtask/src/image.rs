//! `cargo xtask image`: builds the agent image, into the engine's store or for a registry.
//!
//! Every build is a run of `docker buildx build`; what it made is kept in `target/xtask/image.json`.

mod built;
mod cache;
mod command;
mod compression;
mod export;
mod layout;
mod local;
mod lock;
mod merge;
mod push;
mod reproduce;
mod saved;
mod sizes;
mod steps;

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{bail, ensure};

pub(crate) use self::built::Built;
use self::cache::Cache;
use self::compression::Compression;
pub(crate) use self::push::{Found, Wanted, look, objections};
use crate::ca_bundle;
use crate::ctx::Ctx;
use crate::docker::{self, Builder, Docker};
use crate::exec::{self, Exec};
use crate::git::{self, Head};
use crate::github::{self, Ci};
use crate::platform::Platform;
use crate::preflight;
use crate::settings::{NodeVersion, Settings};
use crate::stop::Stop;
use crate::tags;

const EXAMPLES: &str = "\
Examples:
  cargo xtask image                           this machine's platform, as :dev and :sha-…
  cargo xtask --testbed image                 the same on a machine without Docker
  cargo xtask image --dry-run                 print the docker command line, build nothing
  cargo xtask image --platform linux/arm64    another platform (needs emulation or a native node)
  cargo xtask image --node 22 --tag node22    another Node.js, under a tag of its own
  cargo xtask image --tag more --build-arg EXTRA_PACKAGES='make xz'    with more of Alpine's packages
  cargo xtask image --json | jq -r .digest    the digest alone
  cargo xtask image --push                    every platform, pushed as :sha-… (and :dev)
  cargo xtask image --push --platform linux/arm64    one platform, on a machine of its own …
  cargo xtask image --merge                   … and the index of all that were pushed so
  cargo xtask image --reproduce               build twice, name the first file that differs

docs/image.md describes pushes, builders, caches and sizes.";

/// Build the agent image: into the engine's store, or (`--push`) for every platform into a registry
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
#[command(group = clap::ArgGroup::new("mode").args(["push", "merge", "reproduce"]))]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag")]
pub(crate) struct Args {
    /// Publish the commit's index as `sha-…`; one that is published already is adopted
    #[arg(long, conflicts_with = "tag")]
    push: bool,
    /// Join what `--push --platform …` has published for each platform; builds nothing
    #[arg(long, conflicts_with_all = ["tag", "platform"])]
    merge: bool,
    /// Build twice without a cache and compare, layer by layer
    #[arg(long, conflicts_with_all = ["tag", "cache"])]
    reproduce: bool,
    /// Build although the commit's index is published; refused unless it is the same images
    #[arg(long, requires = "push")]
    rebuild: bool,
    /// Platforms to build, comma-separated [default: the engine's own; all with `--push` and
    /// `--reproduce`]
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
    /// Use a builder in a container, called `agentgate`; make it unless it is there
    #[arg(long, conflicts_with = "builder")]
    create_builder: bool,
    /// How buildx shows its progress
    #[arg(long, value_name = "TYPE", default_value = "auto",
          value_parser = ["auto", "plain", "tty", "quiet", "rawjson"])]
    progress: String,
    /// Build every step anew
    #[arg(long)]
    no_cache: bool,
    /// Where steps are remembered besides the builder: `gha`, `registry=REPOSITORY`, `local=DIR`
    #[arg(long, value_name = "CACHE")]
    cache: Option<Cache>,
    /// How a push compresses layers: `zstd` or `gzip` (for clients before Docker 23), `:LEVEL`
    #[arg(long, value_name = "KIND", default_value = "zstd")]
    compression: Compression,
    /// Who makes the SBOM of a push: an image, `auto` (the usual one, if it can be had) or `off`
    #[arg(long, value_name = "GENERATOR", default_value = "auto")]
    sbom: String,
    /// CA bundle (PEM) that build steps trust, for a network that inspects TLS; it never
    /// enters the image [default: what `SSL_CERT_FILE` or `NODE_EXTRA_CA_CERTS` names]
    #[arg(long, value_name = "FILE")]
    ca_bundle: Option<PathBuf>,
    /// Print what would be run on stdout, and change nothing
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
        if self.push {
            push::run(ctx, &self, &facts)
        } else if self.merge {
            merge::run(ctx, &self, &facts)
        } else if self.reproduce {
            reproduce::run(ctx, &self, &facts)
        } else {
            local::run(ctx, &self, &facts)
        }
    }

    /// The builder that is asked for.
    fn builder(&self) -> Option<&str> {
        let created = self.create_builder.then_some(preflight::BUILDER);
        self.builder.as_deref().or(created)
    }
}

/// What a build depends on besides the engine.
struct Facts {
    head: Head,
    ci: Option<Ci>,
    ca_bundle: Option<PathBuf>,
    cache: Option<Cache>,
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
        cache: cache::usable(&ctx.exec, args.cache.as_ref()),
    })
}

/// What the tags of a build depend on.
fn tags_of<'a>(facts: &'a Facts, settings: &'a Settings, args: &Args) -> tags::Build<'a> {
    tags::Build {
        repository: &settings.repository,
        head: &facts.head,
        ci: facts.ci.as_ref(),
        is_changed: !args.build_arg.is_empty()
            || args
                .node
                .as_ref()
                .is_some_and(|node| *node != settings.node),
    }
}

/// Brings up the test bed, if it is asked for.
fn enter_testbed(ctx: &Ctx, args: &Args) -> anyhow::Result<()> {
    if ctx.testbed {
        crate::testbed::enter(ctx, args.dry_run)?;
        if args.dry_run {
            anstream::eprintln!("note: first `{}`", crate::testbed::ENTER);
        }
    }
    Ok(())
}

/// Looks at docker and its builder, which is made if that is asked for. What a build of `platforms`
/// (none: the engine's own) needs of it is started.
fn observe_docker(ctx: &Ctx, args: &Args, platforms: &[Platform]) -> anyhow::Result<Docker> {
    let mut docker = docker::observe(&ctx.exec, args.builder())?;
    // Without an engine that is what is lacking.
    if args.create_builder && docker.engine.is_some() && docker.builder_error.is_some() {
        let create = preflight::CREATE_BUILDER;
        if args.dry_run {
            let create = exec::quoted("docker", &create);
            anstream::eprintln!("note: first `{create}`");
            docker.builder_error = None;
            docker.builder = Some(Builder::in_container(preflight::BUILDER));
            return Ok(docker);
        }
        create_builder(ctx, &create)?;
        docker = docker::observe(&ctx.exec, args.builder())?;
    }
    let native = docker.engine.as_ref().and_then(|engine| engine.platform);
    let platforms = match platforms {
        [] => native.as_slice(),
        _ => platforms,
    };
    // A local build ends in the engine.
    let may_build = docker.engine.is_some() || args.push || args.reproduce;
    let may_start = may_build && !args.dry_run;
    let must_start = |builder: &&Builder| may_start && builder.must_start(platforms);
    let Some(builder) = docker.builder.as_ref().filter(must_start) else {
        return Ok(docker);
    };
    // The build would start it, too, but what it can build for is not known before.
    anstream::eprintln!("starting the builder `{}`", builder.name);
    let woken = docker::wake(&ctx.exec, builder);
    let docker = docker::observe(&ctx.exec, args.builder())?;
    let is_ready = |builder: &Builder| builder.lost.is_empty() && !builder.must_start(platforms);
    if docker.builder.as_ref().is_some_and(is_ready) {
        if woken.is_err() {
            anstream::eprintln!("note: a node that this build does without does not start");
        }
    } else {
        woken?;
    }
    Ok(docker)
}

/// Makes the builder, and then starts it: one that we have made, and that does not start, is removed.
fn create_builder(ctx: &Ctx, create: &[&str]) -> anyhow::Result<()> {
    let (exec, name) = (&ctx.exec, preflight::BUILDER);
    let create: Vec<&str> = create
        .iter()
        .copied()
        .filter(|it| *it != "--bootstrap")
        .collect();
    let mut made = exec.watch("docker", &create);
    if made.is_ok() {
        made = exec.watch("docker", &["buildx", "inspect", "--bootstrap", name]);
        // Half a builder would be taken for a whole one by the next run.
        if made.is_err()
            && let Err(why) = exec.clean_up("docker", &["buildx", "rm", "--force", name])
        {
            anstream::eprintln!(
                "note: `{name}` is half made: {why:#}; hint: `docker buildx rm {name}`"
            );
        }
    } else if exec::check().is_ok() && docker::observe(exec, Some(name))?.builder.is_some() {
        anstream::eprintln!("note: somebody else has made `{name}` meanwhile");
        return Ok(());
    }
    match made {
        Err(error) if !error.is::<Stop>() => bail!(
            "the builder `{name}` cannot be made: {error:#}\n  hint: it needs BuildKit's image from \
             Docker Hub; `--builder NAME` takes one that you have"
        ),
        made => made,
    }
}

/// A build that has failed.
struct Failed<'a> {
    /// The builder that was asked for.
    builder: Option<&'a str>,
    start: Instant,
    platforms: &'a [Platform],
    /// Whether the builder is known to have run when the build began.
    has_run: bool,
}

impl Failed<'_> {
    /// The error to report: that the disk is full, that the builder has ended, what docker lacks by now, as
    /// `judge` sees it; else `error`, the build's own.
    fn explain(
        &self,
        ctx: &Ctx,
        error: anyhow::Error,
        judge: impl FnOnce(&Docker) -> anyhow::Result<()>,
    ) -> anyhow::Error {
        if error.is::<Stop>() {
            return error;
        }
        match self.examine(ctx, judge) {
            Ok(()) => error,
            Err(why) if why.is::<Stop>() => why,
            Err(why) => why.context("the build failed"),
        }
    }

    fn examine(
        &self,
        ctx: &Ctx,
        judge: impl FnOnce(&Docker) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        check_room(ctx)?;
        let docker = docker::observe(&ctx.exec, self.builder)?;
        // Without an engine a local build cannot succeed, whatever the builder does.
        if !self.has_run && docker.engine.is_none() {
            return judge(&docker);
        }
        let ended = docker.builder.as_ref().filter(|builder| {
            // One that is started again looks as before, or not as if it could be used, by now.
            builder.must_start(self.platforms)
                || builder.is_kubernetes() && !builder.lost.is_empty()
                || docker::has_died(&ctx.exec, builder, self.start.elapsed())
        });
        let Some(builder) = ended else {
            return judge(&docker);
        };
        if !self.has_run && builder.must_start(self.platforms) {
            // It may never have started.
            docker::wake(&ctx.exec, builder)?;
        }
        let hint = if builder.is_kubernetes() {
            "`kubectl get events` says why; run this again"
        } else {
            "run this again, it is started anew"
        };
        bail!("the builder `{}` has ended\n  hint: {hint}", builder.name);
    }
}

/// Fails if the disk of our records has as good as no room for whoever runs this.
fn check_room(ctx: &Ctx) -> anyhow::Result<()> {
    const ROOM: u64 = 1 << 20;
    let records = ctx.records();
    let is_full = rustix::fs::statvfs(&records).is_ok_and(|disk| {
        // What is kept back is for root.
        let is_root = rustix::process::geteuid().is_root();
        let blocks = if is_root { disk.f_bfree } else { disk.f_bavail };
        blocks * disk.f_frsize < ROOM
    });
    ensure!(
        !is_full,
        "no space is left for `{}`\n  hint: make room, at least for the image's size, and run this \
         again",
        records.display()
    );
    Ok(())
}

/// Runs `docker ARGS`, which builds; GitHub Actions folds what it says.
fn build(exec: &Exec, args: &[String]) -> anyhow::Result<()> {
    let group = github::Group::start(exec, "docker buildx build");
    let result = attempt(exec, args);
    group.end();
    result
}

/// Runs `docker ARGS`, and once more without a cache if it fails with one: BuildKit asks for the layers of
/// a step when it needs them, and gives up the build where it gets none; and where it cannot read the
/// token.
fn attempt(exec: &Exec, args: &[String]) -> anyhow::Result<()> {
    match exec.watch("docker", args) {
        Err(error) if cache::is_in(args) && !error.is::<Stop>() => {
            anstream::eprintln!(
                "note: building again without `--cache`, in case the failure is its doing"
            );
            exec.watch("docker", &cache::without(args))
        }
        result => result,
    }
}
