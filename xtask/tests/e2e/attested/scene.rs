//! A repository with versions, their proofs and records, and a fresh clone of the project elsewhere.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use xtask::exec::Exec;
use xtask::oci::Digest;
use xtask::proof::{
    LatestMove, RELEASE_RECORD, ReleaseRecord, ReleaseState, Statement, VERIFICATION, Verification,
};
use xtask::reference::Repository;
use xtask::referrers::{Artifact, Form, Subject, Writer};
use xtask::registry::{Puller, Pusher};
use xtask::retry::Retry;

use crate::common::{Ran, command};
use crate::proof::{IN_TOTO, Scene as Keys};
use crate::push::Workspace;
use crate::push::proxy::Proxy;
use crate::release::digest;
use crate::world::{Registry, xtask_in};

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// Who signs: the settings believe `ours`.
pub(super) const OURS: &str = "ours";
pub(super) const THEIRS: &str = "theirs";

/// An image of a version, published.
pub(crate) struct PublishedVersion {
    pub(super) version: String,
    pub(super) index: Subject,
    pub(super) revision: String,
    /// By the platform's name.
    pub(super) manifests: BTreeMap<&'static str, Subject>,
}

pub(crate) struct Scene {
    pub(crate) workspace: Workspace,
    pub(super) proxy: Proxy,
    pub(super) keys: Keys,
    /// The project's clone on a machine that never built it.
    clone: TempDir,
    repository: Repository,
    puller: Puller,
    pusher: Pusher,
}

impl Scene {
    /// None where this machine has no cosign. `settings` are those of `proof`.
    pub(super) fn new(settings: &str) -> Option<Scene> {
        let keys = Keys::new()?;
        let registry = Registry::start();
        let proxy = Proxy::before(&registry.address);
        let workspace = Workspace::with(registry, Some(&proxy.address));
        for key in [OURS, THEIRS] {
            keys.key(key);
        }
        let public = fs::read_to_string(keys.path("ours.pub")).unwrap();
        workspace.write("ours.pub", &public);
        let manifest = fs::read_to_string(workspace.path("Cargo.toml")).unwrap();
        workspace.write("Cargo.toml", &format!("{manifest}\n{settings}"));
        workspace.commit("settings");
        let exec = Exec::new(&workspace.path("."), false).unwrap();
        let direct = workspace.direct().parse().unwrap();
        let client = xtask::registry::Registry::in_steps(&exec, &direct, Retry::BRIEFLY);
        Some(Scene {
            repository: workspace.repository().parse().unwrap(),
            puller: client.puller(),
            pusher: client.pusher(),
            clone: tempfile::tempdir().unwrap(),
            workspace,
            proxy,
            keys,
        })
    }

    /// With a policy that believes the key `ours`.
    pub(crate) fn believing() -> Option<Scene> {
        Scene::new("[workspace.metadata.image.proof]\nkeys = [\"ours.pub\"]\n")
    }

    /// Publishes an image of both platforms under the version's tag, without proofs and a record.
    pub(super) fn publish(&self, version: &str) -> PublishedVersion {
        self.publish_under(version, &format!("v{version}"))
    }

    /// [`Scene::publish`] under another tag, as before its release.
    pub(super) fn publish_under(&self, version: &str, index_tag: &str) -> PublishedVersion {
        let workspace = &self.workspace;
        workspace.commit(version);
        let tag = format!("v{version}");
        workspace.git(&["tag", "--annotate", "--message", "x", &tag]);
        let revision = workspace.revision();
        let (mut entries, mut manifests) = (Vec::new(), BTreeMap::new());
        for platform in ["linux/amd64", "linux/arm64"] {
            let (os, architecture) = platform.split_once('/').unwrap();
            let labels = json!({"org.opencontainers.image.revision": revision});
            let config =
                json!({"architecture": architecture, "os": os, "config": {"Labels": labels}});
            let config = config.to_string();
            for blob in [config.as_bytes(), b"a layer"] {
                workspace.put_blob(blob);
            }
            let blob = |kind: &str, bytes: &[u8]| json!({"mediaType": kind, "digest": digest(bytes), "size": bytes.len()});
            let manifest = json!({
                "schemaVersion": 2, "mediaType": MANIFEST,
                "config": blob("application/vnd.oci.image.config.v1+json", config.as_bytes()),
                "layers": [blob("application/vnd.oci.image.layer.v1.tar+gzip", b"a layer")],
            });
            let subject = self.put(&digest(manifest.to_string().as_bytes()), &manifest);
            entries.push(json!({
                "mediaType": MANIFEST, "digest": subject.digest, "size": subject.size,
                "platform": {"os": os, "architecture": architecture},
            }));
            manifests.insert(platform, subject);
        }
        let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries});
        PublishedVersion {
            version: version.to_owned(),
            index: self.put(index_tag, &index),
            revision,
            manifests,
        }
    }

    /// Publishes an image with everything that a release keeps with it.
    pub(crate) fn release(&self, version: &str) -> PublishedVersion {
        let released = self.publish(version);
        for platform in ["linux/amd64", "linux/arm64"] {
            self.prove(&released, platform);
        }
        self.record(&self.recorded(&released, ReleaseState::Released, 1), OURS);
        released
    }

    /// Gives a tag to a document.
    pub(super) fn put(&self, tag: &str, document: &Value) -> Subject {
        self.workspace.put(tag, document);
        let bytes = document.to_string();
        Subject {
            media_type: document["mediaType"].as_str().unwrap().to_owned(),
            digest: Digest::of(bytes.as_bytes()),
            size: bytes.len() as u64,
        }
    }

    /// What verify signs of a platform.
    pub(super) fn verification(&self, of: &PublishedVersion, platform: &str) -> Verification {
        let check_set = Digest::of(b"the checks of some day");
        let (index, manifest) = (&of.index.digest, &of.manifests[platform].digest);
        Verification {
            repository: self.repository.canonical(),
            index: index.clone(),
            manifest: manifest.clone(),
            time: "2026-11-25T05:13:09Z".to_owned(),
            is_native: true,
            receipt: json!({
                "schema": 1, "index": index, "manifest": manifest, "platform": platform,
                "execution": "native", "revision": of.revision, "check_set": check_set,
                "results": [{"id": "seed-3-node", "status": "passed"}],
            }),
            check_set,
        }
    }

    pub(super) fn prove(&self, of: &PublishedVersion, platform: &str) -> Digest {
        let statement = self.verification(of, platform).statement();
        self.attach_proof(of, platform, &statement, OURS)
    }

    /// Attaches a statement to a platform, signed by a key; the artifact's digest.
    pub(super) fn attach_proof(
        &self,
        of: &PublishedVersion,
        platform: &str,
        statement: &Statement,
        key: &str,
    ) -> Digest {
        let bundle = self.sign(statement, key);
        let subject = &of.manifests[platform];
        let artifact = Artifact::new(subject, Form::Bundle, bundle, VERIFICATION, BTreeMap::new());
        self.attach(&artifact);
        artifact.digest
    }

    fn sign(&self, statement: &Statement, key: &str) -> Vec<u8> {
        let bundle = self.keys.forge(key, key, &statement.to_bytes(), IN_TOTO);
        bundle.to_string().into_bytes()
    }

    pub(super) fn attach(&self, artifact: &Artifact) {
        let writer = Writer {
            puller: &self.puller,
            pusher: &self.pusher,
            retry: Retry::within(Duration::from_secs(30)),
        };
        let artifacts = std::slice::from_ref(artifact);
        writer.attach(&artifact.subject, artifacts).unwrap();
    }

    pub(super) fn recorded(
        &self,
        of: &PublishedVersion,
        state: ReleaseState,
        sequence: u64,
    ) -> (ReleaseRecord, Subject) {
        let reason = (state == ReleaseState::Withdrawn).then(|| "it leaks".to_owned());
        let record = ReleaseRecord {
            repository: self.repository.canonical(),
            version: of.version.parse().unwrap(),
            digest: of.index.digest.clone(),
            state,
            sequence,
            time: "2026-11-25T05:13:09Z".to_owned(),
            reason,
            latest: LatestMove::default(),
        };
        (record, of.index.clone())
    }

    /// Writes a record, signed by a key, with its tag; the artifact.
    pub(super) fn record(&self, (record, of): &(ReleaseRecord, Subject), key: &str) -> Artifact {
        let bundle = self.sign(&record.statement(), key);
        let annotations = record.annotations();
        let artifact = Artifact::new(of, Form::Bundle, bundle, RELEASE_RECORD, annotations);
        self.attach(&artifact);
        self.lead(&ReleaseRecord::tag(&record.version), &artifact);
        artifact
    }

    /// Gives a tag to an artifact.
    pub(super) fn lead(&self, tag: &str, artifact: &Artifact) {
        let manifest: Value = serde_json::from_slice(&artifact.manifest).unwrap();
        assert_eq!(self.put(tag, &manifest).digest, artifact.digest);
    }

    /// Gives the tag of a version to another version's image.
    pub(crate) fn move_tag(&self, tag: &str, to: &PublishedVersion) {
        let (_, index) = self.workspace.published(to.index.digest.as_str()).unwrap();
        assert_eq!(self.put(tag, &index).digest, to.index.digest);
    }

    /// Runs xtask in a clone that was made now.
    pub(super) fn run(&self, args: &[&str]) -> Ran {
        Ran::of(&mut self.command(args))
    }

    pub(crate) fn command(&self, args: &[&str]) -> std::process::Command {
        let folder = self.clone.path().join("agent");
        if folder.exists() {
            fs::remove_dir_all(&folder).unwrap();
        }
        let from = self.workspace.path(".");
        let (from, to) = (from.to_str().unwrap(), folder.to_str().unwrap());
        let mut git = command("git", self.clone.path());
        Ran::of(git.args(["clone", "--quiet", from, to])).succeeded();
        xtask_in(&folder, args)
    }
}
