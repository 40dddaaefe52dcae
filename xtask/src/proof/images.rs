//! Signatures over images: cosign's own kind of statement, which `cosign verify` finds beside the image.

use serde::Deserialize;
use serde_json::json;

use super::bundle::Bundle;
use super::signer::Signer;
use super::statement::TYPE;
use crate::exec;
use crate::oci::Digest;

/// The type of a signature's statement. An attestation's statement has another.
pub const SIGNATURE: &str = "https://sigstore.dev/cosign/sign/v1";

impl Signer {
    /// Signs images by their digests, all at once: cosign is content when one of several subjects is the one
    /// that it verifies.
    pub(crate) fn sign_images(&self, digests: &[Digest]) -> anyhow::Result<Bundle> {
        let subjects = digests.iter();
        let subjects = subjects.map(|digest| json!({"digest": {"sha256": digest.hex()}}));
        let statement = json!({
            "_type": TYPE,
            "subject": subjects.collect::<Vec<_>>(),
            "predicateType": SIGNATURE,
            "predicate": {},
        });
        self.sign(statement.to_string().as_bytes())
    }

    /// Whether a bundle is our signature of an image.
    ///
    /// Fails only when cosign cannot be started, or xtask is interrupted.
    pub(crate) fn has_signed(&self, bundle: &Bundle, digest: &Digest) -> anyhow::Result<bool> {
        if !is_signature(bundle.payload(), digest) {
            return Ok(false);
        }
        let given = bundle.for_cosign()?;
        let held = self
            .cosign
            .verify_by(&given, digest, SIGNATURE, &self.verify)?;
        Ok(held.is_ok())
    }

    /// What anybody types to verify the signature of `name`.
    pub(crate) fn verify_line(&self, name: &str) -> String {
        let args: Vec<&str> = self.line.iter().map(String::as_str).chain([name]).collect();
        exec::quoted("cosign", &args)
    }
}

/// Whether a statement says that it signs `digest`.
fn is_signature(payload: &[u8], digest: &Digest) -> bool {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Statement {
        predicate_type: String,
        subject: Vec<Subject>,
    }
    #[derive(Deserialize)]
    struct Subject {
        digest: Sha256,
    }
    #[derive(Deserialize)]
    struct Sha256 {
        sha256: String,
    }
    let Ok(statement) = serde_json::from_slice::<Statement>(payload) else {
        return false;
    };
    let mut subjects = statement.subject.iter();
    statement.predicate_type == SIGNATURE && subjects.any(|one| one.digest.sha256 == digest.hex())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attestation_or_the_signature_of_another_digest_is_none() {
        let (ours, theirs) = (Digest::of(b"ours"), Digest::of(b"theirs"));
        let statement = |kind: &str, digests: &[&Digest]| {
            let subjects = digests.iter();
            let subjects = subjects.map(|digest| json!({"digest": {"sha256": digest.hex()}}));
            let subjects: Vec<_> = subjects.collect();
            json!({"_type": TYPE, "subject": subjects, "predicateType": kind, "predicate": {}})
        };
        let attestation = "https://slsa.dev/verification_summary/v1";
        for (statement, is_one) in [
            (statement(SIGNATURE, &[&ours]), true),
            (statement(SIGNATURE, &[&theirs, &ours]), true),
            (statement(SIGNATURE, &[&theirs]), false),
            (statement(SIGNATURE, &[]), false),
            (statement(attestation, &[&ours]), false),
            (json!({}), false),
        ] {
            let found = is_signature(statement.to_string().as_bytes(), &ours);
            assert_eq!(found, is_one, "{statement}");
        }
    }
}
