//! The agent image itself, pushed for both platforms from a clone of the checkout under test.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;

use crate::common::{Ran, command};
use crate::world::{Registry, docker, other_platform, root, unique_name, xtask_in};

/// The digests of all layers of a push.
fn layers(built: &Value) -> BTreeSet<String> {
    let platforms = built["platforms"].as_array().unwrap().iter();
    let layers = platforms.flat_map(|platform| platform["layers"].as_array().unwrap());
    let digests = layers.map(|layer| layer["digest"].as_str().unwrap().to_owned());
    digests.collect()
}

#[test]
fn a_commit_outside_the_image_pushes_no_layer_and_the_index_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let clone = folder.path().join("clone");
    let git = |args: &[&str]| {
        let mut git = command("git", &clone);
        for role in ["AUTHOR", "COMMITTER"] {
            git.env(format!("GIT_{role}_NAME"), "Ada");
            git.env(format!("GIT_{role}_EMAIL"), "ada@example.org");
        }
        Ran::of(git.args(args)).succeeded();
    };
    let mut cloned = command("git", &root());
    Ran::of(cloned.args(["clone", "--quiet", "."]).arg(&clone)).succeeded();
    git(&["checkout", "--quiet", "-B", "main"]);
    let registry = Registry::start();
    let repository = format!("{}/push-test/{}", registry.address, unique_name());
    let args = [
        "image",
        "--push",
        "--json",
        "--progress",
        "plain",
        "--repository",
    ];
    let push = || {
        let ran = Ran::of(xtask_in(&clone, &args).arg(&repository)).succeeded();
        let built: Value = serde_json::from_str(&ran.stdout).unwrap();
        (built, ran.stderr)
    };
    let (first, _) = push();
    assert_eq!(first["platforms"].as_array().unwrap().len(), 2);
    fs::write(clone.join("README.md"), "another").unwrap();
    git(&["commit", "--quiet", "--all", "--message", "another"]);
    let (second, said) = push();
    assert_ne!(first["digest"], second["digest"]);
    assert_eq!(layers(&first), layers(&second));
    let growth = |built: &Value| built["platforms"][0]["growth"].clone();
    assert_eq!((growth(&first), growth(&second)), (Value::Null, 0.into()));
    // For each platform its configuration, its provenance, and that one's own configuration.
    assert!(said.contains("\n6 blobs ("), "{said}");
    let digest = second["digest"].as_str().unwrap();
    let name = format!("{repository}@{digest}");
    let only = "index-platforms,index-attestations,index-complete";
    let receipts = folder.path().join("receipts");
    let mut verify = xtask_in(
        &clone,
        &["verify", "--pull", "--only", only, "--receipt-dir"],
    );
    Ran::of(verify.arg(receipts).arg(name)).succeeded();
    // An image for the engine of layers that the push has made: it starts.
    fs::write(clone.join("docker/etc/gitconfig"), "# another\n").unwrap();
    git(&["commit", "--quiet", "--all", "--message", "a layer"]);
    push();
    let name = unique_name();
    let other = other_platform();
    let args = ["image", "--platform", other, "--repository", &name];
    Ran::of(&mut xtask_in(&clone, &args)).succeeded();
    let image = format!("{name}:dev");
    let run = docker(&["run", "--rm", "--platform", other, &image, "true"]);
    run.succeeded();
    docker(&["rmi", "--force", &image]);
}
