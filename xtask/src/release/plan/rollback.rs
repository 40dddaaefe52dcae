//! The plan of a rollback: what is withdrawn, and where `latest` goes.

use super::super::facts::{PublishedVersions, ReleaseFacts};
use super::super::step::{RecordStep, ReleasePlan, StepKind, TagStep};
use super::finish::{STATUS, finish, image};
use super::record::{again, doubted, next, over};
use crate::oci::Digest;
use crate::proof::{ReleaseRecord, ReleaseState};
use crate::records::{Recorded, RecordedVersion};
use crate::refusal::Refusal;
use crate::version::{Version, is_stable};

/// What a rollback is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RollbackAim {
    /// Why the version in `source` is the one.
    pub(crate) why: String,
    /// Why versions are withdrawn.
    pub(crate) reason: String,
    /// Whether `--to` names the version: then every higher one is withdrawn.
    pub(crate) is_named: bool,
}

/// Decides on a rollback of `latest` to the published version in `facts.source`.
pub(crate) fn rollback(
    facts: &ReleaseFacts,
    aim: &RollbackAim,
) -> Result<ReleasePlan, Vec<Refusal>> {
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
    let (mut steps, mut records) = (Vec::new(), Vec::new());
    for published in &facts.published {
        refusals.extend(of_tags(version, &digest, published));
        for found in withdrawals(version, &digest, published, aim) {
            match found {
                Ok(step) => records.push(step),
                Err(refusal) => refusals.push(refusal),
            }
        }
        steps.push(TagStep {
            kind: StepKind::Rollback,
            repository: published.repository.clone(),
            tag: "latest".to_owned(),
            from: published.at().cloned(),
            to: Some(digest.clone()),
            why: if published.at() == Some(&digest) {
                "it is there already".to_owned()
            } else {
                aim.why.clone()
            },
        });
    }
    // After every withdrawal: a run that dies between leaves less, not more.
    for published in &facts.published {
        match target(version, &digest, published) {
            Ok(step) => records.extend(step),
            Err(refusal) => refusals.push(refusal),
        }
    }
    finish(facts, version, digest, records, steps, refusals)
}

/// Why `latest` cannot roll back to `version` in a repository: the version must be published there
/// with the same digest, and `latest` must not be lower.
fn of_tags(version: &Version, digest: &Digest, published: &PublishedVersions) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    let name = published.reference(&format!("v{version}"));
    match published.tag() {
        Some(there) if there == digest => {}
        Some(there) => refusals.push(Refusal::new(
            format!("`{name}` leads to another digest than the first repository's: `{there}`"),
            STATUS,
        )),
        None => refusals.push(Refusal::new(format!("`{name}` is not published"), STATUS)),
    }
    let latest = published.reference("latest");
    let Some(at) = &published.standing.latest else {
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

/// The versions above `version` that are withdrawn in a repository, the highest first: the one that `latest`
/// is at, and with `--to` every one that counts.
fn withdrawals(
    version: &Version,
    digest: &Digest,
    published: &PublishedVersions,
    aim: &RollbackAim,
) -> Vec<Result<RecordStep, Refusal>> {
    let at = published.standing.latest.as_ref();
    let at = at.filter(|at| at.is_published);
    let of = |one: &RecordedVersion| {
        let at = at.filter(|at| at.version.as_ref() == Some(&one.version));
        let counting = one.recorded.counting().filter(|_| aim.is_named);
        let is_meant = one.version > *version && (at.is_some() || counting.is_some());
        if !is_meant {
            return None;
        }
        withdrawal(one, at.map(|at| &at.digest), digest, published, aim).transpose()
    };
    published.standing.others.iter().filter_map(of).collect()
}

/// The record by which a version is withdrawn; none when it says so already. `at` is what `latest` leads to,
/// if it is at this version.
fn withdrawal(
    one: &RecordedVersion,
    at: Option<&Digest>,
    digest: &Digest,
    published: &PublishedVersions,
    aim: &RollbackAim,
) -> Result<Option<RecordStep>, Refusal> {
    let record = match &one.recorded {
        // Taking a version back needs nobody's word for what it was.
        Recorded::Doubted(doubt) => {
            let Some(at) = at else {
                return Ok(None);
            };
            let to = Some(ReleaseState::Withdrawn);
            let step = over(&one.version, at, published, doubt, to)?;
            return Ok(Some(RecordStep {
                reason: Some(aim.reason.clone()),
                after: Some(digest.clone()),
                ..step
            }));
        }
        Recorded::Believed(record) | Recorded::Displaced(record) => Some(record),
        Recorded::Absent => None,
    };
    let withdrawn = one.recorded.withdrawn();
    let is_tagged = matches!(one.recorded, Recorded::Believed(_));
    let leads_here = |record: &ReleaseRecord| record.latest.after.as_ref() == Some(digest);
    if is_tagged && withdrawn.is_some_and(leads_here) {
        return Ok(None);
    }
    let Some(named) = record.map(|record| &record.digest).or(at) else {
        return Ok(None);
    };
    let to = ReleaseState::Withdrawn;
    let step = next(&one.version, named, published, record, to)?;
    // The run before ended half-way, and had another version to go to.
    let earlier = withdrawn.and_then(|record| record.reason.clone());
    Ok(Some(RecordStep {
        reason: Some(earlier.unwrap_or_else(|| aim.reason.clone())),
        after: Some(digest.clone()),
        why: aim.reason.clone(),
        ..step
    }))
}

/// The record of the version that `latest` goes to, if it has none.
fn target(
    version: &Version,
    digest: &Digest,
    published: &PublishedVersions,
) -> Result<Option<RecordStep>, Refusal> {
    let recorded = &published.standing.recorded;
    if let Recorded::Doubted(doubt) = recorded {
        return Err(doubted(version, published, &doubt.why));
    }
    let name = published.reference(&format!("v{version}"));
    let Some(record) = recorded.believed() else {
        let step = next(version, digest, published, None, ReleaseState::Released)?;
        return Ok(Some(RecordStep {
            after: Some(digest.clone()),
            why: "it was published without a record".to_owned(),
            ..step
        }));
    };
    if let Some(withdrawn) = recorded.withdrawn() {
        let reason = withdrawn.reason.as_deref().unwrap_or("no reason given");
        return Err(Refusal::new(
            format!(
                "`{name}` is withdrawn itself ({}): {reason}",
                withdrawn.time
            ),
            "`--to vX.Y.Z` names another version",
        ));
    }
    if record.digest != *digest {
        return Err(Refusal::new(
            format!(
                "`{name}` is `{digest}`, and its record says `{}`",
                record.digest
            ),
            "`--to vX.Y.Z` names another version, until it is known who overwrote this one",
        ));
    }
    if matches!(recorded, Recorded::Believed(_)) {
        return Ok(None);
    }
    again(version, published, record).map(Some)
}
