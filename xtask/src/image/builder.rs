//! The builder's life: found, made with `--create-builder`, started.

use anyhow::bail;

use super::request::Request;
use crate::ctx::Ctx;
use crate::docker::{self, Builder, Docker};
use crate::exec;
use crate::platform::Platform;
use crate::preflight;
use crate::stop::Stop;

/// Where a build ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// In the engine's store, so that an engine is needed.
    Engine,
    Folder,
}

/// Examines docker and its builder, which is made if that is asked for. The nodes that a build of
/// `platforms` (none: the engine's own) needs are started.
pub(super) fn prepare(
    request: &Request,
    platforms: &[Platform],
    end: End,
) -> anyhow::Result<Docker> {
    let (ctx, options) = (request.ctx, &request.options);
    let mut docker = docker::observe(&ctx.exec, request.builder())?;
    // Without an engine that is what is lacking.
    if options.create_builder && docker.engine.is_some() && docker.builder_error.is_some() {
        let create = preflight::CREATE_BUILDER;
        if options.dry_run {
            let create = docker::quoted(&create);
            crate::say::errln!("note: first `{create}`");
            docker.builder_error = None;
            docker.builder = Some(Builder::in_container(preflight::BUILDER));
            return Ok(docker);
        }
        create_builder(ctx, &create)?;
        docker = docker::observe(&ctx.exec, request.builder())?;
    }
    let native = docker.engine.as_ref().and_then(|engine| engine.platform);
    let platforms = match platforms {
        [] => native.as_slice(),
        _ => platforms,
    };
    // A local build ends in the engine.
    let may_build = docker.engine.is_some() || end == End::Folder;
    let may_start = may_build && !options.dry_run;
    let must_start = |builder: &&Builder| may_start && builder.must_start(platforms);
    let Some(builder) = docker.builder.as_ref().filter(must_start) else {
        return Ok(docker);
    };
    // The build would start it, too, but what it can build for is not known before.
    crate::say::errln!("starting the builder `{}`", builder.name);
    let woken = docker::wake(&ctx.exec, builder);
    let docker = docker::observe(&ctx.exec, request.builder())?;
    let is_ready = |builder: &Builder| builder.lost.is_empty() && !builder.must_start(platforms);
    if docker.builder.as_ref().is_some_and(is_ready) {
        if woken.is_err() {
            crate::say::errln!("note: a node that this build does without does not start");
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
    let mut made = docker::watch(exec, &create);
    if made.is_ok() {
        made = docker::watch(exec, &["buildx", "inspect", "--bootstrap", name]);
        // Half a builder would be taken for a whole one by the next run.
        if made.is_err()
            && let Err(why) = docker::clean_up(exec, &["buildx", "rm", "--force", name])
        {
            crate::say::errln!(
                "note: `{name}` is half made: {why:#}; hint: `docker buildx rm {name}`"
            );
        }
    } else if exec::check().is_ok() && docker::observe(exec, Some(name))?.builder.is_some() {
        crate::say::errln!("note: somebody else has made `{name}` meanwhile");
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
