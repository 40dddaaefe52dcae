//! Documents of every kind that people keep in a repository.

use serde_json::json;

use super::{Documents as Shelf, *};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

impl Shelf {
    fn put(&mut self, kind: &str, document: &Value) -> Value {
        let document = typed(document);
        let bytes = document.to_string().into_bytes();
        let (digest, size) = (Digest::of(&bytes), bytes.len());
        self.insert(digest.clone(), bytes);
        json!({"mediaType": kind, "digest": digest, "size": size})
    }

    /// The entry of an image that is built from the commit `revision`.
    fn image(&mut self, revision: &str) -> Value {
        let config = json!({
            "os": "linux", "architecture": "amd64", "config": {"Labels": {REVISION: revision}},
        });
        let config = self.put(CONFIG, &config);
        self.put(
            MANIFEST,
            &json!({"config": config, "layers": [blob(LAYER, revision)]}),
        )
    }

    fn survey(&self, document: &Value) -> Survey {
        survey(typed(document).to_string().as_bytes(), self).unwrap()
    }
}

/// The document with the fields that say what it is, if it is an index or a manifest.
fn typed(document: &Value) -> Value {
    let mut document = document.clone();
    for (field, kind) in [("manifests", INDEX), ("layers", MANIFEST)] {
        if document.get(field).is_some() {
            document["schemaVersion"] = 2.into();
            document["mediaType"] = kind.into();
        }
    }
    document
}

fn blob(kind: &str, content: &str) -> Value {
    let digest = Digest::of(content.as_bytes());
    json!({"mediaType": kind, "digest": digest, "size": content.len()})
}

#[test]
fn an_image_is_read_down_to_its_blobs() {
    let mut shelf = Shelf::default();
    let (one, two) = (shelf.image("one"), shelf.image("two"));
    let attestation = json!({
        "config": blob(CONFIG, "{}"), "layers": [blob("application/vnd.in-toto+json", "a")],
    });
    let attestation = shelf.put(MANIFEST, &attestation);
    let gone = blob(MANIFEST, "gone");
    let found = shelf.survey(&json!({"manifests": [one, two, one, attestation, gone]}));
    assert_eq!((found.manifests, found.blobs.len()), (3, 5));
    assert_eq!(found.revisions, ["one", "two"].map(str::to_owned).into());
    let missing = format!("its manifest `{}` is missing", Digest::of(b"gone"));
    assert_eq!((found.broken, found.odd), (vec![missing], None));
    let lone = shelf.0[&digest(&one["digest"]).unwrap()].clone();
    let lone = survey(&lone, &shelf).unwrap();
    assert_eq!((lone.manifests, lone.blobs.len(), lone.odd), (1, 2, None));
}

#[test]
fn what_is_no_image_has_a_name_and_is_whole() {
    let empty = json!({
        "mediaType": "application/vnd.oci.empty.v1+json", "digest": EMPTY, "size": 2,
    });
    assert_eq!(Digest::of(b"{}").as_str(), EMPTY);
    let helm = "application/vnd.cncf.helm.config.v1+json";
    let chart = "application/vnd.cncf.helm.chart.content.v1.tar+gzip";
    let signature = "application/vnd.dev.cosign.simplesigning.v1+json";
    let cache = "application/vnd.buildkit.cacheconfig.v0";
    for (document, blobs, odd) in [
        (
            json!({"config": blob(helm, "c"), "layers": [blob(chart, "l")]}),
            2,
            format!("an artifact ({helm})"),
        ),
        (
            json!({"config": blob(CONFIG, "c"), "layers": [blob(signature, "l")]}),
            2,
            format!("an artifact ({signature})"),
        ),
        (
            json!({"config": empty, "layers": [empty], "artifactType": "application/x"}),
            0,
            "an artifact (application/x)".to_owned(),
        ),
        // ORAS before 1.1, and manifests of artifacts from drafts of the OCI.
        (
            json!({"artifactType": "application/x", "blobs": [blob("x", "b")]}),
            1,
            "an artifact (application/x)".to_owned(),
        ),
        // docker/buildx#1007: the entries are blobs.
        (
            json!({"manifests": [blob(LAYER, "a"), blob(cache, "b")]}),
            2,
            format!("an artifact ({cache})"),
        ),
        (
            json!({"config": blob(cache, "c"), "layers": [blob(LAYER, "l")]}),
            2,
            format!("an artifact ({cache})"),
        ),
        (
            json!({"schemaVersion": 1, "fsLayers": [{"blobSum": Digest::of(b"a")}]}),
            1,
            "a manifest of Docker's schema 1".to_owned(),
        ),
        (
            json!({"config": blob("a\u{1b}[2J", "c"), "layers": []}),
            1,
            "an artifact (of an unknown kind)".to_owned(),
        ),
        (json!({"manifests": []}), 0, "it names no image".to_owned()),
        (
            json!({"manifests": 1}),
            0,
            "it is not a valid index".to_owned(),
        ),
        (
            json!({"manifests": [{"digest": "sha512:00"}, 7]}),
            0,
            NOT_CHECKED.to_owned(),
        ),
        (
            json!({"signatures": []}),
            0,
            "it is neither an index nor a manifest".to_owned(),
        ),
        (
            json!([]),
            0,
            "it is neither an index nor a manifest".to_owned(),
        ),
    ] {
        let found = Shelf::default().survey(&document);
        assert_eq!(found.broken, [""; 0], "{document}");
        assert_eq!(found.odd.as_ref(), Some(&odd), "{document}");
        assert_eq!(found.blobs.len(), blobs, "{document}");
    }
    let html = survey(b"<html>", &Shelf::default()).unwrap();
    assert_eq!(html.odd.as_deref(), Some("it is not JSON"));
}

#[test]
fn a_label_is_printed_without_what_a_terminal_obeys() {
    let mut shelf = Shelf::default();
    let image = shelf.image("\u{1b}[2J");
    let found = shelf.survey(&json!({"manifests": [image]}));
    assert_eq!(found.revisions, ["\\u{1b}[2J".to_owned()].into());
}

#[test]
fn an_index_in_an_index_is_read_and_not_without_end() {
    let mut shelf = Shelf::default();
    let image = shelf.image("one");
    let index = "application/vnd.oci.image.index.v1+json";
    let inner = shelf.put(index, &json!({"manifests": [image]}));
    let found = shelf.survey(&json!({"manifests": [inner]}));
    assert_eq!((found.manifests, found.blobs.len()), (1, 2));
    assert!(found.odd.unwrap().ends_with("is an index"));
    let mut deep = inner;
    for _ in 0..2 * DEPTH {
        deep = shelf.put(index, &json!({"manifests": [deep]}));
    }
    let deep = shelf.survey(&json!({"manifests": [deep]}));
    assert_eq!(deep.manifests, 0);
    let wide: Vec<Value> = (0..=MOST).map(|n| blob(MANIFEST, &n.to_string())).collect();
    let wide = shelf.survey(&json!({"manifests": wide}));
    assert_eq!(wide.broken.len(), MOST);
}

#[test]
fn layers_that_are_kept_elsewhere_need_not_be_here() {
    let foreign = json!({
        "mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
        "digest": Digest::of(b"f"), "size": 1, "urls": ["https://example.org/layer"],
    });
    let config = blob(CONFIG, "c");
    let found = Shelf::default().survey(&json!({"config": config, "layers": [foreign]}));
    assert_eq!((found.blobs.len(), found.broken), (1, Vec::new()));
}

#[test]
fn what_two_programs_could_read_differently_is_no_image_of_ours() {
    let mut shelf = Shelf::default();
    let image = shelf.image("one");
    let entry = |architecture: &str| {
        let mut entry = image.clone();
        entry["platform"] = json!({"os": "linux", "architecture": architecture});
        entry
    };
    let (one, other) = (entry("amd64"), entry("x86_64"));
    for (fields, why) in [
        (format!(r#""manifests":[{one}]"#), None),
        (
            format!(r#""manifests":[{one}],"Manifests":[]"#),
            Some("equals `manifests` but for case"),
        ),
        (
            format!(r#""manifests":[],"manifests":[{one}]"#),
            Some("has `manifests` twice"),
        ),
        (
            format!(r#""layers":[],"manifests":[{one}]"#),
            Some("has `layers` of another kind"),
        ),
        (
            format!(r#""manifests":[{one},{other}]"#),
            Some("several images for `linux/amd64`"),
        ),
    ] {
        let text = format!(r#"{{"schemaVersion":2,"mediaType":"{INDEX}",{fields}}}"#);
        let found = survey(text.as_bytes(), &shelf).unwrap();
        assert_eq!(found.odd.is_some(), why.is_some(), "{found:?}");
        let odd = found.odd.unwrap_or_default();
        assert!(odd.contains(why.unwrap_or_default()), "{odd}");
    }
}

#[test]
fn a_store_that_does_not_answer_is_an_error() {
    struct Silent;
    impl ManifestStore for Silent {
        fn manifest(&self, _: &Digest) -> anyhow::Result<Option<Vec<u8>>> {
            anyhow::bail!("no answer")
        }
        fn config(&self, _: &Digest) -> anyhow::Result<Option<Vec<u8>>> {
            anyhow::bail!("no answer")
        }
    }
    for document in [
        json!({"manifests": [blob(MANIFEST, "m")]}),
        json!({"config": blob(CONFIG, "c"), "layers": []}),
    ] {
        assert!(survey(document.to_string().as_bytes(), &Silent).is_err());
    }
}
