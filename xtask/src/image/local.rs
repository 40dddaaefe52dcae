//! A build into the engine's own store, for this machine.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, bail, ensure};
use serde::Serialize;

use super::bases::Sources;
use super::builder::{self, End};
use super::command::Line;
use super::compression::Compression;
use super::contents::{self, Contents};
use super::diagnosis::Failed;
use super::docker_save::Saved;
use super::files::{RunFolder, remove_old};
use super::made::{self, Made};
use super::provenance::NONE;
use super::request::Request;
use super::steps::{self, Ran};
use super::{buildx, cache, lock, sizes};
use crate::blob_folders::LAYOUTS;
use crate::ctx::Ctx;
use crate::docker::{self, Docker};
use crate::last_build::{BuiltPlatform, LastBuild, rounded};
use crate::oci::Digest;
use crate::platform::Platform;
use crate::preflight;
use crate::report;
use crate::stop::Stop;
use crate::tags::Tag;

/// A build that is decided: everything the command line says, and the names that its image gets then.
#[derive(Debug, Serialize)]
pub(super) struct LocalPlan {
    references: Vec<String>,
    tags: Vec<Tag>,
    revision: String,
    platforms: Vec<Platform>,
    command: Vec<String>,
    #[serde(skip)]
    metadata_file: PathBuf,
    /// The paths that make the tree dirty, for a note.
    #[serde(skip)]
    dirty: Option<String>,
}

/// What a build is decided on.
struct Target {
    /// None: the builder's own.
    platforms: Vec<Platform>,
    /// Whether the builder can write to a cache.
    writes_cache: bool,
    /// Whether docker and its builder were examined.
    is_examined: bool,
}

pub(super) fn run(request: &Request) -> anyhow::Result<()> {
    // Wrong usage is found before an engine is brought up for it.
    let tags = tags(request)?;
    request.enter_testbed()?;
    let ctx = request.ctx;
    let plan = |target: Target, folder: &Path| {
        let sources = Sources::find(request)?;
        let metadata_file = folder.join("build-metadata.json");
        plan(request, target, &sources, &tags, &metadata_file)
    };
    if request.options.dry_run {
        return plan(examined(request)?, &ctx.records())?.print(ctx.json);
    }
    // Two at once would take each other's record.
    let _lock = lock::take(&ctx.records().join("local.lock"))?;
    let folder = RunFolder::new(&ctx.records())?;
    let target = match quick(request) {
        Some(target) => target,
        None => examined(request)?,
    };
    let has_run = target.is_examined;
    let built = apply(request, &plan(target, folder.path())?, has_run)?;
    built.report(ctx)?;
    match sizes::over_budget(&built.platforms, &ctx.settings) {
        Some(excess) if built.digest.is_some() => bail!(excess),
        _ => Ok(()),
    }
}

/// The usual build, of one platform and without a cache, starts at once: docker and its builder are
/// examined when it fails. None for any other build, and without a docker.
fn quick(request: &Request) -> Option<Target> {
    let options = &request.options;
    let is_usual =
        options.platform.len() <= 1 && !options.create_builder && request.cache.is_none();
    (is_usual && docker::is_installed(&request.ctx.exec)).then(|| Target {
        platforms: options.platform.clone(),
        writes_cache: false,
        is_examined: false,
    })
}

/// Examines docker, whose builder is made and started if need be.
fn examined(request: &Request) -> anyhow::Result<Target> {
    let docker = builder::prepare(request, &request.options.platform, End::Engine)?;
    let mut platforms = request.options.platform.clone();
    platforms.sort_unstable();
    platforms.dedup();
    check(&docker, &platforms, request.options.compression)?;
    if platforms.is_empty() {
        platforms.extend(docker.engine.as_ref().and_then(|engine| engine.platform));
    }
    Ok(Target {
        platforms,
        writes_cache: !docker.builds_in_classic_store(),
        is_examined: true,
    })
}

/// Fails with everything that keeps `docker` from building `platforms`.
fn check(docker: &Docker, platforms: &[Platform], compression: Compression) -> anyhow::Result<()> {
    let mut lacks = preflight::lacks(docker, platforms);
    // An older engine's own builder is said to be too old.
    if lacks.is_empty() && compression.kind == "zstd" {
        lacks.extend(preflight::reads_no_zstd(docker));
    }
    ensure!(lacks.is_empty(), preflight::listed(&lacks));
    Ok(())
}

/// The tags of the build: those asked for, or those of git.
fn tags(request: &Request) -> Result<Vec<Tag>, Stop> {
    let chosen = &request.options.tag;
    if chosen.is_empty() {
        request.tags().local_tags()
    } else {
        request.tags().chosen_tags(chosen)
    }
}

fn plan(
    request: &Request,
    target: Target,
    sources: &Sources,
    tags: &[Tag],
    metadata_file: &Path,
) -> anyhow::Result<LocalPlan> {
    let references: Vec<String> = tags.iter().map(|tag| tag.reference.clone()).collect();
    let line = Line {
        sources,
        platforms: &target.platforms,
        // They carry a fresh id, which would give every local build of one commit another digest.
        provenance: NONE,
        sbom: NONE,
        // As a push has them, which takes what the builder keeps of this build. An engine unpacks zstd under
        // OCI's media types alone. The engine's own builder on the classic store ignores both.
        output: format!(
            "type=docker,{},oci-mediatypes=true",
            request.options.compression.options()
        ),
        metadata_file,
        progress: &request.options.progress,
        no_cache: request.options.no_cache,
        writes_cache: target.writes_cache,
    };
    Ok(LocalPlan {
        command: line.args(request)?,
        references,
        tags: tags.to_vec(),
        revision: request.head.revision_label(),
        platforms: target.platforms,
        metadata_file: metadata_file.to_owned(),
        dirty: request.head.dirty_paths(),
    })
}

impl LocalPlan {
    fn print(&self, json: bool) -> anyhow::Result<()> {
        if json {
            return report::print_json(self);
        }
        crate::say::outln!("{}", docker::quoted(&self.command));
        for reference in &self.references {
            crate::say::outln!("{}", made::naming(&self.metadata_file, reference));
        }
        Ok(())
    }
}

/// Builds, and says what was built. `has_run` is whether the builder is known to run.
fn apply(request: &Request, plan: &LocalPlan, has_run: bool) -> anyhow::Result<LastBuild> {
    let ctx = request.ctx;
    if let Some(paths) = &plan.dirty {
        crate::say::errln!("note: the tree is dirty ({paths}): revision `…-dirty`, no `sha-…` tag");
    }
    let previous = LastBuild::read(ctx).ok().flatten();
    let known = contents::known(ctx);
    remove_old(&LastBuild::record(ctx))?;
    let start = Instant::now();
    buildx::build(&ctx.exec, &plan.command).map_err(|error| {
        let failed = Failed {
            builder: request.builder(),
            start,
            platforms: &plan.platforms,
            has_run,
        };
        let compression = request.options.compression;
        let judge = |docker: &Docker| check(docker, &plan.platforms, compression);
        failed.explain(ctx, error, judge)
    })?;
    let seconds = rounded(start.elapsed());
    let text = std::fs::read_to_string(&plan.metadata_file)
        .with_context(|| format!("failed to read `{}`", plan.metadata_file.display()))?;
    let made = Made::parse(&text)?;
    made.name(&ctx.exec, &plan.references)?;
    let Made {
        digest, platform, ..
    } = made;
    let reference = plan.references.first().context("the build has no tag")?;
    let own = match (plan.platforms.as_slice(), platform) {
        ([], None) => Some(docker::image_platform(&ctx.exec, reference)?),
        ([], own) => own,
        _ => None,
    };
    let platforms: Vec<Platform> = plan.platforms.iter().copied().chain(own).collect();
    let ran = Ran {
        metadata_file: &plan.metadata_file,
        seconds,
        platforms: &platforms,
        has_cache: cache::is_in(&plan.command),
    };
    let steps = steps::ask(&ctx.exec, request.builder(), &ran)?;
    let previous = previous.filter(|previous| !previous.is_pushed);
    let loaded = Loaded {
        reference,
        platforms: &platforms,
    };
    let mut platforms = match (&digest, previous) {
        (Some(_), Some(previous)) if previous.digest == digest && previous.knows_packages() => {
            let platforms = previous.platforms.iter();
            platforms.map(BuiltPlatform::again).collect()
        }
        (Some(digest), previous) => loaded.layers(ctx, digest, known, previous.as_ref())?,
        (None, _) => loaded.inspect(ctx)?,
    };
    sizes::add_steps(&mut platforms, &steps);
    Ok(LastBuild {
        schema: 1,
        references: plan.references.clone(),
        digest,
        revision: plan.revision.clone(),
        is_pushed: false,
        tags: Vec::new(),
        platforms,
        seconds,
    })
}

/// An image that was loaded into the engine's store.
struct Loaded<'a> {
    reference: &'a str,
    platforms: &'a [Platform],
}

impl Loaded<'_> {
    /// Its layers, against those of the last build; the size alone where the layers are not to be had.
    fn layers(
        &self,
        ctx: &Ctx,
        digest: &Digest,
        known: Contents,
        previous: Option<&LastBuild>,
    ) -> anyhow::Result<Vec<BuiltPlatform>> {
        match self.measure(ctx, digest, known, previous) {
            Ok(Some(platforms)) => Ok(platforms),
            Ok(None) => self.inspect(ctx),
            Err(why) if why.is::<Stop>() => Err(why),
            // The build is there all the same.
            Err(why) => {
                crate::say::errln!("note: its layers cannot be measured: {why:#}");
                self.inspect(ctx)
            }
        }
    }

    /// None where the engine has another manifest than was built: its classic store makes one up.
    fn measure(
        &self,
        ctx: &Ctx,
        digest: &Digest,
        known: Contents,
        previous: Option<&LastBuild>,
    ) -> anyhow::Result<Option<Vec<BuiltPlatform>>> {
        let folder = ctx.records().join(LAYOUTS).join("local");
        let saved = Saved::read(&ctx.exec, self.reference, known, &folder)?;
        let tree = saved.tree()?;
        if tree.digest != *digest {
            return Ok(None);
        }
        let before = |platform: Platform| {
            let built = previous?.platforms.iter();
            let mut built = built.filter(|built| built.platform == platform);
            built.next().map(BuiltPlatform::stored)
        };
        let sizes = self.platforms.iter().filter_map(|&platform| {
            let image = *tree.images_for(platform).first()?;
            let before = before(platform).filter(|layers| !layers.is_empty());
            let before = before.as_deref();
            Some(BuiltPlatform::of(platform, image, &saved.contents, before))
        });
        Ok(Some(sizes.collect()))
    }

    /// What docker says of its size: all there is in the classic store.
    fn inspect(&self, ctx: &Ctx) -> anyhow::Result<Vec<BuiltPlatform>> {
        let mut platforms = Vec::new();
        for &platform in self.platforms {
            // A single platform needs no narrowing, which an old client cannot do.
            let narrowed = (self.platforms.len() > 1).then_some(platform);
            let size = docker::image_size(&ctx.exec, self.reference, narrowed)?;
            platforms.push(BuiltPlatform::unknown(platform, size));
        }
        Ok(platforms)
    }
}
