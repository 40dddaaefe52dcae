//! What a scanner's report says, whoever wrote it.

use std::time::SystemTime;

use serde::Serialize;
use xtask::settings::Severity;

/// The longest name, version or id that is kept, in characters.
const LONGEST: usize = 100;

/// A report that was read.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct ScanReport {
    /// The digest of the configuration of the image that was scanned.
    pub(super) image: Option<String>,
    pub(super) version: Option<String>,
    /// When the scanner's database was made.
    pub(super) database: Option<SystemTime>,
    pub(super) findings: Vec<Finding>,
    /// How many more the user's own configuration has hidden.
    pub(super) ignored: usize,
}

/// A vulnerability of a package of the image.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct Finding {
    pub(crate) severity: Severity,
    pub(crate) package: String,
    pub(crate) installed: String,
    /// The version with the fix; none where there is no fix.
    pub(crate) fixed_in: Option<String>,
    pub(crate) id: String,
}

impl ScanReport {
    /// The findings without doubles, the worst first, and of equal ones those with a fix first.
    pub(super) fn sorted(mut self) -> ScanReport {
        self.findings.sort_by(|one, other| {
            let order = other.severity.cmp(&one.severity);
            let order = order.then(one.fixed_in.is_none().cmp(&other.fixed_in.is_none()));
            order.then_with(|| one.cmp(other))
        });
        self.findings.dedup();
        self
    }
}

/// As much of a text as is kept of it. It comes from the image, and is not safe to print.
pub(super) fn clipped(text: &str) -> String {
    let mut kept: String = text.chars().take(LONGEST).collect();
    if kept.len() < text.len() {
        kept.push('…');
    }
    kept
}

/// The severity that a report names.
pub(super) fn severity(word: &str) -> Result<Severity, String> {
    Severity::of(word)
        .ok_or_else(|| format!("it has a severity that is not known: `{}`", clipped(word)))
}
