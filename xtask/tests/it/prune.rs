//! `cargo xtask prune` in repositories with more in them than our images: nothing odd is removed, and
//! nothing odd ends a run without a reason.

use serde_json::{Value, json};

use crate::registry::{CONFIG, Content, LAYER, MANIFEST, Registry, digest};
use crate::sandbox::Sandbox;

/// Old builds, one of them with a configuration that is not JSON.
fn content() -> Content {
    let mut content = Content::default();
    let old = content.image(&json!({}));
    content.tag("sha-1111111", &json!({"manifests": [old]}));
    let text = content.blob(CONFIG, b"not JSON");
    content.tag("sha-2222222", &json!({"config": text, "layers": []}));
    content
}

/// Why each tag is kept, and which are removed.
fn plan(sandbox: &Sandbox, registry: &Registry) -> (Vec<String>, Vec<String>) {
    let name = registry.name();
    let ran = sandbox.run(&["prune", "--json", "--repository", &name]);
    let report: Value = serde_json::from_str(&ran.succeeded().stdout).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let kept = report["plan"]["keep"].as_array().unwrap();
    let kept = kept
        .iter()
        .map(|tag| format!("{} {}", text(&tag["tag"]), text(&tag["why"])));
    let removed = report["plan"]["remove"].as_array().unwrap().iter();
    let removed = removed.flat_map(|one| one["tags"].as_array().unwrap());
    (
        kept.collect(),
        removed.map(|tag| text(&tag["tag"])).collect(),
    )
}

#[test]
fn nothing_odd_is_removed() {
    let sandbox = Sandbox::new();
    let mut content = content();
    let chart = content.blob("application/vnd.cncf.helm.config.v1+json", b"{}");
    content.tag("chart", &json!({"config": chart, "layers": []}));
    // A long build's cache: more entries than are followed.
    let layers = (0..300).map(|number: u32| {
        let digest = digest(&number.to_le_bytes());
        json!({"mediaType": LAYER, "digest": digest, "size": 4})
    });
    content.tag(
        "buildcache",
        &json!({"manifests": layers.collect::<Vec<_>>()}),
    );
    let old = content.blob("x", b"old");
    let schema_1 = json!({"schemaVersion": 1, "fsLayers": [{"blobSum": old["digest"]}]});
    content.tag("schema-1", &schema_1);
    // The same under a name of ours: its age is not known.
    content.tag("sha-3333333", &schema_1);
    let lost = json!({"mediaType": MANIFEST, "digest": digest(b"lost"), "size": 4});
    content.tag("sha-4444444", &json!({"manifests": [lost]}));
    content.listed_once = vec!["sha-5555555".to_owned()];
    let (kept, removed) = plan(&sandbox, &Registry::with(content));
    assert_eq!(removed, ["sha-1111111"]);
    assert_eq!(
        kept,
        [
            "buildcache not one of ours",
            "chart not one of ours",
            "schema-1 not one of ours",
            "sha-2222222 a configuration of it cannot be read",
            "sha-3333333 it is neither an index nor an image",
            "sha-4444444 a manifest of it is missing",
            "sha-5555555 it leads nowhere",
        ]
    );
}

#[test]
fn what_ends_a_run_is_named_and_nothing_is_deleted() {
    let html = digest(b"<html>");
    for (name, code, parts) in [
        (
            "html",
            3,
            [
                "nothing may be removed: it is not JSON",
                "hint: delete or push",
            ],
        ),
        ("../x", 1, ["`../x`", "cannot be a tag's name"]),
        ("locked", 1, ["403", "what is below"]),
    ] {
        let sandbox = Sandbox::new();
        let mut content = content();
        content.manifests.insert(html.clone(), b"<html>".to_vec());
        content.tags.insert("html".to_owned(), html.clone());
        let inner = content.manifest(&json!({"manifests": []}));
        let kind = "application/vnd.oci.image.index.v1+json";
        let inner = json!({"mediaType": kind, "digest": inner["digest"], "size": inner["size"]});
        content.tag("locked", &json!({"manifests": [inner]}));
        let inner = inner["digest"].as_str().unwrap();
        content.answers = vec![(format!("manifests/{inner}"), "403 Forbidden", "{}")];
        content
            .tags
            .retain(|tag, _| tag == name || tag.starts_with("sha-"));
        if name == "../x" {
            content.listed = vec![name.to_owned()];
        }
        let registry = Registry::with(content);
        let repository = registry.name();
        let ran = sandbox.run(&["prune", "--yes", "--repository", &repository]);
        assert_eq!((ran.code, &*ran.stdout), (Some(code), ""), "{ran:#?}");
        for part in parts.iter().chain(&[name]) {
            assert!(ran.stderr.contains(part), "{ran:#?}");
        }
        let requests = registry.requests();
        assert!(
            !requests.iter().any(|one| one.starts_with("DELETE")),
            "{requests:?}"
        );
    }
}
