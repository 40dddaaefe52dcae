//! `cargo xtask update` with a real registry, and a real apk in the engine.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::build::{clone_into, publish};
use crate::common::{Ran, command, set_author};
use crate::world::{Registry, base, image, path_without, root, unique_name, xtask_in};

const PLATFORMS: &str = "--platform=linux/amd64,linux/arm64";

/// Publishes an index of two small images that this word tells from others; its digest.
fn publish_pair(folder: &Path, reference: &str, word: &str) -> String {
    let dockerfile = format!("FROM scratch\nCOPY Dockerfile /\nLABEL word={word} of={reference}\n");
    fs::write(folder.join("Dockerfile"), dockerfile).unwrap();
    publish(folder, reference, &[PLATFORMS])
}

fn git(clone: &Path, args: &[&str]) -> String {
    let mut git = command("git", clone);
    set_author(&mut git);
    Ran::of(git.args(args)).succeeded().stdout
}

fn update(clone: &Path, args: &[&str]) -> Ran {
    let mut command = xtask_in(clone, &[&["update"], args].concat());
    set_author(&mut command);
    Ran::of(&mut command)
}

/// A clone of this checkout whose Dockerfile is changed so, in a commit of its own.
pub(crate) fn changed_clone(folder: &Path, change: impl Fn(&str) -> String) -> std::path::PathBuf {
    let clone = clone_into(folder);
    let dockerfile = clone.join("docker/Dockerfile.agent");
    let text = fs::read_to_string(&dockerfile).unwrap();
    fs::write(&dockerfile, change(&text)).unwrap();
    git(
        &clone,
        &["commit", "--quiet", "--all", "--message", "start"],
    );
    clone
}

#[test]
fn digests_node_and_rust_move_to_what_a_real_registry_has() {
    let registry = Registry::start();
    let folder = tempfile::tempdir().unwrap();
    let images = format!("{}/{}", registry.address, unique_name());
    let publish =
        |name: &str, word: &str| publish_pair(folder.path(), &format!("{images}/{name}"), word);
    let twenty = publish("node:20-alpine", "one");
    let rust = publish("rust:1.95-alpine3.23", "one");
    let clone = changed_clone(folder.path(), |text| {
        text.replace("docker.io/library", &images)
    });
    let dockerfile = || fs::read_to_string(clone.join("docker/Dockerfile.agent")).unwrap();
    let before = dockerfile();

    let ran = update(&clone, &["bases", "rust", "--check"]);
    assert_eq!(ran.code, Some(4), "{ran:#?}");
    update(&clone, &["bases", "rust", "--commit"]).succeeded();
    let pinned = |reference: &str, digest: &str, text: &str| {
        text.replace(
            &format!("{images}/{reference} "),
            &format!("{images}/{reference}@{digest} "),
        )
    };
    let expected = pinned(
        "node:20-alpine",
        &twenty,
        &pinned("rust:1.95-alpine3.23", &rust, &before),
    );
    assert_eq!(expected.matches("@sha256:").count(), 3);
    assert_eq!(dockerfile(), expected);
    update(&clone, &["bases", "rust", "--check"]).succeeded();

    // The tag goes on, and there are newer ones.
    let twenty = publish("node:20-alpine", "two");
    let rust = publish("rust:1.96-alpine3.23", "two");
    publish("rust:1.96.2-alpine3.23", "two");
    let ran = update(&clone, &["bases", "rust", "--commit"]).succeeded();
    assert!(ran.stdout.contains("1.95.0 → 1.96.2"), "{ran:#?}");
    let text = dockerfile();
    assert_eq!(text.matches(&twenty).count(), 2, "{text}");
    assert!(
        text.contains(&format!("/rust:1.96-alpine3.23@{rust} AS ")),
        "{text}"
    );
    let files = git(&clone, &["show", "--name-only", "--format=", "HEAD"]);
    assert_eq!(
        files,
        "Cargo.toml\ndocker/Dockerfile.agent\nrust-toolchain.toml\n"
    );

    let ran = update(&clone, &["--node", "22"]);
    assert_eq!(ran.code, Some(3), "{ran:#?}");
    assert!(ran.stderr.contains("node:22-alpine`\n  hint: "), "{ran:#?}");
    let other = publish("node:22-alpine", "other");
    update(&clone, &["--node", "22", "--commit"]).succeeded();
    let reference = format!("{images}/node:22-alpine@{other} AS ");
    assert_eq!(dockerfile().matches(&reference).count(), 2);
    assert_eq!(git(&clone, &["status", "--porcelain"]), "");
}

/// The record says that one package was older: apk in the base compares it with what its repository offers.
#[test]
fn a_real_apk_says_which_packages_a_rebuild_would_change() {
    image();
    base();
    let folder = tempfile::tempdir().unwrap();
    let clone = changed_clone(folder.path(), |text| format!("{text}\n"));
    let manifest = clone.join("Cargo.toml");
    let text = fs::read_to_string(&manifest).unwrap();
    let day = text
        .lines()
        .find(|line| line.starts_with("packages = "))
        .unwrap();
    fs::write(&manifest, text.replace(day, "packages = \"2026-01-01\"")).unwrap();
    git(&clone, &["commit", "--quiet", "--all", "--message", "day"]);

    let record = root().join("target/xtask/image.json");
    let built: Value = serde_json::from_slice(&fs::read(record).unwrap()).unwrap();
    let records = clone.join("target/xtask");
    fs::create_dir_all(&records).unwrap();
    let write = |built: &Value| fs::write(records.join("image.json"), built.to_string()).unwrap();
    write(&built);
    let ran = update(&clone, &["packages", "--check"]).succeeded();
    assert!(ran.stdout.contains("nothing: it is current"), "{ran:#?}");

    let mut older = built;
    let packages = older["platforms"][0]["packages"].as_array_mut().unwrap();
    let bash = packages
        .iter_mut()
        .find(|one| one["name"] == "bash")
        .unwrap();
    let now = bash["version"].as_str().unwrap().to_owned();
    bash["version"] = "1.0-r0".into();
    // What a repository has taken back is not newer.
    let jq = packages.iter_mut().find(|one| one["name"] == "jq").unwrap();
    jq["version"] = "999.0-r0".into();
    write(&older);
    let ran = update(&clone, &["packages", "--check"]);
    assert_eq!(ran.code, Some(4), "{ran:#?}");
    let changes = format!("the layer of packages: bash 1.0-r0 → {now}\n");
    assert!(ran.stdout.contains(&changes), "{ran:#?}");
    update(&clone, &["packages", "--commit"]).succeeded();
    let files = git(&clone, &["show", "--numstat", "--format=", "HEAD"]);
    assert_eq!(files, "1\t1\tCargo.toml\n");

    // Without an engine it is not known, and that alone fails nothing.
    let mut command = xtask_in(&clone, &["update", "packages", "--check"]);
    let ran = Ran::of(command.env("PATH", path_without("docker"))).succeeded();
    assert!(ran.stdout.contains("not known"), "{ran:#?}");
}
