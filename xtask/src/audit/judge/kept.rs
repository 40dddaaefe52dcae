//! What is wrong with the records and proofs of versions, and with the lists of what is attached.

use super::{Finding, Severity};
use crate::attested::Believed;
use crate::audit::kept::{FaultyList, Kept, KeptVersion};
use crate::audit::observe::AuditedRepository;
use crate::audit::tag::AuditedTag;
use crate::oci::Digest;
use crate::printable;
use crate::proof::{ReleaseRecord, ReleaseState};
use crate::records::Recorded;
use crate::version::Version;

/// How many entries of a list are named.
const MOST_NAMED: usize = 3;

/// Adds what concerns a whole repository: it is not known who is believed, or nobody is.
pub(super) fn repository(facts: &AuditedRepository, findings: &mut Vec<Finding>) {
    let is_published = facts.tags.iter().any(|tag| tag.version().is_some());
    let mut add = |severity, why: &str, remedy: &str| {
        findings.push(Finding {
            severity,
            reference: facts.repository.to_string(),
            why: why.to_owned(),
            remedy: remedy.to_owned(),
        });
    };
    if !is_published {
        return;
    }
    match &facts.believed {
        Believed::Judged => {}
        Believed::Nobody => add(
            Severity::Note,
            "has no proof that is believed: there are no `proof` settings",
            "docs/proof.md has the lines to paste",
        ),
        Believed::Unknown(refusal) => {
            let why = format!(
                "has proofs and records that cannot be judged: {}",
                refusal.why
            );
            return add(Severity::Error, &why, &refusal.remedy);
        }
    }
    if !facts.kept.has_records() {
        add(
            Severity::Note,
            "has no release record: its versions were published before there were any",
            "`cargo xtask release --adopt` verifies the version that `latest` is at, and writes its record",
        );
    }
}

/// Checks the records and the proofs of a version.
pub(super) fn version(facts: &AuditedRepository, tag: &AuditedTag, findings: &mut Vec<Finding>) {
    let (Some(version), Some(digest)) = (tag.version(), &tag.digest) else {
        return;
    };
    let Some(kept) = facts.kept.versions.get(&version) else {
        return;
    };
    let severity = if facts.kept.is_older_than_records(&version) {
        Severity::Note
    } else {
        Severity::Error
    };
    let mut add = |(why, remedy): (String, String)| {
        findings.push(Finding {
            severity,
            reference: facts.repository.reference(&tag.name),
            why,
            remedy,
        });
    };
    let place = facts.repository.reference(&ReleaseRecord::tag(&version));
    if let Some(wrong) = record(&version, digest, kept, &place, &facts.kept) {
        add(wrong);
    }
    // Nobody is to use it, and it may not pass.
    if kept.attested.records.newest.withdrawn().is_some() {
        return;
    }
    for (platform, proof) in kept.image.platforms.iter().zip(&kept.attested.proofs) {
        if let Err(why) = proof {
            let name = &platform.name;
            add((format!("is not proven for {name}: {why}"), adopt(&version)));
        }
    }
}

/// What is wrong with the record of a version, which is kept at `place`, and the remedy.
fn record(
    version: &Version,
    digest: &Digest,
    kept: &KeptVersion,
    place: &str,
    all: &Kept,
) -> Option<(String, String)> {
    let read = &kept.attested.records;
    let again = format!(
        "find out who did that; `cargo xtask release --version {version}` writes the newest under its tag \
         again, and leaves `latest` where a withdrawal puts it"
    );
    if let Some(other) = read.tagged.believed().filter(|one| one.digest != *digest) {
        return Some(other_digest(digest, other, place));
    }
    let newest = match &read.newest {
        Recorded::Absent => {
            let why = "has no release record, and other versions have one".to_owned();
            return all.has_records().then(|| (why, adopt(version)));
        }
        Recorded::Doubted(doubt) => {
            let why = printable::short(&doubt.why);
            return Some((
                format!("has a record that is not believed: {why}"),
                format!(
                    "find out who wrote it (`crane manifest {place}`); {}, whatever is there",
                    adopt(version)
                ),
            ));
        }
        Recorded::Believed(_) => return None,
        Recorded::Displaced(newest) => newest,
    };
    let (sequence, state) = (newest.sequence, newest.state);
    let why = match read.tagged.believed() {
        Some(old) => format!(
            "has its record {} (`{}`) under `{place}` again, and the newest is {sequence} (`{state}`)",
            old.sequence, old.state
        ),
        None => format!(
            "has its record {sequence} (`{state}`) among the referrers, not under `{place}`"
        ),
    };
    Some((why, again))
}

/// The record is signed, and a tag is not.
fn other_digest(digest: &Digest, record: &ReleaseRecord, place: &str) -> (String, String) {
    let recorded = &record.digest;
    (
        format!("is `{digest}`, and its record says `{recorded}`"),
        format!(
            "a version is written once: find out who wrote the tag or `{place}`, and release a higher \
             version; nobody should use this one"
        ),
    )
}

fn adopt(version: &Version) -> String {
    format!(
        "`cargo xtask release --adopt --version {version}` verifies it, attaches the proofs and writes its \
         record"
    )
}

/// Records of versions that are not published.
pub(super) fn strays(facts: &AuditedRepository, findings: &mut Vec<Finding>) {
    for version in &facts.kept.strays {
        let tag = ReleaseRecord::tag(version);
        findings.push(Finding {
            severity: Severity::Note,
            reference: facts.repository.reference(&tag),
            why: format!("is a record, and `v{version}` is not published: a release was killed, or the tag deleted"),
            remedy: format!(
                "`cargo xtask release --version {version}` finishes it; or delete the record's tag in the registry"
            ),
        });
    }
}

/// Lists of what is attached that are none, or lead nowhere.
pub(super) fn lists(facts: &AuditedRepository, findings: &mut Vec<Finding>) {
    for list in &facts.kept.lists {
        let reference = facts.repository.reference(&list.tag);
        for (why, remedy) in wrong(list) {
            findings.push(Finding {
                severity: Severity::Warning,
                reference: reference.clone(),
                why,
                remedy,
            });
        }
    }
}

fn wrong(list: &FaultyList) -> Vec<(String, String)> {
    let mut wrong = Vec::new();
    if let Some(fault) = &list.fault {
        let (why, remedy) = fault.split_once("; hint: ").unwrap_or((fault, DELETE));
        let why = printable::short(why);
        wrong.push((format!("counts as empty: {why}"), remedy.to_owned()));
    }
    if !list.dangling.is_empty() {
        let named = list.dangling.iter().take(MOST_NAMED);
        let named: Vec<String> = named.map(|digest| format!("`{digest}`")).collect();
        let more = list.dangling.len() - named.len();
        let more = if more > 0 {
            format!(" and {more} more")
        } else {
            String::new()
        };
        let why = format!(
            "lists what is gone ({}{more}): cosign cannot attach anything there",
            named.join(", ")
        );
        let remedy = "the next proof or record that is attached removes such entries: `cargo xtask release \
                      --adopt --version X.Y.Z` attaches what is missing; and stop the clean-up that deleted it";
        wrong.push((why, remedy.to_owned()));
    }
    if list.is_subject_gone {
        let why = "lists what is attached to a manifest that is gone".to_owned();
        let remedy = "delete that tag in the registry, unless the manifest comes back from a copy";
        wrong.push((why, remedy.to_owned()));
    }
    wrong
}

const DELETE: &str = "find out who wrote it, then delete that tag in the registry";

/// The state of a version in words, for `latest`.
pub(super) fn withdrawn(record: &ReleaseRecord) -> String {
    debug_assert_eq!(record.state, ReleaseState::Withdrawn);
    let reason = record.reason.as_deref().unwrap_or("no reason given");
    let reason = printable::line(reason);
    format!("which is withdrawn ({}): {reason}", record.time)
}
