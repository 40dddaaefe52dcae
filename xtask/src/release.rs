//! `cargo xtask release`: promotes a proven digest from sha-… to vX.Y.Z to latest, rolls `latest` back, and
//! adopts what was published before there were records.
//!
//! Builds nothing and rewrites no byte of an image. A run that dies anywhere is finished by running it again.

mod access;
mod apply;
mod decide;
mod facts;
mod github_release;
mod intent;
mod notes;
mod observe;
mod plan;
mod policy;
mod rollback;
mod show;
mod signatures;
mod source;
mod status;
mod step;
mod summary;
mod target;

use std::cell::OnceCell;
use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;

use self::apply::Apply;
use self::decide::{Decided, decide};
use self::facts::LatestPolicy;
use self::github_release::GithubRelease;
use self::intent::{Intent, Release, ReleaseOptions, Task};
use self::notes::GithubPlan;
use self::plan::RollbackAim;
use self::source::Source;
use self::step::ReleasePlan;
use self::target::Destination;
use crate::ctx::Ctx;
use crate::git;
use crate::proof::{Signer, Trust, check_reason};
use crate::records::Records;
use crate::retry::Retry;
use crate::settings::Signing;
use crate::stop::Stop;
use crate::tags;
use crate::verify::{self, ToProve};
use crate::version::Version;

const EXAMPLES: &str = "\
Examples:
  cargo xtask release --dry-run                  show the plan, or every reason against it
  cargo xtask release                            release the version at HEAD; asks first
  cargo xtask release --yes                      do not ask, as in CI
  cargo xtask release --version 1.2.3            release a version that is not at HEAD
  cargo xtask release --receipt-dir receipts     proofs made elsewhere: verify nothing here
  cargo xtask release --latest never             leave `latest` where it is
  cargo xtask release --latest require           restore a version that was withdrawn
  cargo xtask release --sign=cosign.key          sign the image, its proofs and its record
  cargo xtask release --repository agentgate/agent --repository ghcr.io/me/agent
                                                 release from the first, copy to the others
  cargo xtask release --github-release           make a GitHub Release of it, too, with `gh`
  cargo xtask release --status                   show what is published of each version
  cargo xtask release --rollback --reason \"it leaks\"
                                                 withdraw the version that `latest` is at, and
                                                 move `latest` to the one below
  cargo xtask release --rollback --to 1.2.2 --reason \"it leaks\"
                                                 withdraw all above 1.2.2
  cargo xtask release --adopt                    write the record of a `latest` without one

The image must be published (`cargo xtask image --push`), and the git tag pushed.
A platform that nothing proves is verified first. The registry keeps the proofs with the image, and
a record of each version (`state-vX.Y.Z`); every later release goes by it. More: docs/release.md.
Exit codes: 0 done, now or before; 1 something failed, run it again; 3 refused.";

/// Tag the proven image of a version's commit as vX.Y.Z, and as `latest` if it may move
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag")]
pub struct Args {
    /// The version to release [default: the one at HEAD] or to adopt [default: the one that `latest`
    /// is at]
    #[arg(long, value_name = "VERSION", value_parser = tags::version)]
    version: Option<Version>,
    /// Withdraw the version that `latest` is at, and move `latest` to the highest lower one
    #[arg(long, conflicts_with_all = ["version", "latest"])]
    rollback: bool,
    /// The version that `latest` rolls back to; every higher one is withdrawn
    #[arg(long, value_name = "VERSION", value_parser = tags::version, requires = "rollback")]
    to: Option<Version>,
    /// Why versions are withdrawn, in a line that everybody reads
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    #[arg(requires = "rollback", required_if_eq("rollback", "true"))]
    reason: Option<String>,
    /// Verify a version that was published without a record, and write one; no tag moves
    #[arg(long, conflicts_with_all = ["rollback", "latest", "github_release"])]
    adopt: bool,
    /// Show what is published of each version, and change nothing
    #[arg(
        long,
        conflicts_with_all = ["version", "rollback", "adopt", "latest", "receipt_dir", "yes", "dry_run"]
    )]
    status: bool,
    /// Show every version, not only the highest ten
    #[arg(long, requires = "status")]
    all: bool,
    /// Take proofs from here and verify nothing [default: target/xtask/receipts, and platforms
    /// that nothing proves are verified now]
    #[arg(long, value_name = "DIR")]
    receipt_dir: Option<PathBuf>,
    /// When `latest` moves to the version
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    latest: LatestPolicy,
    /// Sign with cosign and this key [default: `signing` in Cargo.toml]
    #[arg(long, value_name = "KEY", num_args = 0..=1, require_equals = true)]
    #[arg(conflicts_with = "status")]
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

fn reason(text: &str) -> Result<String, String> {
    check_reason(text).map(|()| text.to_owned())
}

impl Args {
    pub(crate) fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        if ctx.testbed {
            crate::testbed::enter(ctx, false)?;
        }
        if self.status {
            return status::run(ctx, self.all);
        }
        let release = self.prepare(ctx)?;
        let first = decide(&release)?;
        if self.dry_run {
            let github = GithubPlan::of(ctx, &release, &first.facts, &first.plan)?;
            return show::plan(&first.plan, github.as_ref(), ctx.json);
        }
        let is_done = release.is_done(&first.plan);
        if !ctx.json || !is_done {
            show::announce(&release, &first.plan);
        }
        // The plan is out of date only after a question or a verification.
        let is_fresh = self.yes && first.plan.verify.is_empty();
        if !is_done {
            self.confirm()?;
            access::check(&release, &first.plan)?;
        }
        let decided = if is_done || is_fresh {
            first
        } else {
            prove(ctx, &release, &first.plan)?;
            let again = decide(&release)?;
            unchanged(&first.plan, &again.plan)?;
            again
        };
        let apply = Apply {
            release: &release,
            decided: &decided,
        };
        let results = apply::run(&apply);
        let Decided { facts, plan, .. } = &decided;
        let results = results.map_err(|error| release.intent.unfinished(plan, error))?;
        show::finish(ctx, &release, facts, plan, &results)
    }

    /// Everything that a plan is decided on besides the registries, which change meanwhile.
    fn prepare<'a>(&self, ctx: &'a Ctx) -> anyhow::Result<Release<'a>> {
        let retry = Retry::within(Duration::from_secs(self.retry_for));
        let targets = target::targets(ctx, retry);
        let trust = Trust::of(ctx)?;
        let mut intent = self.intent(ctx, retry, &targets, &trust)?;
        let source = &mut intent.source;
        let signing = self.signing(ctx, source);
        let signer = signer(ctx, signing.as_ref(), source)?;
        let github = self.github(ctx, source)?;
        if self.receipt_dir.is_some() && !trust.has_policy() {
            source.refusals.push(policy::refusal(ctx));
        }
        let own = ctx.records().join("receipts");
        let folder = self.receipt_dir.as_ref().unwrap_or(&own);
        let options = ReleaseOptions {
            folder: std::path::absolute(folder).context("failed to find the proofs")?,
            are_receipts_given: self.receipt_dir.is_some(),
            wish: self.latest,
        };
        Ok(Release {
            ctx,
            intent,
            options,
            targets,
            trust,
            signing,
            signer,
            github,
            retry,
            own: OnceCell::new(),
        })
    }

    /// The version to release, to roll back to or to adopt.
    fn intent(
        &self,
        ctx: &Ctx,
        retry: Retry,
        targets: &[Destination],
        trust: &Trust,
    ) -> anyhow::Result<Intent> {
        let first = targets.first().context("no repository was named")?;
        let records = Records {
            repository: &first.repository,
            puller: &first.puller,
            trust,
        };
        if self.adopt {
            let version = match &self.version {
                Some(version) => version.clone(),
                None => retry.run(|| rollback::at(&records))?,
            };
            return Ok(Intent {
                source: Source::published(ctx, &version, &self.remote)?,
                task: Task::Adopt,
            });
        }
        let Some(reason) = self.reason.clone().filter(|_| self.rollback) else {
            return Ok(Intent {
                source: Source::find(ctx, self.version.as_ref(), &self.remote)?,
                task: Task::Release,
            });
        };
        let (version, why) = if let Some(version) = &self.to {
            (version.clone(), "asked for by `--to`".to_owned())
        } else {
            let target = retry.run(|| rollback::find(&records))?;
            (target.version, target.why)
        };
        Ok(Intent {
            source: Source::published(ctx, &version, &self.remote)?,
            task: Task::Rollback(RollbackAim {
                why,
                reason,
                is_named: self.to.is_some(),
            }),
        })
    }

    /// What signs, when a signature is asked for. Adds a refusal to `source` when nothing does.
    fn signing(&self, ctx: &Ctx, source: &mut Source) -> Option<Signing> {
        let Some(asked) = &self.sign else {
            return ctx.settings.signing.clone();
        };
        let signing = ctx.settings.signing_by(asked.as_deref());
        signing
            .map_err(|refusal| source.refusals.push(refusal))
            .ok()
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
        let what = match (self.rollback, self.adopt) {
            (true, _) => "roll back",
            (_, true) => "adopt",
            _ => "release",
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

/// The signer. Adds a refusal to `source` when it cannot sign.
fn signer(
    ctx: &Ctx,
    signing: Option<&Signing>,
    source: &mut Source,
) -> anyhow::Result<Option<Signer>> {
    let Some(signing) = signing else {
        return Ok(None);
    };
    match Signer::new(&ctx.exec, signing)? {
        Ok(signer) => Ok(Some(signer)),
        Err(refusal) => {
            source.refusals.push(refusal);
            Ok(None)
        }
    }
}

/// Verifies the platforms that nothing proves.
fn prove(ctx: &Ctx, release: &Release, plan: &ReleasePlan) -> anyhow::Result<()> {
    if plan.verify.is_empty() {
        return Ok(());
    }
    let platforms: Vec<_> = plan.verify.iter().map(|(platform, _)| *platform).collect();
    let wanted = ToProve {
        digest: &plan.digest,
        platforms: &platforms,
        revision: &plan.revision,
        sign: release.signing.as_ref(),
    };
    let _ = release.own.set(verify::prove(ctx, &wanted)?);
    Ok(())
}

/// Fails when somebody else released during the question or the verification.
fn unchanged(first: &ReleasePlan, again: &ReleasePlan) -> anyhow::Result<()> {
    let is_same = first.steps == again.steps && first.records == again.records;
    if is_same && again.verify.is_empty() {
        return Ok(());
    }
    Err(Stop::Refused(format!(
        "nothing was changed: the registry has changed since the plan was shown; the plan is now\n\
         {}  hint: run this again",
        show::table(again)
    ))
    .into())
}
