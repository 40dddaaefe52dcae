//! Where `latest` belongs.

use super::super::facts::{LatestPolicy, PublishedVersions};
use super::super::step::{StepKind, TagStep};
use crate::oci::Digest;
use crate::proof::ReleaseRecord;
use crate::refusal::Refusal;
use crate::version::Version;
use crate::version::latest::{MOVES, Obstacle, obstacle};

/// Where `latest` goes, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LatestPlan {
    /// It leads there already.
    Is(String),
    Moves(Digest, String),
    Stays(String),
}

/// Where `latest` belongs once `version` is published as `digest`: it never moves down, and to a version
/// that is withdrawn only if that is required.
pub(crate) fn latest(
    version: &Version,
    digest: &Digest,
    published: &PublishedVersions,
    wish: LatestPolicy,
    withdrawn: Option<&ReleaseRecord>,
) -> LatestPlan {
    if wish == LatestPolicy::Never {
        return LatestPlan::Stays("`--latest never`".to_owned());
    }
    let highest = published.highest();
    let at = published.standing.latest.as_ref();
    let obstacle = obstacle(
        version,
        highest.as_ref().map(|(highest, _)| highest),
        at.and_then(|at| at.version.as_ref()),
    );
    if let Some(prerelease @ Obstacle::Prerelease(_)) = &obstacle {
        return LatestPlan::Stays(prerelease.to_string());
    }
    if let (Some(record), LatestPolicy::Auto) = (withdrawn, wish) {
        return LatestPlan::Stays(stays_back(record));
    }
    let is_there = at.is_some_and(|at| at.digest == *digest);
    match (obstacle, highest) {
        // Another release came between, and ours has moved it.
        (Some(Obstacle::Higher(higher)), Some((_, theirs))) if is_there => {
            let why = format!("`v{higher}` is published, and it is at `v{version}`");
            LatestPlan::Moves(theirs, why)
        }
        (Some(Obstacle::Labelled(_)) | None, _) if is_there => {
            LatestPlan::Is("it is there already".to_owned())
        }
        (Some(obstacle), _) => LatestPlan::Stays(obstacle.to_string()),
        (None, _) => LatestPlan::Moves(digest.clone(), MOVES.to_owned()),
    }
}

/// Why a withdrawn version does not get `latest`.
fn stays_back(record: &ReleaseRecord) -> String {
    let reason = record.reason.as_deref().unwrap_or("no reason given");
    format!(
        "`v{}` was withdrawn ({}): {reason}; `--latest require` restores it",
        record.version, record.time
    )
}

/// The step of `goal`; a refusal where `latest` must move and may not.
pub(super) fn step(
    published: &PublishedVersions,
    goal: LatestPlan,
    wish: LatestPolicy,
    refusals: &mut Vec<Refusal>,
) -> TagStep {
    if let (LatestPlan::Stays(why), LatestPolicy::Require) = (&goal, wish) {
        refusals.push(Refusal::new(
            format!("`{}` may not move: {why}", published.reference("latest")),
            "leave out `--latest require`, or release a version above all published ones",
        ));
    }
    let from = published.at().cloned();
    TagStep {
        kind: StepKind::Latest,
        repository: published.repository.clone(),
        tag: "latest".to_owned(),
        to: match &goal {
            LatestPlan::Is(_) => from.clone(),
            LatestPlan::Moves(to, _) => Some(to.clone()),
            LatestPlan::Stays(_) => None,
        },
        from,
        why: match goal {
            LatestPlan::Is(why) | LatestPlan::Moves(_, why) | LatestPlan::Stays(why) => why,
        },
    }
}
