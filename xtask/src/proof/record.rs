//! Release records: what the registry keeps about a version, as a statement of ours.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::statement::Statement;
use super::time::parse_time;
use crate::oci::Shape::{self, Any, Object};
use crate::oci::{Digest, Unclear};
use crate::printable::{Printable, is_unseen};
use crate::reference::Repository;
use crate::version::{self, Version};

/// The type of the predicate.
pub const RELEASE_RECORD: &str = "urn:agentgate:release-record:v1";
/// What the name of a record's tag begins with.
const TAG: &str = "state-";
/// The longest reason, in characters.
const LONGEST_REASON: usize = 500;
/// A larger number is not the same one in every parser (RFC 8259, "Numbers").
const LAST: u64 = (1 << 53) - 1;

const RECORD: Shape = Object(&[
    ("repository", Any),
    ("version", Any),
    ("digest", Any),
    ("state", Any),
    ("sequence", Any),
    ("time", Any),
    ("reason", Any),
    ("latest", Object(&[("before", Any), ("after", Any)])),
]);

/// What a version is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReleaseState {
    Released,
    /// `latest` must not lead to it.
    Withdrawn,
    /// Withdrawn once, and good again.
    Restored,
}

impl ReleaseState {
    pub fn as_str(self) -> &'static str {
        match self {
            ReleaseState::Released => "released",
            ReleaseState::Withdrawn => "withdrawn",
            ReleaseState::Restored => "restored",
        }
    }
}

impl fmt::Display for ReleaseState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What is known about a version in one repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReleaseRecord {
    /// The repository's canonical name.
    pub repository: String,
    pub version: Version,
    /// The version's index.
    pub digest: Digest,
    pub state: ReleaseState,
    /// How many records of the version there are with this one.
    pub sequence: u64,
    /// When it was written: RFC 3339, in UTC.
    pub time: String,
    /// Why it is withdrawn or restored; one line.
    pub reason: Option<String>,
    pub latest: LatestMove,
}

/// What `latest` led to before the record, and is to lead to after it; none where there is no `latest`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LatestMove {
    pub before: Option<Digest>,
    pub after: Option<Digest>,
}

#[derive(Deserialize)]
struct Predicate {
    repository: String,
    version: String,
    digest: Digest,
    state: ReleaseState,
    sequence: u64,
    time: String,
    reason: Option<String>,
    latest: LatestMove,
}

impl ReleaseRecord {
    /// The statement that is signed, or stored as it is.
    pub fn statement(&self) -> Statement {
        let mut predicate = json!({
            "repository": self.repository,
            "version": self.version.to_string(),
            "digest": self.digest,
            "state": self.state,
            "sequence": self.sequence,
            "time": self.time,
            "latest": self.latest,
        });
        if let Some(reason) = &self.reason {
            predicate["reason"] = json!(reason);
        }
        Statement {
            name: self.repository.clone(),
            digest: self.digest.clone(),
            predicate_type: RELEASE_RECORD.to_owned(),
            predicate,
        }
    }

    /// Reads a statement. Fails with [`Unclear`] for what [`ReleaseRecord::statement`] does not write.
    pub fn parse(statement: &Statement) -> Result<ReleaseRecord, Unclear> {
        let record: Predicate = statement.predicate(RELEASE_RECORD, &RECORD)?;
        let repository: Result<Repository, _> = record.repository.parse();
        let is_canonical = repository.is_ok_and(|name| name.canonical() == record.repository);
        if !is_canonical || record.repository != statement.name {
            let name = Printable(&record.repository);
            return Err(Unclear::new(format!(
                "its `repository` is `{name}`, not the subject's canonical name"
            )));
        }
        if record.digest != statement.digest {
            return Err(Unclear::new("its `digest` is not its subject's"));
        }
        let version = version::of_tag(&format!("v{}", record.version));
        let version = version.filter(|version| version::check_taggable(version).is_ok());
        let Some(version) = version else {
            let version = Printable(&record.version);
            return Err(Unclear::new(format!(
                "its `version` is `{version}`, not X.Y.Z"
            )));
        };
        if !(1..=LAST).contains(&record.sequence) {
            return Err(Unclear::new("its `sequence` is not a number from 1 on"));
        }
        parse_time(&record.time)?;
        if let Some(reason) = &record.reason {
            check_reason(reason).map_err(|why| Unclear::new(format!("its `reason` {why}")))?;
        } else if record.state == ReleaseState::Withdrawn {
            return Err(Unclear::new("it withdraws without a `reason`"));
        }
        Ok(ReleaseRecord {
            repository: record.repository,
            version,
            digest: record.digest,
            state: record.state,
            sequence: record.sequence,
            time: record.time,
            reason: record.reason,
            latest: record.latest,
        })
    }

    /// Whether `latest` may lead to the version.
    pub fn counts(&self) -> bool {
        self.state != ReleaseState::Withdrawn
    }

    /// Annotations of the record's manifest, for people with crane. Nothing believes them.
    pub fn annotations(&self) -> BTreeMap<String, String> {
        let oci = |name: &str| format!("org.opencontainers.image.{name}");
        let ours = |name: &str| format!("agentgate.release-record.{name}");
        let mut annotations = BTreeMap::from([
            (oci("version"), self.version.to_string()),
            (oci("created"), self.time.clone()),
            (ours("state"), self.state.to_string()),
            (ours("sequence"), self.sequence.to_string()),
        ]);
        if let Some(reason) = &self.reason {
            annotations.insert(ours("reason"), reason.clone());
        }
        annotations
    }

    /// The tag of the records of a version: `state-v0.2.13`.
    pub fn tag(version: &Version) -> String {
        format!("{TAG}v{version}")
    }

    /// The version whose records a tag is of; none for any other tag.
    pub fn version_of(tag: &str) -> Option<Version> {
        version::of_tag(tag.strip_prefix(TAG)?)
    }
}

/// Checks a reason: one line for people to read.
pub fn check_reason(reason: &str) -> Result<(), String> {
    if reason.trim().is_empty() {
        return Err("is empty".to_owned());
    }
    if reason.chars().count() > LONGEST_REASON {
        return Err(format!("is longer than {LONGEST_REASON} characters"));
    }
    match reason.chars().find(|c| is_unseen(*c)) {
        Some(c) => Err(format!(
            "has a character that nobody sees (`{}`)",
            c.escape_unicode()
        )),
        None => Ok(()),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::Value;

    use super::*;

    pub(crate) fn good() -> ReleaseRecord {
        ReleaseRecord {
            repository: "docker.io/agentgate/agent".to_owned(),
            version: Version::new(0, 2, 13),
            digest: Digest::of(b"index"),
            state: ReleaseState::Withdrawn,
            sequence: 2,
            time: "2026-11-25T05:13:09Z".to_owned(),
            reason: Some("claude crashes at start".to_owned()),
            latest: LatestMove {
                before: Some(Digest::of(b"index")),
                after: None,
            },
        }
    }

    #[test]
    fn a_record_is_written_and_read_back() {
        let released = ReleaseRecord {
            state: ReleaseState::Released,
            reason: None,
            latest: LatestMove::default(),
            version: "1.0.0-rc.1".parse().unwrap(),
            ..good()
        };
        for record in [good(), released] {
            let statement = Statement::parse(&record.statement().to_bytes()).unwrap();
            assert_eq!(ReleaseRecord::parse(&statement), Ok(record));
        }
        assert_eq!(good().statement().predicate["state"], "withdrawn");
    }

    #[test]
    fn a_version_has_one_tag_for_its_records() {
        for text in ["0.2.13", "1.0.0-rc.1"] {
            let version: Version = text.parse().unwrap();
            let tag = ReleaseRecord::tag(&version);
            assert_eq!(tag, format!("state-v{text}"));
            assert_eq!(ReleaseRecord::version_of(&tag), Some(version));
        }
        for other in [
            "v0.2.13",
            "state-0.2.13",
            "state-v1",
            "State-v0.2.13",
            "state-",
        ] {
            assert_eq!(ReleaseRecord::version_of(other), None, "{other}");
        }
    }

    #[test]
    fn people_read_the_record_in_its_annotations() {
        let annotations = good().annotations();
        let read = |key: &str| annotations[key].as_str();
        assert_eq!(read("org.opencontainers.image.version"), "0.2.13");
        assert_eq!(
            read("org.opencontainers.image.created"),
            "2026-11-25T05:13:09Z"
        );
        assert_eq!(read("agentgate.release-record.state"), "withdrawn");
        assert_eq!(read("agentgate.release-record.sequence"), "2");
        assert_eq!(
            read("agentgate.release-record.reason"),
            "claude crashes at start"
        );
    }

    #[test]
    fn any_other_record_is_refused() {
        let other = Digest::of(b"other");
        for (key, value, expected) in [
            (
                "repository",
                json!("agentgate/agent"),
                "its `repository` is",
            ),
            (
                "repository",
                json!("ghcr.io/me/agent"),
                "its `repository` is",
            ),
            ("digest", json!(other), "its `digest` is not its subject's"),
            ("digest", json!("sha256:00"), "bad digest"),
            ("version", json!("1.0"), "its `version` is `1.0`"),
            ("version", json!("v1.0.0"), "its `version` is"),
            ("version", json!("1.0.0+a"), "its `version` is"),
            ("state", json!("Withdrawn"), "unknown variant"),
            ("state", json!("gone"), "unknown variant"),
            ("sequence", json!(0), "its `sequence`"),
            ("sequence", json!(1_u64 << 53), "its `sequence`"),
            ("sequence", json!(-1), "its predicate is bad"),
            ("sequence", json!("1"), "its predicate is bad"),
            ("time", json!("yesterday"), "is not a time"),
            ("reason", json!(null), "it withdraws without a `reason`"),
            ("reason", json!(" "), "its `reason` is empty"),
            (
                "reason",
                json!("a\u{1b}[2J"),
                "a character that nobody sees (`\\u{1b}`)",
            ),
            ("reason", json!("a\nb"), "a character that nobody sees"),
            (
                "reason",
                json!("a\u{202e}b"),
                "a character that nobody sees",
            ),
            (
                "reason",
                json!("é".repeat(501)),
                "is longer than 500 characters",
            ),
            ("latest", json!({"before": "x"}), "bad digest"),
            ("latest", json!({"After": null}), "but for case"),
            ("State", json!("released"), "but for case"),
        ] {
            let mut statement = good().statement();
            statement.predicate[key] = value.clone();
            let why = ReleaseRecord::parse(&statement).unwrap_err().to_string();
            assert!(why.contains(expected), "{key} {value}: {why}");
        }
        for key in [
            "repository",
            "version",
            "digest",
            "state",
            "sequence",
            "time",
            "latest",
        ] {
            let mut statement = good().statement();
            statement.predicate[key] = Value::Null;
            assert!(ReleaseRecord::parse(&statement).is_err(), "{key}");
        }
        assert_eq!(check_reason(&"é".repeat(500)), Ok(()));
    }
}
