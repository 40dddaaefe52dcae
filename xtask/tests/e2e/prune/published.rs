//! A repository with made-up images of every kind.

use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use xtask::proof::{LatestMove, RELEASE_RECORD, ReleaseRecord, ReleaseState};
use xtask::referrers::{Artifact, Form, Subject};

use crate::common::Ran;
use crate::push::Workspace;
use crate::push::proxy::Proxy;
use crate::release::digest;
use crate::world::Registry;

/// A repository of its own, in a registry behind a proxy.
pub(super) struct Repository {
    pub(super) workspace: Workspace,
    pub(super) proxy: Proxy,
}

impl Repository {
    pub(super) fn new() -> Repository {
        Repository::of(Registry::start())
    }

    pub(super) fn of(registry: Registry) -> Repository {
        let proxy = Proxy::before(&registry.address);
        let workspace = Workspace::with(registry, Some(&proxy.address));
        Repository { workspace, proxy }
    }

    pub(super) fn command(&self, more: &[&str]) -> Ran {
        let args = [&["prune", "--json"], more].concat();
        Ran::of(&mut self.workspace.xtask(&args))
    }

    /// What a run reports that has to succeed.
    #[track_caller]
    pub(super) fn prune(&self, more: &[&str]) -> Value {
        let ran = self.command(more).succeeded();
        serde_json::from_str(&ran.stdout).unwrap()
    }

    /// Fails unless everything that is published is whole, down to the last blob.
    #[track_caller]
    pub(super) fn is_whole(&self) {
        let args = ["audit", "--all", "--json"];
        Ran::of(&mut self.workspace.xtask(&args)).succeeded();
    }

    pub(super) fn put(&self, document: &Value) -> String {
        let named = digest(document.to_string().as_bytes());
        self.workspace.put(&named, document);
        named
    }

    /// Uploads a blob; its descriptor.
    pub(super) fn blob(&self, text: &str) -> Value {
        self.workspace.put_blob(text.as_bytes());
        json!({
            "mediaType": "application/octet-stream",
            "digest": digest(text.as_bytes()),
            "size": text.len(),
        })
    }

    /// Uploads an image for one platform that is so many days old, with its provenance; their
    /// entries in an index.
    pub(super) fn image(&self, architecture: &str, content: &str, days: u64) -> [Value; 2] {
        let config = json!({
            "architecture": architecture,
            "os": "linux",
            "created": ago(days),
            "config": {"Labels": {"org.opencontainers.image.revision": content}},
        });
        let mut entries = [config.to_string(), "{}".to_owned()].map(|config| {
            let mut manifest = json!({
                "schemaVersion": 2,
                "mediaType": MANIFEST,
                "config": self.blob(&config),
                "layers": [self.blob(&format!("{architecture} {content} {config}"))],
            });
            if config == "{}" {
                manifest["layers"][0]["mediaType"] = "application/vnd.in-toto+json".into();
            }
            let size = manifest.to_string().len();
            json!({"mediaType": MANIFEST, "digest": self.put(&manifest), "size": size})
        });
        entries[0]["platform"] = json!({"architecture": architecture, "os": "linux"});
        entries[1]["platform"] = json!({"architecture": "unknown", "os": "unknown"});
        entries[1]["annotations"] = json!({
            "vnd.docker.reference.type": "attestation-manifest",
            "vnd.docker.reference.digest": entries[0]["digest"],
        });
        entries
    }

    /// Gives a tag to an index; its digest.
    pub(super) fn tag(&self, tag: &str, entries: &[Value]) -> String {
        let index = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.index.v1+json",
            "manifests": entries,
        });
        self.workspace.put(tag, &index);
        digest(index.to_string().as_bytes())
    }

    /// Publishes a commit of both platforms; the digest and the entries of its index.
    pub(super) fn commit(&self, tag: &str, days: u64) -> (String, Vec<Value>) {
        let images = ["amd64", "arm64"].map(|architecture| self.image(architecture, tag, days));
        let entries = images.concat();
        (self.tag(tag, &entries), entries)
    }

    /// Gives a signature's tag to a manifest that names `of` as its subject, as cosign does.
    pub(super) fn sign(&self, of: &str) -> String {
        let name = format!("{}.sig", of.replace(':', "-"));
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": self.blob("{}"),
            "layers": [self.blob(of)],
            "subject": {"mediaType": MANIFEST, "digest": of, "size": 1},
        });
        self.workspace.put(&name, &manifest);
        name
    }

    /// Attaches a manifest to `of`, as clients do where the registry has no list of its own: the tag of the
    /// list, and the digest of the manifest, which has no tag.
    pub(super) fn attach(&self, of: &str, name: &str) -> [String; 2] {
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "artifactType": name,
            "config": self.blob("{}"),
            "layers": [self.blob(name)],
            "subject": {"mediaType": MANIFEST, "digest": of, "size": 1},
        });
        let (digest, size) = (self.put(&manifest), manifest.to_string().len());
        let list = of.replace(':', "-");
        self.tag(
            &list,
            &[json!({"mediaType": MANIFEST, "digest": digest, "size": size})],
        );
        [list, digest]
    }

    /// Writes the release record of a version, which nobody has signed; its tag.
    fn record(&self, index: &str, version: &str) -> String {
        let repository: xtask::reference::Repository = self.workspace.repository().parse().unwrap();
        let record = ReleaseRecord {
            repository: repository.canonical(),
            version: version.parse().unwrap(),
            digest: index.parse().unwrap(),
            state: ReleaseState::Released,
            sequence: 1,
            time: ago(1),
            reason: None,
            latest: LatestMove::default(),
        };
        let subject = Subject {
            media_type: "application/vnd.oci.image.index.v1+json".to_owned(),
            digest: record.digest.clone(),
            size: 1,
        };
        let statement = record.statement().to_bytes();
        self.workspace.put_blob(&statement);
        let (form, annotations) = (Form::Statement, record.annotations());
        let artifact = Artifact::new(&subject, form, statement, RELEASE_RECORD, annotations);
        self.blob("{}");
        let name = ReleaseRecord::tag(&record.version);
        let manifest = serde_json::from_slice(&artifact.manifest).unwrap();
        self.workspace.put(&name, &manifest);
        name
    }

    pub(super) fn has(&self, tag: &str) -> bool {
        self.workspace.digest(tag).is_some()
    }
}

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

pub(super) fn ago(days: u64) -> String {
    let time = SystemTime::now() - Duration::from_secs(days * 86_400);
    humantime::format_rfc3339_seconds(time).to_string()
}

pub(super) fn named(entry: &Value) -> &str {
    entry["digest"].as_str().unwrap()
}

/// The tags of a list in a report.
pub(super) fn tags(list: &Value) -> Vec<&str> {
    let list = list.as_array().unwrap().iter();
    list.map(|one| one["tag"].as_str().unwrap()).collect()
}

/// A released commit, a merged one, an old one with a signature, and a tag that is not ours.
pub(super) struct Published {
    /// The digests of everything that is removed.
    pub(super) gone: Vec<String>,
    /// The tags that are removed.
    pub(super) tags: Vec<String>,
    pub(super) kept: Vec<String>,
    /// The digests of what is attached to what is kept.
    attached: Vec<String>,
}

impl Repository {
    pub(super) fn publish(&self) -> Published {
        let (released, entries) = self.commit("sha-1111111", 400);
        for tag in ["v1.0.0", "latest"] {
            self.tag(tag, &entries);
        }
        let signatures = [self.sign(&released), self.sign(named(&entries[0]))];
        let [list, proof] = self.attach(named(&entries[0]), "proof");
        let [of_index, note] = self.attach(&released, "note");
        let record = self.record(&released, "1.0.0");
        let (_, merged) = self.commit("sha-2222222", 1);
        self.tag("dev", &merged);
        let part = self.tag("sha-2222222-linux-amd64", &merged[..2]);
        let (old, mut gone) = self.commit("sha-3333333", 100);
        // A platform of it is somebody else's, too.
        self.tag("edge", &gone[..2]);
        let signed = self.sign(&old);
        let signature = self.workspace.digest(&signed).unwrap();
        let [old_list, old_proof] = self.attach(&old, "old proof");
        let old_list_digest = self.workspace.digest(&old_list).unwrap();
        let gone = gone.drain(2..).map(|entry| named(&entry).to_owned());
        Published {
            gone: gone
                .chain([part, old, signature, old_list_digest, old_proof])
                .collect(),
            attached: vec![proof, note],
            tags: ["sha-2222222-linux-amd64", "sha-3333333", &old_list, &signed]
                .map(str::to_owned)
                .to_vec(),
            kept: [
                "sha-1111111",
                "v1.0.0",
                "latest",
                "sha-2222222",
                "dev",
                "edge",
            ]
            .map(str::to_owned)
            .into_iter()
            .chain(signatures)
            .chain([list, of_index, record])
            .collect(),
        }
    }

    #[track_caller]
    pub(super) fn is_pruned(&self, published: &Published) {
        let gone = published.gone.iter().chain(&published.tags);
        for name in gone {
            assert!(!self.has(name), "{name} is there");
        }
        for name in published.kept.iter().chain(&published.attached) {
            assert!(self.has(name), "{name} is gone");
        }
        self.is_whole();
    }
}
