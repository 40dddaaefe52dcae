//! SBOMs: made where there is a generator; without one a note at a desk, and an error in CI.

use std::fs;

use serde_json::Value;

use super::Workspace;
use crate::common::Ran;
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
    // A tag may move, also between the builds of one index: buildx gets the digest.
    let digest = workspace
        .published_in(&format!("{path}-generator"), "1")
        .unwrap()
        .0;
    let pinned = format!("generator={address}/{path}-generator@{digest}");
    let dry = workspace
        .image(&["--push", "--dry-run", "--sbom", &generator])
        .succeeded();
    assert!(dry.stdout.contains(&pinned), "{dry:#?}");
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
    assert!(
        asked.stderr.contains("no SBOM: its generator `"),
        "{asked:#?}"
    );
    workspace.push(&["--sbom", "off"]);
    let found = attestations(&workspace, &workspace.sha_tag());
    // The image of one file has no packages either.
    assert!(found.iter().flatten().all(|kind| kind.contains("slsa.dev")));
}

#[test]
fn in_ci_a_missing_sbom_is_an_error_unless_it_is_switched_off() {
    let workspace = Workspace::new();
    let (address, path) = (&workspace.registry.address, &workspace.repository);
    let manifest = fs::read_to_string(workspace.path("Cargo.toml")).unwrap();
    let of = |generator: &str| format!("{manifest}sbom-generator = \"{generator}\"\n");
    let push = |generator: &str, args: &[&str], ci: bool| {
        workspace.write("Cargo.toml", &of(generator));
        workspace.commit("a generator");
        let mut image = workspace.xtask(&[&["image", "--push", "--json"], args].concat());
        Ran::of(if ci {
            image.env("CI", "true")
        } else {
            &mut image
        })
    };
    let missing = format!("{address}/{path}-none:1");
    let failed = push(&missing, &[], true);
    assert_eq!(failed.code, Some(1), "{failed:#?}");
    for said in ["no SBOM: its generator `", "hint: `--sbom off`"] {
        assert!(failed.stderr.contains(said), "{failed:#?}");
    }
    assert_eq!(workspace.digest(&workspace.sha_tag()), None);
    push(&missing, &["--sbom", "off"], true).succeeded();
    push("off", &[], true).succeeded();
    let desk = push(&missing, &[], false).succeeded();
    assert!(desk.stderr.contains("note: no SBOM: "), "{desk:#?}");
}
