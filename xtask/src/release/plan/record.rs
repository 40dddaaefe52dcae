//! The records that a plan writes, and the refusals over those that are there.

use super::super::facts::{Authority, LatestPolicy, PublishedVersions, ReleaseFacts};
use super::super::step::RecordStep;
use crate::oci::Digest;
use crate::proof::{ReleaseRecord, ReleaseState};
use crate::records::{Doubt, Recorded};
use crate::refusal::Refusal;
use crate::version::Version;

/// The highest sequence of a record: whoever is there has lied.
const HIGHEST: u64 = 1 << 40;

/// The record that the release of `version` as `digest` writes in a repository, after which `latest` is at
/// `after`; none when it is there.
pub(super) fn released(
    version: &Version,
    digest: &Digest,
    published: &PublishedVersions,
    facts: &ReleaseFacts,
    after: Option<&Digest>,
) -> Result<Option<RecordStep>, Refusal> {
    let wish = facts.wish;
    let first = facts.published.first().unwrap_or(published);
    let record = match &published.standing.recorded {
        Recorded::Doubted(doubt) => return Err(doubted(version, published, &doubt.why)),
        Recorded::Believed(record) | Recorded::Displaced(record) => Some(record),
        Recorded::Absent => None,
    };
    let is_displaced = matches!(published.standing.recorded, Recorded::Displaced(_));
    if let Some(record) = record.filter(|record| record.digest != *digest) {
        return Err(other_digest(version, digest, published, record));
    }
    let step = |to: ReleaseState, reason: Option<&str>, why: String| {
        next(version, digest, published, record, to).map(|step| {
            Some(RecordStep {
                reason: reason.map(str::to_owned),
                after: after.cloned(),
                why,
                ..step
            })
        })
    };
    match (record, published.withdrawn(first)) {
        (Some(record), Some(_)) if wish == LatestPolicy::Require => {
            let reason = record.reason.as_deref().unwrap_or("no reason given");
            let why = format!("it was withdrawn ({}): {reason}", record.time);
            step(ReleaseState::Restored, None, why)
        }
        (Some(record), _) if is_displaced => again(version, published, record).map(Some),
        (Some(_), _) => Ok(None),
        // What is withdrawn in the first repository is not to be `latest` where it is copied to.
        (None, Some(there)) if wish != LatestPolicy::Require => {
            let why = format!("it is withdrawn in `{}`", first.repository);
            step(ReleaseState::Withdrawn, there.reason.as_deref(), why)
        }
        (None, _) if published.tag().is_some() => {
            let why = "it was published without a record".to_owned();
            step(ReleaseState::Released, None, why)
        }
        (None, _) => step(ReleaseState::Released, None, "it is released".to_owned()),
    }
}

/// A record that is written again as it is, under its tag.
pub(super) fn again(
    version: &Version,
    published: &PublishedVersions,
    record: &ReleaseRecord,
) -> Result<RecordStep, Refusal> {
    let step = next(
        version,
        &record.digest,
        published,
        Some(record),
        record.state,
    )?;
    Ok(RecordStep {
        reason: record.reason.clone(),
        after: record.latest.after.clone(),
        why: "its newest record is not under its tag, only among the referrers".to_owned(),
        ..step
    })
}

/// The record after `record`; its reason, its `after` and why it is written are the caller's.
pub(super) fn next(
    version: &Version,
    digest: &Digest,
    published: &PublishedVersions,
    record: Option<&ReleaseRecord>,
    to: ReleaseState,
) -> Result<RecordStep, Refusal> {
    let sequence = record.map_or(0, |record| record.sequence);
    if sequence >= HIGHEST {
        let tag = published.reference(&format!("state-v{version}"));
        return Err(Refusal::new(
            format!(
                "the record of `v{version}` in `{tag}` is not believed: its sequence is {sequence}"
            ),
            format!(
                "whoever signed it has lied: take that key out of the `proof` settings (docs/proof.md), then \
                 {}",
                adopt(version)
            ),
        ));
    }
    Ok(RecordStep {
        repository: published.repository.clone(),
        version: version.clone(),
        digest: digest.clone(),
        from: record.map(|record| record.state),
        to,
        sequence: sequence + 1,
        reason: None,
        is_over_doubt: false,
        before: published.at().cloned(),
        after: None,
        why: String::new(),
    })
}

/// The refusal over a record that is not believed.
pub(super) fn doubted(version: &Version, published: &PublishedVersions, why: &str) -> Refusal {
    let tag = published.reference(&format!("state-v{version}"));
    let remedy = if published.tag().is_some() {
        format!("then {}", adopt(version))
    } else {
        "if it is nobody's, delete that tag in the registry and run this again".to_owned()
    };
    Refusal::new(
        format!("the record of `v{version}` in `{tag}` is not believed: {why}"),
        format!("find out who wrote it (`crane manifest {tag}`); {remedy}"),
    )
}

fn adopt(version: &Version) -> String {
    format!(
        "`cargo xtask release --adopt --version {version}` verifies the version and writes another record over it"
    )
}

/// The record that takes the place of one that is not believed. It goes on from what is believed, or else from
/// what that one says; its reason is given where there is none.
pub(super) fn over(
    version: &Version,
    digest: &Digest,
    published: &PublishedVersions,
    doubt: &Doubt,
    to: Option<ReleaseState>,
) -> Result<RecordStep, Refusal> {
    let said = doubt.said();
    if let Some(other) = said.filter(|said| said.digest != *digest) {
        return Err(other_digest(version, digest, published, other));
    }
    let to = to.or(said.map(|said| said.state));
    let to = to.unwrap_or(ReleaseState::Released);
    let step = next(version, digest, published, doubt.last.as_deref(), to)?;
    Ok(RecordStep {
        reason: said.and_then(|said| said.reason.clone()),
        is_over_doubt: true,
        after: step.before.clone(),
        why: format!("the record under its tag is not believed: {}", doubt.why),
        ..step
    })
}

pub(super) fn other_digest(
    version: &Version,
    digest: &Digest,
    published: &PublishedVersions,
    record: &ReleaseRecord,
) -> Refusal {
    Refusal::new(
        format!(
            "`{}` is recorded with another digest: `{}`, and this is `{digest}`",
            published.reference(&format!("v{version}")),
            record.digest
        ),
        "a version is written once: release this commit as a higher version",
    )
}

/// The refusal of records that nobody would believe.
pub(super) fn unbelievable(authority: &Authority) -> Option<Refusal> {
    match authority {
        Authority::Unset | Authority::Believed => None,
        Authority::Missing => Some(Refusal::new(
            "a record is written, and nobody signs it: Cargo.toml (`proof` under \
             `[workspace.metadata.image]`) says who must",
            "`--sign=KEY` with one of the `keys` there, or `signing` in Cargo.toml",
        )),
        Authority::Stranger(refusal) => Some(refusal.clone()),
    }
}

/// What is to be known of the versions that do not count.
pub(super) fn notes(facts: &ReleaseFacts) -> Vec<String> {
    facts.published.iter().flat_map(of_repository).collect()
}

fn of_repository(published: &PublishedVersions) -> Vec<String> {
    let mut notes = Vec::new();
    let others = &published.standing.others;
    let absent = others.iter().filter(|one| one.recorded == Recorded::Absent);
    let absent: Vec<String> = absent.map(|one| format!("`v{}`", one.version)).collect();
    if let Some((first, more)) = absent.split_first() {
        let more = match more.len() {
            0 => String::new(),
            more => format!(" and {more} more below it"),
        };
        notes.push(format!(
            "`{}` has no record of {first}{more}, so it does not keep `latest`: `cargo xtask release \
             --adopt` verifies what `latest` leads to, and writes its record",
            published.repository
        ));
    }
    let mut doubted = others.iter().filter_map(|one| match &one.recorded {
        Recorded::Doubted(doubt) => Some((&one.version, &doubt.why)),
        _ => None,
    });
    if let Some((version, why)) = doubted.next() {
        let more = match doubted.count() {
            0 => String::new(),
            more => format!("; nor are those of {more} more versions"),
        };
        notes.push(format!(
            "the record of `v{version}` in `{}` is not believed, so it does not count: {why}{more}",
            published.repository
        ));
    }
    notes
}
