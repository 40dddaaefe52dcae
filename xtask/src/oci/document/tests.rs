//! Documents that programs could read in different ways, and those that programs write.

use serde_json::json;

use super::super::attestation::attestation_fault;
use super::super::config::Config;
use super::super::media_type::{INDEX, MANIFEST};
use super::*;

fn descriptor(media_type: &str) -> Value {
    json!({"mediaType": media_type, "digest": Digest::of(b"x"), "size": 1})
}

fn index() -> Value {
    json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [descriptor(MANIFEST)]})
}

fn manifest() -> Value {
    json!({
        "schemaVersion": 2, "mediaType": MANIFEST,
        "config": descriptor("application/vnd.oci.image.config.v1+json"),
        "layers": [descriptor("application/vnd.oci.image.layer.v1.tar+gzip")],
    })
}

/// The document with more fields; one that is `"-"` is taken away.
fn with(mut document: Value, more: &Value) -> Vec<u8> {
    for (key, field) in more.as_object().unwrap() {
        document[key] = field.clone();
        if field == "-" {
            document.as_object_mut().unwrap().remove(key);
        }
    }
    document.to_string().into_bytes()
}

#[test]
fn an_index_is_asked_for_the_image_of_a_platform() {
    let entry = |os: &str, architecture: &str, digest: &str| {
        let mut entry = descriptor(MANIFEST);
        entry["digest"] = json!(Digest::of(digest.as_bytes()));
        entry["platform"] = json!({"os": os, "architecture": architecture});
        entry
    };
    let manifests = json!([
        descriptor(MANIFEST),
        entry("unknown", "unknown", "attestation"),
        entry("windows", "amd64", "another"),
        entry("linux", "amd64", "first"),
        entry("linux", "amd64", "second"),
    ]);
    let bytes = with(index(), &json!({"manifests": manifests}));
    let Document::Index(index) = Document::parse(&bytes).unwrap() else {
        panic!("an index");
    };
    let found = index.image_for(Platform::LinuxAmd64).unwrap();
    assert_eq!(found.digest, Digest::of(b"first"));
    assert_eq!(index.image_for(Platform::LinuxArm64), None);
}

#[test]
fn what_is_not_clearly_one_kind_is_refused() {
    let docker = "application/vnd.docker.distribution.manifest.v2+json";
    let list = "application/vnd.docker.distribution.manifest.list.v2+json";
    let layers = || json!([descriptor("l")]);
    for (base, more, expected) in [
        (index(), json!({}), ""),
        (index(), json!({"mediaType": list}), ""),
        (
            index(),
            json!({"annotations": {"a": "b"}, "artifactType": "x"}),
            "",
        ),
        (index(), json!({"manifests": []}), ""),
        (index(), json!({"mediaType": "-"}), "has no `mediaType`"),
        (index(), json!({"mediaType": null}), "has no `mediaType`"),
        (index(), json!({"mediaType": ["a"]}), "has no `mediaType`"),
        (
            index(),
            json!({"mediaType": "x\u{1b}"}),
            "neither an index nor",
        ),
        (
            index(),
            json!({"mediaType": MANIFEST}),
            "and has `manifests`",
        ),
        (index(), json!({"layers": layers()}), "and has `layers`"),
        (index(), json!({"layers": null}), "and has `layers`"),
        (
            index(),
            json!({"config": descriptor("c")}),
            "and has `config`",
        ),
        (index(), json!({"fsLayers": []}), "and has `fsLayers`"),
        (index(), json!({"Layers": []}), "but for case"),
        (
            index(),
            json!({"Manifests": [descriptor(MANIFEST)]}),
            "but for case",
        ),
        (index(), json!({"manifests": "-"}), "has no `manifests`"),
        (index(), json!({"manifests": null}), "has no `manifests`"),
        (
            index(),
            json!({"schemaVersion": "-"}),
            "`schemaVersion` is not 2",
        ),
        (
            index(),
            json!({"schemaVersion": 1}),
            "`schemaVersion` is not 2",
        ),
        (
            index(),
            json!({"schemaVersion": "2"}),
            "`schemaVersion` is not 2",
        ),
        (manifest(), json!({}), ""),
        (manifest(), json!({"mediaType": docker}), ""),
        (manifest(), json!({"layers": null}), ""),
        (manifest(), json!({"subject": descriptor(MANIFEST)}), ""),
        (manifest(), json!({"subject": null, "annotations": {}}), ""),
        (manifest(), json!({"subject": {}}), "is bad"),
        (manifest(), json!({"mediaType": INDEX}), "and has `config`"),
        (manifest(), json!({"manifests": []}), "and has `manifests`"),
        (manifest(), json!({"history": []}), "and has `history`"),
        (manifest(), json!({"config": null}), "has no `config`"),
        (manifest(), json!({"config": "-"}), "has no `config`"),
        (manifest(), json!({"layers": "-"}), "has no `layers`"),
        (manifest(), json!({"layers": {}}), "is not a list"),
    ] {
        let why = Document::parse(&with(base, &more)).err();
        let why = why.map_or(String::new(), |why| why.to_string());
        assert_eq!(why.is_empty(), expected.is_empty(), "{more}: {why}");
        assert!(why.contains(expected), "{more}: {why}");
    }
    for nonsense in ["", "[]", "null", "{}", "<html>", r#"{"manifests":[]}"#] {
        assert!(Document::parse(nonsense.as_bytes()).is_err(), "{nonsense}");
    }
}

#[test]
fn what_leads_to_a_document_must_agree_with_it() {
    let bytes = with(manifest(), &json!({}));
    let named = |media_type: &str, size: usize| Descriptor {
        media_type: media_type.to_owned(),
        digest: Digest::of(&bytes),
        size: size as u64,
        platform: None,
        annotations: std::collections::BTreeMap::new(),
    };
    let good = named(MANIFEST, bytes.len());
    assert!(good.manifest(&bytes).is_ok());
    for (wrong, expected) in [
        (named(MANIFEST, bytes.len() + 1), "bytes instead of"),
        (named(INDEX, bytes.len()), "what leads to it says"),
        (named("x", bytes.len()), "what leads to it says"),
    ] {
        let why = wrong.document(&bytes).unwrap_err().to_string();
        assert!(why.contains(expected), "{why}");
    }
    let bytes = with(index(), &json!({}));
    let entry = Descriptor {
        size: bytes.len() as u64,
        ..named(INDEX, 0)
    };
    assert!(entry.document(&bytes).is_ok());
    let why = entry.manifest(&bytes).unwrap_err().to_string();
    assert_eq!(why, "it is an index");
}

/// What programs have written (November 2026): BuildKit of Docker 28.5.2, buildx 0.29.1, docker itself, and
/// crane 0.20.7.
#[test]
fn what_programs_write_is_read() {
    let index = |bytes: &[u8], images: usize, attestations: usize| {
        let Document::Index(index) = Document::parse(bytes).unwrap() else {
            panic!("it is no index");
        };
        let kinds = index.manifests.iter().map(Descriptor::is_attestation);
        let marked = kinds.filter(|is_attestation| *is_attestation).count();
        assert_eq!(
            (index.manifests.len() - marked, marked),
            (images, attestations)
        );
        index
    };
    let built = index(include_bytes!("../real/buildkit.json"), 2, 2);
    let artifacts = index(include_bytes!("../real/buildkit-artifact.json"), 2, 2);
    index(include_bytes!("../real/imagetools.json"), 2, 2);
    index(include_bytes!("../real/crane-index.json"), 2, 0);
    let manifest = |bytes: &[u8], layers: usize| {
        let Document::Manifest(manifest) = Document::parse(bytes).unwrap() else {
            panic!("it is no manifest");
        };
        assert_eq!(manifest.layers.len(), layers);
    };
    manifest(include_bytes!("../real/buildkit-docker.json"), 1);
    manifest(include_bytes!("../real/buildkit-empty.json"), 0);
    manifest(include_bytes!("../real/docker-import.json"), 1);
    manifest(include_bytes!("../real/docker-commit.json"), 1);
    manifest(include_bytes!("../real/crane-append.json"), 1);
    // Both forms of an attestation, where their index names them.
    for (index, bytes) in [
        (&built, &include_bytes!("../real/attestation.json")[..]),
        (
            &artifacts,
            include_bytes!("../real/attestation-artifact.json"),
        ),
    ] {
        let digest = Digest::of(bytes);
        let entry = index.manifests.iter().find(|one| one.digest == digest);
        let entry = entry.unwrap();
        let manifest = entry.manifest(bytes).unwrap();
        assert_eq!(attestation_fault(entry, Some(&manifest), index), None);
    }
    for (bytes, os) in [
        (&include_bytes!("../real/buildkit-config.json")[..], "linux"),
        (include_bytes!("../real/docker-commit-config.json"), "linux"),
        (include_bytes!("../real/crane-append-config.json"), ""),
    ] {
        assert_eq!(Config::parse(bytes).unwrap().os, os);
    }
}
