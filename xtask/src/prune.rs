//! `cargo xtask prune`: removes the tags of old commits and of merged platforms from the registry.
//! Changes nothing without `--yes`; meant for a nightly job.

mod age;
mod apply;
mod guard;
mod left_over;
mod needs;
mod observe;
mod plan;
mod removals;
mod show;
mod verdict;

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use self::apply::Apply;
use self::left_over::LeftOver;
use self::plan::plan;
use self::verdict::Question;
use crate::ctx::Ctx;
use crate::refusal::Refusal;
use crate::registry::Registry;
use crate::stop::Stop;
use crate::tags::sha_name;
use crate::{git, testbed};

const EXAMPLES: &str = "\
Examples:
  cargo xtask prune                              show what would be removed, and change nothing
  cargo xtask prune --yes                        remove it, as a nightly job does
  cargo xtask prune --older-than 30d             keep the commits of the last 30 days
  cargo xtask prune --json | jq .plan.remove

Removed are `sha-…-linux-…` once they are merged into `sha-…`, and `sha-…` that are older than the
limit, when no version, `dev` or `latest` leads there; then the manifests that nothing needs any more.
The age is that of the commit, from the image. Where it is not known, and for every other tag,
nothing is removed. GitHub's registry and Docker Hub delete over APIs of their own. More: docs/prune.md.
Exit codes: 0 done, or shown; 1 something failed, run it again; 3 refused: nothing was changed.";

/// Remove the tags of old commits and of merged platforms from the registry
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Remove only commits older than this (`30d`, `12weeks`); one day at least
    #[arg(long, value_name = "AGE", default_value = "90d", value_parser = age)]
    older_than: Duration,
    /// Remove what the plan shows; without this nothing is changed
    #[arg(short, long, conflicts_with = "dry_run")]
    yes: bool,
    /// Print what would be removed, and change nothing: the default
    #[arg(long)]
    dry_run: bool,
}

/// A commit that was just pushed may be on its way to a release.
const SHORTEST: Duration = Duration::from_hours(24);

fn age(text: &str) -> Result<Duration, String> {
    let age = humantime::parse_duration(text)
        .map_err(|_| "expected a number and a unit, as in `30d` or `12weeks`".to_owned())?;
    if age < SHORTEST {
        return Err("expected one day or more: a younger commit may be in release".to_owned());
    }
    Ok(age)
}

impl Args {
    pub(crate) fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        if ctx.testbed {
            testbed::enter(ctx, true)?;
        }
        let repository = &ctx.settings.repository;
        let in_git = in_git(ctx)?;
        let registry = Registry::new(&ctx.exec, repository);
        crate::say::errln!("reading `{repository}`");
        let left_over = LeftOver::new(&ctx.records(), repository);
        let tags = observe::observe(repository, &registry.puller())?;
        let question = Question {
            in_git: &in_git,
            now: SystemTime::now(),
            older_than: self.older_than,
            left_over: &left_over.read()?,
        };
        let plan = plan(&tags, &question);
        let results = if self.yes && !plan.is_empty() {
            let deleter = registry.deleter();
            let apply = Apply::new(&deleter, repository, &tags, &plan);
            Some(apply.run(&plan, &left_over)?)
        } else {
            None
        };
        show::report(ctx, &plan, results)
    }
}

/// The names of the commits' tags that a version of git is at.
///
/// Fails in a shallow clone, which lacks tags.
fn in_git(ctx: &Ctx) -> anyhow::Result<BTreeSet<String>> {
    let facts = git::read_facts(&ctx.root)?;
    if facts.shallow {
        return Err(Stop::from(Refusal::new(
            "nothing was removed: the clone is shallow, so versions of git may be missing",
            "`git fetch --unshallow --tags` (`fetch-depth: 0` for actions/checkout)",
        ))
        .into());
    }
    let names = facts.versions.iter().map(|version| {
        let commit = git::tagged(&ctx.root, version)?;
        Ok(sha_name(&commit))
    });
    names.collect()
}

#[cfg(test)]
mod tests;
