//! `cargo xtask verify`: proves an image.
//!
//! Resolves the image to digests, looks at every check on each of its platforms, and writes a
//! receipt for each. `docs/verify.md` describes all that it prints and writes.

mod bench;
mod check;
mod check_set;
mod checks;
mod choice;
mod expected;
mod facts;
mod junit;
mod live;
mod opens;
mod prove;
mod receipt;
mod report;
mod rootfs;
mod run;
mod show;
mod target;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, bail};

use self::bench::Run;
use self::checks::catalogue;
use self::choice::Choice;
use self::live::Live;
pub(crate) use self::opens::{Candidate, lacking, prove};
use self::prove::Prover;
use self::receipt::{Receipt, Wanted};
use self::report::{PlatformReport, Report};
use self::show::Catalogue;
use self::target::{Asked, Reader};
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
  cargo xtask verify --only seed,health-healthy   some groups or checks (opens no release)
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
    /// Take the image from its registry, even where the engine has one of that name
    #[arg(long)]
    pull: bool,
    /// Look at these checks or groups alone, comma-separated
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
    /// Where receipts go [default: target/xtask/receipts]
    #[arg(long, value_name = "DIR")]
    receipt_dir: Option<PathBuf>,
    /// Say whether this receipt still proves the image, and look at nothing else
    #[arg(long, value_name = "FILE", conflicts_with_all = ["only", "skip", "list", "junit"])]
    check_receipt: Option<PathBuf>,
    /// The commit that the image must be built from [default: HEAD]
    #[arg(long, value_name = "COMMIT")]
    revision: Option<String>,
    /// Remove what a run has left, once it has ended (used by verify itself)
    #[arg(long, value_name = "RUN", hide = true, requires = "image")]
    sweep: Option<String>,
}

impl Args {
    pub(crate) fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        if let (Some(run), Some(image)) = (&self.sweep, &self.image) {
            return bench::sweep(&ctx.exec, &Run::named(&ctx.records(), run), image);
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
        self.tell(ctx, &report)?;
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

    /// Looks at every platform of the image, one after the other.
    fn prove(&self, ctx: &Ctx, choice: &Choice) -> anyhow::Result<Report> {
        let begun = Instant::now();
        let docker = docker::observe(&ctx.exec, None)?;
        if let Some(lack) = preflight::no_engine(&docker) {
            bail!("{lack}");
        }
        // Before any work, which would be lost without it.
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
        let run = Run::new(&ctx.records());
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
        // A run that was cut short may have asked the engine for something that is yet to come.
        let swept = cleanup.finish(platforms.is_ok());
        let platforms = platforms?;
        if let Err(error) = swept {
            // What was seen is no less true for it.
            anstream::eprintln!("warning: {error:#}");
        }
        Ok(Report {
            schema: Report::SCHEMA,
            image: target.name.clone(),
            digest: target.digest(),
            check_set: check_set::hash(catalogue()).to_string(),
            proven: platforms.iter().all(PlatformReport::is_proven),
            complete: choice.skipped.is_empty(),
            platforms,
            seconds: report::tenths(begun.elapsed()),
        })
    }

    fn asked(&self) -> Asked<'_> {
        Asked {
            image: self.image.as_deref(),
            platforms: &self.platform,
            pull: self.pull,
        }
    }

    /// The folder for receipts; as people write it, where it is below the current one.
    fn receipts(&self, ctx: &Ctx) -> PathBuf {
        let own = || ctx.records().join("receipts");
        let folder = self.receipt_dir.clone().unwrap_or_else(own);
        let here = std::env::current_dir().unwrap_or_default();
        let below = folder.strip_prefix(here).map(Path::to_owned);
        below.unwrap_or(folder)
    }

    /// The results to stdout, to the files asked for, and to GitHub Actions.
    fn tell(&self, ctx: &Ctx, report: &Report) -> anyhow::Result<()> {
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

    /// Says whether a receipt holds for the image.
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
        let wanted = Wanted {
            name: &target.name,
            index: target.index.as_ref(),
            manifest: subject.and_then(|one| one.manifest.as_ref()),
            platform: subject.map(|one| one.platform),
            revision: revision.as_deref(),
            check_set: &check_set::hash(catalogue()),
            checks: &checks,
        };
        let objections = receipt::objections(&receipt, &wanted);
        if ctx.json {
            crate::report::print_json(&serde_json::json!({
                "schema": 1,
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
                receipt::told(&objections)
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
        let check_set = check_set::hash(catalogue());
        return crate::report::print_json(&Catalogue::of(chosen, check_set));
    }
    anstream::print!("{}", show::list(chosen));
    Ok(())
}
