//! The result of a scan of one platform, as `--json` prints it.

use std::collections::BTreeMap;

use serde::Serialize;
use xtask::scanner::Scanner;
use xtask::settings::Severity;

use super::report::Finding;
use crate::check::{Outcome, Status};

/// What a scanner found in one platform of an image.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Scan {
    /// None where none is on PATH.
    pub(crate) scanner: Option<Scanner>,
    pub(crate) version: Option<String>,
    /// The day of its database, in UTC.
    pub(crate) database: Option<String>,
    pub(crate) status: Status,
    /// What was found, or why nothing is known.
    pub(crate) seen: String,
    pub(crate) expected: Option<String>,
    pub(crate) remedy: Option<String>,
    pub(crate) fail_on: Option<Severity>,
    pub(crate) counts: BTreeMap<Severity, usize>,
    /// How many more the scanner's own configuration has hidden.
    pub(crate) ignored: usize,
    /// The first few, the worst first.
    pub(crate) worst: Vec<Finding>,
    /// What the scanner warned of.
    pub(crate) warnings: Vec<String>,
    /// Where the scanner's own report is.
    pub(crate) report: Option<String>,
    pub(crate) seconds: f64,
}

impl Scan {
    pub(super) fn new(scanner: Option<Scanner>, fail_on: Option<Severity>) -> Scan {
        Scan {
            scanner,
            version: None,
            database: None,
            status: Status::Unproven,
            seen: String::new(),
            expected: None,
            remedy: None,
            fail_on,
            counts: BTreeMap::new(),
            ignored: 0,
            worst: Vec::new(),
            warnings: Vec::new(),
            report: None,
            seconds: 0.0,
        }
    }

    pub(crate) fn is_passed(&self) -> bool {
        self.status == Status::Passed
    }

    /// The scan in the form of a check, which it is none of: receipts and proofs have no word of it.
    pub(crate) fn outcome(&self) -> Outcome {
        Outcome {
            id: "scan".to_owned(),
            status: self.status,
            seen: self.seen.clone(),
            expected: self.expected.clone(),
            remedy: self.remedy.clone(),
            seconds: self.seconds,
            busy: false,
        }
    }

    /// `trivy 0.76.0, database of 2026-11-29`.
    pub(crate) fn by(&self) -> Option<String> {
        let name = self.scanner?.name();
        let version = self.version.as_ref().map(|version| format!(" {version}"));
        let database = self
            .database
            .as_ref()
            .map(|day| format!(", database of {day}"));
        Some(
            [
                name,
                &version.unwrap_or_default(),
                &database.unwrap_or_default(),
            ]
            .concat(),
        )
    }
}

/// Scans for the tests of who shows them.
#[cfg(test)]
pub(crate) mod samples {
    use super::*;

    pub(crate) fn passed(scanner: Scanner) -> Scan {
        Scan {
            status: Status::Passed,
            seen: "no vulnerabilities".to_owned(),
            ..Scan::new(Some(scanner), None)
        }
    }

    pub(crate) fn failed() -> Scan {
        Scan {
            version: Some("0.76.0".to_owned()),
            database: Some("2026-11-28".to_owned()),
            status: Status::Failed,
            seen: "1 critical, 2 low".to_owned(),
            expected: Some("nothing critical".to_owned()),
            remedy: Some("move on".to_owned()),
            fail_on: Some(Severity::Critical),
            counts: [(Severity::Critical, 1), (Severity::Low, 2)].into(),
            ignored: 3,
            worst: vec![Finding {
                severity: Severity::Critical,
                package: "bash\u{7}".to_owned(),
                installed: "5.2".to_owned(),
                fixed_in: Some("99.1".to_owned()),
                id: "CVE-2026-0001".to_owned(),
            }],
            warnings: vec!["old \u{1b}[2J".to_owned()],
            report: Some("receipts/linux-amd64.trivy.json".to_owned()),
            ..passed(Scanner::Trivy)
        }
    }
}
