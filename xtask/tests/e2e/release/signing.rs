//! Signatures, proofs and records by a real cosign and a key pair, in the real registry.

use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::Releases;
use crate::common::{Ran, command};
use crate::push::refused;

impl Releases {
    /// A program of the test bed in the workspace; none where this machine has none, as one without the test
    /// bed may.
    fn tool(&self, program: &str, args: &[&str]) -> Option<Ran> {
        let found = which::which(program);
        assert!(
            found.is_ok() || std::env::var("TESTBED_REGISTRY").is_err(),
            "the test bed has {program}"
        );
        let mut cosign = command(found.ok()?.to_str()?, &self.workspace.path(""));
        cosign.args(args).env("COSIGN_PASSWORD", "secret");
        Some(Ran::of(&mut cosign))
    }

    fn cosign(&self, args: &[&str]) -> Option<Ran> {
        self.tool("cosign", args)
    }

    fn key(&self, name: &str) -> Option<PathBuf> {
        let prefix = format!("target/{name}");
        let args = ["generate-key-pair", "--output-key-prefix", &prefix];
        self.cosign(&args)?.succeeded();
        Some(self.workspace.path(&format!("target/{name}.key")))
    }

    /// The settings believe the key `ours`, and not the stand-in's.
    fn believe_ours(&self) {
        let text = fs::read_to_string(self.workspace.path("Cargo.toml")).unwrap();
        let text = text.replace("cosign.pub", "target/ours.pub");
        self.workspace.write("Cargo.toml", &text);
    }

    /// Signs every proof again, with a real cosign.
    fn sign_proofs(&self, key: &str) {
        for (name, json) in [("services", SERVICES), ("root", ROOT)] {
            self.workspace.write(&format!("target/{name}.json"), json);
        }
        for folder in fs::read_dir(self.receipts()).unwrap() {
            for file in fs::read_dir(folder.unwrap().path()).unwrap() {
                let path = file.unwrap().path();
                let name = path.to_str().unwrap();
                if !name.ends_with(".sigstore.json") {
                    continue;
                }
                let bundle: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
                let payload = bundle["dsseEnvelope"]["payload"].as_str().unwrap();
                let statement = self.workspace.path("target/statement.json");
                fs::write(&statement, STANDARD.decode(payload).unwrap()).unwrap();
                let line = [
                    "attest-blob",
                    "--yes",
                    "--key",
                    key,
                    "--signing-config",
                    "target/services.json",
                    "--trusted-root",
                    "target/root.json",
                    "--statement",
                    "target/statement.json",
                    "--bundle",
                    name,
                ];
                self.cosign(&line).unwrap().succeeded();
            }
        }
    }

    /// A release by a real cosign.
    fn real(&self, sign: &str, password: &str) -> Ran {
        let receipts = self.receipts();
        let args = [
            "release",
            "--json",
            "--yes",
            sign,
            "--receipt-dir",
            receipts.to_str().unwrap(),
        ];
        let mut release = self.workspace.xtask(&args);
        Ran::of(release.env("COSIGN_PASSWORD", password))
    }

    fn verify(&self, key: &str, digest: &str) -> Option<Ran> {
        let name = format!("{}@{digest}", self.workspace.repository());
        let key = format!("target/{key}");
        let args = ["verify", "--insecure-ignore-tlog", "--key", &key, &name];
        self.cosign(&args)
    }
}

const SERVICES: &str = r#"{"mediaType":"application/vnd.dev.sigstore.signingconfig.v0.2+json","rekorTlogConfig":{},"tsaConfig":{}}"#;
const ROOT: &str = r#"{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1"}"#;

#[test]
fn what_is_released_is_signed_first_and_once_and_anybody_can_check_it() {
    let releases = Releases::new();
    let Some(key) = releases.key("ours") else {
        return;
    };
    let theirs = releases.key("theirs").unwrap();
    releases.believe_ours();
    let digest = releases.prepare("1.0.0");
    let key = key.to_str().unwrap();
    let sign = format!("--sign={key}");
    // Signed by the stand-in: nobody's.
    let ran = releases.real(&sign, "secret");
    refused(
        &ran,
        &["no proof of linux/amd64 is believed", "signed by the key"],
    );
    releases.sign_proofs(key);
    refused(
        &releases.real("--sign=nowhere.key", "secret"),
        &["the key `nowhere.key` cannot be used", "nobody signs it"],
    );
    refused(&releases.real(&sign, "wrong"), &["COSIGN_PASSWORD"]);
    refused(&releases.real("--sign", "secret"), &["there is no key"]);
    let stranger = format!("--sign={}", theirs.display());
    refused(
        &releases.real(&stranger, "secret"),
        &["nobody would believe it"],
    );
    assert_eq!(releases.digest("v1.0.0"), None);
    let start = Instant::now();
    releases.real(&sign, "secret").succeeded();
    eprintln!("a signed release takes {:?}", start.elapsed());
    assert_eq!(releases.digest("latest").as_ref(), Some(&digest));
    let name = format!("{}@", releases.workspace.repository());
    let (_, index) = releases.workspace.published("v1.0.0").unwrap();
    let children = index["manifests"].as_array().unwrap().iter().take(2);
    let children = children.map(|entry| entry["digest"].as_str().unwrap());
    for child in children.clone().chain([&*digest]) {
        let ours = releases.verify("ours.pub", child).unwrap();
        let signatures: Vec<Value> = serde_json::from_str(&ours.succeeded().stdout).unwrap();
        // cosign lists proofs and records, too.
        let kind = "https://sigstore.dev/cosign/sign/v1";
        let signatures = signatures.iter();
        let own = signatures.filter(|one| one["critical"]["type"] == kind);
        assert_eq!(own.count(), 1);
        assert_ne!(releases.verify("theirs.pub", child).unwrap().code, Some(0));
    }
    let attested = |kind: &str, of: &str| {
        let of = format!("{name}{of}");
        let line = [
            "verify-attestation",
            "--insecure-ignore-tlog",
            "--key",
            "target/ours.pub",
            "--type",
            kind,
            &of,
        ];
        releases.cosign(&line).unwrap().succeeded();
    };
    for child in children {
        attested("https://slsa.dev/verification_summary/v1", child);
    }
    attested("urn:agentgate:release-record:v1", &digest);
    let state = format!("{}:state-v1.0.0", releases.workspace.repository());
    let manifest = releases.tool("crane", &["manifest", &state]).unwrap();
    let manifest: Value = serde_json::from_str(&manifest.succeeded().stdout).unwrap();
    assert_eq!(manifest["subject"]["digest"], *digest);
    let annotations = &manifest["annotations"];
    assert_eq!(annotations["org.opencontainers.image.version"], "1.0.0");
    assert_eq!(annotations["agentgate.release-record.state"], "released");
    // Again: nothing more is signed.
    fs::remove_dir_all(releases.receipts()).unwrap();
    let again = releases.real(&sign, "secret").succeeded();
    assert!(!again.stderr.contains("signing"), "{again:#?}");
}

/// Everything that a release reads but the image, from somebody who may push.
#[test]
fn what_nobody_of_ours_has_signed_counts_for_nothing() {
    let releases = Releases::new();
    let Some(key) = releases.key("ours") else {
        return;
    };
    releases.believe_ours();
    let key = key.to_str().unwrap();
    let sign = format!("--sign={key}");
    let first = releases.prepare("1.0.0");
    releases.sign_proofs(key);
    releases.real(&sign, "secret").succeeded();
    // The stand-in writes the record of a higher version, with its own key.
    let second = releases.prepare("2.0.0");
    let (_, index) = releases
        .workspace
        .published(&releases.workspace.sha_tag())
        .unwrap();
    releases.workspace.put("v2.0.0", &index);
    let (_, mut record) = releases.workspace.published("state-v1.0.0").unwrap();
    record["subject"]["digest"] = second.as_str().into();
    record["subject"]["size"] = index.to_string().len().into();
    releases.workspace.put("state-v2.0.0", &record);
    let old = releases.workspace.git(&["rev-parse", "v1.0.0^{}"]);
    releases.workspace.git(&["checkout", "--quiet", &old]);
    let third = releases.prepare("1.1.0");
    releases.sign_proofs(key);
    let ran = releases.real(&sign, "secret").succeeded();
    assert!(
        ran.stderr.contains("the record of `v2.0.0`") && ran.stderr.contains("does not count"),
        "{ran:#?}"
    );
    assert_eq!(releases.digest("latest"), Some(third));
    releases.workspace.git(&["checkout", "--quiet", "v2.0.0"]);
    releases.sign_proofs(key);
    let ran = releases.real(&sign, "secret");
    refused(&ran, &["is not believed", "`crane manifest"]);
    assert_eq!(releases.digest("v1.0.0"), Some(first));
}

#[test]
fn without_a_key_an_identity_signs() {
    let releases = Releases::new();
    let manifest = releases.workspace.path("Cargo.toml");
    let text = fs::read_to_string(&manifest).unwrap();
    let text = text.replace(
        "\"cosign.pub\"] }",
        "\"cosign.pub\"], release-identity = \"^me$\", issuer = \"https://issuer.example\", \
         github-repository = \"me/agent\" }\nsigning = { identity = \"^me$\", issuer = \
         \"https://issuer.example\" }",
    );
    fs::write(&manifest, text).unwrap();
    let digest = releases.prepare("1.0.0");
    let release = |token: &str| {
        let receipts = releases.receipts();
        let args = [
            "release",
            "--json",
            "--yes",
            "--receipt-dir",
            receipts.to_str().unwrap(),
        ];
        let mut release = releases.xtask(&args);
        release.env_remove("ACTIONS_ID_TOKEN_REQUEST_URL");
        Ran::of(release.env("SIGSTORE_ID_TOKEN", token))
    };
    refused(&release(""), &["no identity can sign here"]);
    assert_eq!(releases.digest("v1.0.0"), None);
    release("token").succeeded();
    assert_eq!(releases.digest("latest").as_ref(), Some(&digest));
    let calls = fs::read_to_string(releases.workspace.path("target/cosign/calls")).unwrap();
    let signed = calls
        .lines()
        .filter(|line| line.starts_with("attest-blob --yes --statement "));
    // The images, and the record.
    assert_eq!(signed.count(), 2, "{calls}");
}
