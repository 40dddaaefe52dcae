//! Receipts that are signed, by a real cosign.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use super::indexes::Published;
use crate::common::{Ran, command};
use crate::push::Checkout;
use crate::push::refused;
use crate::world::{built, image, path_without};

/// A clone of the checkout under test with two key pairs, `ours` and `theirs`.
struct Signing {
    folder: TempDir,
    checkout: Checkout,
}

impl Signing {
    /// None where this machine has no cosign, as one without the test bed may.
    fn new() -> Option<Signing> {
        let found = which::which("cosign").is_ok();
        let is_test_bed = std::env::var("TESTBED_REGISTRY").is_ok();
        assert!(found || !is_test_bed, "the test bed has a cosign");
        if !found {
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let checkout = Checkout::new(&folder.path().join("clone"));
        let signing = Signing { folder, checkout };
        for name in ["ours", "theirs"] {
            signing
                .cosign(&["generate-key-pair", "--output-key-prefix", name])
                .succeeded();
        }
        Some(signing)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("clone").join(name)
    }

    fn cosign(&self, args: &[&str]) -> Ran {
        let mut cosign = command("cosign", &self.path(""));
        Ran::of(cosign.args(args).env("COSIGN_PASSWORD", "secret"))
    }

    /// Adds lines to the settings of the image.
    fn set(&self, lines: &str) {
        let manifest = self.path("Cargo.toml");
        let text = fs::read_to_string(&manifest).unwrap();
        let head = "[workspace.metadata.image]\n";
        let (before, after) = text.split_once(head).unwrap();
        let own = |line: &&str| !line.starts_with("proof =") && !line.starts_with("signing =");
        let after: Vec<&str> = after.lines().filter(own).collect();
        let text = format!("{before}{head}{lines}\n{}\n", after.join("\n"));
        fs::write(&manifest, text).unwrap();
    }

    fn verify(&self, args: &[&str]) -> std::process::Command {
        let mut verify = self.checkout.xtask(&["verify", "--receipt-dir"]);
        verify.arg(self.receipts()).args(args);
        verify.env("COSIGN_PASSWORD", "secret");
        for name in ["SIGSTORE_ID_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_URL"] {
            verify.env_remove(name);
        }
        verify
    }

    fn receipts(&self) -> PathBuf {
        self.folder.path().join("receipts")
    }
}

/// The repository in `REPOSITORY:TAG`.
fn repository(name: &str) -> &str {
    name.rsplit_once(':').unwrap().0
}

#[test]
fn what_could_not_be_signed_is_refused_before_any_check() {
    let Some(signing) = Signing::new() else {
        return;
    };
    let published = Published::new(None);
    let index = published.index("index", &[&published.good, &published.arm64]);
    let repository = repository(&index);
    let lone = format!("{repository}:good");
    let refuses = |args: &[&str], change: &dyn Fn(&mut std::process::Command), words: &str| {
        let mut verify = signing.verify(&["--pull", "--repository", repository]);
        verify.args(args);
        change(&mut verify);
        let ran = Ran::of(&mut verify);
        refused(&ran, &[words]);
        assert!(!ran.stderr.contains("proving"), "{ran:#?}");
        assert!(!ran.stderr.contains("secret"), "{ran:#?}");
    };
    let as_it_is = |_: &mut std::process::Command| {};
    refuses(&["--sign", &index], &as_it_is, "there is no key");
    let nowhere = ["--sign=nowhere.key", &*index];
    refuses(&nowhere, &as_it_is, "the key `nowhere.key` cannot be used");
    let ours = ["--sign=ours.key", &*index];
    let wrong = |verify: &mut std::process::Command| {
        verify.env("COSIGN_PASSWORD", "wrong");
    };
    refuses(&ours, &wrong, "COSIGN_PASSWORD");
    let without = |verify: &mut std::process::Command| {
        verify.env("PATH", path_without("cosign"));
    };
    refuses(&ours, &without, "`cosign` is not on PATH");
    refuses(
        &["--sign=ours.key", &lone],
        &as_it_is,
        "a proof is of an index",
    );
    signing.set("proof = { keys = ['theirs.pub'] }");
    refuses(&ours, &as_it_is, "add its public key to `keys`");
    signing.set("signing = { identity = '^me$', issuer = 'https://i.example' }");
    refuses(&["--sign", &index], &as_it_is, "no identity can sign here");
    let partial = ["--sign=ours.key", "--only", "seed", &*index];
    let ran = Ran::of(&mut signing.verify(&partial));
    assert_eq!(ran.code, Some(2), "{ran:#?}");
    assert!(walk(&signing.receipts()).is_empty());
}

#[test]
fn what_fails_is_not_signed_and_an_older_bundle_goes() {
    let Some(signing) = Signing::new() else {
        return;
    };
    let published = Published::new(None);
    let index = published.index("index", &[&published.good, &published.arm64]);
    let receipts = || {
        let mut found = walk(&signing.receipts());
        found.sort();
        found
    };
    let args = [
        "--pull",
        "--platform",
        "linux/amd64",
        "--sign=ours.key",
        "--json",
        &*index,
    ];
    let ran = Ran::of(&mut signing.verify(&args));
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    let said = "the receipt for linux/amd64 is not signed: not every check passed";
    assert!(ran.stderr.contains(said), "{ran:#?}");
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(report["platforms"][0]["bundle"], Value::Null);
    let [receipt] = &*receipts() else {
        panic!("{:?}", receipts());
    };
    let older = receipt.with_extension("sigstore.json");
    fs::write(&older, "of an older receipt").unwrap();
    assert_eq!(Ran::of(&mut signing.verify(&args)).code, Some(1));
    assert_eq!(&receipts(), std::slice::from_ref(receipt));
}

/// All files below a folder.
fn walk(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(walk(&path));
        } else {
            files.push(path);
        }
    }
    files
}

#[test]
fn the_good_image_gets_a_proof_that_anybody_can_check() {
    let Some(signing) = Signing::new() else {
        return;
    };
    let published = Published::new(Some(image()));
    let index = published.index("index", &[&published.good, &published.arm64]);
    let other = published.index("other", &[&published.good, &published.other]);
    let repository = repository(&index);
    signing.set("proof = { keys = ['ours.pub'] }");
    let revision = built()["revision"].as_str().unwrap();
    let args = [
        "--pull",
        "--platform",
        "linux/amd64",
        "--revision",
        revision,
        "--repository",
        repository,
        "--json",
        "--sign=ours.key",
        &*index,
    ];
    let mut verify = signing.verify(&args);
    let file = |name: &str| signing.folder.path().join(name);
    verify.env("GITHUB_OUTPUT", file("outputs"));
    verify.env("GITHUB_STEP_SUMMARY", file("summary"));
    let ran = Ran::of(&mut verify).succeeded();
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    let platform = &report["platforms"][0];
    let bundle = platform["bundle"].as_str().unwrap();
    assert_eq!(
        Path::new(bundle),
        Path::new(platform["receipt"].as_str().unwrap()).with_extension("sigstore.json")
    );
    let outputs = fs::read_to_string(file("outputs")).unwrap();
    assert!(
        outputs.contains(&format!("bundles<<EOF\n{bundle}\nEOF\n")),
        "{outputs}"
    );
    let summary = fs::read_to_string(file("summary")).unwrap();
    assert!(
        summary.contains(&format!("Signed: `{bundle}`")),
        "{summary}"
    );

    // By cosign alone.
    let manifest = platform["manifest"].as_str().unwrap();
    let manifest = manifest.strip_prefix("sha256:").unwrap();
    let kind = "https://slsa.dev/verification_summary/v1";
    let by = |key: &str| {
        let start = [
            "verify-blob-attestation",
            "--bundle",
            bundle,
            "--type",
            kind,
        ];
        let end = [
            "--digest",
            manifest,
            "--digestAlg",
            "sha256",
            "--insecure-ignore-tlog",
        ];
        signing.cosign(&[&start[..], &end, &["--key", key]].concat())
    };
    by("ours.pub").succeeded();
    assert_ne!(by("theirs.pub").code, Some(0));

    let check = |image: &str| {
        let args = [
            "--repository",
            repository,
            "--pull",
            "--json",
            "--check-receipt",
            bundle,
            image,
        ];
        Ran::of(&mut signing.verify(&args))
    };
    let ran = check(&index).succeeded();
    let checked: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(checked["by"], "the key `ours.pub`");
    refused(
        &check(&other),
        &["it is of another image", "it is of the index"],
    );
    signing.set("proof = { keys = ['theirs.pub'] }");
    refused(&check(&index), &["signed by the key `theirs.pub`"]);
    signing.set("");
    refused(&check(&index), &["nobody's proof is believed"]);

    // A look at one check leaves receipt and bundle as they are.
    let partial = [
        "--pull",
        "--platform",
        "linux/amd64",
        "--only",
        "image-stop-signal",
        &*index,
    ];
    Ran::of(&mut signing.verify(&partial)).succeeded();
    assert_eq!(walk(&signing.receipts()).len(), 3);
}
