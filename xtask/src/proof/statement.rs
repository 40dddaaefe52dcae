//! in-toto statements: what somebody says of one artifact (in-toto attestation framework, "Statement v1").

use serde::Deserialize;
use serde_json::{Value, json};

use crate::oci::Shape::{self, Any, List, Object};
use crate::oci::{Digest, Unclear, check_shape, parse_strictly};
use crate::printable::Printable;

pub(super) const TYPE: &str = "https://in-toto.io/Statement/v1";

/// Keys that are unknown are ignored, as in-toto's parsing rules ask for, but not in another case.
const STATEMENT: Shape = Object(&[
    ("_type", Any),
    ("subject", List(&SUBJECT)),
    ("predicateType", Any),
    ("predicate", Any),
]);

const SUBJECT: Shape = Object(&[
    ("name", Any),
    ("digest", Any),
    ("uri", Any),
    ("content", Any),
    ("downloadLocation", Any),
    ("mediaType", Any),
    ("annotations", Any),
]);

/// What is said of one artifact.
#[derive(Clone, Debug, PartialEq)]
pub struct Statement {
    /// The artifact's name: here a repository's canonical one.
    pub name: String,
    pub digest: Digest,
    /// What kind of thing is said, a URI.
    pub predicate_type: String,
    /// What is said: an object.
    pub predicate: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Whole {
    #[serde(rename = "_type")]
    kind: String,
    subject: Vec<Subject>,
    predicate_type: String,
    predicate: Value,
}

#[derive(Deserialize)]
struct Subject {
    name: String,
    digest: Value,
}

impl Statement {
    /// Parses the payload of an envelope.
    ///
    /// Fails with [`Unclear`] for what two programs may read in different ways, for another version of the form,
    /// and for any but one subject with a SHA-256 alone: cosign is content when one of several subjects fits.
    pub fn parse(payload: &[u8]) -> Result<Statement, Unclear> {
        let value = parse_strictly(payload, &STATEMENT)?;
        let whole: Whole = serde_json::from_value(value)
            .map_err(|why| Unclear::new(format!("it is no statement: {why}")))?;
        if whole.kind != TYPE {
            let kind = Printable(&whole.kind);
            return Err(Unclear::new(format!(
                "its `_type` is `{kind}`, not `{TYPE}`"
            )));
        }
        let count = whole.subject.len();
        let Ok([subject]) = <[Subject; 1]>::try_from(whole.subject) else {
            return Err(Unclear::new(format!("it has {count} subjects, not one")));
        };
        if !whole.predicate.is_object() {
            return Err(Unclear::new("its `predicate` is not an object"));
        }
        Ok(Statement {
            name: subject.name,
            digest: sha256(&subject.digest, "its subject")?,
            predicate_type: whole.predicate_type,
            predicate: whole.predicate,
        })
    }

    /// The payload of an envelope.
    pub fn to_bytes(&self) -> Vec<u8> {
        let value = json!({
            "_type": TYPE,
            "subject": [{"name": self.name, "digest": {"sha256": self.digest.hex()}}],
            "predicateType": self.predicate_type,
            "predicate": self.predicate,
        });
        value.to_string().into_bytes()
    }

    /// The predicate of a type, if every key that `shape` knows is in its own case.
    pub(crate) fn predicate<T: for<'de> Deserialize<'de>>(
        &self,
        predicate_type: &str,
        shape: &Shape,
    ) -> Result<T, Unclear> {
        if self.predicate_type != predicate_type {
            let other = Printable(&self.predicate_type);
            return Err(Unclear::new(format!(
                "its predicate is of the type `{other}`, not `{predicate_type}`"
            )));
        }
        check_shape(&self.predicate, shape).map_err(Unclear::new)?;
        serde_json::from_value(self.predicate.clone())
            .map_err(|why| Unclear::new(format!("its predicate is bad: {why}")))
    }
}

/// The digest in a digest set (in-toto, `DigestSet`) that has a SHA-256 and no other.
pub(super) fn sha256(set: &Value, of: &str) -> Result<Digest, Unclear> {
    let bad = || Unclear::new(format!("{of} has not exactly one SHA-256 as its `digest`"));
    let set = set.as_object().filter(|set| set.len() == 1);
    let hex = set.and_then(|set| set.get("sha256")?.as_str());
    let hex = hex.ok_or_else(bad)?;
    format!("sha256:{hex}").parse().map_err(|_| bad())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> Statement {
        Statement {
            name: "docker.io/agentgate/agent".to_owned(),
            digest: Digest::of(b"manifest"),
            predicate_type: "urn:example:x".to_owned(),
            predicate: json!({"a": 1.5, "b": [null, {"c": "é"}]}),
        }
    }

    fn why(bytes: &[u8]) -> String {
        let why = Statement::parse(bytes).err();
        why.map_or(String::new(), |why| why.to_string())
    }

    #[test]
    fn a_statement_is_written_and_read_back() {
        let bytes = good().to_bytes();
        assert_eq!(Statement::parse(&bytes), Ok(good()));
        let value: Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(value["_type"], TYPE);
        assert_eq!(value["subject"][0]["digest"]["sha256"], good().digest.hex());
        // in-toto's parsing rules: what nobody knows is ignored.
        let mut more = value;
        more["later"] = json!(1);
        assert_eq!(Statement::parse(more.to_string().as_bytes()), Ok(good()));
    }

    #[test]
    fn what_is_not_one_clear_statement_is_refused() {
        let hex = good().digest.hex().to_owned();
        let upper = json!({"sha256": hex.to_uppercase()});
        let two = json!({"sha256": hex, "sha512": "00"});
        let subject = |digest: &Value| json!([{"name": "n", "digest": digest}]);
        let one = subject(&json!({"sha256": hex}))[0].clone();
        for (key, value, expected) in [
            (
                "_type",
                json!("https://in-toto.io/Statement/v0.1"),
                "its `_type` is",
            ),
            ("_type", json!(null), "it is no statement"),
            ("subject", json!([]), "it has 0 subjects, not one"),
            ("subject", json!([one, one]), "it has 2 subjects, not one"),
            ("subject", json!({}), "is not a list"),
            ("subject", subject(&json!({})), "not exactly one SHA-256"),
            ("subject", subject(&upper), "not exactly one SHA-256"),
            ("subject", subject(&two), "not exactly one SHA-256"),
            (
                "subject",
                subject(&json!({"sha1": "00"})),
                "not exactly one SHA-256",
            ),
            (
                "subject",
                subject(&json!({"sha256": 1})),
                "not exactly one SHA-256",
            ),
            (
                "subject",
                json!([{"digest": {"sha256": hex}}]),
                "missing field `name`",
            ),
            ("predicate", json!([]), "its `predicate` is not an object"),
            ("predicate", json!(null), "its `predicate` is not an object"),
            ("predicateType", json!(1), "it is no statement"),
            ("Predicate", json!({}), "equals `predicate` but for case"),
            (
                "predicatetype",
                json!(""),
                "equals `predicateType` but for case",
            ),
        ] {
            let mut other: Value = serde_json::from_slice(&good().to_bytes()).unwrap();
            other[key] = value.clone();
            let why = why(other.to_string().as_bytes());
            assert!(why.contains(expected), "{key} {value}: {why}");
        }
        let text = String::from_utf8(good().to_bytes()).unwrap();
        for (from, to, expected) in [
            ("\"a\":1.5", "\"a\":1,\"a\":2", "it has `a` twice"),
            (
                "\"sha256\":",
                "\"sha256\":\"\",\"sha256\":",
                "it has `sha256` twice",
            ),
            ("\"name\":", "\"Name\":\"x\",\"name\":", "but for case"),
        ] {
            let other = text.replace(from, to);
            assert_ne!(other, text, "{from}");
            assert!(why(other.as_bytes()).contains(expected), "{other}");
        }
    }
}
