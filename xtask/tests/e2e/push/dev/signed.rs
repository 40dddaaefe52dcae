//! With `proof` settings `dev` leads only to what a believed signature proves.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;
use xtask::exec::Exec;
use xtask::oci::Digest;
use xtask::proof::{Bundle, Signer, VERIFICATION, Verification};
use xtask::reference::Repository;
use xtask::referrers::{Artifact, Form, Subject, Writer};
use xtask::registry::Registry;
use xtask::retry::Retry;
use xtask::settings::Signing;

use super::Workspace;
use crate::common::{Ran, command};

impl Workspace {
    /// Signs the receipts that [`Workspace::prove`] has written; the files of the bundles.
    fn sign(&self, key: &str) -> Vec<PathBuf> {
        let exec = Exec::new(&self.path("target"), false).unwrap();
        exec.set_var("COSIGN_PASSWORD", "");
        let signer = Signer::new(&exec, &Signing::Key(format!("{key}.key"))).unwrap();
        let signer = signer.map_err(|refusal| refusal.to_string()).unwrap();
        let repository: Repository = self.repository().parse().unwrap();
        let (index, _) = self.published(&self.sha_tag()).unwrap();
        let folder = self.path("target/xtask/receipts");
        let folder = folder.join(index.replace(':', "-"));
        let of = |architecture: &str| {
            let file = folder.join(format!("linux-{architecture}.json"));
            let receipt: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
            let digest =
                |field: &str| -> Digest { receipt[field].as_str().unwrap().parse().unwrap() };
            let verification = Verification {
                repository: repository.canonical(),
                index: digest("index"),
                manifest: digest("manifest"),
                time: receipt["finished"].as_str().unwrap().to_owned(),
                check_set: digest("check_set"),
                is_native: true,
                receipt: receipt.clone(),
            };
            let bundle = signer.sign(&verification.statement().to_bytes()).unwrap();
            let file = file.with_extension("sigstore.json");
            fs::write(&file, bundle.bytes()).unwrap();
            file
        };
        ["amd64", "arm64"].map(of).to_vec()
    }

    /// Attaches bundles to their manifests in the registry, as a release does.
    fn attach(&self, bundles: &[PathBuf]) {
        let exec = Exec::new(&self.path("target"), false).unwrap();
        let registry = Registry::new(&exec, &self.repository().parse().unwrap());
        let (puller, pusher) = (registry.puller(), registry.pusher());
        let retry = Retry::within(Duration::from_secs(30));
        let writer = Writer {
            puller: &puller,
            pusher: &pusher,
            retry,
        };
        for file in bundles {
            let bundle = Bundle::parse(&fs::read(file).unwrap()).unwrap();
            let statement = xtask::proof::Statement::parse(bundle.payload()).unwrap();
            let (digest, bytes) = puller.manifest(statement.digest.as_str()).unwrap().unwrap();
            let subject = Subject {
                media_type: "application/vnd.oci.image.manifest.v1+json".to_owned(),
                digest: digest.clone(),
                size: bytes.len() as u64,
            };
            let layer = bundle.bytes().to_owned();
            let artifact =
                Artifact::new(&subject, Form::Bundle, layer, VERIFICATION, BTreeMap::new());
            writer.attach(&digest, &[artifact]).unwrap();
        }
    }
}

#[test]
fn dev_moves_only_to_what_a_believed_key_has_signed() {
    let found = which::which("cosign").is_ok();
    assert!(
        found || std::env::var("TESTBED_REGISTRY").is_err(),
        "the test bed has a cosign"
    );
    if !found {
        return;
    }
    let workspace = Workspace::new();
    let generate = |name: &str| {
        let mut cosign = command("cosign", &workspace.path("target"));
        cosign.args(["generate-key-pair", "--output-key-prefix", name]);
        Ran::of(cosign.env("COSIGN_PASSWORD", "")).succeeded();
    };
    fs::create_dir(workspace.path("target")).unwrap();
    generate("ours");
    generate("theirs");
    let manifest = fs::read_to_string(workspace.path("Cargo.toml")).unwrap();
    let proof = "proof = { keys = ['target/ours.pub'] }\n";
    workspace.write("Cargo.toml", &format!("{manifest}{proof}"));
    workspace.commit("who is believed");
    let merge = || {
        Ran::of(&mut workspace.xtask(&["image", "--merge"]))
            .succeeded()
            .stderr
    };

    workspace.push(&[]);
    workspace.prove();
    // Anybody can write a plain receipt.
    let said = merge();
    assert!(
        said.contains("in the registry: no proof is attached to it"),
        "{said}"
    );
    assert!(
        said.contains("hint: `cargo xtask verify --sign --pull "),
        "{said}"
    );
    workspace.sign("theirs");
    let said = merge();
    assert!(
        said.contains("signed by the key `target/ours.pub`"),
        "{said}"
    );
    assert_eq!(workspace.digest("dev"), None);
    let bundles = workspace.sign("ours");
    merge();
    let first = workspace.digest(&workspace.sha_tag());
    assert_eq!(workspace.digest("dev"), first);

    // Proofs of one index are none of the next.
    workspace.write("content/file", "two");
    workspace.commit("second");
    workspace.push(&[]);
    workspace.prove();
    let second = workspace.digest(&workspace.sha_tag()).unwrap();
    let folder = workspace
        .path("target/xtask/receipts")
        .join(second.replace(':', "-"));
    for bundle in &bundles {
        fs::copy(bundle, folder.join(bundle.file_name().unwrap())).unwrap();
    }
    let said = merge();
    assert!(said.contains("it is of the index `"), "{said}");
    assert_eq!(workspace.digest("dev"), first);
    // On a machine without any file, with what is attached in the registry.
    let bundles = workspace.sign("ours");
    workspace.attach(&bundles);
    fs::remove_dir_all(workspace.path("target/xtask/receipts")).unwrap();
    merge();
    assert_eq!(workspace.digest("dev"), Some(second));
}
