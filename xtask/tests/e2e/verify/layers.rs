//! Where the layers of an image are read from, and what is not read twice.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::indexes::Published;
use crate::build::clone_into;
use crate::common::Ran;
use crate::world::{docker, image, xtask_in};

/// Checks that read every file.
const FILES: &str = "image-size,image-layers,hardening-setuid,hardening-secrets-files";

/// What was seen, and what verify said that it had run.
fn seen(workspace: &Path, args: &[&str]) -> (Vec<Value>, String) {
    let line = ["verify", "--json", "-v", "--only", FILES];
    let ran = Ran::of(&mut xtask_in(workspace, &[&line, args].concat())).succeeded();
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    let results = report["platforms"][0]["results"].as_array().unwrap();
    let results = results.iter().filter(|one| one["status"] != "skipped");
    let seen: Vec<Value> = results.map(|one| one["seen"].clone()).collect();
    assert_eq!(seen.len(), FILES.split(',').count(), "{ran:#?}");
    (seen, ran.stderr)
}

/// What is known of layers: the files, and when each was written.
fn known(workspace: &Path) -> Vec<(PathBuf, std::time::SystemTime)> {
    let files = fs::read_dir(workspace.join("target/xtask/layer-contents")).unwrap();
    let mut files: Vec<_> = files
        .map(|file| {
            let file = file.unwrap();
            (file.path(), file.metadata().unwrap().modified().unwrap())
        })
        .collect();
    files.sort();
    files
}

#[test]
#[ignore = "publishes the image and verifies it twice: `cargo xtask test --all`"]
fn a_published_image_is_read_once_and_not_from_the_engine() {
    let published = Published::new(Some(image()));
    let name = published.index("index", &[&published.good, &published.arm64]);
    let folder = tempfile::tempdir().unwrap();
    let workspace = &clone_into(folder.path());
    let args = ["--pull", "--platform", "linux/amd64", &name];
    let (first, said) = seen(workspace, &args);
    assert!(!said.contains("$ docker save "), "{said}");
    let written = known(workspace);
    assert!(written.len() > 2, "{written:?}");

    let (second, _) = seen(workspace, &args);
    assert_eq!(second, first);
    assert_eq!(known(workspace), written);

    for (path, _) in &written {
        fs::write(path, "damaged").unwrap();
    }
    let (third, _) = seen(workspace, &args);
    assert_eq!(third, first);
    for ((path, _), (again, _)) in written.iter().zip(known(workspace)) {
        assert_eq!(*path, again);
        assert_ne!(fs::read(path).unwrap(), b"damaged");
    }

    // `docker pull` takes a part of an index. The engine's own store has all that the engine has.
    docker(&["pull", "--platform", "linux/amd64", &name]).succeeded();
    let (pulled, said) = seen(workspace, &args[1..]);
    assert_eq!(pulled, first);
    assert!(!said.contains("$ docker save "), "{said}");
    docker(&["image", "rm", &name]).succeeded();
}

/// What a build leaves is enough. A file that is damaged there is read elsewhere.
#[test]
fn a_local_image_is_read_from_what_its_build_has_left() {
    let image = image();
    let folder = tempfile::tempdir().unwrap();
    let workspace = &clone_into(folder.path());
    let tag = "agentgate/agent:e2e-layers";
    let build = ["image", "--tag", "e2e-layers", "--progress", "plain"];
    Ran::of(&mut xtask_in(workspace, &build)).succeeded();
    let blobs = workspace.join("target/xtask/layout/local/blobs/sha256");
    let (first, said) = seen(workspace, &[tag]);
    assert!(!said.contains("$ docker save "), "{said}");
    for file in fs::read_dir(&blobs).unwrap() {
        let path = file.unwrap().path();
        let bytes = fs::read(&path).unwrap();
        fs::remove_file(&path).unwrap();
        fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    }
    fs::remove_dir_all(workspace.join("target/xtask/layer-contents")).unwrap();
    assert_eq!(seen(workspace, &[tag]).0, first);
    // Nobody built it here.
    let other = tempfile::tempdir().unwrap();
    let other = &clone_into(other.path());
    assert_eq!(seen(other, &[image]).0.len(), first.len());
    docker(&["image", "rm", tag]).succeeded();
}
