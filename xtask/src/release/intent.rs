//! What the command line asks for, with all that a plan is decided on besides the registries.

use std::cell::OnceCell;
use std::path::PathBuf;

use super::facts::LatestPolicy;
use super::github_release::GithubRelease;
use super::plan::RollbackAim;
use super::source::Source;
use super::step::ReleasePlan;
use super::target::Destination;
use crate::ctx::Ctx;
use crate::proof::{Signer, Trust};
use crate::refusal::{self, Refusal};
use crate::registry;
use crate::retry::Retry;
use crate::settings::Signing;
use crate::stop::Stop;
use crate::verify::Seen;

/// A release, a rollback or an adoption that is yet to be decided.
pub(super) struct Release<'a> {
    pub(super) ctx: &'a Ctx,
    pub(super) intent: Intent,
    pub(super) options: ReleaseOptions,
    pub(super) targets: Vec<Destination>,
    pub(super) trust: Trust,
    /// None when no signature is asked for.
    pub(super) signing: Option<Signing>,
    pub(super) signer: Option<Signer>,
    /// None when no GitHub Release is asked for.
    pub(super) github: Option<GithubRelease>,
    pub(super) retry: Retry,
    /// What this run's own verification has seen, once it has.
    pub(super) own: OnceCell<Seen>,
}

/// What the command line asks for besides.
pub(super) struct ReleaseOptions {
    /// Where bundles are.
    pub(super) folder: PathBuf,
    pub(super) are_receipts_given: bool,
    pub(super) wish: LatestPolicy,
}

impl Release<'_> {
    /// Whether nothing is left to do for `plan`.
    pub(super) fn is_done(&self, plan: &ReleasePlan) -> bool {
        let is_made = |github: &GithubRelease| !github.must_be_made();
        plan.is_done() && self.github.as_ref().is_none_or(is_made)
    }
}

/// What the command line asks for: what to do with a version.
pub(super) struct Intent {
    pub(super) source: Source,
    pub(super) task: Task,
}

pub(super) enum Task {
    Release,
    /// `latest` moves down to the version.
    Rollback(RollbackAim),
    /// The version, which is published, gets a record.
    Adopt,
}

impl Intent {
    /// All refusals at once.
    pub(super) fn refused(&self, refusals: &[Refusal]) -> Stop {
        refusal::stop(self.nothing(), refusals)
    }

    /// What is said where nothing was written.
    pub(super) fn nothing(&self) -> &'static str {
        match self.task {
            Task::Release => "nothing was released",
            Task::Rollback(_) => "nothing was rolled back",
            Task::Adopt => "nothing was adopted",
        }
    }

    /// The error of a run that has written something, or not.
    pub(super) fn unfinished(&self, plan: &ReleasePlan, error: anyhow::Error) -> anyhow::Error {
        let what = match self.task {
            Task::Release => "release of",
            Task::Rollback(_) => "rollback to",
            Task::Adopt => "adoption of",
        };
        let goes_on = registry::goes_on(&error);
        error.context(format!(
            "the {what} `v{}` is not finished{goes_on}",
            plan.version
        ))
    }
}
