//! Proofs and release records, by a real cosign. No engine and no registry is asked.

mod attacks;
mod identity;
mod records;

use std::fs;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tempfile::TempDir;
use xtask::exec::Exec;
use xtask::oci::Digest;
use xtask::platform::Platform;
use xtask::proof::{BUNDLE_TYPE, Bundle, ProofWanted, Signer, Trust, TrustedProof, Verification};
use xtask::settings::{Settings, Signing};

use crate::common::{Ran, WORKSPACE, command};

const REVISION: &str = "1ceb56ba0b8b8c4c6882fec8ea36ba45328c3269";
pub(crate) const IN_TOTO: &str = "application/vnd.in-toto+json";

/// A workspace with keys, and somebody who signs as he likes.
pub(crate) struct Scene {
    folder: TempDir,
    exec: Exec,
}

impl Scene {
    /// None where this machine has no cosign, as one without the test bed may.
    pub(crate) fn new() -> Option<Scene> {
        let found = which::which("cosign").is_ok();
        let is_test_bed = std::env::var("TESTBED_REGISTRY").is_ok();
        assert!(found || !is_test_bed, "the test bed has a cosign");
        let folder = tempfile::tempdir().unwrap();
        let exec = Exec::new(folder.path(), false).unwrap();
        let none = r#"{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1"}"#;
        fs::write(folder.path().join("no-root.json"), none).unwrap();
        found.then_some(Scene { folder, exec })
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn run(&self, program: &str, args: &str) -> Ran {
        let mut command = command(program, self.folder.path());
        Ran::of(
            command
                .args(args.split_whitespace())
                .env("COSIGN_PASSWORD", ""),
        )
    }

    /// A key without a password, `NAME.pem`, and its public one, `NAME.pub`.
    pub(crate) fn key(&self, name: &str) {
        let make = format!("ecparam -name prime256v1 -genkey -noout -out {name}.pem");
        self.run("openssl", &make).succeeded();
        let public = format!("ec -in {name}.pem -pubout -out {name}.pub");
        self.run("openssl", &public).succeeded();
    }

    /// A bundle with any payload, signed by the key `NAME.pem`, that calls the key `hint`.
    pub(crate) fn forge(
        &self,
        name: &str,
        hint: &str,
        payload: &[u8],
        payload_type: &str,
    ) -> Value {
        let (kind, length) = (payload_type.len(), payload.len());
        // DSSE 1.0.2, "Signature Definition".
        let mut signed = format!("DSSEv1 {kind} {payload_type} {length} ").into_bytes();
        signed.extend(payload);
        fs::write(self.path("signed"), signed).unwrap();
        let sign = format!("dgst -sha256 -sign {name}.pem -out signature signed");
        self.run("openssl", &sign).succeeded();
        json!({
            "mediaType": BUNDLE_TYPE,
            "verificationMaterial": {"publicKey": {"hint": hint}},
            "dsseEnvelope": {
                "payload": STANDARD.encode(payload),
                "payloadType": payload_type,
                "signatures": [{"sig": STANDARD.encode(fs::read(self.path("signature")).unwrap())}],
            },
        })
    }

    /// The trust of a workspace whose settings have this as `proof`; without one for nothing.
    fn trust(&self, proof: &str) -> Trust {
        let settings = match proof {
            "" => WORKSPACE.to_owned(),
            proof => format!("{WORKSPACE}\n[workspace.metadata.image.proof]\n{proof}\n"),
        };
        fs::write(self.path("Cargo.toml"), settings).unwrap();
        let settings = Settings::read(self.folder.path()).unwrap();
        let repositories = [&settings.repository];
        Trust::read(&self.exec, self.folder.path(), &settings, &repositories).unwrap()
    }

    /// Whether cosign alone is content with a bundle.
    fn cosign_takes(
        &self,
        bundle: &[u8],
        digest: &Digest,
        predicate_type: &str,
        key: &str,
    ) -> bool {
        fs::write(self.path("bundle.json"), bundle).unwrap();
        let line = format!(
            "verify-blob-attestation --bundle bundle.json --key {key}.pub --trusted-root no-root.json \
             --insecure-ignore-tlog --type {predicate_type} --digest {} --digestAlg sha256",
            digest.hex()
        );
        self.run("cosign", &line).code == Some(0)
    }
}

/// What verify would have signed.
fn verification() -> Verification {
    let (index, manifest) = (Digest::of(b"index"), Digest::of(b"amd64"));
    let check_set = Digest::of(b"checks");
    Verification {
        repository: "docker.io/agentgate/agent".to_owned(),
        time: "2026-11-25T05:13:09Z".to_owned(),
        is_native: true,
        receipt: json!({
            "schema": 1, "index": index, "manifest": manifest, "platform": "linux/amd64", "execution": "native",
            "revision": REVISION, "check_set": check_set, "results": [{"id": "seed-3-node", "status": "passed"}],
        }),
        index,
        manifest,
        check_set,
    }
}

/// Why a bundle is not a proof of the image above; empty when it is.
fn why_no_proof(trust: &Trust, bundle: &[u8]) -> String {
    match proof(trust, bundle) {
        Ok(_) => String::new(),
        Err(why) => why,
    }
}

fn proof(trust: &Trust, bundle: &[u8]) -> Result<TrustedProof, String> {
    let bundle = Bundle::parse(bundle).map_err(|why| why.to_string())?;
    let wanted = ProofWanted {
        index: &Digest::of(b"index"),
        manifest: &Digest::of(b"amd64"),
        platform: Platform::LinuxAmd64,
        revision: Some(REVISION),
    };
    let judged = trust.proof(&bundle, &wanted).unwrap();
    judged.map_err(|reasons| reasons.join("\n"))
}

/// Runs `name` of PATH, and writes down with what.
pub(crate) const COUNTING: &str = "#!/bin/sh\necho \"$1 $2\" >>\"$0.calls\"\nexec COSIGN \"$@\"\n";

#[test]
fn what_a_key_has_signed_is_believed_for_one_start_of_cosign() {
    let Some(scene) = Scene::new() else { return };
    scene.exec.set_var("COSIGN_PASSWORD", "secret");
    let generate = "generate-key-pair --output-key-prefix ours";
    let mut cosign = command("cosign", scene.folder.path());
    cosign.args(generate.split_whitespace());
    Ran::of(cosign.env("COSIGN_PASSWORD", "secret")).succeeded();
    scene.key("other");
    let cosign = which::which("cosign").unwrap();
    let counting = COUNTING.replace("COSIGN", cosign.to_str().unwrap());
    let path = scene.stand_in(&counting);
    scene.exec.set_var("PATH", &path);

    let key = scene.path("ours.key").to_str().unwrap().to_owned();
    let signer = Signer::new(&scene.exec, &Signing::Key(key))
        .unwrap()
        .unwrap();
    let payload = verification().statement().to_bytes();
    let bundle = signer.sign(&payload).unwrap();
    assert_eq!(bundle.payload(), payload);
    let calls = || fs::read_to_string(scene.path("bin/cosign.calls")).unwrap();
    let before = calls().lines().count();

    // The key that the bundle names is asked first, wherever it is in the list.
    let trust = scene.trust("keys = ['other.pub', 'ours.pub']");
    let trusted = proof(&trust, bundle.bytes()).unwrap();
    assert_eq!(trusted.by, "the key `ours.pub`");
    assert_eq!(trusted.verification, verification());
    assert_eq!(why_no_proof(&trust, bundle.bytes()), "");
    let calls = calls();
    let calls: Vec<&str> = calls.lines().skip(before).collect();
    let verify = "verify-blob-attestation --bundle";
    assert_eq!(calls, ["verify-blob-attestation --help", verify, verify]);

    assert!(trust.accepts(&signer).is_ok());
    let others = scene.trust("keys = ['other.pub']");
    let refusal = others.accepts(&signer).unwrap_err().to_string();
    assert!(refusal.contains("do not name it"), "{refusal}");
    let why = why_no_proof(&others, bundle.bytes());
    assert!(
        why.starts_with("it is not verified as signed by the key `other.pub`: "),
        "{why}"
    );
    let why = why_no_proof(&scene.trust(""), bundle.bytes());
    assert!(why.starts_with("nobody's proof is believed"), "{why}");
}

impl Scene {
    /// A folder in front of PATH whose `cosign` is a script.
    pub(crate) fn stand_in(&self, script: &str) -> String {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = self.path("bin");
        fs::create_dir_all(&folder).unwrap();
        let program = folder.join("cosign");
        fs::write(&program, script).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        format!("{}:{}", folder.display(), std::env::var("PATH").unwrap())
    }
}

#[test]
fn without_a_cosign_that_can_verify_nothing_is_proven() {
    let Some(scene) = Scene::new() else { return };
    scene.key("ours");
    let payload = verification().statement().to_bytes();
    let bundle = scene.forge("ours", "x", &payload, IN_TOTO).to_string();
    let with = |path: &str| {
        scene.exec.set_var("PATH", path);
        why_no_proof(&scene.trust("keys = ['ours.pub']"), bundle.as_bytes())
    };
    let path = std::env::var("PATH").unwrap();
    assert_eq!(with(&path), "");
    let without = crate::world::path_without("cosign");
    let start = "its signature cannot be verified: `cosign` ";
    let end = "; hint: install cosign 3 (https://docs.sigstore.dev/cosign)";
    assert_eq!(
        with(without.to_str().unwrap()),
        format!("{start}is not on PATH{end}")
    );
    let old = scene.stand_in("#!/bin/sh\necho --key\n");
    let flag = "too old: its `verify-blob-attestation` has no `--digestAlg`";
    assert_eq!(with(&old), format!("{start}on PATH is {flag}{end}"));
    // What it says reaches a terminal.
    let rude =
        "#!/bin/sh\necho --digestAlg\nprintf 'Error: \\033[2J::add-mask::x' >&2\n[ $2 = --help ]\n";
    let why = with(&scene.stand_in(rude));
    let shown = "it is not verified as signed by the key `ours.pub`: \\u{1b}[2J::add-mask::x";
    assert_eq!(why, shown);
}
