//! A build into the engine's own store, for this machine.

mod build;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, bail};
use serde::Serialize;

use self::build::Builds;
use super::built::{Built, RECORD};
use super::command::Line;
use super::lock;
use super::saved::Saved;
use super::sizes::{self, BuiltPlatform};
use super::{Args, Facts, export};
use crate::ctx::Ctx;
use crate::docker::{self, Docker};
use crate::exec;
use crate::oci::Digest;
use crate::platform::Platform;
use crate::preflight;
use crate::report;
use crate::settings::Settings;
use crate::stop::Stop;
use crate::tags::Tag;

/// A build that is decided: everything the command line says.
#[derive(Debug, Serialize)]
pub(super) struct Plan {
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

pub(super) fn run(ctx: &Ctx, args: &Args, facts: &Facts) -> anyhow::Result<()> {
    // Wrong usage is found before an engine is brought up for it.
    let tags = tags(facts, &ctx.settings, args)?;
    super::enter_testbed(ctx, args)?;
    let metadata_file = ctx.records().join("build-metadata.json");
    let plan = |docker: &Docker| plan(facts, docker, &tags, &metadata_file, &ctx.settings, args);
    if args.dry_run {
        return plan(&super::observe_docker(ctx, args, &args.platform)?)?.print(ctx.json);
    }
    // Two at once would take each other's metadata file and record.
    let _lock = lock::take(&ctx.records().join("local.lock"))?;
    let built = apply(ctx, &Builds::new(ctx, args, plan))?;
    built.report(ctx)?;
    match sizes::over_budget(&built.platforms, &ctx.settings) {
        Some(excess) if built.digest.is_some() => bail!(excess),
        _ => Ok(()),
    }
}

/// The tags of the build: those asked for, or those of git.
fn tags(facts: &Facts, settings: &Settings, args: &Args) -> Result<Vec<Tag>, Stop> {
    let build = super::tags_of(facts, settings, args);
    if args.tag.is_empty() {
        build.local_tags()
    } else {
        build.chosen_tags(&args.tag)
    }
}

fn plan(
    facts: &Facts,
    docker: &Docker,
    tags: &[Tag],
    metadata_file: &Path,
    settings: &Settings,
    args: &Args,
) -> anyhow::Result<Plan> {
    let mut platforms = args.platform.clone();
    platforms.sort_unstable();
    platforms.dedup();
    let lacks = preflight::lacks(docker, &platforms);
    if !lacks.is_empty() {
        bail!(preflight::listed(&lacks));
    }
    if platforms.is_empty() {
        platforms.extend(docker.engine.as_ref().and_then(|engine| engine.platform));
    }
    let references: Vec<String> = tags.iter().map(|tag| tag.reference.clone()).collect();
    let line = Line {
        platforms: &platforms,
        references: &references,
        // They carry a fresh id, which would give every local build of one commit another digest.
        provenance: "false",
        sbom: "false",
        // After a push the builder has zstd layers, which an engine unpacks under OCI's media types
        // alone. Asked for zstd, it would take the push's layers of the base, too, and a second build of
        // one commit be another image.
        output: if docker.builds_in_classic_store() {
            "type=docker".to_owned()
        } else {
            "type=docker,oci-mediatypes=true".to_owned()
        },
        metadata_file,
        progress: &args.progress,
        no_cache: args.no_cache,
        writes_cache: !docker.builds_in_classic_store(),
    };
    Ok(Plan {
        command: line.args(facts, settings, args)?,
        references,
        tags: tags.to_vec(),
        revision: facts.head.revision_label(),
        platforms,
        metadata_file: metadata_file.to_owned(),
        dirty: facts.head.dirty.clone(),
    })
}

impl Plan {
    fn print(&self, json: bool) -> anyhow::Result<()> {
        if json {
            return report::print_json(self);
        }
        anstream::println!("{}", exec::quoted("docker", &self.command));
        Ok(())
    }
}

fn apply<P>(ctx: &Ctx, builds: &Builds<P>) -> anyhow::Result<Built>
where
    P: Fn(&Docker) -> anyhow::Result<Plan>,
{
    let remembered = builds.remembered()?;
    let is_remembered = remembered.is_some();
    let known = match remembered {
        Some(known) => known,
        None => builds.observe()?,
    };
    tell_dirty(&known.plan.dirty);
    let previous = Built::last(ctx).ok().flatten();
    let unpacked = export::known(ctx);
    remove_old(&ctx.records().join(RECORD))?;
    let (known, seconds) = if is_remembered {
        builds.run_remembered(known)?
    } else {
        let start = Instant::now();
        let seconds = builds.run(&known).map_err(|error| {
            let builder = builds.args.builder();
            let judge = |docker: &Docker| (builds.plan)(docker).map(drop);
            super::failed(ctx, builder, start, &known.plan.platforms, error, judge)
        })?;
        (known, seconds)
    };
    let is_containerd = known.is_containerd();
    let steps = builds.steps(&known, seconds)?;
    let plan = &builds.keep(known);
    let text = std::fs::read_to_string(&plan.metadata_file)
        .with_context(|| format!("failed to read `{}`", plan.metadata_file.display()))?;
    let digest = parse_digest(&text)?;
    let previous = previous.filter(|previous| !previous.is_pushed);
    let mut platforms = match previous {
        Some(previous) if digest.is_some() && previous.digest == digest => {
            let platforms = previous.platforms.iter();
            platforms.map(BuiltPlatform::again).collect()
        }
        previous if is_containerd => match measure(ctx, plan, unpacked, previous.as_ref()) {
            Ok(platforms) => platforms,
            Err(why) if why.is::<Stop>() => return Err(why),
            // The build is there all the same.
            Err(why) => {
                anstream::eprintln!("note: its layers cannot be measured: {why:#}");
                inspect(ctx, plan)?
            }
        },
        _ => inspect(ctx, plan)?,
    };
    sizes::add_steps(&mut platforms, &steps);
    Ok(Built {
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

fn tell_dirty(dirty: &[String]) {
    if let [first, rest @ ..] = dirty {
        let more = if rest.is_empty() {
            String::new()
        } else {
            format!(" and {} more", rest.len())
        };
        anstream::eprintln!(
            "note: the tree is dirty (`{first}`{more}): revision `…-dirty`, no `sha-…` tag"
        );
    }
}

/// The layers of what was built, against those of the last build.
fn measure(
    ctx: &Ctx,
    plan: &Plan,
    known: BTreeMap<Digest, u64>,
    previous: Option<&Built>,
) -> anyhow::Result<Vec<BuiltPlatform>> {
    let reference = plan.references.first().context("the build has no tag")?;
    let saved = Saved::read(&ctx.exec, reference, known)?;
    let tree = saved.tree()?;
    let before = |platform: Platform| {
        let built = previous?.platforms.iter();
        let mut built = built.filter(|built| built.platform == platform);
        built.next().map(BuiltPlatform::stored)
    };
    let sizes = plan.platforms.iter().filter_map(|&platform| {
        let image = *tree.images_for(platform).first()?;
        let before = before(platform).filter(|layers| !layers.is_empty());
        let before = before.as_deref();
        Some(BuiltPlatform::of(platform, image, &saved.unpacked, before))
    });
    Ok(sizes.collect())
}

/// What docker says of the size: all there is in the classic store.
fn inspect(ctx: &Ctx, plan: &Plan) -> anyhow::Result<Vec<BuiltPlatform>> {
    let reference = plan.references.first().context("the build has no tag")?;
    let mut platforms = Vec::new();
    for &platform in &plan.platforms {
        // A single platform needs no narrowing, which an old client cannot do.
        let narrowed = (plan.platforms.len() > 1).then_some(platform);
        let size = docker::image_size(&ctx.exec, reference, narrowed)?;
        platforms.push(BuiltPlatform::unknown(platform, size));
    }
    Ok(platforms)
}

/// Removes what an earlier build said, so that it is never taken for what this one says.
pub(super) fn remove_old(file: &Path) -> anyhow::Result<()> {
    match std::fs::remove_file(file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("failed to remove `{}`", file.display()))
        }
        _ => Ok(()),
    }
}

/// The digest in buildx's metadata file; none from the classic image store, which keeps no
/// manifest: there the file has the configuration's digest under both names.
fn parse_digest(metadata: &str) -> anyhow::Result<Option<Digest>> {
    let metadata: serde_json::Value =
        serde_json::from_str(metadata).context("buildx's metadata file is not JSON")?;
    let field = |name: &str| metadata.get(name).and_then(serde_json::Value::as_str);
    let digest = field("containerimage.digest")
        .context("buildx's metadata file names no `containerimage.digest`")?;
    if field("containerimage.config.digest") == Some(digest) {
        return Ok(None);
    }
    let digest = digest.parse().map_err(anyhow::Error::msg);
    digest
        .context("bad `containerimage.digest` in buildx's metadata file")
        .map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_never_that_of_the_configuration() {
        let (ours, config) = (Digest::of(b"image"), Digest::of(b"config"));
        let metadata = |digest: &str, config: &str| {
            format!(
                r#"{{"containerimage.digest":{digest},"containerimage.config.digest":{config}}}"#
            )
        };
        let quoted = |digest: &Digest| format!("\"{digest}\"");
        for (metadata, digest) in [
            (metadata(&quoted(&ours), &quoted(&config)), Some(&ours)),
            (metadata(&quoted(&ours), "null"), Some(&ours)),
            (metadata(&quoted(&config), &quoted(&config)), None),
        ] {
            assert_eq!(
                parse_digest(&metadata).unwrap().as_ref(),
                digest,
                "{metadata}"
            );
        }
        for wrong in [
            "",
            "{}",
            r#"{"containerimage.digest":1}"#,
            r#"{"containerimage.digest":"sha256:d"}"#,
        ] {
            assert!(parse_digest(wrong).is_err(), "{wrong}");
        }
    }
}
