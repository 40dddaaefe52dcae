//! Signatures over images, in the registry beside them: cosign's own kind of statement.

use anyhow::{bail, ensure};
use serde::Deserialize;

use super::cosign::error_line;
use super::signer::Signer;
use crate::exec::{self, Ended};
use crate::oci::{Digest, Document};
use crate::registry::Puller;

/// The type of a signature's statement. An attestation's statement has another.
const SIGNATURE: &str = "https://sigstore.dev/cosign/sign/v1";

impl Signer {
    /// The digests without a signature of ours: of the manifests that the index names, then of the
    /// index, whose bytes are `bytes`.
    pub(crate) fn unsigned(&self, puller: &Puller, bytes: &[u8]) -> anyhow::Result<Vec<Digest>> {
        let mut digests = Vec::new();
        if let Document::Index(index) = Document::parse(bytes)? {
            digests.extend(index.manifests.into_iter().map(|entry| entry.digest));
        }
        digests.push(Digest::of(bytes));
        let mut unsigned = Vec::new();
        for digest in digests {
            if self.is_signed(puller, &digest)?.is_err() {
                unsigned.push(digest);
            }
        }
        Ok(unsigned)
    }

    /// Signs each digest, and verifies each signature.
    pub(crate) fn sign_images(&self, puller: &Puller, digests: &[Digest]) -> anyhow::Result<()> {
        for digest in digests {
            let name = name(puller, digest);
            crate::say::errln!("signing {name}");
            let signed = self.cosign("sign", &self.sign, &name)?;
            ensure!(
                signed.success(),
                "`cosign` did not sign `{name}`: {}; hint: run this again, it goes on where it \
                 ended",
                error_line(&signed)
            );
            if let Err(why) = self.is_signed(puller, digest)? {
                bail!(
                    "`{name}` was signed, and its signature does not hold: {why}; hint: another \
                     run may have signed at the same time, run this again"
                );
            }
        }
        Ok(())
    }

    /// Whether our signature is there; if not, what cosign says.
    fn is_signed(&self, puller: &Puller, digest: &Digest) -> anyhow::Result<Result<(), String>> {
        let verified = self.cosign("verify", &self.verify, &name(puller, digest))?;
        if !verified.success() {
            return Ok(Err(error_line(&verified)));
        }
        Ok(if is_signature(&verified.stdout, digest) {
            Ok(())
        } else {
            Err("it does not sign this digest".to_owned())
        })
    }

    /// What anybody types to verify the signature of `name`.
    pub(crate) fn verify_line(&self, name: &str) -> String {
        let args: Vec<&str> = self.line.iter().map(String::as_str).chain([name]).collect();
        exec::quoted("cosign", &args)
    }

    fn cosign(&self, command: &str, args: &[String], name: &str) -> anyhow::Result<Ended> {
        let args = args.iter().map(String::as_str);
        let line: Vec<&str> = [command].into_iter().chain(args).chain([name]).collect();
        self.cosign.run(&line)
    }
}

fn name(puller: &Puller, digest: &Digest) -> String {
    format!("{}@{digest}", puller.place())
}

/// Whether one of the statements that cosign has verified is a signature of `digest`.
fn is_signature(verified: &[u8], digest: &Digest) -> bool {
    #[derive(Deserialize)]
    struct Statement {
        critical: Critical,
    }
    #[derive(Deserialize)]
    struct Critical {
        image: SignedImage,
        #[serde(rename = "type")]
        kind: String,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "kebab-case")]
    struct SignedImage {
        docker_manifest_digest: String,
    }
    let statements = serde_json::from_slice::<Vec<Statement>>(verified).unwrap_or_default();
    statements.iter().any(|statement| {
        let critical = &statement.critical;
        critical.kind == SIGNATURE && critical.image.docker_manifest_digest == digest.as_str()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attestation_or_the_signature_of_another_digest_is_none() {
        let (ours, theirs) = (Digest::of(b"ours"), Digest::of(b"theirs"));
        let statement = |kind: &str, digest: &Digest| {
            format!(
                r#"{{"critical":{{"identity":{{}},"image":{{"docker-manifest-digest":"{digest}"}},"type":"{kind}"}},"optional":null}}"#
            )
        };
        let attestation = statement("https://cosign.sigstore.dev/attestation/v1", &ours);
        let other = statement(SIGNATURE, &theirs);
        let own = statement(SIGNATURE, &ours);
        for (text, is_one) in [
            (format!("\n[{own}]"), true),
            (format!("[{attestation},{own}]"), true),
            (format!("[{attestation},{other}]"), false),
            ("[]".to_owned(), false),
            (String::new(), false),
        ] {
            assert_eq!(is_signature(text.as_bytes(), &ours), is_one, "{text}");
        }
    }
}
