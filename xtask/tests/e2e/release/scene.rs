//! A workspace whose versions are published and released, and what its registry then has.

use std::fs;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::cosign;
use super::receipt::{proof, receipt};
use crate::common::Ran;
use crate::push::Workspace;
use crate::push::proxy::Proxy;
use crate::world::{Registry, before};

/// A workspace with a remote, a registry behind a proxy, and receipts.
pub(crate) struct Releases {
    pub(crate) workspace: Workspace,
    pub(crate) proxy: Proxy,
}

pub(crate) fn digest(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

impl Releases {
    pub(crate) fn new() -> Releases {
        let registry = Registry::start();
        let proxy = Proxy::before(&registry.address);
        let workspace = Workspace::with(registry, Some(&proxy.address));
        let remote = workspace.path("target/remote.git");
        let remote = remote.to_str().unwrap();
        workspace.git(&["init", "--quiet", "--bare", remote]);
        workspace.git(&["remote", "add", "origin", remote]);
        let manifest = fs::read_to_string(workspace.path("Cargo.toml")).unwrap();
        let proof = "proof = { keys = [\"cosign.pub\"] }\n";
        workspace.write("Cargo.toml", &(manifest + proof));
        workspace.write("cosign.pub", cosign::KEY);
        cosign::write(&workspace.path("target/cosign"));
        Releases { workspace, proxy }
    }

    /// `cargo xtask` with the stand-in for cosign.
    pub(crate) fn xtask(&self, args: &[&str]) -> std::process::Command {
        let mut command = self.workspace.xtask(args);
        before(&self.workspace.path("target/cosign"), &mut command);
        command
    }

    pub(super) fn receipts(&self) -> PathBuf {
        self.workspace.path("target/given")
    }

    /// Commits and tags a version; nothing of it is published yet.
    pub(super) fn commit(&self, version: &str) {
        let path = self.workspace.path("Cargo.toml");
        let text = fs::read_to_string(&path).unwrap();
        let start = text.find("version = \"").unwrap() + 11;
        let end = start + text[start..].find('"').unwrap();
        let text = format!("{}{version}{}", &text[..start], &text[end..]);
        self.workspace.write("Cargo.toml", &text);
        self.workspace.commit(version);
        let tag = format!("v{version}");
        self.workspace
            .git(&["tag", "--annotate", "--message", "x", &tag]);
        self.workspace.git(&["push", "--quiet", "origin", &tag]);
    }

    /// Publishes an image of HEAD for both platforms as `sha-…`, with receipts; its digest.
    pub(super) fn publish(&self, version: &str) -> String {
        let revision = self.workspace.revision();
        let blob = |bytes: &[u8]| self.blob(bytes);
        let layer = blob(b"a layer");
        let (mut entries, mut attestations) = (Vec::new(), Vec::new());
        for architecture in ["amd64", "arm64"] {
            let labels = json!({
                "org.opencontainers.image.revision": revision,
                "org.opencontainers.image.version": version,
            });
            let config = json!({
                "architecture": architecture,
                "os": "linux",
                "config": {"Labels": labels},
                "rootfs": {"type": "layers", "diff_ids": [digest(b"a layer")]},
            });
            let manifest = json!({
                "schemaVersion": 2,
                "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "config": blob(config.to_string().as_bytes()),
                "layers": [layer],
            });
            let bytes = manifest.to_string();
            let named = digest(bytes.as_bytes());
            self.workspace.put(&named, &manifest);
            entries.push(json!({
                "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "digest": named,
                "size": bytes.len(),
                "platform": {"architecture": architecture, "os": "linux"},
            }));
            attestations.push(self.attestation(&named));
        }
        let all = [entries.clone(), attestations].concat();
        let index = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.index.v1+json",
            "manifests": all,
        });
        self.workspace.put(&self.workspace.sha_tag(), &index);
        let of = digest(index.to_string().as_bytes());
        for entry in &entries {
            let repository = self.workspace.repository();
            proof(&self.receipts(), &repository, &of, entry, &revision);
            // Which nobody believes.
            receipt(&self.receipts(), &of, entry, &revision);
        }
        of
    }

    /// Uploads a blob; its descriptor.
    pub(super) fn blob(&self, bytes: &[u8]) -> Value {
        self.workspace.put_blob(bytes);
        json!({
            "mediaType": "application/octet-stream",
            "digest": digest(bytes),
            "size": bytes.len(),
        })
    }

    /// Uploads the provenance of a manifest, as a builder does; its entry in an index.
    pub(super) fn attestation(&self, of: &str) -> Value {
        let mut statement = self.blob(of.as_bytes());
        statement["mediaType"] = "application/vnd.in-toto+json".into();
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": self.blob(b"{}"),
            "layers": [statement],
        });
        let named = digest(manifest.to_string().as_bytes());
        self.workspace.put(&named, &manifest);
        json!({
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "digest": named,
            "size": manifest.to_string().len(),
            "platform": {"architecture": "unknown", "os": "unknown"},
            "annotations": {
                "vnd.docker.reference.type": "attestation-manifest",
                "vnd.docker.reference.digest": of,
            },
        })
    }

    pub(super) fn args(&self, more: &[&str]) -> Vec<String> {
        let receipts = self.receipts();
        let receipts = receipts.to_str().unwrap();
        let args = [
            "release",
            "--json",
            "--yes",
            "--sign=cosign.key",
            "--receipt-dir",
            receipts,
        ];
        args.iter().chain(more).map(ToString::to_string).collect()
    }

    pub(crate) fn command(&self, more: &[&str]) -> std::process::Command {
        let args = self.args(more);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        self.xtask(&args)
    }

    pub(crate) fn run(&self, more: &[&str]) -> Ran {
        Ran::of(&mut self.command(more))
    }

    /// Commits and publishes a version that is yet to be released; its digest.
    pub(crate) fn prepare(&self, version: &str) -> String {
        self.commit(version);
        self.publish(version)
    }

    /// Commits, publishes and releases a version; its digest.
    pub(super) fn release(&self, version: &str) -> String {
        let digest = self.prepare(version);
        self.run(&[]).succeeded();
        digest
    }

    pub(super) fn digest(&self, tag: &str) -> Option<String> {
        self.workspace.digest(tag)
    }

    /// `release` without `--yes`, a key and proofs, as JSON.
    pub(super) fn bare(&self, args: &[&str]) -> Ran {
        Ran::of(&mut self.xtask(&[&["release", "--json"], args].concat()))
    }

    /// `--rollback`, with a reason.
    pub(super) fn rollback(&self, more: &[&str]) -> Ran {
        self.run(&[&["--rollback", "--reason", "it leaks"], more].concat())
    }

    /// What the record of a version says; none where there is none.
    pub(super) fn record(&self, version: &str) -> Option<Value> {
        self.record_in(self.workspace.path_in_registry(), version)
    }

    pub(super) fn record_in(&self, path: &str, version: &str) -> Option<Value> {
        let tag = format!("state-v{version}");
        let (_, manifest) = self.workspace.published_in(path, &tag)?;
        let layer = manifest["layers"][0]["digest"].as_str().unwrap();
        let layer = self.workspace.blob_in(path, layer);
        let bundle: Value = serde_json::from_slice(&layer).unwrap();
        let payload = bundle["dsseEnvelope"]["payload"].as_str().unwrap();
        let statement = STANDARD.decode(payload).unwrap();
        let statement: Value = serde_json::from_slice(&statement).unwrap();
        Some(statement["predicate"].clone())
    }

    /// What a record says in short: its state and sequence.
    pub(super) fn state(&self, version: &str) -> Option<(String, u64)> {
        let record = self.record(version)?;
        let state = record["state"].as_str().unwrap().to_owned();
        Some((state, record["sequence"].as_u64().unwrap()))
    }
}
