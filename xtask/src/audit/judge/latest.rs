//! Whether `latest` is where it should be.

use std::collections::BTreeMap;

use super::{Finding, Severity, kept};
use crate::attested::Believed;
use crate::audit::observe::AuditedRepository;
use crate::oci::Digest;
use crate::records::Recorded;
use crate::version::latest::highest;
use crate::version::{Version, is_stable};

/// Checks that `latest` is the highest stable version that counts.
pub(super) fn check(facts: &AuditedRepository, findings: &mut Vec<Finding>) {
    if let Some((why, remedy)) = wrong(facts) {
        findings.push(Finding {
            severity: Severity::Error,
            reference: facts.repository.reference("latest"),
            why,
            remedy,
        });
    }
}

/// What is wrong with `latest`, and the remedy.
fn wrong(facts: &AuditedRepository) -> Option<(String, String)> {
    let at = facts.tags.iter().find(|tag| tag.name == "latest");
    let at = at.and_then(|tag| tag.digest.as_ref());
    let stable = facts.tags.iter().filter_map(|tag| {
        let version = tag.version().filter(is_stable)?;
        Some((version, tag.digest.as_ref()))
    });
    let stable: BTreeMap<Version, Option<&Digest>> = stable.collect();
    if matches!(facts.believed, Believed::Unknown(_)) {
        // Which versions are withdrawn is not known.
        return None;
    }
    let has_records = facts.kept.has_records();
    let recorded = |version: &Version| {
        let recorded = facts.kept.recorded(version);
        recorded.filter(|_| has_records)
    };
    if let Some((at, version)) = at.and_then(|at| {
        let mut there = stable.iter().filter(|(_, digest)| **digest == Some(at));
        Some((at, there.next_back()?.0))
    }) && let Some(recorded) = recorded(version)
        && let Some(wrong) = of_version(at, version, recorded)
    {
        return Some(wrong);
    }
    let counting = stable
        .iter()
        .filter(|(version, _)| facts.kept.counts(version));
    let counting: BTreeMap<&Version, Option<&Digest>> = counting
        .map(|(version, digest)| (version, *digest))
        .collect();
    let highest = highest(counting.keys().copied()).and_then(|one| counting.get_key_value(one));
    match (at, highest) {
        (None, None) => None,
        (Some(at), None) if stable.is_empty() => Some((
            format!("is `{at}`, and no stable version is published"),
            "`cargo xtask release` publishes one".to_owned(),
        )),
        (Some(at), None) => Some((
            format!("is `{at}`, and no stable version counts: each is withdrawn or has no record"),
            "`cargo xtask release` publishes a higher one".to_owned(),
        )),
        (at, Some((_, highest))) if at == *highest => None,
        (at, Some((highest, _))) => Some((
            format!(
                "is {}, and the highest stable version that counts is `v{highest}`",
                at.map_or("not there".to_owned(), |at| format!("`{at}`"))
            ),
            format!("`cargo xtask release --version {highest} --latest require`"),
        )),
    }
}

/// What is wrong with the version that `latest` leads to.
fn of_version(at: &Digest, version: &Version, recorded: &Recorded) -> Option<(String, String)> {
    match recorded {
        Recorded::Absent => Some((
            format!("leads to `v{version}` (`{at}`), which has no release record"),
            "`cargo xtask release --adopt` verifies it and writes its record".to_owned(),
        )),
        // The version has a finding of its own.
        Recorded::Doubted(_) => None,
        Recorded::Believed(record) | Recorded::Displaced(record) => {
            if record.counts() {
                return None;
            }
            let what = kept::withdrawn(record);
            Some((
                format!("leads to `v{version}`, {what}"),
                format!(
                    "`cargo xtask release --rollback --reason TEXT` moves it to the highest version below; or \
                     `cargo xtask release --version {version} --latest require` restores this one"
                ),
            ))
        }
    }
}
