//! Signatures of what is released, by cosign, in the registry beside the image.
//!
//! With a key cosign asks the registry alone: no transparency log, no timestamp, no root of trust
//! from elsewhere (measured with cosign 3.1.1, which stores signatures as bundles). With an identity
//! cosign asks its public services. No other file of xtask starts cosign.

use std::fs;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use serde::Deserialize;
use tempfile::TempDir;

use crate::exec::{self, Ended, Exec};
use crate::oci::{Digest, Document};
use crate::refusal::Refusal;
use crate::registry::Puller;
use crate::settings::Signing;

/// How long cosign may take for one signature.
const LIMIT: Duration = Duration::from_mins(3);
/// The type of a signature's statement. An attestation's statement has another.
const SIGNATURE: &str = "https://sigstore.dev/cosign/sign/v1";
/// Services that a signature is sent to: none.
const SERVICES: &str = r#"{"mediaType":"application/vnd.dev.sigstore.signingconfig.v0.2+json","rekorTlogConfig":{},"tsaConfig":{}}"#;
/// Services that are trusted: none, so that cosign fetches no list of them.
const ROOT: &str = r#"{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1"}"#;

/// Where an identity's token comes from. Without one cosign would open a browser.
const TOKENS: [&str; 2] = ["SIGSTORE_ID_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_URL"];

/// Signs with one key or identity, and recognizes its own signatures.
pub(super) struct Signer {
    exec: Exec,
    /// The arguments of `cosign sign` and of `cosign verify`.
    sign: Vec<String>,
    verify: Vec<String>,
    /// The command with which anybody verifies, without the name of the image.
    line: Vec<String>,
    /// Holds the files that the arguments name.
    _folder: Option<TempDir>,
}

impl Signer {
    /// Prepares to sign, or says why that is not possible.
    pub(super) fn new(exec: &Exec, signing: &Signing) -> anyhow::Result<Result<Signer, Refusal>> {
        if exec.find("cosign").is_none() {
            return Ok(Err(Refusal::new(
                "a signature is asked for, and `cosign` is not on PATH",
                "install cosign 3 (https://docs.sigstore.dev/cosign), or release without a key",
            )));
        }
        let exec = exec.clone();
        // cosign asks for a password that is not set.
        let password = exec.var("COSIGN_PASSWORD").unwrap_or_default();
        exec.set_var("COSIGN_PASSWORD", &password);
        let help = cosign(&exec, &["sign", "--help"])?;
        if !String::from_utf8_lossy(&help.stdout).contains("--signing-config") {
            return Ok(Err(Refusal::new(
                "`cosign` on PATH is too old: it has no `--signing-config`",
                "install cosign 3 (https://docs.sigstore.dev/cosign)",
            )));
        }
        match signing {
            Signing::Key(key) => by_key(exec, key),
            Signing::Identity { identity, issuer } => Ok(by_identity(exec, identity, issuer)),
        }
    }

    /// The digests without a signature of ours: of the manifests that the index names, then of the
    /// index, whose bytes are `bytes`.
    pub(super) fn unsigned(&self, puller: &Puller, bytes: &[u8]) -> anyhow::Result<Vec<Digest>> {
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
    pub(super) fn sign(&self, puller: &Puller, digests: &[Digest]) -> anyhow::Result<()> {
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
    pub(super) fn verify_line(&self, name: &str) -> String {
        let args: Vec<&str> = self.line.iter().map(String::as_str).chain([name]).collect();
        exec::quoted("cosign", &args)
    }

    fn cosign(&self, command: &str, args: &[String], name: &str) -> anyhow::Result<Ended> {
        let args = args.iter().map(String::as_str);
        let line: Vec<&str> = [command].into_iter().chain(args).chain([name]).collect();
        cosign(&self.exec, &line)
    }
}

fn by_key(exec: Exec, key: &str) -> anyhow::Result<Result<Signer, Refusal>> {
    let public = cosign(&exec, &["public-key", "--key", key])?;
    if !public.success() {
        return Ok(Err(Refusal::new(
            format!("the key `{key}` cannot be used: {}", error_line(&public)),
            "`cosign generate-key-pair` makes one; its password is read from COSIGN_PASSWORD",
        )));
    }
    let folder = tempfile::tempdir().context("failed to make a temporary folder")?;
    let file = |name: &str, text: &[u8]| {
        let path = folder.path().join(name);
        let failed = || format!("failed to write `{}`", path.display());
        fs::write(&path, text).with_context(failed)?;
        anyhow::Ok(path.display().to_string())
    };
    let public = file("key.pub", &public.stdout)?;
    let services = file("services.json", SERVICES.as_bytes())?;
    let root = file("root.json", ROOT.as_bytes())?;
    let sign = ["--yes", "--key", key, "--signing-config", &services];
    let sign = sign.into_iter().chain(["--trusted-root", &root]);
    let verify = ["--insecure-ignore-tlog", "--output", "json", "--key"];
    let line = ["verify", "--insecure-ignore-tlog", "--key", "cosign.pub"];
    Ok(Ok(Signer {
        line: line.map(str::to_owned).to_vec(),
        sign: sign.map(str::to_owned).collect(),
        verify: verify
            .into_iter()
            .chain([&*public])
            .map(str::to_owned)
            .collect(),
        exec,
        _folder: Some(folder),
    }))
}

fn by_identity(exec: Exec, identity: &str, issuer: &str) -> Result<Signer, Refusal> {
    if !TOKENS.iter().any(|name| exec.var(name).is_some()) {
        return Err(Refusal::new(
            format!(
                "no identity can sign here: neither {} is set",
                TOKENS.join(" nor ")
            ),
            "release in GitHub Actions with the permission `id-token: write`, or `--sign=KEY`",
        ));
    }
    let verify = [
        "--output",
        "json",
        "--certificate-identity-regexp",
        identity,
    ];
    let verify = verify
        .into_iter()
        .chain(["--certificate-oidc-issuer", issuer]);
    let verify: Vec<String> = verify.map(str::to_owned).collect();
    Ok(Signer {
        // Without `--output json`.
        line: [&["verify".to_owned()], &verify[2..]].concat(),
        sign: vec!["--yes".to_owned()],
        verify,
        exec,
        _folder: None,
    })
}

fn cosign(exec: &Exec, args: &[&str]) -> anyhow::Result<Ended> {
    exec.within("cosign", args, LIMIT)
}

fn name(puller: &Puller, digest: &Digest) -> String {
    format!("{}@{digest}", puller.place())
}

/// The first line of cosign's error; cosign prints it twice.
fn error_line(ended: &Ended) -> String {
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
