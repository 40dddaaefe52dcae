//! A verification of one platform as a statement: SLSA's Verification Summary (slsa.dev/spec/v1.1/
//! `verification_summary`), with our receipt in it.

use serde::Deserialize;
use serde_json::{Value, json};

use super::statement::{Statement, sha256};
use super::summary_shape::{RECEIPT, SUMMARY};
use super::time::parse_time;
use crate::oci::{Digest, Unclear};
use crate::printable::Printable;
use crate::reference::Repository;

/// The type of the predicate.
pub const VERIFICATION: &str = "https://slsa.dev/verification_summary/v1";
const VERIFIER: &str = "urn:agentgate:xtask-verify";
const POLICY: &str = "urn:agentgate:check-set";
const NATIVE: &str = "AGENTGATE_VERIFIED_NATIVE";
const EMULATED: &str = "AGENTGATE_VERIFIED_EMULATED";

/// That one platform of an image passed every check.
#[derive(Clone, Debug, PartialEq)]
pub struct Verification {
    /// The canonical name of the image's repository.
    pub repository: String,
    /// The image's index.
    pub index: Digest,
    /// The platform's manifest.
    pub manifest: Digest,
    /// When it was verified: RFC 3339, in UTC.
    pub time: String,
    /// The hash of the checks.
    pub check_set: Digest,
    /// Whether containers ran on a machine of the platform, not under emulation.
    pub is_native: bool,
    /// What was seen, as verify writes it.
    pub receipt: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Summary {
    verifier: Named,
    time_verified: String,
    resource_uri: String,
    policy: Policy,
    verification_result: String,
    verified_levels: Vec<String>,
    #[serde(rename = "urn:agentgate:receipt:v1")]
    receipt: Value,
}

#[derive(Deserialize)]
struct Named {
    id: String,
}

#[derive(Deserialize)]
struct Policy {
    uri: String,
    digest: Value,
}

impl Verification {
    /// What is signed.
    pub fn statement(&self) -> Statement {
        let level = if self.is_native { NATIVE } else { EMULATED };
        Statement {
            name: self.repository.clone(),
            digest: self.manifest.clone(),
            predicate_type: VERIFICATION.to_owned(),
            predicate: json!({
                "verifier": {"id": VERIFIER},
                "timeVerified": self.time,
                "resourceUri": format!("oci://{}@{}", self.repository, self.index),
                "policy": {"uri": POLICY, "digest": {"sha256": self.check_set.hex()}},
                "verificationResult": "PASSED",
                "verifiedLevels": [level],
                RECEIPT: self.receipt,
            }),
        }
    }

    /// Reads a statement.
    ///
    /// Fails with [`Unclear`] for one of another kind or by another verifier, for one that says FAILED (cosign
    /// verifies a signed FAILED, too), and for one without what the specification requires.
    pub fn parse(statement: &Statement) -> Result<Verification, Unclear> {
        let summary: Summary = statement.predicate(VERIFICATION, &SUMMARY)?;
        let unlike = |what: &str, value: &str, wanted: &str| {
            let value = Printable(value);
            Unclear::new(format!("its {what} is `{value}`, not `{wanted}`"))
        };
        if summary.verifier.id != VERIFIER {
            return Err(unlike("verifier", &summary.verifier.id, VERIFIER));
        }
        if summary.policy.uri != POLICY {
            return Err(unlike("policy", &summary.policy.uri, POLICY));
        }
        let result = &summary.verification_result;
        if result != "PASSED" {
            return Err(unlike("result", result, "PASSED"));
        }
        let levels: Vec<&str> = summary.verified_levels.iter().map(|one| &**one).collect();
        let is_native = match *levels {
            [NATIVE] => true,
            [EMULATED] => false,
            _ => {
                return Err(Unclear::new(format!(
                    "its `verifiedLevels` are neither `{NATIVE}` nor `{EMULATED}` alone"
                )));
            }
        };
        let (repository, index) = resource(&summary.resource_uri)?;
        if statement.name != repository {
            let name = Printable(&statement.name);
            return Err(Unclear::new(format!(
                "its subject is of `{name}`, and its `resourceUri` of `{repository}`"
            )));
        }
        parse_time(&summary.time_verified)?;
        if !summary.receipt.is_object() {
            return Err(Unclear::new("it has no receipt"));
        }
        Ok(Verification {
            repository,
            index,
            manifest: statement.digest.clone(),
            time: summary.time_verified,
            check_set: sha256(&summary.policy.digest, "its policy")?,
            is_native,
            receipt: summary.receipt,
        })
    }
}

/// The canonical name and the digest in `oci://NAME@DIGEST`.
fn resource(uri: &str) -> Result<(String, Digest), Unclear> {
    let parts = uri
        .strip_prefix("oci://")
        .and_then(|uri| uri.split_once('@'));
    let parsed = parts.and_then(|(name, digest)| {
        let repository: Repository = name.parse().ok()?;
        let is_canonical = repository.canonical() == name;
        is_canonical.then_some((name.to_owned(), digest.parse().ok()?))
    });
    parsed.ok_or_else(|| {
        let uri = Printable(uri);
        Unclear::new(format!(
            "its `resourceUri` is `{uri}`, not `oci://REGISTRY/NAME@DIGEST`"
        ))
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(crate) fn good() -> Verification {
        let (index, manifest) = (Digest::of(b"index"), Digest::of(b"amd64"));
        let check_set = Digest::of(b"checks");
        Verification {
            repository: "docker.io/agentgate/agent".to_owned(),
            time: "2026-11-25T05:13:09Z".to_owned(),
            is_native: true,
            receipt: json!({
                "schema": 1, "index": index, "manifest": manifest, "platform": "linux/amd64",
                "execution": "native", "revision": "1ceb56ba0b8b8c4c6882fec8ea36ba45328c3269",
                "check_set": check_set, "results": [{"id": "seed-3-node", "status": "passed", "seconds": 0.5}],
            }),
            index,
            manifest,
            check_set,
        }
    }

    /// `good` with another value at a path in its predicate; null removes the key.
    pub(crate) fn altered(path: &[&str], value: &Value) -> Statement {
        let mut statement = good().statement();
        let (last, folders) = path.split_last().unwrap();
        let mut at = &mut statement.predicate;
        for folder in folders {
            at = &mut at[*folder];
        }
        if value.is_null() {
            at.as_object_mut().unwrap().remove(*last);
        } else {
            at[*last] = value.clone();
        }
        statement
    }

    #[test]
    fn a_verification_is_written_and_read_back() {
        for is_native in [true, false] {
            let verification = Verification {
                is_native,
                ..good()
            };
            let bytes = verification.statement().to_bytes();
            let statement = Statement::parse(&bytes).unwrap();
            assert_eq!(Verification::parse(&statement), Ok(verification));
        }
    }

    #[test]
    fn the_statement_has_what_the_specification_asks_for() {
        let statement = good().statement();
        let predicate = &statement.predicate;
        assert_eq!(
            statement.predicate_type,
            "https://slsa.dev/verification_summary/v1"
        );
        assert_eq!(predicate["verifier"]["id"], "urn:agentgate:xtask-verify");
        assert_eq!(predicate["timeVerified"], "2026-11-25T05:13:09Z");
        let uri = format!("oci://docker.io/agentgate/agent@{}", Digest::of(b"index"));
        assert_eq!(predicate["resourceUri"], uri);
        assert_eq!(predicate["policy"]["uri"], "urn:agentgate:check-set");
        assert_eq!(predicate["verificationResult"], "PASSED");
        assert_eq!(
            predicate["verifiedLevels"],
            json!(["AGENTGATE_VERIFIED_NATIVE"])
        );
        assert_eq!(statement.name, "docker.io/agentgate/agent");
        assert_eq!(statement.digest, Digest::of(b"amd64"));
    }

    fn why(path: &[&str], value: &Value) -> String {
        let parsed = Verification::parse(&altered(path, value));
        parsed.unwrap_err().to_string()
    }

    #[test]
    fn any_other_summary_is_refused() {
        let digest = Digest::of(b"index");
        let uri = |start: &str| json!(format!("{start}@{digest}"));
        for (path, value, expected) in [
            (
                &["verificationResult"][..],
                json!("FAILED"),
                "its result is `FAILED`, not `PASSED`",
            ),
            (
                &["verificationResult"],
                json!("passed"),
                "its result is `passed`",
            ),
            (
                &["verifier", "id"],
                json!("urn:x"),
                "its verifier is `urn:x`",
            ),
            (&["policy", "uri"], json!("urn:x"), "its policy is `urn:x`"),
            (
                &["policy", "digest"],
                json!({"sha1": "0"}),
                "its policy has not exactly one SHA-256",
            ),
            (
                &["timeVerified"],
                json!("2026-11-25 05:13:09"),
                "is not a time",
            ),
            (
                &["timeVerified"],
                json!("2026-11-25T05:13:09+01:00"),
                "is not a time",
            ),
            (
                &["resourceUri"],
                uri("docker.io/agentgate/agent"),
                "its `resourceUri` is",
            ),
            (
                &["resourceUri"],
                uri("oci://agentgate/agent"),
                "its `resourceUri` is",
            ),
            (
                &["resourceUri"],
                uri("oci://Docker.io/agentgate/agent"),
                "its `resourceUri` is",
            ),
            (
                &["resourceUri"],
                uri("oci://docker.io/agentgate/agent:v1"),
                "its `resourceUri` is",
            ),
            (
                &["resourceUri"],
                json!("oci://docker.io/agentgate/agent"),
                "its `resourceUri` is",
            ),
            (
                &["resourceUri"],
                uri("oci://ghcr.io/me/agent"),
                "its subject is of `docker.io",
            ),
            (
                &["verifiedLevels"],
                json!([]),
                "`verifiedLevels` are neither",
            ),
            (
                &["verifiedLevels"],
                json!([NATIVE, EMULATED]),
                "`verifiedLevels` are neither",
            ),
            (
                &["verifiedLevels"],
                json!(["SLSA_BUILD_LEVEL_3"]),
                "`verifiedLevels` are neither",
            ),
            (&["verificationresult"], json!("FAILED"), "but for case"),
            (&["verifier", "ID"], json!("x"), "but for case"),
            (&[RECEIPT, "Manifest"], json!("x"), "but for case"),
            (&["urn:agentgate:Receipt:v1"], json!({}), "but for case"),
            (&[RECEIPT], json!([]), "is not an object"),
        ] {
            let why = why(path, &value);
            assert!(why.contains(expected), "{path:?} {value}: {why}");
        }
    }

    #[test]
    fn a_summary_of_another_type_is_refused_and_one_with_more_is_not() {
        let mut other = good().statement();
        other.predicate_type = "https://slsa.dev/provenance/v1".to_owned();
        let why = Verification::parse(&other).unwrap_err().to_string();
        assert!(why.starts_with("its predicate is of the type"), "{why}");
        // in-toto's parsing rules: what nobody knows is ignored.
        let more = altered(&["urn:example:more"], &json!(1));
        assert_eq!(Verification::parse(&more), Ok(good()));
    }

    #[test]
    fn a_summary_has_everything_that_the_specification_requires() {
        for (path, key) in [
            (&[RECEIPT][..], RECEIPT),
            (&["verifier"], "verifier"),
            (&["verifier", "id"], "id"),
            (&["timeVerified"], "timeVerified"),
            (&["resourceUri"], "resourceUri"),
            (&["policy"], "policy"),
            (&["policy", "digest"], "digest"),
            (&["verificationResult"], "verificationResult"),
            (&["verifiedLevels"], "verifiedLevels"),
        ] {
            let why = why(path, &Value::Null);
            let expected = format!("missing field `{key}`");
            assert!(why.contains(&expected), "{path:?}: {why}");
        }
    }
}
