//! `cargo xtask release`: promotes a proven digest from sha-… to vX.Y.Z to latest, and rolls
//! `latest` back.
//!
//! Builds nothing and rewrites no byte. A run that dies anywhere is finished by running it again.

mod access;
mod apply;
mod decide;
mod facts;
mod github_release;
mod notes;
mod plan;
mod rollback;
mod show;
mod sign;
mod source;
mod status;
mod summary;

use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;

use self::apply::Apply;
use self::decide::{Intent, Release};
use self::facts::{Destination, LatestPolicy, ReleaseOptions};
use self::github_release::GithubRelease;
use self::notes::GithubPlan;
use self::plan::ReleasePlan;
use self::sign::Signer;
use self::source::Source;
use crate::ctx::Ctx;
use crate::git;
use crate::journal::{self, JournalEntry};
use crate::refusal::Refusal;
use crate::retry::Retry;
use crate::settings::Signing;
use crate::stop::Stop;
use crate::tags;
use crate::verify::{self, Receipts, ToProve};
use crate::version::Version;

const EXAMPLES: &str = "\
Examples:
  cargo xtask release --dry-run                  show the plan, or every reason against it
  cargo xtask release                            release the version at HEAD; asks first
  cargo xtask release --yes                      do not ask, as in CI
  cargo xtask release --version 1.2.3            release a version that is not at HEAD
  cargo xtask release --receipt-dir receipts     verified elsewhere: verify nothing here
  cargo xtask release --latest never             leave `latest` where it is
  cargo xtask release --sign=cosign.key          sign before any tag is written
  cargo xtask release --repository agentgate/agent --repository ghcr.io/me/agent
                                                 release from the first, copy to the others
  cargo xtask release --github-release           make a GitHub Release of it, too, with `gh`
  cargo xtask release --status                   show what is published of each version
  cargo xtask release --rollback                 move `latest` back to where it was before
  cargo xtask release --rollback --to 1.2.2      or to another published version

The image must be published (`cargo xtask image --push`), and the git tag pushed.
A platform without a valid receipt is verified first. `latest` moves to a lower version only with
--rollback. target/xtask/release/vX.Y.Z.json records each step. More: docs/release.md.
Exit codes: 0 done, now or before; 1 something failed, run it again; 3 refused.";

/// Tag the proven image of a version's commit as vX.Y.Z, and as `latest` if it may move
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag")]
pub struct Args {
    /// The version to release [default: the one at HEAD]
    #[arg(long, value_name = "VERSION", value_parser = tags::version)]
    version: Option<Version>,
    /// Move `latest` back to the version that it was at before
    #[arg(long, conflicts_with_all = ["version", "latest"])]
    rollback: bool,
    /// The version that `latest` rolls back to
    #[arg(long, value_name = "VERSION", value_parser = tags::version, requires = "rollback")]
    to: Option<Version>,
    /// Show what is published of each version, and change nothing
    #[arg(long, conflicts_with_all = ["version", "rollback", "latest", "yes", "dry_run"])]
    status: bool,
    /// Show every version, not only the highest ten
    #[arg(long, requires = "status")]
    all: bool,
    /// Take receipts from here and verify nothing [default: target/xtask/receipts, and platforms
    /// without a valid receipt are verified now]
    #[arg(long, value_name = "DIR")]
    receipt_dir: Option<PathBuf>,
    /// When `latest` moves to the version
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    latest: LatestPolicy,
    /// Sign with cosign and this key [default: `signing` in Cargo.toml]
    #[arg(long, value_name = "KEY", num_args = 0..=1, require_equals = true)]
    #[arg(conflicts_with_all = ["rollback", "status"])]
    #[expect(clippy::option_option, reason = "the flag may come without a key")]
    sign: Option<Option<String>>,
    /// Make the version's GitHub Release with `gh`: notes from the commits, digest, sizes
    #[arg(long, conflicts_with_all = ["rollback", "status"])]
    github_release: bool,
    /// The git remote that must have the version's tag
    #[arg(long, value_name = "NAME", default_value = "origin")]
    remote: String,
    /// How long a step is tried again while the registry is busy or broken
    #[arg(
        long,
        alias = "patience",
        value_name = "SECONDS",
        default_value_t = 120
    )]
    retry_for: u64,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
    /// Print what would be done, and change nothing
    #[arg(long)]
    dry_run: bool,
}

impl Args {
    pub(crate) fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        if ctx.testbed {
            crate::testbed::enter(ctx, false)?;
        }
        let own = ctx.records().join("receipts");
        let folder = self.receipt_dir.as_ref().unwrap_or(&own);
        let receipts = Receipts { ctx, folder };
        if self.status {
            return status::run(ctx, &receipts, self.all);
        }
        let release = self.prepare(ctx, receipts)?;
        let (facts, first) = release.decide()?;
        if self.dry_run {
            let github = GithubPlan::of(ctx, &release, &facts, &first)?;
            return show::plan(&first, github.as_ref(), ctx.json);
        }
        if !ctx.json || !release.is_done(&first) {
            show::announce(&release, &first);
        }
        // The plan is out of date only after a question or a verification.
        let is_fresh = self.yes && first.verify.is_empty();
        if !release.is_done(&first) {
            self.confirm()?;
            access::check(&first, &release.intent, &release.targets)?;
        }
        let (facts, plan) = if release.is_done(&first) || is_fresh {
            (facts, first)
        } else {
            prove(ctx, &first)?;
            let (facts, again) = release.decide()?;
            unchanged(&first, &again)?;
            (facts, again)
        };
        let apply = Apply {
            plan: &plan,
            bytes: facts.bytes(),
            targets: &release.targets,
            published: &facts.published,
            history: &release.history,
            wish: self.latest,
            retry: release.retry,
            signer: release.signer.as_ref(),
            journals: journals(ctx),
        };
        let results = apply.run();
        let results = results.map_err(|error| release.intent.unfinished(&plan, error))?;
        show::finish(ctx, &release, &facts, &plan, &results)
    }

    /// Everything that a plan is decided on besides the registries, which change meanwhile.
    fn prepare<'a>(&self, ctx: &Ctx, receipts: Receipts<'a>) -> anyhow::Result<Release<'a>> {
        let retry = Retry::within(Duration::from_secs(self.retry_for));
        let targets = decide::targets(ctx, retry);
        let history = journal::history(&journals(ctx))?;
        let mut intent = self.intent(ctx, retry, &targets, &history)?;
        let signer = self.signer(ctx, &mut intent.source)?;
        let github = self.github(ctx, &mut intent.source)?;
        let options = ReleaseOptions {
            receipts,
            are_receipts_given: self.receipt_dir.is_some(),
            wish: self.latest,
        };
        Ok(Release {
            intent,
            options,
            targets,
            history,
            signer,
            github,
            retry,
        })
    }

    /// The version to release or to roll back to.
    fn intent(
        &self,
        ctx: &Ctx,
        retry: Retry,
        targets: &[Destination],
        history: &[JournalEntry],
    ) -> anyhow::Result<Intent> {
        if !self.rollback {
            return Ok(Intent {
                source: Source::find(ctx, self.version.as_ref(), &self.remote)?,
                rollback: None,
            });
        }
        let (version, why) = if let Some(version) = &self.to {
            (version.clone(), "asked for by `--to`".to_owned())
        } else {
            let first = targets.first().context("no repository was named")?;
            retry.run(|| rollback::find(first, history))?
        };
        Ok(Intent {
            source: Source::published(ctx, &version, &self.remote)?,
            rollback: Some(why),
        })
    }

    /// The signer, when a signature is asked for. Adds a refusal to `source` when it cannot sign.
    fn signer(&self, ctx: &Ctx, source: &mut Source) -> anyhow::Result<Option<Signer>> {
        let signing = match &self.sign {
            _ if self.rollback => None,
            Some(Some(key)) => Some(Signing::Key(key.clone())),
            Some(None) if ctx.settings.signing.is_none() => {
                source.refusals.push(Refusal::new(
                    "a signature is asked for, and there is no key",
                    "`--sign=KEY`, or `signing` under `[workspace.metadata.image]` in Cargo.toml",
                ));
                None
            }
            Some(None) | None => ctx.settings.signing.clone(),
        };
        let Some(signing) = signing else {
            return Ok(None);
        };
        match Signer::new(&ctx.exec, &signing)? {
            Ok(signer) => Ok(Some(signer)),
            Err(refusal) => {
                source.refusals.push(refusal);
                Ok(None)
            }
        }
    }

    /// The GitHub Release, when one is asked for. Adds a refusal to `source` when it cannot be made.
    fn github(&self, ctx: &Ctx, source: &mut Source) -> anyhow::Result<Option<GithubRelease>> {
        let Some(version) = source.version.as_ref().filter(|_| self.github_release) else {
            return Ok(None);
        };
        let address = git::read_head(&ctx.root)?.source;
        match GithubRelease::find(&ctx.exec, address.as_deref(), version, &ctx.records())? {
            Ok(github) => Ok(Some(github)),
            Err(refusal) => {
                source.refusals.push(refusal);
                Ok(None)
            }
        }
    }

    /// Asks on a terminal. Without one, `--yes` is needed.
    fn confirm(&self) -> anyhow::Result<()> {
        if self.yes {
            return Ok(());
        }
        let stdin = std::io::stdin();
        if !stdin.is_terminal() || !std::io::stderr().is_terminal() {
            return Err(Stop::Refused(
                "this is not a terminal, so nobody can be asked\n  hint: read the plan \
                 (`--dry-run`), then pass `--yes`"
                    .to_owned(),
            )
            .into());
        }
        let what = if self.rollback {
            "roll back"
        } else {
            "release"
        };
        crate::say::err!("{what}? [y/N] ");
        std::io::stderr().flush()?;
        let mut answer = String::new();
        stdin
            .read_line(&mut answer)
            .context("failed to read the answer")?;
        if ["y", "yes"].contains(&answer.trim().to_lowercase().as_str()) {
            return Ok(());
        }
        Err(Stop::Refused("nothing was changed: the answer was no".to_owned()).into())
    }
}

/// The folder of the journals.
fn journals(ctx: &Ctx) -> PathBuf {
    ctx.records().join("release")
}

/// Verifies the platforms without a valid receipt.
fn prove(ctx: &Ctx, plan: &ReleasePlan) -> anyhow::Result<()> {
    if plan.verify.is_empty() {
        return Ok(());
    }
    let platforms: Vec<_> = plan.verify.iter().map(|(platform, _)| *platform).collect();
    let wanted = ToProve {
        digest: &plan.digest,
        platforms: &platforms,
        revision: &plan.revision,
        sign: None,
    };
    verify::prove(ctx, &wanted).map(drop)
}

/// Fails when somebody else released during the question or the verification.
fn unchanged(first: &ReleasePlan, again: &ReleasePlan) -> anyhow::Result<()> {
    if first.steps == again.steps && again.verify.is_empty() {
        return Ok(());
    }
    Err(Stop::Refused(format!(
        "nothing was changed: the registry has changed since the plan was shown; the plan is now\n\
         {}  hint: run this again",
        show::table(again)
    ))
    .into())
}
