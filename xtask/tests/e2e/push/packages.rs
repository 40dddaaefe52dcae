//! What apk installed: in the record of a build, beside each image of a push, and in the message where it moved.

use std::fs;

use serde_json::{Value, json};

use super::{Workspace, images};
use crate::world::base;

/// The database comes from a file that git ignores, as Alpine's repositories are no part of a commit either.
const DOCKERFILE: &str = "FROM scratch\nCOPY installed /lib/apk/db/installed\nCOPY content/ /\n\
    ARG IMAGE_REVISION\nLABEL org.opencontainers.image.revision=$IMAGE_REVISION\n";
const TYPE: &str = "urn:agentgate:packages:v1";

fn workspace() -> Workspace {
    let workspace = Workspace::new();
    workspace.write("docker/Dockerfile.agent", DOCKERFILE);
    workspace.write(".gitignore", "target\ninstalled\n");
    workspace.commit("packages");
    offer(&workspace, "5.3.3-r0");
    workspace
}

/// From now on a build installs this version of bash.
fn offer(workspace: &Workspace, bash: &str) {
    let text = format!("P:musl\nV:1.2.5-r21\nF:lib\nR:ld\n\nP:bash\nV:{bash}\n\n");
    workspace.write("installed", &text);
}

fn installed(bash: &str) -> Value {
    json!([{"name": "bash", "version": bash}, {"name": "musl", "version": "1.2.5-r21"}])
}

/// The statements of packages that an index has: the digest that each is of, and the packages.
fn statements(workspace: &Workspace, index: &Value) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    for entry in index["manifests"].as_array().unwrap() {
        let of = &entry["annotations"]["vnd.docker.reference.digest"];
        if entry["platform"]["os"] != "unknown" {
            continue;
        }
        let (_, manifest) = workspace
            .published(entry["digest"].as_str().unwrap())
            .unwrap();
        for layer in manifest["layers"].as_array().unwrap() {
            if layer["annotations"]["in-toto.io/predicate-type"] != TYPE {
                continue;
            }
            let digest = layer["digest"].as_str().unwrap();
            let statement = workspace.blob_in(workspace.path_in_registry(), digest);
            let statement: Value = serde_json::from_slice(&statement).unwrap();
            assert_eq!(statement["predicateType"], TYPE);
            let subject = statement["subject"][0]["digest"]["sha256"].as_str();
            let subject = format!("sha256:{}", subject.unwrap());
            assert_eq!(*of, *subject);
            found.push((subject, statement["predicate"]["packages"].clone()));
        }
    }
    found.sort_by(|one, other| one.0.cmp(&other.0));
    found
}

#[test]
fn what_apk_installed_is_recorded_and_goes_with_every_image() {
    let workspace = workspace();
    let tag = workspace.sha_tag();
    let built = workspace.push(&["--sbom", "off"]);
    for platform in built["platforms"].as_array().unwrap() {
        assert_eq!(platform["packages"], installed("5.3.3-r0"), "{platform}");
    }
    let record = fs::read(workspace.path("target/xtask/image.json")).unwrap();
    let record: Value = serde_json::from_slice(&record).unwrap();
    assert_eq!(record["platforms"], built["platforms"]);

    let expected = |index: &Value| {
        let images = images(index).0.into_iter();
        let mut all: Vec<_> = images
            .map(|(_, digest)| (digest, installed("5.3.3-r0")))
            .collect();
        all.sort_by(|one, other| one.0.cmp(&other.0));
        all
    };
    let (digest, index) = workspace.published(&tag).unwrap();
    assert_eq!(statements(&workspace, &index), expected(&index));
    // What is published is adopted, and the registry garbles nothing that a client reads.
    assert_eq!(workspace.push(&[])["digest"], *digest);

    // Two machines push a platform each, and the index that is made of them has both statements.
    workspace.delete(&format!("manifests/{digest}"));
    for platform in ["linux/amd64", "linux/arm64"] {
        workspace.push(&["--sbom", "off", "--platform", platform]);
    }
    workspace.image(&["--merge"]).succeeded();
    let (_, index) = workspace.published(&tag).unwrap();
    assert_eq!(statements(&workspace, &index), expected(&index));

    // Some services refuse an index that has any attestation.
    workspace.commit("bare");
    let built = workspace.push(&["--provenance", "off", "--sbom", "off"]);
    assert_eq!(built["platforms"][0]["packages"], installed("5.3.3-r0"));
    let (_, index) = workspace.published(&workspace.sha_tag()).unwrap();
    assert_eq!(images(&index).1, 0);
}

#[test]
fn a_rebuild_names_the_packages_that_moved_and_how_to_get_them() {
    let workspace = workspace();
    let first = workspace.push(&["--sbom", "off"]);
    let same = workspace.push(&["--sbom", "off", "--rebuild"]);
    assert_eq!(same["digest"], first["digest"]);
    offer(&workspace, "5.3.3-r1");
    let ran = workspace.image(&["--push", "--sbom", "off", "--rebuild"]);
    assert_eq!(ran.code, Some(3), "{ran:#?}");
    for said in [
        "; Alpine's packages of `linux/amd64`: bash 5.3.3-r0 → 5.3.3-r1; ",
        "Alpine's packages of `linux/arm64`: bash 5.3.3-r0 → 5.3.3-r1\n",
        "hint: a published tag is never rewritten; Alpine's packages have moved on since: \
         `cargo xtask update packages` makes a commit",
    ] {
        assert!(ran.stderr.contains(said), "{ran:#?}");
    }
    assert_eq!(
        workspace.digest(&workspace.sha_tag()).as_deref(),
        first["digest"].as_str()
    );
    // Another day is another commit, with a name of its own.
    let manifest = fs::read_to_string(workspace.path("Cargo.toml")).unwrap();
    workspace.write(
        "Cargo.toml",
        &format!("{manifest}packages = \"2026-11-30\"\n"),
    );
    workspace.commit("packages of another day");
    let moved = workspace.push(&["--sbom", "off"]);
    assert_eq!(moved["platforms"][1]["packages"], installed("5.3.3-r1"));
}

#[test]
fn a_layer_whose_database_cannot_be_read_is_not_pushed() {
    let workspace = workspace();
    workspace.write("installed", "P:bash\nV:1\n\nP:bash\nV:2\n\n");
    let ran = workspace.image(&["--push", "--sbom", "off"]);
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    let said =
        "its `lib/apk/db/installed` is not apk's database: the package `bash` is there twice";
    assert!(ran.stderr.contains(said), "{ran:#?}");
    assert_eq!(workspace.digest(&workspace.sha_tag()), None);
}

#[test]
fn two_builds_of_one_commit_name_the_packages_that_moved_between_them() {
    let workspace = workspace();
    let line = format!(
        "FROM {}\nRUN printf 'P:bash\\nV:%s\\n' \"$(date +%s%N)\" >/lib/apk/db/installed && \
         touch -d @0 /lib/apk/db/installed\n",
        base()
    );
    let dockerfile = DOCKERFILE.replace(
        "FROM scratch\nCOPY installed /lib/apk/db/installed\n",
        &line,
    );
    workspace.write("docker/Dockerfile.agent", &dockerfile);
    let ran = workspace.image(&["--reproduce", "--platform", "linux/amd64"]);
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    let said: Value = serde_json::from_str(&ran.stdout).unwrap();
    let packages = said["platforms"][0]["packages"].as_str().unwrap();
    assert!(packages.starts_with("bash 1"), "{said}");
    assert!(
        ran.stderr.contains("`cargo xtask update packages`"),
        "{ran:#?}"
    );
}
