//! The plan of a release, or every reason against it: a pure function over facts.

use serde::Serialize;

use super::facts::{LatestPolicy, PublishedVersions, ReleaseFacts, SourceImage};
use crate::oci::Digest;
use crate::platform::Platform;
use crate::published::Wanted;
use crate::reference::Repository;
use crate::refusal::Refusal;
use crate::version::latest::{MOVES, Obstacle, obstacle};
use crate::version::{Version, is_stable};

/// The remedy when a tag is not what it should be.
const STATUS: &str = "`cargo xtask release --status` shows what is published";

/// What a release does, in order; with `--dry-run --json` in this form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct ReleasePlan {
    pub(super) version: Version,
    /// The full commit id.
    pub(super) revision: String,
    /// The index that is released, byte for byte.
    pub(super) digest: Digest,
    /// The platforms to verify first, each with the reason why its receipt is not valid.
    pub(super) verify: Vec<(Platform, String)>,
    /// What is signed next, before any tag is written.
    pub(super) sign: Vec<Unsigned>,
    /// In the order in which they are done.
    pub(super) steps: Vec<TagStep>,
}

/// What is to be signed in a repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Unsigned {
    pub(super) repository: Repository,
    /// Manifests, and the index last.
    pub(super) digests: Vec<Digest>,
}

/// What happens to a tag.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct TagStep {
    pub(super) kind: StepKind,
    pub(super) repository: Repository,
    pub(super) tag: String,
    pub(super) from: Option<Digest>,
    /// None when the tag stays where it is.
    pub(super) to: Option<Digest>,
    pub(super) why: String,
}

/// Why a tag is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum StepKind {
    /// The commit's `sha-…` tag, with the image copied from the first repository.
    Copy,
    /// The version's tag, which is written once.
    Version,
    /// `latest`, which moves up only.
    Latest,
    /// `latest`, which moves down by `--rollback`.
    Rollback,
}

impl TagStep {
    /// Whether the step writes the tag.
    pub(super) fn is_write(&self) -> bool {
        self.to.is_some() && self.to != self.from
    }
}

impl ReleasePlan {
    /// Whether nothing is left to write and to sign.
    pub(super) fn is_done(&self) -> bool {
        self.sign.is_empty() && !self.steps.iter().any(TagStep::is_write)
    }
}

/// Decides on a release.
pub(super) fn release(facts: &ReleaseFacts) -> Result<ReleasePlan, Vec<Refusal>> {
    let wanted = &facts.source.wanted;
    let mut refusals = facts.source.refusals.clone();
    let image = image(
        facts,
        &format!("`cargo xtask image --push` at commit `{}`", wanted.revision),
        "delete the tag in the registry, and push the commit's image again: `cargo xtask image \
         --push`",
    );
    let image = image.map_err(|refusal| refusals.push(refusal));
    let (Some(version), Ok(digest)) = (&facts.source.version, image) else {
        return Err(refusals);
    };
    let mut steps = Vec::new();
    for published in facts.published.iter().skip(1) {
        steps.push(copy(facts, published, &digest, &mut refusals));
    }
    for published in &facts.published {
        steps.push(tag(version, published, &digest, &mut refusals));
    }
    for published in &facts.published {
        let goal = latest(version, &digest, published, facts.wish);
        if let (LatestPlan::Stays(why), LatestPolicy::Require) = (&goal, facts.wish) {
            refusals.push(Refusal::new(
                format!("`{}` may not move: {why}", published.reference("latest")),
                "leave out `--latest require`, or release a version above all published ones",
            ));
        }
        let from = published.at().cloned();
        steps.push(TagStep {
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
        });
    }
    finish(facts, version, digest, steps, refusals)
}

/// Decides on a rollback of `latest` to a published version, for the reason `why`.
pub(super) fn rollback(facts: &ReleaseFacts, why: &str) -> Result<ReleasePlan, Vec<Refusal>> {
    let mut refusals = facts.source.refusals.clone();
    let image = image(facts, STATUS, "`--to vX.Y.Z` names another version");
    let image = image.map_err(|refusal| refusals.push(refusal));
    let (Some(version), Ok(digest)) = (&facts.source.version, image) else {
        return Err(refusals);
    };
    if !is_stable(version) {
        refusals.push(Refusal::new(
            format!("`{version}` is a prerelease, which `latest` never leads to"),
            "`--to vX.Y.Z` names a stable version",
        ));
    }
    let mut steps = Vec::new();
    for published in &facts.published {
        refusals.extend(rollback_refusals(version, &digest, published));
        steps.push(TagStep {
            kind: StepKind::Rollback,
            repository: published.repository.clone(),
            tag: "latest".to_owned(),
            from: published.at().cloned(),
            to: Some(digest.clone()),
            why: if published.at() == Some(&digest) {
                "it is there already".to_owned()
            } else {
                why.to_owned()
            },
        });
    }
    finish(facts, version, digest, steps, refusals)
}

/// Why `latest` cannot roll back to `version` in a repository: the version must be published there
/// with the same digest, and `latest` must not be lower.
fn rollback_refusals(
    version: &Version,
    digest: &Digest,
    published: &PublishedVersions,
) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    let name = published.reference(&format!("v{version}"));
    match &published.tag {
        Some(there) if there == digest => {}
        Some(there) => refusals.push(Refusal::new(
            format!("`{name}` leads to another digest than the first repository's: `{there}`"),
            STATUS,
        )),
        None => refusals.push(Refusal::new(format!("`{name}` is not published"), STATUS)),
    }
    let latest = published.reference("latest");
    let Some(at) = &published.latest else {
        refusals.push(Refusal::new(
            format!("`{latest}` is not there, so there is nothing to roll back"),
            "`cargo xtask release` writes it",
        ));
        return refusals;
    };
    if let Some(lower) = at.version.as_ref().filter(|at| *at < version) {
        refusals.push(Refusal::new(
            format!(
                "`{latest}` is at `v{lower}`, which is lower than `v{version}`: a rollback moves \
                 it down"
            ),
            format!("`cargo xtask release --version {version} --latest require`"),
        ));
    }
    refusals
}

/// The plan, with the platforms to verify first; or all refusals.
fn finish(
    facts: &ReleaseFacts,
    version: &Version,
    digest: Digest,
    steps: Vec<TagStep>,
    mut refusals: Vec<Refusal>,
) -> Result<ReleasePlan, Vec<Refusal>> {
    let unsigned = facts
        .published
        .iter()
        .filter(|one| !one.unsigned.is_empty());
    let sign = unsigned.map(|published| Unsigned {
        repository: published.repository.clone(),
        digests: published.unsigned.clone(),
    });
    let mut plan = ReleasePlan {
        version: version.clone(),
        revision: facts.source.wanted.revision.clone(),
        digest,
        verify: Vec::new(),
        sign: sign.collect(),
        steps,
    };
    // A release that writes nothing needs no receipt.
    if !plan.is_done() {
        plan.verify.clone_from(&facts.lacking);
    }
    if facts.are_receipts_given {
        for (platform, why) in plan.verify.drain(..) {
            refusals.push(Refusal::new(
                format!("no receipt proves {platform}: {why}"),
                "without `--receipt-dir` the platform is verified now",
            ));
        }
    }
    if refusals.is_empty() {
        Ok(plan)
    } else {
        Err(refusals)
    }
}

/// The step that copies the commit's image to a repository.
fn copy(
    facts: &ReleaseFacts,
    published: &PublishedVersions,
    digest: &Digest,
    refusals: &mut Vec<Refusal>,
) -> TagStep {
    let Wanted { tag, reference, .. } = &facts.source.wanted;
    let there = published.reference(tag);
    if let Some(other) = published.commit.as_ref().filter(|other| *other != digest) {
        refusals.push(Refusal::new(
            format!("`{there}` is `{other}`, and `{reference}` is `{digest}`"),
            "a published tag is never rewritten: delete it there, or release to that repository \
             by itself",
        ));
    }
    TagStep {
        kind: StepKind::Copy,
        repository: published.repository.clone(),
        tag: tag.clone(),
        from: published.commit.clone(),
        to: Some(digest.clone()),
        why: match &published.commit {
            None => format!("copied from `{reference}`"),
            Some(_) => "copied already".to_owned(),
        },
    }
}

/// The step that writes the version's tag.
fn tag(
    version: &Version,
    published: &PublishedVersions,
    digest: &Digest,
    refusals: &mut Vec<Refusal>,
) -> TagStep {
    let tag = format!("v{version}");
    if let Some(other) = published.tag.as_ref().filter(|other| *other != digest) {
        refusals.push(Refusal::new(
            format!(
                "`{}` is published with another digest: it is `{other}`, and this release is \
                 `{digest}`",
                published.reference(&tag)
            ),
            "a version is written once: release this commit as a higher version",
        ));
    }
    TagStep {
        kind: StepKind::Version,
        repository: published.repository.clone(),
        tag,
        from: published.tag.clone(),
        to: Some(digest.clone()),
        why: match &published.tag {
            None => "the git tag".to_owned(),
            Some(_) => "published already".to_owned(),
        },
    }
}

/// The digest of the image, if it is whole and built from the commit. `absent` and `again` are the
/// remedies when it is missing, or not what it must be.
fn image(facts: &ReleaseFacts, absent: &str, again: &str) -> Result<Digest, Refusal> {
    let Wanted {
        reference,
        revision,
        ..
    } = &facts.source.wanted;
    let (why, remedy) = match &facts.image {
        SourceImage::Whole { digest, .. } => return Ok(digest.clone()),
        SourceImage::Absent => (format!("`{reference}` is not published"), absent),
        SourceImage::Broken(why) => (format!("`{reference}` is broken: {why}"), again),
        SourceImage::Other(why) => (
            format!("`{reference}` is not the image of commit `{revision}`: {why}"),
            again,
        ),
    };
    Err(Refusal::new(why, remedy))
}

/// Where `latest` goes, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum LatestPlan {
    /// It leads there already.
    Is(String),
    Moves(Digest, String),
    Stays(String),
}

/// Where `latest` belongs once `version` is published as `digest`: it never moves down.
pub(super) fn latest(
    version: &Version,
    digest: &Digest,
    published: &PublishedVersions,
    wish: LatestPolicy,
) -> LatestPlan {
    if wish == LatestPolicy::Never {
        return LatestPlan::Stays("`--latest never`".to_owned());
    }
    let highest = published.highest.as_ref();
    let at = published.latest.as_ref();
    let obstacle = obstacle(
        version,
        highest.map(|(highest, _)| highest),
        at.and_then(|at| at.version.as_ref()),
    );
    if let Some(prerelease @ Obstacle::Prerelease(_)) = &obstacle {
        return LatestPlan::Stays(prerelease.to_string());
    }
    if let (Some(time), LatestPolicy::Auto) = (&published.rolled_back, wish) {
        return LatestPlan::Stays(format!(
            "it was rolled back from this version ({time}); `--latest require` gives it again"
        ));
    }
    let is_there = at.is_some_and(|at| at.digest == *digest);
    match (obstacle, highest) {
        // Another release came between, and ours has moved it.
        (Some(Obstacle::Higher(higher)), Some((_, theirs))) if is_there => {
            let why = format!("`v{higher}` is published, and it is at `v{version}`");
            LatestPlan::Moves(theirs.clone(), why)
        }
        (Some(Obstacle::Labelled(_)) | None, _) if is_there => {
            LatestPlan::Is("it is there already".to_owned())
        }
        (Some(obstacle), _) => LatestPlan::Stays(obstacle.to_string()),
        (None, _) => LatestPlan::Moves(digest.clone(), MOVES.to_owned()),
    }
}

#[cfg(test)]
mod tests;
