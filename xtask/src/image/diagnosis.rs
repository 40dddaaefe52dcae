//! Why a build failed, where docker or the disk is the reason.

use std::time::Instant;

use anyhow::{bail, ensure};

use crate::ctx::Ctx;
use crate::docker::{self, Docker};
use crate::platform::Platform;
use crate::stop::Stop;

/// A build that has failed.
pub(super) struct Failed<'a> {
    /// The builder that was asked for.
    pub(super) builder: Option<&'a str>,
    pub(super) start: Instant,
    pub(super) platforms: &'a [Platform],
    /// Whether the builder is known to have run when the build began.
    pub(super) has_run: bool,
}

impl Failed<'_> {
    /// The error to report: that the disk is full, that the builder has ended, what docker lacks by now, as
    /// `judge` sees it; else `error`, the build's own.
    pub(super) fn explain(
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
