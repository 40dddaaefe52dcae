//! Signatures of what is released, by cosign and a key, in the registry beside the image.
//!
//! Only the registry is asked: no transparency log, no timestamp, no root of trust from elsewhere
//! (measured with cosign 3.1.1, which signs in the form of bundles).

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use serde::Deserialize;
use tempfile::TempDir;

use super::plan::Refusal;
use crate::exec::{Ended, Exec};
use crate::oci::{Digest, Document};
use crate::registry::Registry;

/// How long cosign may take for one signature.
const LIMIT: Duration = Duration::from_mins(3);
/// What the statement of a signature says that it is; that of an attestation says something else.
const SIGNATURE: &str = "https://sigstore.dev/cosign/sign/v1";
/// Services that a signature would be shown to: none.
const SERVICES: &str = r#"{"mediaType":"application/vnd.dev.sigstore.signingconfig.v0.2+json","rekorTlogConfig":{},"tsaConfig":{}}"#;
/// Services that are trusted: none, so that cosign fetches no list of them.
const ROOT: &str = r#"{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1"}"#;

/// A key, and the files that cosign is given.
pub(super) struct Signer {
    exec: Exec,
    key: String,
    /// The public key, and the two lists of services.
    folder: TempDir,
}

impl Signer {
    /// Makes ready to sign with `key`; or says why that cannot be done.
    pub(super) fn new(exec: &Exec, key: &str) -> anyhow::Result<Result<Signer, Refusal>> {
        let lacks = |why: String, remedy: &str| Ok(Err(Refusal::new(why, remedy)));
        if exec.find("cosign").is_none() {
            return lacks(
                "a signature is asked for, and `cosign` is not on PATH".to_owned(),
                "install cosign 3 (https://docs.sigstore.dev/cosign), or release without a key",
            );
        }
        let exec = exec.clone();
        // Unset, cosign would ask.
        let password = exec.var("COSIGN_PASSWORD").unwrap_or_default();
        exec.set_var("COSIGN_PASSWORD", &password);
        let signer = Signer {
            exec,
            key: key.to_owned(),
            folder: tempfile::tempdir().context("failed to make a temporary folder")?,
        };
        let help = signer.cosign(&["sign", "--help"])?;
        if !String::from_utf8_lossy(&help.stdout).contains("--signing-config") {
            return lacks(
                "`cosign` on PATH is too old to sign without a transparency log".to_owned(),
                "install cosign 3 (https://docs.sigstore.dev/cosign)",
            );
        }
        let public = signer.cosign(&["public-key", "--key", key])?;
        if !is_success(&public) {
            return lacks(
                format!("the key `{key}` cannot be used: {}", said(&public)),
                "`cosign generate-key-pair` makes one; its password is read from COSIGN_PASSWORD",
            );
        }
        for (name, text) in [
            ("key.pub", public.stdout.as_slice()),
            ("services.json", SERVICES.as_bytes()),
            ("root.json", ROOT.as_bytes()),
        ] {
            let path = signer.folder.path().join(name);
            let failed = || format!("failed to write `{}`", path.display());
            fs::write(&path, text).with_context(failed)?;
        }
        Ok(Ok(signer))
    }

    /// What our key has not signed of the index that `bytes` are and of the manifests that it
    /// names; the index comes last.
    pub(super) fn unsigned(
        &self,
        registry: &Registry,
        bytes: &[u8],
    ) -> anyhow::Result<Vec<Digest>> {
        let mut digests = Vec::new();
        if let Document::Index(index) = Document::parse(bytes)? {
            digests.extend(index.manifests.into_iter().map(|entry| entry.digest));
        }
        digests.push(Digest::of(bytes));
        let mut unsigned = Vec::new();
        for digest in digests {
            if self.is_signed(registry, &digest)?.is_err() {
                unsigned.push(digest);
            }
        }
        Ok(unsigned)
    }

    /// Signs, and looks whether each signature holds.
    pub(super) fn sign(&self, registry: &Registry, digests: &[Digest]) -> anyhow::Result<()> {
        for digest in digests {
            let name = name(registry, digest);
            anstream::eprintln!("signing {name}");
            let (services, root) = (self.file("services.json"), self.file("root.json"));
            let args = ["sign", "--yes", "--key", &self.key];
            let own = [
                "--signing-config",
                &services,
                "--trusted-root",
                &root,
                &name,
            ];
            let signed = self.cosign(&[&args[..], &own].concat())?;
            ensure!(
                is_success(&signed),
                "`cosign` did not sign `{name}`: {}; hint: run this again, it goes on where it \
                 ended",
                said(&signed)
            );
            if let Err(why) = self.is_signed(registry, digest)? {
                bail!(
                    "`{name}` was signed, and its signature does not hold: {why}; hint: another \
                     run may have signed at the same time, run this again"
                );
            }
        }
        Ok(())
    }

    /// Whether our key has signed it; or what cosign says.
    fn is_signed(
        &self,
        registry: &Registry,
        digest: &Digest,
    ) -> anyhow::Result<Result<(), String>> {
        let (name, key) = (name(registry, digest), self.file("key.pub"));
        let args = [
            "verify",
            "--insecure-ignore-tlog",
            "--output",
            "json",
            "--key",
            &key,
            &name,
        ];
        let verified = self.cosign(&args)?;
        if !is_success(&verified) {
            return Ok(Err(said(&verified)));
        }
        Ok(if is_signature(&verified.stdout, digest) {
            Ok(())
        } else {
            Err("it is no signature of this digest".to_owned())
        })
    }

    fn cosign(&self, args: &[&str]) -> anyhow::Result<Ended> {
        self.exec.within("cosign", args, LIMIT)
    }

    fn file(&self, name: &str) -> String {
        let path: PathBuf = self.folder.path().join(name);
        path.display().to_string()
    }
}

fn name(registry: &Registry, digest: &Digest) -> String {
    format!("{}@{digest}", registry.place())
}

fn is_success(ended: &Ended) -> bool {
    ended.status.is_some_and(|status| status.success())
}

/// The first line of what cosign complains of; it says everything twice.
fn said(ended: &Ended) -> String {
    if ended.status.is_none() {
        return "it did not end in time".to_owned();
    }
    let text = String::from_utf8_lossy(&ended.stderr);
    let line = text.lines().find_map(|line| line.strip_prefix("Error: "));
    let line = line.or_else(|| text.lines().find(|line| !line.trim().is_empty()));
    line.unwrap_or("no reason given").trim().to_owned()
}

/// Whether one of the statements that cosign has verified is a signature of `digest`.
fn is_signature(verified: &[u8], digest: &Digest) -> bool {
    #[derive(Deserialize)]
    struct Statement {
        critical: Critical,
    }
    #[derive(Deserialize)]
    struct Critical {
        image: Image,
        #[serde(rename = "type")]
        kind: String,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "kebab-case")]
    struct Image {
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
