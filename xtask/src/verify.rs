//! `cargo xtask verify`: proves an image.
//!
//! Resolves the image to digests, runs every check on each of its platforms, and writes a receipt
//! for each. `docs/verify.md` describes all that it prints and writes.

mod check;
mod check_set;
mod checks;
mod choice;
mod expected;
mod facts;
mod gate;
mod junit;
mod live;
mod prove;
mod receipt;
mod report;
mod rootfs;
mod run;
mod sandbox;
mod show;
mod target;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, bail};

use self::check_set::check_set;
use self::checks::catalogue;
use self::choice::Choice;
pub(crate) use self::gate::{ReleaseImage, lacking, prove};
use self::live::Live;
use self::prove::Prover;
use self::receipt::{Receipt, Required};
use self::report::{PlatformReport, Report};
use self::sandbox::VerifyRun;
use self::show::Catalogue;
use self::target::{ImageRequest, Reader};
use crate::ctx::Ctx;
use crate::platform::Platform;
use crate::stop::Stop;
use crate::{docker, git, github, preflight, testbed};

const EXAMPLES: &str = "\
Examples:
  cargo xtask verify                              the image last built, each of its platforms
  cargo xtask verify agentgate/agent:sha-1ceb56b  a tag, in the engine or else in its registry
  cargo xtask verify --pull agentgate/agent@sha256:…    a digest, from its registry
  cargo xtask verify --platform linux/amd64       one platform alone
  cargo xtask verify --only seed,health-healthy   some groups or checks (not enough for a release)
  cargo xtask verify --list                       what every check proves, and why
  cargo xtask verify --json | jq .platforms       the whole report as JSON
  cargo xtask verify --check-receipt target/xtask/receipts/…/linux-amd64.json

A receipt for each platform goes to target/xtask/receipts/; docs/verify.md describes it.
Exit codes: 0 all proven; 1 a check failed, or something could not be proven;
2 wrong usage; 3 the receipt does not hold; 130 interrupted.";

/// Prove an image: each platform as AgentGate's server runs it; writes receipts
#[derive(Default, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Tag, digest or id of the image, in the engine or in a registry [default: the last build]
    image: Option<String>,
    /// Platforms to prove, comma-separated [default: all that the image has]
    #[arg(long, value_name = "PLATFORM", value_delimiter = ',')]
    platform: Vec<Platform>,
    /// Take the image from its registry, even if the engine has one of that name
    #[arg(long)]
    pull: bool,
    /// Run these checks or groups only, comma-separated
    #[arg(long, value_name = "ID", value_delimiter = ',', value_parser = choice::Words,
          hide_possible_values = true)]
    only: Vec<String>,
    /// Leave these checks or groups out, comma-separated
    #[arg(long, value_name = "ID", value_delimiter = ',', value_parser = choice::Words,
          hide_possible_values = true)]
    skip: Vec<String>,
    /// Explain every check and do nothing else
    #[arg(long)]
    list: bool,
    /// Write the results as JUnit XML as well
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Folder for the receipts [default: target/xtask/receipts]
    #[arg(long, value_name = "DIR")]
    receipt_dir: Option<PathBuf>,
    /// Check whether this receipt still proves the image, and do nothing else
    #[arg(long, value_name = "FILE", conflicts_with_all = ["only", "skip", "list", "junit"])]
    check_receipt: Option<PathBuf>,
    /// The commit that the image must be built from [default: HEAD]
    #[arg(long, value_name = "COMMIT")]
    revision: Option<String>,
    /// Remove what a run leaves behind once it has ended (used by verify itself)
    #[arg(long, value_name = "RUN", hide = true, requires = "image")]
    sweep: Option<String>,
}

impl Args {
    pub(crate) fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        if let (Some(run), Some(image)) = (&self.sweep, &self.image) {
            return sandbox::sweep(&ctx.exec, &VerifyRun::named(&ctx.records(), run), image);
        }
        let choice = choice::choose(&self.only, &self.skip)?;
        if self.list {
            return list(ctx, &choice);
        }
        if ctx.testbed {
            testbed::enter(ctx, false)?;
        }
        if let Some(file) = &self.check_receipt {
            return self.check(ctx, file);
        }
        let report = self.prove(ctx, &choice)?;
        self.show(ctx, &report)?;
        if !report.proven {
            let again = show::again(&report).unwrap_or_default();
            bail!(
                "`{}` is not proven: {}; hint: what to do stands beside each check; then `{again}` \
                 looks at these again",
                report.image,
                report.sum()
            );
        }
        Ok(())
    }

    /// Verifies every platform of the image, one after the other.
    fn prove(&self, ctx: &Ctx, choice: &Choice) -> anyhow::Result<Report> {
        let begun = Instant::now();
        let docker = docker::observe(&ctx.exec, None)?;
        if let Some(lack) = preflight::no_engine(&docker) {
            bail!("{lack}");
        }
        // Before any work: without the folder the work would be lost.
        let receipts = self.receipts(ctx);
        std::fs::create_dir_all(&receipts).with_context(|| {
            format!(
                "failed to create the folder for receipts, `{}`; hint: `--receipt-dir DIR` names \
                 another",
                receipts.display()
            )
        })?;
        let target = target::resolve(ctx, &self.asked())?;
        if !ctx.json {
            anstream::eprintln!("proving {} ({})", target.name, target.digest());
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
            reader: &Reader::default(),
            choice,
            run: &run,
            live: &live,
            revision: self.revision.as_deref(),
            receipts: &receipts,
        };
        let platforms = target.subjects.iter().map(|one| prover.prove(one));
        let platforms = platforms.collect::<anyhow::Result<Vec<_>>>();
        live.finish();
        // The engine may still start what an interrupted run asked for.
        let swept = cleanup.finish(platforms.is_ok());
        let platforms = platforms?;
        if let Err(error) = swept {
            // The results are still true.
            anstream::eprintln!("warning: {error:#}");
        }
        Ok(Report {
            schema: Report::SCHEMA,
            image: target.name.clone(),
            digest: target.digest(),
            check_set: check_set().to_string(),
            proven: platforms.iter().all(PlatformReport::is_proven),
            complete: choice.skipped.is_empty(),
            platforms,
            seconds: report::tenths(begun.elapsed()),
        })
    }

    fn asked(&self) -> ImageRequest<'_> {
        ImageRequest {
            image: self.image.as_deref(),
            platforms: &self.platform,
            pull: self.pull,
        }
    }

    /// The folder for receipts, relative to the current one if it is below it.
    fn receipts(&self, ctx: &Ctx) -> PathBuf {
        let own = || ctx.records().join("receipts");
        let folder = self.receipt_dir.clone().unwrap_or_else(own);
        let here = std::env::current_dir().unwrap_or_default();
        let below = folder.strip_prefix(here).map(Path::to_owned);
        below.unwrap_or(folder)
    }

    /// The results to stdout, to the files asked for, and to GitHub Actions.
    fn show(&self, ctx: &Ctx, report: &Report) -> anyhow::Result<()> {
        if ctx.json {
            crate::report::print_json(report)?;
        } else {
            anstream::print!("{}", show::table(report, ctx.verbose));
        }
        for note in show::notes(report) {
            anstream::eprintln!("note: {note}");
        }
        if let Some(file) = &self.junit {
            let xml = junit::xml(report).context("failed to write JUnit XML")?;
            std::fs::write(file, xml)
                .with_context(|| format!("failed to write `{}`", file.display()))?;
        }
        github::write_outputs(
            &ctx.exec,
            &[
                ("digest", report.digest.clone()),
                ("proven", report.proven.to_string()),
                ("receipts", self.receipts(ctx).display().to_string()),
            ],
        )?;
        github::write_summary(&ctx.exec, &show::markdown(report))
    }

    /// Checks whether a receipt holds for the image.
    fn check(&self, ctx: &Ctx, file: &Path) -> anyhow::Result<()> {
        let receipt = Receipt::read(file)?;
        let target = target::resolve(ctx, &self.asked())?;
        let named = self.revision.as_deref();
        let named = named.map(|name| git::commit(&ctx.root, name)).transpose()?;
        let revision = named.map(|named| named.revision);
        let checks: Vec<&str> = catalogue().map(|check| check.id).collect();
        let mut subjects = target.subjects.iter();
        let own = subjects.find(|one| one.platform == receipt.platform);
        let subject = own.or(target.subjects.first());
        let wanted = Required {
            name: &target.name,
            index: target.index.as_ref(),
            manifest: subject.and_then(|one| one.manifest.as_ref()),
            platform: subject.map(|one| one.platform),
            revision: revision.as_deref(),
            check_set: check_set(),
            checks: &checks,
        };
        let objections = receipt::objections(&receipt, &wanted);
        if ctx.json {
            crate::report::print_json(&serde_json::json!({
                "schema": 2,
                "receipt": file,
                "image": target.name,
                "digest": target.digest(),
                "platform": receipt.platform,
                "holds": objections.is_empty(),
                "objections": objections,
            }))?;
        }
        if !objections.is_empty() {
            return Err(Stop::Refused(format!(
                "`{}` does not hold for `{}`:{}",
                file.display(),
                target.name,
                receipt::describe(&objections)
            ))
            .into());
        }
        if !ctx.json {
            anstream::println!(
                "`{}` holds for `{}` ({}) on {}",
                file.display(),
                target.name,
                target.digest(),
                receipt.platform
            );
        }
        Ok(())
    }
}

fn list(ctx: &Ctx, choice: &Choice) -> anyhow::Result<()> {
    let chosen = choice.chosen.iter().copied();
    if ctx.json {
        return crate::report::print_json(&Catalogue::of(chosen, check_set()));
    }
    anstream::print!("{}", show::list(chosen));
    Ok(())
}
