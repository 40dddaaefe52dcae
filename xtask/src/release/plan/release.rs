//! The plan of a release.

use super::super::facts::{PublishedVersions, ReleaseFacts};
use super::super::step::{ReleasePlan, StepKind, TagStep};
use super::finish::{finish, image};
use super::latest::{self, LatestPlan, latest};
use super::record;
use crate::oci::Digest;
use crate::published::Wanted;
use crate::refusal::Refusal;
use crate::version::Version;

/// Decides on a release.
pub(crate) fn release(facts: &ReleaseFacts) -> Result<ReleasePlan, Vec<Refusal>> {
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
    let (mut steps, mut records) = (Vec::new(), Vec::new());
    for published in facts.published.iter().skip(1) {
        steps.push(copy(facts, published, &digest, &mut refusals));
    }
    for published in &facts.published {
        steps.push(tag(version, published, &digest, &mut refusals));
    }
    for published in &facts.published {
        let withdrawn = published.withdrawn(facts.published.first().unwrap_or(published));
        let goal = latest(version, &digest, published, facts.wish, withdrawn);
        let after = match &goal {
            LatestPlan::Moves(to, _) => Some(to),
            LatestPlan::Is(_) | LatestPlan::Stays(_) => published.at(),
        };
        match record::released(version, &digest, published, facts, after) {
            Ok(step) => records.extend(step),
            Err(refusal) => refusals.push(refusal),
        }
        steps.push(latest::step(published, goal, facts.wish, &mut refusals));
    }
    finish(facts, version, digest, records, steps, refusals)
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
    if let Some(other) = published.tag().filter(|other| *other != digest) {
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
        from: published.tag().cloned(),
        to: Some(digest.clone()),
        why: match published.tag() {
            None => "the git tag".to_owned(),
            Some(_) => "published already".to_owned(),
        },
    }
}
