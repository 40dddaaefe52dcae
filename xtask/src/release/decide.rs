//! From the command line to a plan: reads the registries and decides, as often as is needed.

use super::facts::{self, Destination, ReleaseFacts, ReleaseOptions};
use super::github_release::GithubRelease;
use super::plan::{self, ReleasePlan};
use super::sign::Signer;
use super::source::Source;
use crate::ctx::Ctx;
use crate::journal::JournalEntry;
use crate::refusal::{self, Refusal};
use crate::registry::{self, Registry};
use crate::retry::Retry;
use crate::stop::Stop;

/// A release, or a rollback, that is yet to be decided.
pub(super) struct Release<'a> {
    pub(super) intent: Intent,
    pub(super) options: ReleaseOptions<'a>,
    pub(super) targets: Vec<Destination>,
    pub(super) history: Vec<JournalEntry>,
    /// None when no signature is asked for.
    pub(super) signer: Option<Signer>,
    /// None when no GitHub Release is asked for.
    pub(super) github: Option<GithubRelease>,
    pub(super) retry: Retry,
}

impl Release<'_> {
    /// Whether nothing is left to do for `plan`.
    pub(super) fn is_done(&self, plan: &ReleasePlan) -> bool {
        let is_made = |github: &GithubRelease| !github.must_be_made();
        plan.is_done() && self.github.as_ref().is_none_or(is_made)
    }

    /// Reads the registries, and decides.
    ///
    /// Fails with every refusal at once.
    pub(super) fn decide(&self) -> anyhow::Result<(ReleaseFacts, ReleasePlan)> {
        let (intent, options) = (&self.intent, &self.options);
        let (targets, history) = (&self.targets, &self.history);
        let signer = self.signer.as_ref();
        let facts = self
            .retry
            .run(|| facts::observe(&intent.source, options, targets, history, signer))?;
        let plan = match &intent.rollback {
            Some(why) => plan::rollback(&facts, why),
            None => plan::release(&facts),
        };
        Ok((facts, plan.map_err(|refusals| intent.refused(&refusals))?))
    }
}

/// What the command line asks for: a version to release, or to roll back to.
pub(super) struct Intent {
    pub(super) source: Source,
    /// Why `latest` rolls back to it; none when it is released.
    pub(super) rollback: Option<String>,
}

impl Intent {
    /// All refusals at once.
    pub(super) fn refused(&self, refusals: &[Refusal]) -> Stop {
        refusal::stop(self.nothing(), refusals)
    }

    /// What is said where nothing was written.
    pub(super) fn nothing(&self) -> &'static str {
        if self.rollback.is_some() {
            "nothing was rolled back"
        } else {
            "nothing was released"
        }
    }

    /// The error of a release that has written something, or not.
    pub(super) fn unfinished(&self, plan: &ReleasePlan, error: anyhow::Error) -> anyhow::Error {
        let what = if self.rollback.is_some() {
            "rollback to"
        } else {
            "release of"
        };
        let goes_on = registry::goes_on(&error);
        error.context(format!(
            "the {what} `v{}` is not finished{goes_on}",
            plan.version
        ))
    }
}

/// The repositories that get the release. The first has the image.
pub(super) fn targets(ctx: &Ctx, retry: Retry) -> Vec<Destination> {
    let first = &ctx.settings.repository;
    let target = |repository| {
        let registry = Registry::in_steps(&ctx.exec, repository, retry);
        Destination {
            puller: registry.puller(),
            pusher: registry.pusher().copying(first),
            repository: repository.clone(),
        }
    };
    ctx.repositories().into_iter().map(target).collect()
}
