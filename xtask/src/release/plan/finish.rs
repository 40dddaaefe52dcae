//! What every plan ends with: what proves the image, who signs, and all refusals at once.

use super::super::facts::{Authority, ReleaseFacts, SourceImage};
use super::super::step::{AttachStep, RecordStep, ReleasePlan, TagStep, Unsigned};
use super::record;
use crate::oci::Digest;
use crate::published::Wanted;
use crate::refusal::Refusal;
use crate::version::Version;

/// The remedy when a tag is not what it should be.
pub(super) const STATUS: &str = "`cargo xtask release --status` shows what is published";

/// The plan, with the platforms to verify first; or all refusals.
pub(super) fn finish(
    facts: &ReleaseFacts,
    version: &Version,
    digest: Digest,
    records: Vec<RecordStep>,
    steps: Vec<TagStep>,
    mut refusals: Vec<Refusal>,
) -> Result<ReleasePlan, Vec<Refusal>> {
    let mut plan = ReleasePlan {
        version: version.clone(),
        revision: facts.source.wanted.revision.clone(),
        digest,
        verify: Vec::new(),
        attach: attach(facts),
        sign: sign(facts),
        records,
        steps,
        notes: record::notes(facts),
    };
    if !plan.records.is_empty() {
        refusals.extend(record::unbelievable(&facts.authority));
    }
    // What writes nothing needs no proof.
    if !plan.is_done() {
        plan.verify.clone_from(&facts.lacking);
    }
    if facts.authority == Authority::Unset && !plan.is_done() {
        plan.notes.push(
            "Cargo.toml has no `proof` settings: this run believes its own verification alone, and \
             whoever may push can write a release record; docs/proof.md has the lines to add"
                .to_owned(),
        );
    }
    if facts.are_receipts_given {
        for (platform, why) in plan.verify.drain(..) {
            refusals.push(Refusal::new(
                format!("no proof of {platform} is believed: {why}"),
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

/// What each repository does not have yet of the proofs that are believed.
fn attach(facts: &ReleaseFacts) -> Vec<AttachStep> {
    let mut attach = Vec::new();
    for published in &facts.published {
        for (platform, by) in &facts.proven {
            if published.unattached.contains(platform) {
                attach.push(AttachStep {
                    repository: published.repository.clone(),
                    platform: *platform,
                    by: by.clone(),
                });
            }
        }
    }
    attach
}

fn sign(facts: &ReleaseFacts) -> Vec<Unsigned> {
    let all = facts.published.iter();
    let unsigned = all.filter(|one| !one.unsigned.is_empty());
    let unsigned = unsigned.map(|published| Unsigned {
        repository: published.repository.clone(),
        digests: published.unsigned.clone(),
    });
    unsigned.collect()
}

/// The digest of the image, if it is whole and built from the commit. `absent` and `again` are the
/// remedies when it is missing, or not what it must be.
pub(super) fn image(facts: &ReleaseFacts, absent: &str, again: &str) -> Result<Digest, Refusal> {
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
