//! Provenance that can be switched: some services refuse an index, or one with attestations
//! (docker/buildx#1533, aws/aws-lambda-roadmap#82), and pages of registries list them as `unknown/unknown`.

use std::fs;

use serde_json::Value;

use super::annotations::labelled;
use super::images;
use crate::common::Ran;
use crate::release::Releases;

const BARE: [&str; 4] = ["--provenance", "off", "--sbom", "off"];
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

#[test]
fn without_attestations_one_commit_is_one_index() {
    let workspace = labelled();
    let tag = workspace.sha_tag();
    workspace.push(&BARE);
    let (digest, index) = workspace.published(&tag).unwrap();
    let (found, others) = images(&index);
    assert_eq!((found.len(), others), (2, 0));
    // Built anew, with nothing to adopt, it is the same index; so it is when it is merged of lone manifests.
    workspace.delete(&format!("manifests/{digest}"));
    workspace.push(&[&BARE[..], &["--no-cache"]].concat());
    assert_eq!(workspace.digest(&tag).as_ref(), Some(&digest));
    workspace.delete(&format!("manifests/{digest}"));
    for arch in ["amd64", "arm64"] {
        let platform = format!("linux/{arch}");
        workspace.push(&[&BARE[..], &["--platform", &platform]].concat());
        let (lone, manifest) = workspace.published(&format!("{tag}-linux-{arch}")).unwrap();
        assert_eq!(manifest["mediaType"], MANIFEST);
        // The index's entry by its very digest, so no annotation of its own.
        assert!(found.contains(&(arch.to_owned(), lone)), "{found:?}");
        assert_eq!(manifest.get("annotations"), None);
    }
    workspace.image(&["--merge"]).succeeded();
    assert_eq!(workspace.digest(&tag), Some(digest));
}

#[test]
fn what_is_published_with_attestations_keeps_them() {
    let workspace = labelled();
    let pushed = workspace.push(&["--sbom", "off"]);
    let ran = workspace
        .image(&[&["--push"], &BARE[..]].concat())
        .succeeded();
    assert!(
        ran.stderr.contains("it was published with attestations"),
        "{ran:#?}"
    );
    let again: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(again["digest"], pushed["digest"]);
}

#[test]
fn buildx_is_asked_for_the_mode_that_was_asked_for() {
    let workspace = labelled();
    for (mode, flag) in [("max", "mode=max"), ("min", "mode=min"), ("off", "false")] {
        let args = ["--push", "--dry-run", "--sbom", "off", "--provenance", mode];
        let ran = workspace.image(&args).succeeded();
        let plan: Value = serde_json::from_str(&ran.stdout).unwrap();
        let line = plan["commands"][0].as_array().unwrap();
        let has = |name: &str, value: &str| {
            line.windows(2)
                .any(|pair| pair[0] == name && pair[1] == value)
        };
        assert!(
            has("--provenance", flag) && has("--sbom", "false"),
            "{line:?}"
        );
    }
    // A local build has none, so that the flag would do nothing.
    let usage = workspace.image(&["--provenance", "min"]);
    assert_eq!(usage.code, Some(2), "{usage:#?}");
}

/// A fork for one platform whose registry or runtime takes no index at all.
#[test]
fn a_lone_manifest_is_adopted_audited_and_can_be_released() {
    let releases = Releases::new();
    let workspace = &releases.workspace;
    let manifest = fs::read_to_string(workspace.path("Cargo.toml")).unwrap();
    let one = manifest.replace(r#"["linux/amd64", "linux/arm64"]"#, r#"["linux/amd64"]"#);
    workspace.write("Cargo.toml", &one);
    workspace.commit("one platform");
    workspace.git(&["tag", "v0.2.13"]);
    workspace.git(&["push", "--quiet", "origin", "v0.2.13"]);
    let tag = workspace.sha_tag();
    workspace.push(&BARE);
    let (digest, manifest) = workspace.published(&tag).unwrap();
    assert_eq!(manifest["mediaType"], MANIFEST);
    assert_eq!(workspace.push(&[])["digest"], *digest);
    let ran =
        Ran::of(&mut releases.xtask(&["release", "--dry-run", "--json", "--sign=cosign.key"]))
            .succeeded();
    let plan: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(plan["digest"], *digest);
    Ran::of(&mut workspace.xtask(&["audit", "--all"])).succeeded();
}
