//! Indexes of made-up documents, for the tests of pushes and releases, too.

use std::collections::BTreeMap;

use serde_json::Value;

use super::*;

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// Documents by their digests.
#[derive(Clone, Default)]
pub(crate) struct Shelf(BTreeMap<Digest, Vec<u8>>);

impl Shelf {
    fn put(&mut self, value: &Value) -> Value {
        let mut value = value.clone();
        if value.get("layers").is_some() {
            value["schemaVersion"] = 2.into();
            value["mediaType"] = MANIFEST.into();
        }
        let bytes = serde_json::to_vec(&value).unwrap();
        let digest = Digest::of(&bytes);
        let size = bytes.len();
        self.0.insert(digest.clone(), bytes);
        json!({"digest": digest, "size": size, "mediaType": MANIFEST})
    }

    /// The entry of an image of one layer, with the entry of its attestation.
    pub(crate) fn image(&mut self, arch: &str, revision: &str, content: &str) -> [Value; 2] {
        self.labelled(arch, &json!({REVISION: revision}), content)
    }

    /// [`Shelf::image`] with any labels.
    pub(crate) fn labelled(&mut self, arch: &str, labels: &Value, content: &str) -> [Value; 2] {
        let config = json!({
            "os": "linux", "architecture": arch,
            "config": {"Labels": labels},
            "history": [{"created_by": "COPY x"}, {"created_by": "ENV", "empty_layer": true}],
        });
        let config = self.put(&config);
        let layer = json!({"digest": Digest::of(content.as_bytes()), "size": content.len(), "mediaType": "l"});
        let mut entry = self.put(&json!({"config": config, "layers": [layer]}));
        entry["platform"] = json!({"os": "linux", "architecture": arch});
        let statement = json!({
            "digest": Digest::of(b"{}"), "size": 2, "mediaType": "application/vnd.in-toto+json",
        });
        let mut attestation =
            self.put(&json!({"config": config, "layers": [statement], "of": entry["digest"]}));
        attestation["platform"] = json!({"os": "unknown", "architecture": "unknown"});
        attestation["annotations"] = json!({
            "vnd.docker.reference.type": "attestation-manifest",
            "vnd.docker.reference.digest": entry["digest"],
        });
        [entry, attestation]
    }

    pub(crate) fn forget(&mut self, entry: &Value) {
        let digest: Digest = entry["digest"].as_str().unwrap().parse().unwrap();
        self.0.remove(&digest);
    }

    pub(crate) fn read(&self, entries: &[Value]) -> anyhow::Result<ImageTree> {
        let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries});
        ImageTree::read(serde_json::to_vec(&index)?, self)
    }
}

impl ManifestStore for Shelf {
    fn manifest(&self, digest: &Digest) -> anyhow::Result<Option<Vec<u8>>> {
        Ok(self.0.get(digest).cloned())
    }

    fn config(&self, digest: &Digest) -> anyhow::Result<Option<Vec<u8>>> {
        self.manifest(digest)
    }
}

/// A registry that does not answer.
struct Silent;
impl ManifestStore for Silent {
    fn manifest(&self, _: &Digest) -> anyhow::Result<Option<Vec<u8>>> {
        anyhow::bail!("no answer")
    }
    fn config(&self, _: &Digest) -> anyhow::Result<Option<Vec<u8>>> {
        anyhow::bail!("no answer")
    }
}

#[test]
fn attestations_are_no_images() {
    let mut shelf = Shelf::default();
    let entries = shelf.image("amd64", "r", "a");
    let tree = shelf.read(&entries).unwrap();
    assert_eq!((tree.images.len(), tree.attestations.len()), (1, 1));
    assert!(tree.is_index());
    let image = &tree.images[0];
    assert!(image.is_for(Platform::LinuxAmd64));
    assert_eq!(image.revision(), Some("r"));
    assert_eq!(image.steps()[0].unwrap().created_by, "COPY x");
}

#[test]
fn what_is_missing_is_named_and_is_no_silence() {
    let mut shelf = Shelf::default();
    let entries = shelf.image("arm64", "r", "a");
    shelf.forget(&entries[0]);
    let error = shelf.read(&entries).unwrap_err();
    assert!(error.is::<Broken>(), "{error:#}");
    assert!(
        error.to_string().ends_with("(linux/arm64) is missing"),
        "{error:#}"
    );
    let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries});
    let index = index.to_string().into_bytes();
    let error = ImageTree::read(index, &Silent).unwrap_err();
    assert!(!error.is::<Broken>(), "{error:#}");
    for nonsense in ["", "{}", "[]", r#"{"manifests":1}"#] {
        let error = ImageTree::read(nonsense.into(), &shelf).unwrap_err();
        assert!(error.is::<Broken>(), "{nonsense}: {error:#}");
    }
}

#[test]
fn a_joined_index_keeps_every_entry_as_it_was() {
    let mut shelf = Shelf::default();
    let (amd64, arm64) = (
        shelf.image("amd64", "r", "a"),
        shelf.image("arm64", "r", "b"),
    );
    let parts = [shelf.read(&amd64).unwrap(), shelf.read(&arm64).unwrap()];
    let joined = join(&parts).unwrap();
    let again = ImageTree::read(joined.bytes.clone(), &shelf).unwrap();
    assert_eq!(again.digest, joined.digest);
    let value: Value = serde_json::from_slice(&joined.bytes).unwrap();
    let [a, b] = [amd64, arm64];
    assert_eq!(
        value["manifests"],
        json!([a[0], b[0], a[1], b[1]]),
        "images first, then attestations"
    );
    assert_eq!(join(&parts).unwrap().digest, joined.digest);
}

#[test]
fn a_lone_manifest_can_be_an_entry() {
    let mut shelf = Shelf::default();
    let [entry, _] = shelf.image("arm64", "r", "a");
    let digest: Digest = entry["digest"].as_str().unwrap().parse().unwrap();
    let bytes = shelf.manifest(&digest).unwrap().unwrap();
    let lone = ImageTree::read(bytes, &shelf).unwrap();
    assert!(!lone.is_index());
    let joined = join(&[lone]).unwrap();
    let again = ImageTree::read(joined.bytes, &shelf).unwrap();
    assert_eq!(*again.images[0].digest(), digest);
    assert!(again.images[0].is_for(Platform::LinuxArm64));
}

/// Why these entries, some of them changed, are no index of ours.
fn why(shelf: &Shelf, entries: &[Value]) -> String {
    let error = shelf.read(entries).unwrap_err();
    assert!(error.is::<Broken>(), "{error:#}");
    format!("{error:#}")
}

#[test]
fn an_image_under_the_cloak_of_an_attestation_is_an_image() {
    let mut shelf = Shelf::default();
    let [good, attestation] = shelf.image("amd64", "r", "a");
    let [evil, _] = shelf.image("amd64", "r", "evil");
    // What engines run first.
    let mut cloaked = evil.clone();
    cloaked["annotations"] = attestation["annotations"].clone();
    let found = why(&shelf, &[cloaked.clone(), good.clone()]);
    assert!(
        found.contains("several images for `linux/amd64`"),
        "{found}"
    );
    // Without a platform engines look into its configuration.
    cloaked.as_object_mut().unwrap().remove("platform");
    let found = why(&shelf, &[cloaked, good.clone()]);
    assert!(
        found.contains("several images for `linux/amd64`"),
        "{found}"
    );
    // An image that nobody would run, and nobody has proven.
    let mut hidden = evil.clone();
    hidden["platform"] = attestation["platform"].clone();
    let found = why(&shelf, &[good.clone(), hidden.clone()]);
    assert!(
        found.contains("neither an image nor an attestation"),
        "{found}"
    );
    hidden["annotations"] = attestation["annotations"].clone();
    let found = why(&shelf, &[good.clone(), hidden]);
    assert!(found.contains("a layer of another kind"), "{found}");
    let mut strange = attestation.clone();
    strange["annotations"]["vnd.docker.reference.digest"] = evil["digest"].clone();
    let found = why(&shelf, &[good, strange]);
    assert!(found.contains("which is not in the index"), "{found}");
}

#[test]
fn two_names_of_one_platform_are_one_platform() {
    let mut shelf = Shelf::default();
    let [one, _] = shelf.image("arm64", "r", "a");
    let [other, _] = shelf.image("arm64", "r", "b");
    for (architecture, variant) in [("arm64", "v8"), ("aarch64", ""), ("ARM64", "8")] {
        let mut other = other.clone();
        other["platform"] = json!({
            "os": "linux", "architecture": architecture, "variant": variant, "os.version": "1",
        });
        let found = why(&shelf, &[one.clone(), other]);
        assert!(
            found.contains("several images for `linux/arm64`"),
            "{found}"
        );
    }
    let mut amd64 = other;
    amd64["platform"]["architecture"] = "amd64".into();
    let found = why(&shelf, &[one, amd64]);
    assert!(
        found.ends_with("is for `linux/arm64` by its configuration"),
        "{found}"
    );
}

#[test]
fn an_entry_must_agree_with_its_manifest() {
    let mut shelf = Shelf::default();
    let [entry, _] = shelf.image("amd64", "r", "a");
    for (key, field, expected) in [
        ("size", json!(1), "bytes instead of 1"),
        ("size", json!(-1), "is bad"),
        ("mediaType", json!(INDEX), "what leads to it says"),
        ("mediaType", json!(null), "is bad"),
        (
            "urls",
            json!(["https://example.org"]),
            "out of the registry",
        ),
        ("Digest", json!("x"), "but for case"),
    ] {
        let mut entry = entry.clone();
        entry[key] = field;
        let found = why(&shelf, &[entry]);
        assert!(found.contains(expected), "{found}");
    }
    // A store that gives other bytes than it was asked for.
    let mut wrong = shelf.clone();
    for bytes in wrong.0.values_mut() {
        bytes.push(b' ');
    }
    let mut longer = entry;
    longer["size"] = json!(longer["size"].as_u64().unwrap() + 1);
    let found = why(&wrong, &[longer]);
    assert!(
        found.ends_with("has other bytes than its digest says"),
        "{found}"
    );
}
