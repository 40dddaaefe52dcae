//! The plan of an adoption: a version that was published without a record gets one, and no tag moves.

use super::super::facts::{PublishedVersions, ReleaseFacts};
use super::super::step::{RecordStep, ReleasePlan, StepKind, TagStep};
use super::finish::{STATUS, finish, image};
use super::record::{again, next, other_digest, over};
use crate::oci::Digest;
use crate::proof::ReleaseState;
use crate::records::Recorded;
use crate::refusal::Refusal;
use crate::version::Version;

/// Decides on the adoption of the published version in `facts.source`.
pub(crate) fn adopt(facts: &ReleaseFacts) -> Result<ReleasePlan, Vec<Refusal>> {
    let mut refusals = facts.source.refusals.clone();
    let image = image(facts, STATUS, "`--version X.Y.Z` names another version");
    let image = image.map_err(|refusal| refusals.push(refusal));
    let (Some(version), Ok(digest)) = (&facts.source.version, image) else {
        return Err(refusals);
    };
    let (mut steps, mut records) = (Vec::new(), Vec::new());
    for published in &facts.published {
        match record(version, &digest, published) {
            Ok(step) => records.extend(step),
            Err(refusal) => refusals.push(refusal),
        }
        steps.push(TagStep {
            kind: StepKind::Adopt,
            repository: published.repository.clone(),
            tag: format!("v{version}"),
            from: published.tag().cloned(),
            to: None,
            why: stays(published),
        });
    }
    finish(facts, version, digest, records, steps, refusals)
}

fn stays(published: &PublishedVersions) -> String {
    match published.standing.recorded.believed() {
        Some(record) => format!("recorded already: {} ({})", record.state, record.time),
        None if published.standing.recorded == Recorded::Absent => {
            "published without a record".to_owned()
        }
        None => "its record is not believed".to_owned(),
    }
}

/// The record, if there is none.
fn record(
    version: &Version,
    digest: &Digest,
    published: &PublishedVersions,
) -> Result<Option<RecordStep>, Refusal> {
    let name = published.reference(&format!("v{version}"));
    match published.tag() {
        None => return Err(Refusal::new(format!("`{name}` is not published"), STATUS)),
        Some(there) if there != digest => {
            let why = format!("`{name}` is `{there}`, and in the first repository `{digest}`");
            return Err(Refusal::new(why, STATUS));
        }
        Some(_) => {}
    }
    match &published.standing.recorded {
        Recorded::Doubted(doubt) => over(version, digest, published, doubt, None).map(Some),
        Recorded::Believed(record) | Recorded::Displaced(record) if record.digest != *digest => {
            Err(other_digest(version, digest, published, record))
        }
        Recorded::Believed(_) => Ok(None),
        Recorded::Displaced(record) => again(version, published, record).map(Some),
        Recorded::Absent => {
            let step = next(version, digest, published, None, ReleaseState::Released)?;
            Ok(Some(RecordStep {
                after: step.before.clone(),
                why: "it was published without a record".to_owned(),
                ..step
            }))
        }
    }
}
