//! The command: resolves the image to digests, runs every check on each of its platforms, and
//! writes a receipt for each.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, bail};
use xtask::blob_folders::BlobFolders;
use xtask::ctx::Ctx;
use xtask::docker::Docker;
use xtask::verify::Args;
use xtask::{docker, github, preflight, testbed};

use crate::check_set::check_set;
use crate::checks::catalogue;
use crate::choice::Choice;
use crate::live::Live;
use crate::prove::Prover;
use crate::report::{PlatformReport, Report};
use crate::rootfs::layer_cache::LayerCache;
use crate::sandbox::VerifyRun;
use crate::show::Catalogue;
use crate::target::{ImageRequest, Reader};
use crate::{check_receipt, choice, gate, junit, sandbox, show, sign, target};

pub(crate) fn run(args: &Args, ctx: &Ctx) -> anyhow::Result<()> {
    if let (Some(run), Some(image)) = (&args.sweep, &args.image) {
        return sandbox::sweep(&ctx.exec, &VerifyRun::named(&ctx.records(), run), image);
    }
    if args.unproven {
        return gate::answer();
    }
    let choice = choice::choose(&args.only, &args.skip)?;
    if args.list {
        return list(ctx, &choice);
    }
    if ctx.testbed {
        testbed::enter(ctx, false)?;
    }
    if let Some(file) = &args.check_receipt {
        return check_receipt::run(args, ctx, file);
    }
    let report = prove(args, ctx, &choice)?;
    show(args, ctx, &report)?;
    if !report.proven {
        let again = show::again(&report).unwrap_or_default();
        bail!(
            "`{}` is not proven: {}; hint: what to do stands beside each check; then `{again}` \
             looks at these again",
            report.image,
            report.sum()
        );
    }
    if let Some(why) = report.scan_fault() {
        bail!("{why}");
    }
    Ok(())
}

/// Verifies every platform of the image, one after the other.
fn prove(args: &Args, ctx: &Ctx, choice: &Choice) -> anyhow::Result<Report> {
    let begun = Instant::now();
    let docker = docker::observe_engine(&ctx.exec)?;
    if let Some(lack) = preflight::no_engine(&docker) {
        bail!("{lack}");
    }
    let key = args.sign.as_ref().and_then(Option::as_deref);
    let signer = signs(args, ctx, choice).then(|| sign::signer(ctx, key));
    let signer = signer.transpose()?;
    // Before any work: without the folder the work would be lost.
    let receipts = receipts(args, ctx);
    std::fs::create_dir_all(&receipts).with_context(|| {
        format!(
            "failed to create the folder for receipts, `{}`; hint: `--receipt-dir DIR` names \
             another",
            receipts.display()
        )
    })?;
    let target = target::resolve(ctx, &ImageRequest::of(args))?;
    if args.sign.is_some() {
        sign::check(&target)?;
    }
    if !ctx.json || args.table {
        xtask::say::errln!("proving {} ({})", target.name, target.digest);
    }
    target::fetch(&ctx.exec, &target)?;
    let total = target.subjects.len() * catalogue().count();
    let run = VerifyRun::new(&ctx.records());
    let first = target
        .subjects
        .first()
        .context("the image has no platform")?;
    let sweep = ["verify", &first.run, "--sweep", &run.id];
    let cleanup = ctx.exec.cleanup(&sweep)?;
    let live = Live::new(ctx, total, &target.platforms());
    let prover = Prover {
        ctx,
        docker: &docker,
        target: &target,
        reader: &reader(ctx, &docker, signer.is_some()),
        choice,
        run: &run,
        live: &live,
        revision: args.revision.as_deref(),
        receipts: &receipts,
        signer: signer.as_ref(),
        scan: args.scan,
    };
    let platforms = target.subjects.iter().map(|one| prover.prove(one));
    let platforms = platforms.collect::<anyhow::Result<Vec<_>>>();
    live.finish();
    // The engine may still start what an interrupted run asked for.
    let swept = cleanup.finish(platforms.is_ok());
    let platforms = platforms?;
    if let Err(error) = swept {
        // The results are still true.
        xtask::say::errln!("warning: {error:#}");
    }
    Ok(Report {
        schema: Report::SCHEMA,
        image: target.name.clone(),
        digest: target.digest.clone(),
        check_set: check_set().clone(),
        proven: platforms.iter().all(PlatformReport::is_proven),
        complete: choice.skipped.is_empty(),
        platforms,
        seconds: xtask::report::tenths(begun.elapsed()),
    })
}

/// What reads the image. What is signed rests on no file that an earlier run has left: it is read anew.
fn reader(ctx: &Ctx, docker: &Docker, is_signed: bool) -> Reader {
    let folders = BlobFolders::new(&ctx.records(), docker);
    let cache = || LayerCache::new(ctx.records().join("layer-contents"), check_set());
    Reader::new(folders, (!is_signed).then(cache))
}

/// Whether receipts are signed. With `signing` in the settings those for `--receipt-dir` always are: on
/// another machine no other proves anything.
fn signs(args: &Args, ctx: &Ctx, choice: &Choice) -> bool {
    let leaves = args.receipt_dir.is_some() && choice.skipped.is_empty();
    args.sign.is_some() || (leaves && ctx.settings.signing.is_some())
}

/// The folder for receipts, relative to the current one if it is below it.
fn receipts(args: &Args, ctx: &Ctx) -> PathBuf {
    let own = || ctx.records().join("receipts");
    let folder = args.receipt_dir.clone().unwrap_or_else(own);
    let here = std::env::current_dir().unwrap_or_default();
    let below = folder.strip_prefix(here).map(Path::to_owned);
    below.unwrap_or(folder)
}

/// The results to stdout, to the files asked for, and to GitHub Actions.
fn show(args: &Args, ctx: &Ctx, report: &Report) -> anyhow::Result<()> {
    if ctx.json {
        xtask::report::print_json(report)?;
    } else {
        xtask::say::styled_out(&show::table(report, ctx.verbose));
    }
    if args.table {
        xtask::say::styled_err(&show::table(report, ctx.verbose));
    }
    for note in show::notes(report) {
        xtask::say::errln!("note: {note}");
    }
    if let Some(file) = &args.junit {
        let xml = junit::xml(report).context("failed to write JUnit XML")?;
        std::fs::write(file, xml)
            .with_context(|| format!("failed to write `{}`", file.display()))?;
    }
    github::write_outputs(
        &ctx.exec,
        &[
            ("digest", report.digest.to_string()),
            ("proven", report.proven.to_string()),
            ("receipts", receipts(args, ctx).display().to_string()),
            ("bundles", report.bundles().join("\n")),
        ],
    )?;
    github::write_summary(&ctx.exec, &show::markdown(report))
}

fn list(ctx: &Ctx, choice: &Choice) -> anyhow::Result<()> {
    let chosen = choice.chosen.iter().copied();
    if ctx.json {
        return xtask::report::print_json(&Catalogue::of(chosen, check_set()));
    }
    xtask::say::styled_out(&show::list(chosen));
    Ok(())
}
