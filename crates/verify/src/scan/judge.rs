//! Whether a scan passes: a pure judgement over what a report says.

use std::collections::BTreeMap;
use std::time::SystemTime;

use xtask::day::{DAY, Day, age};
use xtask::oci::Digest;
use xtask::scanner::Scanner;
use xtask::settings::Severity;

use super::report::{Finding, ScanReport, clipped};
use crate::check::Status;

/// For how many days a database counts: as long as grype uses one by itself (`max-allowed-built-age`). trivy uses
/// one of any age for an hour after it was fetched, and for ever where fetching is off (measured with 0.76).
pub(super) const MOST_DAYS: u64 = 5;

/// What a report is judged by.
pub(super) struct Wanted<'a> {
    pub(super) scanner: Scanner,
    /// The configuration of the image that was verified; none where it was not read.
    pub(super) config: Option<&'a Digest>,
    pub(super) fail_on: Option<Severity>,
    pub(super) now: SystemTime,
}

/// A judgement, in words.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Judged {
    pub(super) status: Status,
    pub(super) seen: String,
    pub(super) expected: Option<String>,
    pub(super) remedy: Option<String>,
}

impl Judged {
    pub(super) fn without_verdict(
        status: Status,
        seen: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Judged {
        Judged {
            status,
            seen: seen.into(),
            expected: None,
            remedy: Some(remedy.into()),
        }
    }
}

pub(super) fn judge(report: &ScanReport, wanted: &Wanted) -> Judged {
    if let Some(why) = other_image(report, wanted) {
        let remedy = "verify again; if it stays so, this scanner cannot be used here";
        return Judged::without_verdict(Status::Unproven, why, remedy);
    }
    if let Some(why) = stale(report, wanted) {
        let remedy = match wanted.scanner {
            Scanner::Trivy => "`trivy image --download-db-only` fetches one",
            Scanner::Grype => "`grype db update` fetches one",
        };
        return Judged::without_verdict(Status::NotExecuted, why, remedy);
    }
    let seen = counted(&counts(&report.findings));
    let worst = report.findings.first().map(|one| one.severity);
    match wanted.fail_on {
        Some(fail_on) if worst.is_some_and(|worst| worst >= fail_on) => Judged {
            status: Status::Failed,
            seen,
            expected: Some(match fail_on {
                Severity::Critical => "nothing critical".to_owned(),
                least => format!("nothing {least} or worse"),
            }),
            remedy: Some(format!(
                "move to a version with the fix (`cargo xtask update`), or accept a finding in `{}`; `fail-on` in \
                 Cargo.toml is the severity from which a scan fails",
                match wanted.scanner {
                    Scanner::Trivy => ".trivyignore",
                    Scanner::Grype => ".grype.yaml",
                }
            )),
        },
        _ => Judged {
            status: Status::Passed,
            seen,
            expected: None,
            remedy: None,
        },
    }
}

/// Why the report is not known to be of the image that was verified.
fn other_image(report: &ScanReport, wanted: &Wanted) -> Option<String> {
    let Some(config) = wanted.config else {
        return Some(
            "the image's configuration was not read, so no report is known to be of it".to_owned(),
        );
    };
    let found = report.image.as_deref().unwrap_or("no image");
    (found != config.as_str()).then(|| {
        format!(
            "the report is of `{}`, and the image has the configuration `{config}`",
            clipped(found)
        )
    })
}

/// Why the database does not count.
fn stale(report: &ScanReport, wanted: &Wanted) -> Option<String> {
    let name = wanted.scanner.name();
    let Some(made) = report.database else {
        return Some(format!("{name} does not say how old its database is"));
    };
    let date = date(made);
    // Clocks differ.
    if made > wanted.now + DAY {
        return Some(format!(
            "{name}'s database is of {date}, which is yet to come"
        ));
    }
    let age = age(made, wanted.now);
    (age > MOST_DAYS).then(|| {
        format!("{name}'s database is of {date}, {age} days ago; it counts for {MOST_DAYS}")
    })
}

/// The day of a time, in UTC.
pub(super) fn date(time: SystemTime) -> String {
    Day::of(time).map_or_else(|_| "an unknown day".to_owned(), |day| day.to_string())
}

pub(super) fn counts(findings: &[Finding]) -> BTreeMap<Severity, usize> {
    let mut counts = BTreeMap::new();
    for one in findings {
        *counts.entry(one.severity).or_default() += 1;
    }
    counts
}

/// `1 critical, 3 low`, or `no vulnerabilities`.
fn counted(counts: &BTreeMap<Severity, usize>) -> String {
    if counts.is_empty() {
        return "no vulnerabilities".to_owned();
    }
    let counts = counts.iter().rev();
    let counts = counts.map(|(severity, count)| format!("{count} {severity}"));
    counts.collect::<Vec<_>>().join(", ")
}
