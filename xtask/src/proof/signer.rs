//! Signs statements, and images, with one key or identity.

use std::fs::File;
use std::io::Read as _;

use anyhow::{Context as _, ensure};

use super::bundle::{Bundle, LONGEST_BUNDLE};
use super::cosign::{Cosign, error_line};
use super::policy::key_hint;
use crate::exec::Exec;
use crate::refusal::Refusal;
use crate::settings::{Expression, Signing};

/// Where an identity's token comes from. Without one cosign would open a browser.
const TOKENS: [&str; 2] = ["SIGSTORE_ID_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_URL"];

/// Signs with one key or identity.
pub struct Signer {
    pub(super) cosign: Cosign,
    /// The arguments of `cosign attest-blob`.
    pub(super) sign: Vec<String>,
    /// Those of `cosign verify-blob-attestation` that say who has signed.
    pub(super) verify: Vec<String>,
    /// The command with which anybody verifies an image, without its name.
    pub(super) line: Vec<String>,
    /// How bundles call the key; none for an identity.
    pub(super) hint: Option<String>,
}

impl Signer {
    /// Prepares to sign, or says why that is not possible.
    pub fn new(exec: &Exec, signing: &Signing) -> anyhow::Result<Result<Signer, Refusal>> {
        let cosign = match Cosign::find(exec, "attest-blob", "--signing-config")? {
            Ok(cosign) => cosign,
            Err(Refusal { why, remedy }) => {
                let why = format!("a signature is asked for, and {why}");
                return Ok(Err(Refusal::new(why, remedy)));
            }
        };
        match signing {
            Signing::Key(key) => by_key(cosign, key),
            Signing::Identity { identity, issuer } => {
                Ok(by_identity(cosign, exec, identity, issuer))
            }
        }
    }

    /// Signs a statement. With a key nobody is asked for anything; it takes half a second, which is how long
    /// the key's password is stretched.
    pub fn sign(&self, statement: &[u8]) -> anyhow::Result<Bundle> {
        let input = self.cosign.file("statement.json", statement)?;
        let output = self.cosign.path("signed.json");
        let start = ["attest-blob"].into_iter();
        let flags = self.sign.iter().map(String::as_str);
        let end = ["--statement", &input, "--bundle", &output];
        let args: Vec<&str> = start.chain(flags).chain(end).collect();
        let ended = self.cosign.run(&args)?;
        ensure!(
            ended.success(),
            "`cosign` did not sign the statement: {}; hint: run this again",
            error_line(&ended)
        );
        let mut bytes = Vec::new();
        File::open(&output)
            .and_then(|file| file.take(LONGEST_BUNDLE + 1).read_to_end(&mut bytes))
            .context("failed to read the bundle that `cosign` has written")?;
        let bundle =
            Bundle::parse(&bytes).context("`cosign` has written a bundle that is not clear")?;
        ensure!(
            bundle.payload() == statement,
            "`cosign` has signed another statement than the one that it was given; hint: install cosign 3 \
             (https://docs.sigstore.dev/cosign)"
        );
        Ok(bundle)
    }
}

fn by_key(cosign: Cosign, key: &str) -> anyhow::Result<Result<Signer, Refusal>> {
    let public = cosign.run(&["public-key", "--key", key])?;
    if !public.success() {
        return Ok(Err(Refusal::new(
            format!("the key `{key}` cannot be used: {}", error_line(&public)),
            "`cosign generate-key-pair` makes one; its password is read from COSIGN_PASSWORD",
        )));
    }
    let hint = key_hint(&String::from_utf8_lossy(&public.stdout))
        .with_context(|| format!("`cosign` printed no public key of `{key}`"))?;
    let public = cosign.file("key.pub", &public.stdout)?;
    let sign = ["--yes", "--key", key].map(str::to_owned).into_iter();
    let sign = sign.chain(cosign.offline()?).collect();
    let verify = cosign.by_key(&public);
    let line = ["verify", "--insecure-ignore-tlog", "--key", "cosign.pub"];
    Ok(Ok(Signer {
        line: line.map(str::to_owned).to_vec(),
        verify,
        sign,
        hint: Some(hint),
        cosign,
    }))
}

fn by_identity(
    cosign: Cosign,
    exec: &Exec,
    identity: &Expression,
    issuer: &str,
) -> Result<Signer, Refusal> {
    if !TOKENS.iter().any(|name| exec.var(name).is_some()) {
        return Err(Refusal::new(
            format!(
                "no identity can sign here: neither {} is set",
                TOKENS.join(" nor ")
            ),
            "run this in GitHub Actions with the permission `id-token: write`, or with `--sign=KEY`",
        ));
    }
    let args = |start: &[&str], identity: &str| {
        let who = ["--certificate-identity-regexp", identity];
        let who = who.into_iter().chain(["--certificate-oidc-issuer", issuer]);
        let args = start.iter().copied().chain(who);
        args.map(str::to_owned).collect()
    };
    Ok(Signer {
        line: args(&["verify"], &identity.to_string()),
        verify: args(&[], &identity.whole()),
        sign: vec!["--yes".to_owned()],
        hint: None,
        cosign,
    })
}
