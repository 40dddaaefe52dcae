//! What every row begins with: a workspace of some versions, and a repository that has them.
//!
//! HEAD is v1.0.1, of which each platform is published alone. v1.0.0 and v2.0.0 are released, `latest` is at
//! v2.0.0, and v2.1.0 is published as its commit's tag, and has proofs.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::common::{Ran, command};
use crate::push::Workspace;
use crate::release::{cosign, digest, proof, receipt};
use crate::world::{Registry, root, unique_name};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// A tag that is not ours; rows let it lead to odd things.
pub(super) const ODD: &str = "odd";
/// The tag of a commit so old that it goes.
pub(super) const OLD: &str = "sha-3333333";

/// The workspace and its repository, made once for all rows.
pub(super) struct Scene {
    workspace: Workspace,
    pub(super) upstream: String,
    /// The repository's name in the registry.
    pub(super) path: String,
    blobs: BTreeSet<String>,
    /// Manifests by digest, then indexes by tag.
    documents: Vec<(String, Value)>,
    /// The tag of HEAD's commit.
    pub(super) head: String,
    /// The tag of v2.1.0's commit, and the digest of its index.
    pub(super) next: (String, String),
    /// The manifest of one of its platforms.
    pub(super) image: String,
    /// A layer.
    pub(super) blob: String,
    _remote: TempDir,
}

impl Scene {
    pub(super) fn new() -> Scene {
        let registry = Registry::start();
        let upstream = registry.address.clone();
        let workspace = Workspace::with(registry, Some("registry.test"));
        let remote = tempfile::tempdir().unwrap();
        let origin = remote.path().to_str().unwrap();
        workspace.git(&["init", "--quiet", "--bare", origin]);
        workspace.git(&["remote", "add", "origin", origin]);
        let mut scene = Scene {
            path: workspace.path_in_registry().to_owned(),
            workspace,
            upstream,
            blobs: BTreeSet::new(),
            documents: Vec::new(),
            head: String::new(),
            next: Default::default(),
            image: String::new(),
            blob: String::new(),
            _remote: remote,
        };
        // A proof is of one repository, and each row has another.
        let manifest = std::fs::read_to_string(scene.workspace.path("Cargo.toml")).unwrap();
        let repository = scene.workspace.repository();
        let proof =
            format!("proof = {{ keys = [\"cosign.pub\"], repositories = [\"{repository}\"] }}\n");
        scene.workspace.write("Cargo.toml", &(manifest + &proof));
        scene.workspace.write("cosign.pub", cosign::KEY);
        cosign::write(&scene.workspace.path("target/cosign"));
        scene.fill();
        scene
    }

    fn fill(&mut self) {
        self.blob = digest(b"a layer");
        for (version, is_latest) in [("1.0.0", false), ("2.0.0", true)] {
            let (tag, index) = self.release(version);
            self.documents.push((tag, index.clone()));
            self.documents.push((format!("v{version}"), index.clone()));
            if is_latest {
                self.documents.push(("latest".to_owned(), index));
            }
        }
        let (tag, index) = self.release("2.1.0");
        self.next = (tag.clone(), digest(index.to_string().as_bytes()));
        self.documents.push((tag, index.clone()));
        let image = index["manifests"][0]["digest"].as_str().unwrap();
        image.clone_into(&mut self.image);
        self.documents.push((ODD.to_owned(), index));
        let old = self.index(
            "3333333333333333333333333333333333333333",
            "2020-01-01T00:00:00Z",
        );
        self.documents.push((OLD.to_owned(), old));
        let (tag, index) = self.release("1.0.1");
        for (entry, arch) in index["manifests"].as_array().unwrap().iter().zip(ARCHES) {
            let part = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry]});
            self.documents.push((format!("{tag}-linux-{arch}"), part));
        }
        self.head = tag;
        for (name, document) in &self.documents {
            self.workspace.put(name, document);
        }
    }

    /// Commits a version, with its tag on the remote, and receipts; the tag of the commit, and its index.
    fn release(&mut self, version: &str) -> (String, Value) {
        let manifest = std::fs::read_to_string(self.workspace.path("Cargo.toml")).unwrap();
        let (before, after) = manifest.split_once("version = \"").unwrap();
        let (_, after) = after.split_once('"').unwrap();
        let manifest = format!("{before}version = \"{version}\"{after}");
        self.workspace.write("Cargo.toml", &manifest);
        self.workspace.commit(version);
        let tag = format!("v{version}");
        let git = |args: &[&str]| self.workspace.git(args);
        git(&["tag", "--annotate", "--message", "x", &tag]);
        git(&["push", "--quiet", "origin", &tag]);
        let revision = self.workspace.revision();
        let index = self.index(&revision, "2026-11-01T00:00:00Z");
        let of = digest(index.to_string().as_bytes());
        let given = self.workspace.path("target/given");
        let repository = self.workspace.repository();
        for entry in index["manifests"].as_array().unwrap() {
            proof(&given, &repository, &of, entry, &revision);
            receipt(&given, &of, entry, &revision);
        }
        (self.workspace.sha_tag(), index)
    }

    /// Uploads the images of a commit; their index.
    fn index(&mut self, revision: &str, created: &str) -> Value {
        let layer = self.blob(b"a layer");
        let entries = ARCHES.map(|arch| {
            let config = json!({
                "architecture": arch,
                "os": "linux",
                "created": created,
                "config": {"Labels": {"org.opencontainers.image.revision": revision}},
                "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]},
            });
            let manifest = json!({
                "schemaVersion": 2,
                "mediaType": MANIFEST,
                "config": self.blob(config.to_string().as_bytes()),
                "layers": [layer],
            });
            let size = manifest.to_string().len();
            let named = digest(manifest.to_string().as_bytes());
            self.documents.push((named.clone(), manifest));
            json!({
                "mediaType": MANIFEST,
                "digest": named,
                "size": size,
                "platform": {"architecture": arch, "os": "linux"},
            })
        });
        json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries})
    }

    fn blob(&mut self, bytes: &[u8]) -> Value {
        let named = digest(bytes);
        if self.blobs.insert(named.clone()) {
            self.workspace.put_blob(bytes);
        }
        json!({"mediaType": "application/octet-stream", "digest": named, "size": bytes.len()})
    }

    pub(super) fn folder(&self) -> PathBuf {
        self.workspace.path("")
    }

    /// A copy of the workspace, for who writes in it.
    pub(super) fn copy(&self) -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        let from = self.folder().join(".");
        Ran::of(
            command("cp", &root())
                .arg("-a")
                .arg(from)
                .arg(folder.path()),
        )
        .succeeded();
        folder
    }

    /// Another repository of the same registry, with the same content.
    pub(super) fn publish(&self) -> String {
        let path = format!("push-test/{}", unique_name());
        let start = format!("http://{}/v2/{path}/blobs/uploads/", self.upstream);
        for blob in &self.blobs {
            let url = format!("{start}?mount={blob}&from={}", self.path);
            assert_eq!(ureq::post(url).send_empty().unwrap().status(), 201);
        }
        for (name, document) in &self.documents {
            self.workspace.put_in(&path, name, document);
        }
        path
    }

    /// The digest of each tag of a repository, as the real registry has it.
    pub(super) fn tags(&self, path: &str) -> BTreeMap<String, String> {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .build()
            .into();
        let url = format!("http://{}/v2/{path}/tags/list", self.upstream);
        let text = agent.get(url).call().unwrap().body_mut().read_to_string();
        let list: Value = serde_json::from_str(&text.unwrap()).unwrap();
        let tags = list["tags"].as_array().into_iter().flatten();
        let tags = tags.filter_map(|tag| tag.as_str());
        let found = tags.filter_map(|tag| {
            let (digest, _) = self.workspace.published_in(path, tag)?;
            Some((tag.to_owned(), digest))
        });
        found.collect()
    }
}

const ARCHES: [&str; 2] = ["amd64", "arm64"];

/// The tags that are elsewhere, new or gone.
pub(super) fn changed(
    before: &BTreeMap<String, String>,
    after: &BTreeMap<String, String>,
) -> BTreeSet<String> {
    let all = before.keys().chain(after.keys());
    // Lists of what is attached are of the registry's own making, or ours.
    let all = all.filter(|tag| !tag.starts_with("sha256-"));
    let changed = all.filter(|tag| before.get(*tag) != after.get(*tag));
    changed.cloned().collect()
}

/// Where a copy of a workspace has its receipts.
pub(super) fn receipts(folder: &Path) -> String {
    folder.join("target/given").to_str().unwrap().to_owned()
}
