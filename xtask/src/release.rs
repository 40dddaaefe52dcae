//! `cargo xtask release`: promotes a proven digest, sha-… to vX.Y.Z to latest.
//!
//! Nothing is built and no byte rewritten. Whatever ends a run, the next one goes on.

mod apply;
mod facts;
mod journal;
mod patience;
mod plan;
mod show;

use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;

use self::apply::Apply;
use self::facts::{Asked, Local, Wish};
use self::journal::Journal;
use self::patience::Patience;
use self::plan::{Plan, Refusal, plan};
use crate::ctx::Ctx;
use crate::registry::Registry;
use crate::stop::Stop;
use crate::version::Version;
use crate::{tags, verify};

const EXAMPLES: &str = "\
Examples:
  cargo xtask release --dry-run                  what would be done, or all that stands against it
  cargo xtask release                            the version at HEAD; asks before it writes
  cargo xtask release --yes                      without a question, as in CI
  cargo xtask release --receipt-dir receipts     proven elsewhere: nothing is verified here
  cargo xtask release --version 1.2.3            of several versions at HEAD, this one
  cargo xtask release --latest never             a version that is not to be `latest`

The image must be published (`cargo xtask image --push`) and the git tag on the remote.
What has no receipt is verified first. `latest` never moves to a lower version.
Each step is kept in target/xtask/release/vX.Y.Z.json. docs/release.md describes it.
Exit codes: 0 done (or done before); 1 something failed, run it again; 3 refused.";

/// Give vX.Y.Z, and `latest` if it may move, to the proven image of HEAD's commit
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Of several versions at HEAD, the one to release
    #[arg(long, value_name = "VERSION", value_parser = tags::version)]
    version: Option<Version>,
    /// Receipts of `cargo xtask verify` for every platform [default: target/xtask/receipts, and
    /// what has none is verified now]
    #[arg(long, value_name = "DIR")]
    receipt_dir: Option<PathBuf>,
    /// What becomes of `latest`
    #[arg(long, value_name = "WISH", default_value = "auto")]
    latest: Wish,
    /// The git remote that must have the version's tag
    #[arg(long, value_name = "NAME", default_value = "origin")]
    remote: String,
    /// How long a step may wait for a registry that is busy or broken
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    patience: u64,
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
        let asked = Asked {
            version: self.version.as_ref(),
            receipts: self.receipt_dir.as_ref().unwrap_or(&own),
            are_receipts_given: self.receipt_dir.is_some(),
            remote: &self.remote,
            wish: self.latest,
        };
        let local = facts::local(ctx, &asked)?;
        let registry = Registry::to_release(&ctx.exec, &ctx.settings.repository);
        let patience = Patience(Duration::from_secs(self.patience));
        let decide = || -> anyhow::Result<Plan> {
            let facts = patience.run(|| facts::observe(&local, &asked, &registry))?;
            Ok(plan(&facts).map_err(|refusals| refused(&refusals))?)
        };
        let first = decide()?;
        if self.dry_run {
            return show::plan(&first, ctx.json);
        }
        if !ctx.json || !first.is_done() {
            anstream::eprint!("{}", show::table(&first));
        }
        // Where nobody is waited for, the plan is of this moment.
        let is_fresh = self.yes && first.verify.is_empty();
        let plan = if first.is_done() || is_fresh {
            first
        } else {
            self.confirm()?;
            prove(ctx, &local, &first)?;
            let again = decide()?;
            unchanged(&first, &again)?;
            again
        };
        let folder = ctx.records().join("release");
        let journal = Journal::open(&folder, &plan.version.to_string(), &plan.revision)?;
        let apply = Apply {
            ctx,
            registry: &registry,
            plan: &plan,
            wish: self.latest,
            patience,
            journal,
        };
        let given = apply.run().with_context(|| {
            format!(
                "the release of `v{}` is not finished; run this again, it goes on where it ended",
                plan.version
            )
        })?;
        show::report(ctx, &plan, &given)
    }

    /// Asks on a terminal; elsewhere somebody must have said `--yes`.
    fn confirm(&self) -> anyhow::Result<()> {
        if self.yes {
            return Ok(());
        }
        let stdin = std::io::stdin();
        if !stdin.is_terminal() || !std::io::stderr().is_terminal() {
            return Err(Stop::Refused(
                "nobody can be asked: this is no terminal\n  hint: look at `cargo xtask release \
                 --dry-run`, then `--yes`"
                    .to_owned(),
            )
            .into());
        }
        anstream::eprint!("release? [y/N] ");
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

/// Verifies what has no receipt.
fn prove(ctx: &Ctx, local: &Local, plan: &Plan) -> anyhow::Result<()> {
    if plan.verify.is_empty() {
        return Ok(());
    }
    let name = local.repository.by_digest(&plan.digest);
    let platforms = plan.verify.iter().map(|(platform, _)| *platform).collect();
    verify::prove(ctx, &name, platforms, &plan.revision)
}

/// While we waited for an answer or a proof, somebody else may have released.
fn unchanged(first: &Plan, again: &Plan) -> anyhow::Result<()> {
    if first.steps == again.steps && again.verify.is_empty() {
        return Ok(());
    }
    Err(Stop::Refused(format!(
        "nothing was changed: the registry has changed since the plan was shown; now it is\n{}  \
         hint: run this again",
        show::table(again)
    ))
    .into())
}

/// All refusals at once.
fn refused(refusals: &[Refusal]) -> Stop {
    let told = refusals
        .iter()
        .map(|refusal| format!("\n- {}\n  hint: {}", refusal.why, refusal.remedy));
    Stop::Refused(format!("nothing was released:{}", told.collect::<String>()))
}
