//! Indexes in a registry: a good one, and each way that one can be broken.

use serde_json::{Value, json};

use super::{Image, Verified};
use crate::common::Ran;
use crate::world::{Registry, docker, image, unique_name, xtask};

const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// A repository with the image under test, an empty image for arm64, and another empty one for amd64.
pub(super) struct Published {
    registry: Registry,
    path: String,
    pub(super) good: Value,
    pub(super) arm64: Value,
    pub(super) other: Value,
}

impl Published {
    /// `good` is an image of the engine; without a name it is another one of nothing.
    pub(super) fn new(good: Option<&str>) -> Published {
        let registry = Registry::start();
        let path = format!("verify-test/{}", unique_name());
        let push = |tag: &str, image: &str| {
            let name = format!("{}/{path}:{tag}", registry.address);
            docker(&["tag", image, &name]).succeeded();
            docker(&["push", "--quiet", &name]).succeeded();
            docker(&["image", "rm", &name]).succeeded();
        };
        let nothing = |platform: &str| {
            // Of its own, so that no engine has it already, perhaps compressed otherwise.
            let own = unique_name();
            let line = format!("FROM --platform={platform} scratch\nCOPY Dockerfile /\n# {own}\n");
            Image::build_for(platform, &line)
        };
        match good {
            Some(good) => push("good", good),
            None => push("good", &nothing("linux/amd64").0),
        }
        push("arm64", &nothing("linux/arm64").0);
        push("other", &nothing("linux/amd64").0);
        let mut published = Published {
            registry,
            path,
            good: Value::Null,
            arm64: Value::Null,
            other: Value::Null,
        };
        published.good = published.descriptor("good", "amd64");
        published.arm64 = published.descriptor("arm64", "arm64");
        published.other = published.descriptor("other", "amd64");
        published
    }

    fn url(&self, version: &str) -> String {
        format!(
            "http://{}/v2/{}/manifests/{version}",
            self.registry.address, self.path
        )
    }

    fn descriptor(&self, tag: &str, architecture: &str) -> Value {
        let accept = "application/vnd.oci.image.manifest.v1+json, \
                      application/vnd.docker.distribution.manifest.v2+json";
        let request = ureq::get(self.url(tag)).header("accept", accept);
        let mut answer = request.call().unwrap();
        let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
        let (digest, kind) = (header("docker-content-digest"), header("content-type"));
        let size = answer.body_mut().read_to_vec().unwrap().len();
        json!({
            "mediaType": kind,
            "digest": digest,
            "size": size,
            "platform": { "os": "linux", "architecture": architecture },
        })
    }

    /// An image with one layer of the good one for each way that it is compressed: an engine may keep
    /// layers as another build has compressed them.
    fn small(&self) -> Value {
        let digest = self.good["digest"].as_str().unwrap();
        let kind = self.good["mediaType"].as_str().unwrap();
        let request = ureq::get(self.url(digest)).header("accept", kind);
        let text = request.call().unwrap().body_mut().read_to_string().unwrap();
        let mut manifest: Value = serde_json::from_str(&text).unwrap();
        let layers = manifest["layers"].as_array_mut().unwrap();
        layers.sort_by_key(|layer| layer["size"].as_u64());
        let mut kinds = Vec::new();
        layers.retain(|layer| {
            let is_new = !kinds.contains(&layer["mediaType"]);
            kinds.push(layer["mediaType"].clone());
            is_new
        });
        let request = ureq::put(self.url("small")).header("content-type", kind);
        request.send(manifest.to_string()).unwrap();
        self.descriptor("small", "amd64")
    }

    /// Publishes an index of these and returns its name.
    pub(super) fn index(&self, tag: &str, manifests: &[&Value]) -> String {
        let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": manifests });
        let request = ureq::put(self.url(tag)).header("content-type", INDEX);
        request.send(index.to_string()).unwrap();
        format!("{}/{}:{tag}", self.registry.address, self.path)
    }

    /// Publishes these bytes as an index and returns its name.
    fn raw(&self, tag: &str, index: String) -> String {
        let request = ureq::put(self.url(tag)).header("content-type", INDEX);
        request.send(index).unwrap();
        format!("{}/{}:{tag}", self.registry.address, self.path)
    }

    /// The entry of an attestation of an image; its statement is the image's own configuration.
    fn attestation(&self, of: &Value) -> Value {
        let digest = of["digest"].as_str().unwrap();
        let kind = of["mediaType"].as_str().unwrap();
        let request = ureq::get(self.url(digest)).header("accept", kind);
        let text = request.call().unwrap().body_mut().read_to_string().unwrap();
        let mut manifest: Value = serde_json::from_str(&text).unwrap();
        let mut statement = manifest["config"].clone();
        statement["mediaType"] = "application/vnd.in-toto+json".into();
        manifest["layers"] = json!([statement]);
        let request = ureq::put(self.url("attestation")).header("content-type", kind);
        request.send(manifest.to_string()).unwrap();
        let mut entry = self.descriptor("attestation", "unknown");
        entry["platform"]["os"] = "unknown".into();
        entry["annotations"] = json!({
            "vnd.docker.reference.type": "attestation-manifest",
            "vnd.docker.reference.digest": digest,
        });
        entry
    }

    fn delete(&self, manifest: &Value) {
        let digest = manifest["digest"].as_str().unwrap();
        ureq::delete(self.url(digest)).call().unwrap();
    }
}

/// The checks of the group that fail.
fn failing(name: &str) -> Vec<String> {
    let receipts = tempfile::tempdir().unwrap();
    let args = ["--pull", "--platform", "linux/amd64", "--only", "index"];
    let verified = Verified::of(name, receipts.path(), &args);
    assert_eq!(verified.ids("unproven"), [""; 0], "{}", verified.report);
    let failing = verified.ids("failed");
    assert_eq!(verified.code, Some(i32::from(!failing.is_empty())));
    failing.into_iter().map(str::to_owned).collect()
}

#[test]
fn indexes_are_judged_where_they_are_published() {
    let published = Published::new(None);
    let Published {
        good, arm64, other, ..
    } = &published;
    let good_one = published.index("index", &[good, arm64]);
    assert_eq!(failing(&good_one), [""; 0]);

    let lone = published.index("lone", &[good]);
    assert_eq!(failing(&lone), ["index-platforms"]);
    // With both images in the engine, which then gives neither out by the index.
    let twice = published.index("twice", &[good, arm64, other]);
    let both = ["good", "other"].map(|tag| twice.replace(":twice", &format!(":{tag}")));
    for name in &both {
        docker(&["pull", "--quiet", name]).succeeded();
    }
    assert_eq!(failing(&twice), ["index-platforms"]);
    for name in &both {
        docker(&["image", "rm", name]).succeeded();
    }

    let unknown = json!({ "os": "unknown", "architecture": "unknown" });
    let mut stray = other.clone();
    stray["platform"] = unknown;
    let name = published.index("stray", &[good, arm64, &stray]);
    assert_eq!(failing(&name), ["index-attestations"]);
    stray["annotations"] = json!({
        "vnd.docker.reference.type": "attestation-manifest",
        "vnd.docker.reference.digest": good["digest"],
    });
    // Another image under the cloak of an attestation: nobody would prove it.
    let name = published.index("cloaked", &[good, arm64, &stray]);
    assert_eq!(failing(&name), ["index-attestations"]);
    stray["platform"] = other["platform"].clone();
    let name = published.index("first", &[&stray, good, arm64]);
    assert_eq!(failing(&name), ["index-platforms"]);
    let attestation = published.attestation(good);
    let name = published.index("attested", &[good, arm64, &attestation]);
    assert_eq!(failing(&name), [""; 0]);
    for twofold in [
        format!(
            r#"{{"schemaVersion":2,"mediaType":"{INDEX}","manifests":[{good},{arm64}],"Manifests":[{other}]}}"#
        ),
        format!(
            r#"{{"schemaVersion":2,"mediaType":"{INDEX}","manifests":[{other}],"manifests":[{good},{arm64}]}}"#
        ),
    ] {
        let name = published.raw("twofold", twofold);
        let args = ["verify", "--pull", "--only", "index", &name];
        let ran = Ran::of(&mut xtask(&args));
        assert_eq!(ran.code, Some(1), "{ran:#?}");
        let said = ["has `manifests` twice", "equals `manifests` but for case"];
        assert!(
            said.iter().any(|said| ran.stderr.contains(said)),
            "{ran:#?}"
        );
    }

    // As a clean-up of untagged manifests does it.
    published.delete(arm64);
    assert_eq!(failing(&good_one), ["index-complete"]);
}

#[test]
fn growth_is_measured_against_what_is_published() {
    let published = Published::new(Some(image()));
    let repository = format!("{}/{}", published.registry.address, published.path);
    // A tiny release: ours is many times as large.
    published.index("v0.1.0", &[&published.small()]);
    let receipts = tempfile::tempdir().unwrap();
    let args = ["--only", "image-growth", "--repository", &repository];
    let verified = Verified::of(image(), receipts.path(), &args);
    assert_eq!(
        verified.ids("failed"),
        ["image-growth"],
        "{}",
        verified.report
    );
    let released = published.index("v0.2.0", &[&published.good, &published.arm64]);
    let verified = Verified::of(image(), receipts.path(), &args);
    assert_eq!(
        verified.ids("passed"),
        ["image-growth"],
        "{}",
        verified.report
    );
    // What is published is compared with its own repository, whatever the settings name.
    let args = [
        "--pull",
        "--platform",
        "linux/amd64",
        "--only",
        "image-growth",
    ];
    let verified = Verified::of(&released, receipts.path(), &args);
    let passed = verified.ids("passed");
    assert_eq!(passed, ["image-growth"], "{}", verified.report);
}
