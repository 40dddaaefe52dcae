//! The version that `latest` is at, and the one that it rolls back to when the command line names none.

use std::time::SystemTime;

use crate::proof::ReleaseRecord;
use crate::published::{self, Depth, Latest, Listing};
use crate::records::{RecordedVersion, Records};
use crate::refusal::Refusal;
use crate::stop::Stop;
use crate::version::Version;

/// Where `latest` goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RollbackTarget {
    pub(super) version: Version,
    pub(super) why: String,
}

/// The version that `latest` is at.
pub(super) fn at(records: &Records) -> anyhow::Result<Version> {
    let listing = Listing::read(records.puller)?;
    let reference = records.repository.reference("latest");
    match latest(records, &listing)? {
        Some(Latest {
            version: Some(version),
            is_published: true,
            ..
        }) => Ok(version),
        Some(Latest { digest, .. }) => Err(refused(
            "nothing was adopted",
            Refusal::new(
                format!("`{reference}` is `{digest}`, which is not a published version"),
                "`--version X.Y.Z` names one; `cargo xtask release --status` shows what is published",
            ),
        )),
        None => Err(refused(
            "nothing was adopted",
            Refusal::new(
                format!("`{reference}` is not there"),
                "`--version X.Y.Z` names a published version",
            ),
        )),
    }
}

/// Where `latest` goes from where it is.
pub(super) fn find(records: &Records) -> anyhow::Result<RollbackTarget> {
    let listing = Listing::read(records.puller)?;
    let reference = records.repository.reference("latest");
    let nothing = |refusal| refused("nothing was rolled back", refusal);
    let Some(at) = latest(records, &listing)? else {
        return Err(nothing(Refusal::new(
            format!("`{reference}` is not there, so there is nothing to roll back"),
            "`cargo xtask release` writes it",
        )));
    };
    let versions = match &at.version {
        Some(version) => listing.recorded(records, None, Depth::Below(version))?,
        None => Vec::new(),
    };
    choose(&reference, &at, &versions).map_err(nothing)
}

fn latest(records: &Records, listing: &Listing) -> anyhow::Result<Option<Latest>> {
    match published::digest(records.puller, "latest")? {
        Some(at) => published::latest(records.puller, listing, at, &[]).map(Some),
        None => Ok(None),
    }
}

fn refused(what: &str, refusal: Refusal) -> anyhow::Error {
    let Refusal { why, remedy } = refusal;
    Stop::from(Refusal::new(format!("{what}: {why}"), remedy)).into()
}

/// Where `latest`, the tag `reference`, goes from `at`: to the highest version below that counts. `versions`
/// are the stable ones from the highest down, as far as the first that counts below `at`.
///
/// Where the last rollback has ended, it stays: that run may have died half-way, and this one finishes it.
pub(super) fn choose(
    reference: &str,
    at: &Latest,
    versions: &[RecordedVersion],
) -> Result<RollbackTarget, Refusal> {
    let Some(current) = at.version.as_ref().filter(|_| at.is_published) else {
        return Err(refusal(&format!(
            "`{reference}` is `{}`, which is not a published version",
            at.digest
        )));
    };
    let own = versions.iter().find(|one| one.version == *current);
    let own = own.and_then(|own| own.recorded.believed());
    let ended = |one: &&ReleaseRecord| {
        let is_here = one.latest.after.as_ref() == Some(&at.digest);
        // Else it was restored since, and is rolled back anew.
        is_here && own.is_none_or(|own| time(own) <= time(one))
    };
    let higher = versions.iter().filter(|one| one.version > *current);
    let mut withdrawn = higher.filter_map(|one| one.recorded.withdrawn());
    if let Some(back) = withdrawn.find(ended) {
        let why = format!(
            "it was rolled back from `v{}` ({}); `--to` goes further",
            back.version, back.time
        );
        return Ok(RollbackTarget {
            version: current.clone(),
            why,
        });
    }
    let mut lower = versions.iter().filter(|one| one.version < *current);
    match lower.find(|one| one.recorded.counting().is_some()) {
        Some(target) => Ok(RollbackTarget {
            version: target.version.clone(),
            why: format!("the highest version below `v{current}` that counts"),
        }),
        None => Err(refusal(&format!(
            "no version below `v{current}` has a record, or all are withdrawn"
        ))),
    }
}

/// When a record was written.
fn time(record: &ReleaseRecord) -> Option<SystemTime> {
    humantime::parse_rfc3339(&record.time).ok()
}

fn refusal(why: &str) -> Refusal {
    Refusal::new(
        why,
        "`--to vX.Y.Z` names a published version, which gets a record; `cargo xtask release --status` \
         shows what is published",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::Digest;
    use crate::proof::ReleaseState::{self, Released, Restored, Withdrawn};
    use crate::records::Recorded;
    use crate::release::plan::tests::record;

    fn at(version: &str) -> Latest {
        Latest {
            digest: Digest::of(version.as_bytes()),
            version: Some(version.parse().unwrap()),
            is_published: true,
        }
    }

    /// A version with a record of that time, after which `latest` was at another version.
    fn one(version: &str, state: ReleaseState, time: &str, after: &str) -> RecordedVersion {
        let mut record = record(version, state);
        record.time = format!("2026-11-2{time}T00:00:00Z");
        record.latest.after = Some(Digest::of(after.as_bytes()));
        RecordedVersion {
            version: version.parse().unwrap(),
            recorded: Recorded::Believed(record),
        }
    }

    fn bare(version: &str, recorded: Recorded) -> RecordedVersion {
        RecordedVersion {
            version: version.parse().unwrap(),
            recorded,
        }
    }

    fn doubted() -> Recorded {
        Recorded::doubted("x")
    }

    #[test]
    fn latest_goes_down_to_what_counts_and_a_second_run_goes_no_further() {
        let released = |version: &str| one(version, Released, "1", version);
        let absent = |version: &str| bare(version, Recorded::Absent);
        for (name, at, versions, want) in [
            (
                "one down",
                at("2.0.0"),
                vec![released("2.0.0"), released("1.0.0")],
                "1.0.0",
            ),
            (
                "past what does not count",
                at("2.0.0"),
                vec![
                    released("2.0.0"),
                    absent("1.4.0"),
                    bare("1.3.0", doubted()),
                    one("1.2.0", Withdrawn, "2", "1.0.0"),
                    one("1.1.0", Restored, "3", "1.1.0"),
                    released("1.0.0"),
                ],
                "1.1.0",
            ),
            (
                "from what has no record",
                at("2.0.0"),
                vec![absent("2.0.0"), released("1.0.0")],
                "1.0.0",
            ),
            (
                "killed after the withdrawal",
                at("2.0.0"),
                vec![one("2.0.0", Withdrawn, "2", "1.0.0"), released("1.0.0")],
                "1.0.0",
            ),
            (
                "a second time",
                at("1.0.0"),
                vec![
                    one("2.0.0", Withdrawn, "2", "1.0.0"),
                    released("1.0.0"),
                    released("0.9.0"),
                ],
                "1.0.0",
            ),
            (
                "a second time, to what had no record",
                at("1.0.0"),
                vec![
                    one("2.0.0", Withdrawn, "2", "1.0.0"),
                    absent("1.0.0"),
                    released("0.9.0"),
                ],
                "1.0.0",
            ),
            (
                "further by --to, and then again",
                at("1.0.0"),
                vec![
                    one("3.0.0", Withdrawn, "2", "2.0.0"),
                    one("2.0.0", Withdrawn, "3", "1.0.0"),
                    released("1.0.0"),
                    released("0.9.0"),
                ],
                "1.0.0",
            ),
            (
                "restored since, and bad again",
                at("2.0.0"),
                vec![
                    one("3.0.0", Withdrawn, "2", "2.0.0"),
                    one("2.0.0", Restored, "4", "2.0.0"),
                    released("1.0.0"),
                ],
                "1.0.0",
            ),
            (
                "released after a rollback",
                at("2.1.0"),
                vec![
                    one("3.0.0", Withdrawn, "2", "2.0.0"),
                    one("2.1.0", Released, "3", "2.1.0"),
                    released("2.0.0"),
                ],
                "2.0.0",
            ),
            (
                "a higher version keeps no `latest` back",
                at("1.0.0"),
                vec![released("2.0.0"), released("1.0.0"), released("0.9.0")],
                "0.9.0",
            ),
        ] {
            let target = choose("a:latest", &at, &versions).unwrap();
            assert_eq!(target.version.to_string(), want, "{name}");
        }
    }

    #[test]
    fn where_nothing_counts_somebody_must_say() {
        let released = |version: &str| one(version, Released, "1", version);
        let unknown = || Latest {
            version: None,
            ..at("2.0.0")
        };
        let unpublished = || Latest {
            is_published: false,
            ..at("2.0.0")
        };
        for (at, versions, part) in [
            (
                unknown(),
                vec![released("1.0.0")],
                "which is not a published version",
            ),
            (
                unpublished(),
                vec![released("1.0.0")],
                "which is not a published version",
            ),
            (
                at("2.0.0"),
                vec![released("2.0.0")],
                "no version below `v2.0.0`",
            ),
            (
                at("2.0.0"),
                vec![
                    released("2.0.0"),
                    bare("1.1.0", doubted()),
                    bare("1.0.0", Recorded::Absent),
                    one("0.9.0", Withdrawn, "1", "0.8.0"),
                ],
                "no version below `v2.0.0`",
            ),
        ] {
            let refusal = choose("a:latest", &at, &versions).unwrap_err();
            assert!(refusal.why.contains(part), "{refusal}");
            assert!(refusal.remedy.contains("--to"), "{refusal}");
        }
    }
}
