//! `cargo xtask release`: small made-up images in a real registry, and a real git remote.

mod attacks;
mod audit;
mod beside;
mod copies;
pub(crate) mod cosign;
mod faults;
mod github;
mod question;
mod receipt;
mod rollback;
mod signing;

use std::fs;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

pub(crate) use self::receipt::{proof, receipt};
use crate::common::Ran;
use crate::push::proxy::Proxy;
use crate::push::{Workspace, refused};
use crate::world::Registry;

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
        cosign::before(&self.workspace.path("target/cosign"), &mut command);
        command
    }

    fn receipts(&self) -> PathBuf {
        self.workspace.path("target/given")
    }

    /// Commits and tags a version; nothing of it is published yet.
    fn commit(&self, version: &str) {
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
    fn publish(&self, version: &str) -> String {
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
    fn blob(&self, bytes: &[u8]) -> Value {
        self.workspace.put_blob(bytes);
        json!({
            "mediaType": "application/octet-stream",
            "digest": digest(bytes),
            "size": bytes.len(),
        })
    }

    /// Uploads the provenance of a manifest, as a builder does; its entry in an index.
    fn attestation(&self, of: &str) -> Value {
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

    fn args(&self, more: &[&str]) -> Vec<String> {
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
    fn release(&self, version: &str) -> String {
        let digest = self.prepare(version);
        self.run(&[]).succeeded();
        digest
    }

    fn digest(&self, tag: &str) -> Option<String> {
        self.workspace.digest(tag)
    }

    /// `release` without `--yes`, a key and proofs, as JSON.
    fn bare(&self, args: &[&str]) -> Ran {
        Ran::of(&mut self.xtask(&[&["release", "--json"], args].concat()))
    }

    /// `--rollback`, with a reason.
    fn rollback(&self, more: &[&str]) -> Ran {
        self.run(&[&["--rollback", "--reason", "it leaks"], more].concat())
    }

    /// What the record of a version says; none where there is none.
    fn record(&self, version: &str) -> Option<Value> {
        self.record_in(self.workspace.path_in_registry(), version)
    }

    fn record_in(&self, path: &str, version: &str) -> Option<Value> {
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
    fn state(&self, version: &str) -> Option<(String, u64)> {
        let record = self.record(version)?;
        let state = record["state"].as_str().unwrap().to_owned();
        Some((state, record["sequence"].as_u64().unwrap()))
    }
}

#[test]
fn versions_are_written_once_and_latest_never_goes_down() {
    let releases = Releases::new();
    let first = releases.release("1.0.0");
    assert_eq!(releases.digest("v1.0.0").as_ref(), Some(&first));
    assert_eq!(releases.digest("latest").as_ref(), Some(&first));
    let old = releases.workspace.revision();
    // Again: nothing is written, and no receipt is needed.
    fs::remove_dir_all(releases.receipts()).unwrap();
    releases.proxy.reset(crate::push::proxy::When::Never);
    let again = releases.run(&[]).succeeded();
    let report: Value = serde_json::from_str(&again.stdout).unwrap();
    assert_eq!(report["tags"][1]["written"], false, "{report}");
    let requests = releases.proxy.requests();
    assert!(
        !requests.iter().any(|line| line.starts_with("PUT")),
        "{requests:?}"
    );
    let second = releases.release("2.0.0");
    assert_eq!(releases.digest("latest").as_ref(), Some(&second));
    // A prerelease, and a backport from the old commit.
    releases.release("2.1.0-rc.1");
    assert_eq!(releases.digest("latest").as_ref(), Some(&second));
    releases.workspace.git(&["checkout", "--quiet", &old]);
    let backport = releases.release("1.0.1");
    assert_eq!(releases.digest("v1.0.1"), Some(backport));
    assert_eq!(releases.digest("latest").as_ref(), Some(&second));
    let ran = releases.run(&["--latest", "require"]);
    refused(&ran, &["the higher version `v2.0.0` is published"]);
    assert_eq!(releases.digest("v1.0.0").as_ref(), Some(&first));
    let record = releases.record("2.0.0").unwrap();
    assert_eq!(record["state"], "released");
    assert_eq!(record["digest"], *second);
    assert_eq!(record["latest"], json!({"before": first, "after": second}));
    for version in ["1.0.0", "1.0.1", "2.0.0", "2.1.0-rc.1"] {
        let state = releases.state(version);
        assert_eq!(state, Some(("released".to_owned(), 1)), "{version}");
    }
}

#[test]
fn a_version_whose_git_tag_moved_is_refused() {
    let releases = Releases::new();
    let first = releases.release("1.0.0");
    releases.workspace.commit("another");
    releases.workspace.git(&["tag", "--force", "v1.0.0"]);
    let ran = releases.run(&["--dry-run"]);
    let parts = ["is not published", "on the remote `origin`, and to"];
    refused(&ran, &parts);
    releases
        .workspace
        .git(&["push", "--quiet", "--force", "origin", "v1.0.0"]);
    releases.publish("1.0.0");
    refused(&releases.run(&[]), &["published with another digest"]);
    assert_eq!(releases.digest("v1.0.0").as_ref(), Some(&first));
    assert_eq!(releases.digest("latest"), Some(first));
}

#[test]
fn all_that_is_wrong_is_said_at_once_and_nothing_is_written() {
    let releases = Releases::new();
    releases.commit("1.0.0");
    releases
        .workspace
        .git(&["push", "--quiet", "--delete", "origin", "v1.0.0"]);
    releases.publish("1.0.0");
    fs::remove_dir_all(releases.receipts()).unwrap();
    releases.workspace.write("stray", "x");
    let parts = [
        "the tree differs from the commit (`stray`)",
        "`git push origin v1.0.0`",
        "no proof of linux/amd64 is believed: there is no `",
        "no proof of linux/arm64 is believed: there is no `",
    ];
    refused(&releases.run(&[]), &parts);
    assert_eq!(releases.digest("v1.0.0"), None);
    assert_eq!(releases.digest("latest"), None);
}

#[test]
fn nothing_is_released_without_a_yes() {
    let releases = Releases::new();
    let digest = releases.prepare("1.0.0");
    let receipts = releases.receipts();
    let receipts = receipts.to_str().unwrap();
    let args = ["release", "--sign=cosign.key", "--receipt-dir", receipts];
    let ran = Ran::of(&mut releases.xtask(&args));
    refused(&ran, &["this is not a terminal"]);
    let dry = releases.run(&["--dry-run"]).succeeded();
    let plan: Value = serde_json::from_str(&dry.stdout).unwrap();
    assert_eq!(plan["steps"][0]["to"], *digest);
    assert_eq!(plan["steps"][1]["tag"], "latest");
    assert_eq!(plan["attach"].as_array().unwrap().len(), 2, "{plan}");
    assert_eq!(plan["attach"][0]["by"], "the key `cosign.pub`");
    assert_eq!(plan["records"][0]["to"], "released");
    assert_eq!(plan["sign"][0]["digests"][0], *digest);
    assert_eq!(releases.digest("v1.0.0"), None);
}

#[test]
fn a_version_that_is_not_at_head_is_released_from_anywhere() {
    let releases = Releases::new();
    let first = releases.prepare("1.0.0");
    releases.workspace.commit("later");
    releases
        .workspace
        .write("stray", "nothing depends on the tree");
    refused(&releases.run(&[]), &["no git tag at HEAD is a version"]);
    refused(
        &releases.run(&["--version", "9.0.0"]),
        &["git has no tag `v9.0.0`"],
    );
    releases.run(&["--version", "v1.0.0"]).succeeded();
    assert_eq!(releases.digest("v1.0.0").as_ref(), Some(&first));
    assert_eq!(releases.digest("latest"), Some(first));
    // A tag on a commit whose manifest says another version.
    releases.workspace.git(&["tag", "v1.0.1", "v1.0.0"]);
    releases
        .workspace
        .git(&["push", "--quiet", "origin", "v1.0.1"]);
    let parts = ["the git tag says `1.0.1`, Cargo.toml of its commit says `1.0.0`"];
    refused(&releases.run(&["--version", "1.0.1"]), &parts);
}

#[test]
fn in_github_actions_a_release_says_what_it_did() {
    let releases = Releases::new();
    let digest = releases.prepare("1.0.0");
    let path = |name: &str| releases.workspace.path(&format!("target/{name}"));
    let mut release = releases.command(&[]);
    release.env("GITHUB_OUTPUT", path("output"));
    release.env("GITHUB_STEP_SUMMARY", path("summary"));
    Ran::of(&mut release).succeeded();
    let outputs = fs::read_to_string(path("output")).unwrap();
    let repository = releases.workspace.repository();
    for part in [
        "1.0.0",
        &digest,
        &format!("{repository}:v1.0.0\n{repository}:latest\n"),
        "latest-moved",
        "true",
    ] {
        assert!(outputs.contains(part), "`{part}` is not in {outputs}");
    }
    let summary = fs::read_to_string(path("summary")).unwrap();
    for part in [
        "### Release v1.0.0",
        &format!("| `{repository}:latest` | `{digest}` | moved |"),
        "| linux/arm64 | `sha256:",
        "` | 7 B |",
        &format!("docker pull {repository}@{digest}\n"),
    ] {
        assert!(summary.contains(part), "`{part}` is not in {summary}");
    }
    let mut audit = releases.xtask(&["audit"]);
    audit.env("GITHUB_STEP_SUMMARY", path("summary"));
    Ran::of(&mut audit).succeeded();
    let summary = fs::read_to_string(path("summary")).unwrap();
    assert!(summary.contains("### Audit"), "{summary}");
}

#[test]
fn a_latest_that_was_moved_by_hand_is_mended_but_not_taken_down() {
    let releases = Releases::new();
    let first = releases.release("1.0.0");
    let second = releases.release("1.1.0");
    let (_, index) = releases.workspace.published("v1.0.0").unwrap();
    releases.workspace.put("latest", &index);
    assert_eq!(releases.digest("latest"), Some(first));
    releases.run(&[]).succeeded();
    assert_eq!(releases.digest("latest").as_ref(), Some(&second));
    // To a higher version, which is published under no version's tag.
    let higher = releases.prepare("3.0.0");
    let (_, index) = releases
        .workspace
        .published(&releases.workspace.sha_tag())
        .unwrap();
    releases.workspace.put("latest", &index);
    releases.release("1.2.0");
    assert_eq!(releases.digest("latest"), Some(higher));
}
