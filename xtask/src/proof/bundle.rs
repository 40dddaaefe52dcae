//! Sigstore bundles: a signed statement, with what its signature is verified by (sigstore/protobuf-specs,
//! `sigstore_bundle.proto`).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::oci::{IN_TOTO, Shape, Unclear, parse_strictly};
use crate::printable::Printable;

/// The longest bundle in bytes. One with a whole receipt has 15 kB.
pub const LONGEST_BUNDLE: u64 = 1 << 20;
/// The form that is read and written; in a registry also the type of the layer that has it.
pub const BUNDLE_TYPE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";

/// A bundle with one signed statement.
#[derive(Clone, Debug, PartialEq)]
pub struct Bundle {
    found: Vec<u8>,
    parsed: Parsed,
    payload: Vec<u8>,
}

/// What signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Material {
    /// A key, by the hint that its owner gives: cosign's is the SHA-256 of the public key, in base64.
    Key(String),
    /// A certificate, in DER.
    Certificate(Vec<u8>),
}

// Every key is known, and no other is allowed: Go's protojson takes `dsse_envelope` for `dsseEnvelope`, and
// either form of base64.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Parsed {
    media_type: String,
    verification_material: VerificationMaterial,
    dsse_envelope: Envelope,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct VerificationMaterial {
    #[serde(skip_serializing_if = "Option::is_none")]
    public_key: Option<PublicKey>,
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate: Option<Certificate>,
    /// Of transparency logs: cosign's to read, and nobody else's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    tlog_entries: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timestamp_verification_data: Option<Value>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PublicKey {
    #[serde(default)]
    hint: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Certificate {
    raw_bytes: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Envelope {
    payload: String,
    payload_type: String,
    signatures: Vec<Signature>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Signature {
    sig: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    keyid: String,
}

impl Bundle {
    /// Parses a bundle.
    ///
    /// Fails with [`Unclear`] for what two programs may read in different ways, and for any but one signed
    /// statement: a signature over a message says nothing of what the message means.
    pub fn parse(bytes: &[u8]) -> Result<Bundle, Unclear> {
        if u64::try_from(bytes.len()).is_ok_and(|length| length > LONGEST_BUNDLE) {
            return Err(Unclear::new("it is longer than 1 MiB"));
        }
        let value = parse_strictly(bytes, &Shape::Any)?;
        check_kind(&value)?;
        let parsed: Parsed = serde_json::from_value(value)
            .map_err(|why| Unclear::new(format!("it is no bundle with a statement: {why}")))?;
        let envelope = &parsed.dsse_envelope;
        if envelope.payload_type != IN_TOTO {
            let other = Printable(&envelope.payload_type);
            return Err(Unclear::new(format!(
                "it signs a payload of the type `{other}`, not `{IN_TOTO}`"
            )));
        }
        let [signature] = &*envelope.signatures else {
            let count = envelope.signatures.len();
            return Err(Unclear::new(format!("it has {count} signatures, not one")));
        };
        decoded(&signature.sig, "signature")?;
        let payload = decoded(&envelope.payload, "payload")?;
        let bundle = Bundle {
            found: bytes.to_owned(),
            payload,
            parsed,
        };
        bundle.material()?;
        Ok(bundle)
    }

    /// The bytes as they were found: what is stored.
    pub fn bytes(&self) -> &[u8] {
        &self.found
    }

    /// The statement's bytes, which are signed.
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// The bundle for cosign, written from what was parsed: both read the same.
    pub(super) fn for_cosign(&self) -> anyhow::Result<Vec<u8>> {
        Ok(serde_json::to_vec(&self.parsed)?)
    }

    pub(super) fn material(&self) -> Result<Material, Unclear> {
        let material = &self.parsed.verification_material;
        match (&material.public_key, &material.certificate) {
            (Some(key), None) => Ok(Material::Key(key.hint.clone())),
            (None, Some(certificate)) => {
                decoded(&certificate.raw_bytes, "certificate").map(Material::Certificate)
            }
            _ => Err(Unclear::new(
                "it has not exactly one of a key and a certificate",
            )),
        }
    }
}

/// Says in words what people meet: bundles of other versions, and of other things.
fn check_kind(value: &Value) -> Result<(), Unclear> {
    let media_type = value.get("mediaType").and_then(Value::as_str);
    if media_type != Some(BUNDLE_TYPE) {
        let other = Printable(media_type.unwrap_or("none"));
        return Err(Unclear::new(format!(
            "its `mediaType` is `{other}`, not `{BUNDLE_TYPE}`"
        )));
    }
    if value.get("messageSignature").is_some() {
        return Err(Unclear::new(
            "it signs a message (`messageSignature`), not a statement",
        ));
    }
    Ok(())
}

fn decoded(text: &str, what: &str) -> Result<Vec<u8>, Unclear> {
    let bytes = STANDARD.decode(text).ok().filter(|bytes| !bytes.is_empty());
    bytes.ok_or_else(|| Unclear::new(format!("its {what} is empty or not base64")))
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::*;
    use crate::proof::statement::Statement;

    pub(crate) fn of_key(statement: &Statement, hint: &str) -> Value {
        json!({
            "mediaType": BUNDLE_TYPE,
            "verificationMaterial": {"publicKey": {"hint": hint}},
            "dsseEnvelope": {
                "payload": STANDARD.encode(statement.to_bytes()),
                "payloadType": IN_TOTO,
                "signatures": [{"sig": "AAAA"}],
            },
        })
    }

    fn good() -> Value {
        of_key(
            &crate::proof::verification::tests::good().statement(),
            "hint",
        )
    }

    fn parse(value: &Value) -> Result<Bundle, Unclear> {
        Bundle::parse(value.to_string().as_bytes())
    }

    #[test]
    fn a_bundle_keeps_its_bytes_and_cosign_gets_what_was_parsed() {
        let found = format!(" {}\n", good());
        let bundle = Bundle::parse(found.as_bytes()).unwrap();
        assert_eq!(bundle.bytes(), found.as_bytes());
        let statement = Statement::parse(bundle.payload()).unwrap();
        assert_eq!(
            statement,
            crate::proof::verification::tests::good().statement()
        );
        assert_eq!(bundle.material(), Ok(Material::Key("hint".to_owned())));
        let given: Value = serde_json::from_slice(&bundle.for_cosign().unwrap()).unwrap();
        assert_eq!(given, good());
        // What an identity's bundle has besides.
        let mut keyless = good();
        keyless["verificationMaterial"] = json!({
            "certificate": {"rawBytes": "AAAA"},
            "tlogEntries": [{"logIndex": "1", "inclusionProof": {"hashes": []}}],
            "timestampVerificationData": {"rfc3161Timestamps": [{"signedTimestamp": "AAAA"}]},
        });
        let bundle = parse(&keyless).unwrap();
        assert_eq!(bundle.material(), Ok(Material::Certificate(vec![0; 3])));
        let given: Value = serde_json::from_slice(&bundle.for_cosign().unwrap()).unwrap();
        assert_eq!(given, keyless);
    }

    #[test]
    fn what_is_not_one_signed_statement_is_refused() {
        let signature = json!({"sig": "AAAA"});
        for (path, value, expected) in [
            (
                "/mediaType",
                json!("application/vnd.dev.sigstore.bundle+json;version=0.1"),
                "its `mediaType` is",
            ),
            ("/mediaType", json!(null), "its `mediaType` is `none`"),
            ("/messageSignature", json!({}), "it signs a message"),
            // protojson takes the name of the proto file, too.
            ("/dsse_envelope", json!({}), "unknown field `dsse_envelope`"),
            ("/DsseEnvelope", json!({}), "unknown field `DsseEnvelope`"),
            ("/verification_material", json!({}), "unknown field"),
            ("/dsseEnvelope", json!(null), "no bundle with a statement"),
            ("/dsseEnvelope/payload_type", json!("x"), "unknown field"),
            (
                "/dsseEnvelope/payloadType",
                json!("text/plain"),
                "a payload of the type `text/plain`",
            ),
            (
                "/dsseEnvelope/payload",
                json!("e30"),
                "its payload is empty or not base64",
            ),
            (
                "/dsseEnvelope/payload",
                json!("_-8="),
                "its payload is empty or not base64",
            ),
            (
                "/dsseEnvelope/payload",
                json!(""),
                "its payload is empty or not base64",
            ),
            ("/dsseEnvelope/signatures", json!([]), "it has 0 signatures"),
            (
                "/dsseEnvelope/signatures",
                json!([signature, signature]),
                "it has 2 signatures",
            ),
            (
                "/dsseEnvelope/signatures",
                json!([{"sig": "?"}]),
                "its signature is empty or not base64",
            ),
            (
                "/dsseEnvelope/signatures",
                json!([{"sig": "AAAA", "Sig": "x"}]),
                "unknown field `Sig`",
            ),
            (
                "/verificationMaterial",
                json!({}),
                "exactly one of a key and a certificate",
            ),
            (
                "/verificationMaterial/certificate",
                json!({"rawBytes": "AAAA"}),
                "exactly one of",
            ),
            (
                "/verificationMaterial/x509CertificateChain",
                json!({}),
                "unknown field",
            ),
            (
                "/verificationMaterial/publicKey",
                json!({"raw": ""}),
                "unknown field `raw`",
            ),
        ] {
            let mut other = good();
            let (folder, key) = path.rsplit_once('/').unwrap();
            other.pointer_mut(folder).unwrap()[key] = value.clone();
            let why = parse(&other).unwrap_err().to_string();
            assert!(why.contains(expected), "{path} {value}: {why}");
        }
        let text = good().to_string();
        let twice = text.replacen('{', "{\"dsseEnvelope\":{},", 1);
        let why = Bundle::parse(twice.as_bytes()).unwrap_err().to_string();
        assert!(why.starts_with("it has `dsseEnvelope` twice"), "{why}");
    }

    #[test]
    fn a_bundle_of_more_than_a_mebibyte_is_not_read() {
        let mut bytes = good().to_string().into_bytes();
        bytes.resize(1 << 20, b' ');
        Bundle::parse(&bytes).unwrap();
        bytes.push(b' ');
        let why = Bundle::parse(&bytes).unwrap_err().to_string();
        assert_eq!(why, "it is longer than 1 MiB");
    }
}
