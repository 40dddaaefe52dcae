//! SBOMs: made where there is a generator, never a reason to fail where there is none.

use std::fs;

use serde_json::Value;

use super::Workspace;
use crate::world::{base, docker};

/// A generator that says of every image the same.
const GENERATOR: &str = r#"FROM BASE
ENTRYPOINT ["/bin/sh", "-c", "echo '{\"_type\":\"https://in-toto.io/Statement/v0.1\",\"predicateType\":\"https://spdx.dev/Document\",\"predicate\":{\"spdxVersion\":\"SPDX-2.3\"}}' >$BUILDKIT_SCAN_DESTINATION/x.spdx.json"]
"#;

/// The kinds of attestations that a tag's index has, for each of them.
fn attestations(workspace: &Workspace, tag: &str) -> Vec<Vec<String>> {
    let (_, index) = workspace.published(tag).unwrap();
    let entries = index["manifests"].as_array().unwrap().iter();
    let is_attestation = |entry: &&Value| entry["platform"]["os"] == "unknown";
    let kinds = entries.filter(is_attestation).map(|entry| {
        let digest = entry["digest"].as_str().unwrap();
        let (_, manifest) = workspace.published(digest).unwrap();
        let layers = manifest["layers"].as_array().unwrap().iter();
        let kind = |layer: &Value| layer["annotations"]["in-toto.io/predicate-type"].to_string();
        layers.map(kind).collect()
    });
    kinds.collect()
}

#[test]
fn an_sbom_is_made_where_there_is_a_generator_and_survives_a_merge() {
    let workspace = Workspace::new();
    let folder = tempfile::tempdir().unwrap();
    let dockerfile = GENERATOR.replace("BASE", &base());
    fs::write(folder.path().join("Dockerfile"), dockerfile).unwrap();
    let (address, path) = (&workspace.registry.address, &workspace.repository);
    let generator = format!("{address}/{path}-generator:1");
    let context = folder.path().to_str().unwrap();
    docker(&["buildx", "build", "--push", "--tag", &generator, context]).succeeded();
    for platform in ["linux/amd64", "linux/arm64"] {
        workspace.push(&["--sbom", &generator, "--platform", platform]);
    }
    workspace.image(&["--merge"]).succeeded();
    let found = attestations(&workspace, &workspace.sha_tag());
    assert_eq!(found.len(), 2);
    for kinds in found {
        for wanted in ["spdx.dev", "slsa.dev/provenance"] {
            assert!(kinds.iter().any(|kind| kind.contains(wanted)), "{kinds:?}");
        }
    }
}

#[test]
fn without_a_generator_there_is_a_note_unless_it_was_asked_for() {
    let workspace = Workspace::new();
    let missing = format!(
        "{}/{}-none:1",
        workspace.registry.address, workspace.repository
    );
    let asked = workspace.image(&["--push", "--sbom", &missing]);
    assert_eq!(asked.code, Some(1), "{asked:#?}");
    assert!(asked.stderr.contains("there is no image `"), "{asked:#?}");
    workspace.push(&["--sbom", "off"]);
    let found = attestations(&workspace, &workspace.sha_tag());
    assert!(found.iter().flatten().all(|kind| kind.contains("slsa.dev")));
}
