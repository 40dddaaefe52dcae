//! How bad a vulnerability is, in the words of scanners.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How bad a vulnerability is, the least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Nobody has rated it.
    Unknown,
    /// Known to grype alone.
    Negligible,
    Low,
    Medium,
    High,
    Critical,
}

impl Severity {
    /// The worst first.
    pub const ALL: [Severity; 6] = [
        Severity::Critical,
        Severity::High,
        Severity::Medium,
        Severity::Low,
        Severity::Negligible,
        Severity::Unknown,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Unknown => "unknown",
            Severity::Negligible => "negligible",
            Severity::Low => "low",
            Severity::Medium => "medium",
            Severity::High => "high",
            Severity::Critical => "critical",
        }
    }

    /// The severity of a scanner's word, however it writes it; none for a word that is not known.
    pub fn of(word: &str) -> Option<Severity> {
        let mut all = Severity::ALL.into_iter();
        all.find(|one| one.as_str().eq_ignore_ascii_case(word))
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
