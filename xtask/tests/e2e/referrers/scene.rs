//! A repository with an image, a key pair, and the programs that others use.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;
use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;
use xtask::exec::Exec;
use xtask::oci::Digest;
use xtask::referrers::{Artifact, Form, Subject, Writer, tag};
use xtask::registry::{Puller, Pusher, Registry};
use xtask::retry::Retry;

use crate::common::{Ran, command};
use crate::world::{self, unique_name};

/// The type of the predicates in our bundles.
pub(super) const TYPE: &str = "https://example.org/proof/v1";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// No service, and none that is trusted: cosign asks the registry alone.
const FILES: [(&str, &str); 3] = [
    (
        "services.json",
        r#"{"mediaType":"application/vnd.dev.sigstore.signingconfig.v0.2+json","rekorTlogConfig":{},"tsaConfig":{}}"#,
    ),
    (
        "root.json",
        r#"{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1"}"#,
    ),
    ("predicate.json", r#"{"by":"cosign"}"#),
];

pub(super) struct Scene {
    pub(super) subject: Subject,
    pub(super) puller: Puller,
    pub(super) pusher: Pusher,
    /// With the registry.
    pub(super) repository: String,
    pub(super) registry: world::Registry,
    folder: TempDir,
}

impl Scene {
    /// None where there is no cosign or crane, which the test bed brings.
    pub(super) fn new() -> Option<Scene> {
        if let Some(lacks) = ["cosign", "crane"]
            .iter()
            .find(|it| which::which(it).is_err())
        {
            assert!(
                std::env::var("TESTBED_REGISTRY").is_err(),
                "the test bed has {lacks}"
            );
            eprintln!("NOT RUN: {lacks}, which is not on PATH");
            return None;
        }
        let registry = world::Registry::start();
        let repository = format!("{}/referrers-test/{}", registry.address, unique_name());
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in FILES {
            fs::write(folder.path().join(name), text).unwrap();
        }
        let client = client(&folder, &repository);
        let image = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": []}).to_string();
        let scene = Scene {
            subject: Subject {
                media_type: INDEX.to_owned(),
                digest: Digest::of(image.as_bytes()),
                size: image.len() as u64,
            },
            puller: client.puller(),
            pusher: client.pusher(),
            repository,
            registry,
            folder,
        };
        let put = ureq::put(scene.url("v1.0.0")).header("content-type", INDEX);
        assert_eq!(put.send(image).unwrap().status(), 201);
        Ran::of(&mut scene.cosign(&["generate-key-pair"])).succeeded();
        Some(scene)
    }

    /// A client that knows nothing yet, and the registry as `address`.
    pub(super) fn client_at(&self, address: &str) -> Registry {
        let repository = self.repository.replace(&self.registry.address, address);
        client(&self.folder, &repository)
    }

    pub(super) fn writer(&self) -> Writer<'_> {
        Writer {
            puller: &self.puller,
            pusher: &self.pusher,
            retry: Retry::within(Duration::from_secs(30)),
        }
    }

    pub(super) fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    pub(super) fn at(&self, digest: &Digest) -> String {
        format!("{}@{digest}", self.repository)
    }

    pub(super) fn tag(&self, tag: &str) -> String {
        format!("{}:{tag}", self.repository)
    }

    fn url(&self, version: &str) -> String {
        let (host, path) = self.repository.split_once('/').unwrap();
        format!("http://{host}/v2/{path}/manifests/{version}")
    }

    pub(super) fn cosign(&self, args: &[&str]) -> Command {
        let mut cosign = command("cosign", self.folder.path());
        cosign.args(args).env("COSIGN_PASSWORD", "");
        cosign
    }

    pub(super) fn crane(&self, args: &[&str]) -> String {
        let mut crane = command("crane", self.folder.path());
        Ran::of(crane.args(args)).succeeded().stdout
    }

    /// A statement about the image, signed without a request.
    pub(super) fn bundle(&self, kind: &str, name: &str) -> Artifact {
        let statement = json!({
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [{"name": "image", "digest": {"sha256": self.subject.digest.hex()}}],
            "predicateType": kind,
            "predicate": {"name": name},
        });
        let [statement_file, bundle] =
            ["json", "bundle"].map(|end| self.path(&format!("{name}.{end}")));
        fs::write(&statement_file, statement.to_string()).unwrap();
        let mut args = vec![
            "attest-blob",
            "--statement",
            &statement_file,
            "--bundle",
            &bundle,
        ];
        args.extend(SIGN);
        Ran::of(&mut self.cosign(&args)).succeeded();
        let bytes = fs::read(bundle).unwrap();
        Artifact::new(&self.subject, Form::Bundle, bytes, kind, BTreeMap::new())
    }

    /// `cosign attest` of the image, where `repository` leads.
    pub(super) fn attest_at(&self, repository: &str, kind: &str) -> Command {
        let name = format!("{repository}@{}", self.subject.digest);
        let mut args = vec!["attest", "--type", kind, "--predicate", "predicate.json"];
        args.extend(SIGN);
        args.push(&name);
        self.cosign(&args)
    }

    pub(super) fn attest(&self, kind: &str) -> Ran {
        Ran::of(&mut self.attest_at(&self.repository, kind))
    }

    pub(super) fn verify(&self, kind: &str) -> Ran {
        self.verify_with("cosign.pub", kind)
    }

    /// What anybody types.
    pub(super) fn verify_with(&self, key: &str, kind: &str) -> Ran {
        let name = self.at(&self.subject.digest);
        let args = [
            "verify-attestation",
            "--insecure-ignore-tlog",
            "--key",
            key,
            "--type",
            kind,
            &name,
        ];
        Ran::of(&mut self.cosign(&args))
    }

    /// The list of what is attached, byte for byte.
    pub(super) fn list(&self) -> String {
        self.crane(&["manifest", &self.tag(&tag(&self.subject.digest))])
    }

    pub(super) fn delete(&self, digest: &Digest) {
        assert_eq!(
            ureq::delete(self.url(digest.as_str()))
                .call()
                .unwrap()
                .status(),
            202
        );
    }
}

fn client(folder: &TempDir, repository: &str) -> Registry {
    let exec = Exec::new(folder.path(), false).unwrap();
    Registry::in_steps(&exec, &repository.parse().unwrap(), Retry::BRIEFLY)
}

const SIGN: [&str; 7] = [
    "--yes",
    "--key",
    "cosign.key",
    "--signing-config",
    "services.json",
    "--trusted-root",
    "root.json",
];
