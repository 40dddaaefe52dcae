//! Signatures, by a real cosign and a key pair, in the real registry.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use super::Releases;
use crate::common::{Ran, command};
use crate::push::refused;

impl Releases {
    /// cosign in the workspace; none where this machine has none, as one without the test bed may.
    fn cosign(&self, args: &[&str]) -> Option<Ran> {
        let found = which::which("cosign");
        assert!(
            found.is_ok() || std::env::var("TESTBED_REGISTRY").is_err(),
            "the test bed has a cosign"
        );
        let mut cosign = command(found.ok()?.to_str()?, &self.workspace.path("target"));
        cosign.args(args).env("COSIGN_PASSWORD", "secret");
        Some(Ran::of(&mut cosign))
    }

    fn key(&self, name: &str) -> Option<PathBuf> {
        let args = ["generate-key-pair", "--output-key-prefix", name];
        self.cosign(&args)?.succeeded();
        Some(self.workspace.path(&format!("target/{name}.key")))
    }

    fn sign(&self, key: &str, password: &str) -> Ran {
        let mut release = self.command(&[&format!("--sign={key}")]);
        Ran::of(release.env("COSIGN_PASSWORD", password))
    }

    fn verify(&self, key: &str, digest: &str) -> Option<Ran> {
        let name = format!("{}@{digest}", self.workspace.repository());
        let args = ["verify", "--insecure-ignore-tlog", "--key", key, &name];
        self.cosign(&args)
    }
}

#[test]
fn what_is_released_is_signed_first_and_once() {
    let releases = Releases::new();
    let digest = releases.prepare("1.0.0");
    let Some(key) = releases.key("ours") else {
        return;
    };
    releases.key("theirs");
    let key = key.to_str().unwrap();
    refused(
        &releases.sign("nowhere.key", "secret"),
        &["the key `nowhere.key` cannot be used"],
    );
    refused(&releases.sign(key, "wrong"), &["COSIGN_PASSWORD"]);
    refused(&releases.run(&["--sign"]), &["there is no key"]);
    let mut without = releases.command(&["--sign=x"]);
    without.env("PATH", crate::world::path_without("cosign"));
    refused(&Ran::of(&mut without), &["`cosign` is not on PATH"]);
    assert_eq!(releases.digest("v1.0.0"), None);
    releases.sign(key, "secret").succeeded();
    assert_eq!(releases.digest("latest").as_ref(), Some(&digest));
    let (_, index) = releases.workspace.published("v1.0.0").unwrap();
    let children = index["manifests"].as_array().unwrap().iter();
    let children = children.map(|entry| entry["digest"].as_str().unwrap());
    for digest in children.chain([&*digest]) {
        let ours = releases.verify("ours.pub", digest).unwrap();
        let signatures: Vec<serde_json::Value> =
            serde_json::from_str(&ours.succeeded().stdout).unwrap();
        assert_eq!(signatures.len(), 1);
        assert_ne!(releases.verify("theirs.pub", digest).unwrap().code, Some(0));
    }
    // Again: nothing more is signed.
    let again = releases.sign(key, "secret").succeeded();
    assert!(!again.stderr.contains("signing"), "{again:#?}");
    // Released without a signature, and signed afterwards.
    let second = releases.release("1.0.1");
    assert_ne!(releases.verify("ours.pub", &second).unwrap().code, Some(0));
    releases.sign(key, "secret").succeeded();
    releases.verify("ours.pub", &second).unwrap().succeeded();
}

/// A stand-in that keeps in files what is signed, and writes down how it is called.
const STAND_IN: &str = r#"#!/bin/sh
for name; do :; done
case $1 in
attest-blob) [ "$2" = --help ] && echo --signing-config && exit ;;
esac
echo "$@" >>"$SIGNED/calls"
digest=${name#*@}
case $1 in
sign) touch "$SIGNED/$digest" ;;
verify)
    [ -e "$SIGNED/$digest" ] || { echo "Error: no signatures found" >&2; exit 10; }
    echo "[{\"critical\":{\"image\":{\"docker-manifest-digest\":\"$digest\"},\"type\":\"https://sigstore.dev/cosign/sign/v1\"}}]"
    ;;
esac
"#;

#[test]
fn without_a_key_an_identity_signs() {
    let releases = Releases::new();
    let manifest = releases.workspace.path("Cargo.toml");
    let mut text = fs::read_to_string(&manifest).unwrap();
    text.push_str("signing = { identity = \"^me@.*$\", issuer = \"https://issuer.example\" }\n");
    fs::write(&manifest, text).unwrap();
    let digest = releases.prepare("1.0.0");
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("cosign");
    fs::write(&program, STAND_IN).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let release = |token: &str| {
        let mut release = releases.command(&[]);
        let others = std::env::var_os("PATH").unwrap();
        let folders = [folder.path().to_owned()].into_iter();
        let path = std::env::join_paths(folders.chain(std::env::split_paths(&others))).unwrap();
        release.env("PATH", path).env("SIGNED", folder.path());
        release.env_remove("ACTIONS_ID_TOKEN_REQUEST_URL");
        Ran::of(release.env("SIGSTORE_ID_TOKEN", token))
    };
    refused(&release(""), &["no identity can sign here"]);
    assert_eq!(releases.digest("v1.0.0"), None);
    release("token").succeeded();
    assert_eq!(releases.digest("latest").as_ref(), Some(&digest));
    let calls = fs::read_to_string(folder.path().join("calls")).unwrap();
    let name = format!("{}@{digest}", releases.workspace.repository());
    let certificate = "--certificate-identity-regexp ^(?:^me@.*$)$ --certificate-oidc-issuer https://issuer.example";
    for line in [
        format!("sign --yes {name}"),
        format!("verify --output json {certificate} {name}"),
    ] {
        assert!(
            calls.lines().any(|call| call == line),
            "{line} is not in {calls}"
        );
    }
    assert_eq!(
        calls
            .lines()
            .filter(|line| line.starts_with("sign "))
            .count(),
        5
    );
}
