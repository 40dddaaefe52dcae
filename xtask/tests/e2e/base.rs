//! The base that the Dockerfile names: by its digest, as bots pin it, and another one for one build.

use std::fs;
use std::path::Path;

use crate::build::{clone_into, publish};
use crate::common::Ran;
use crate::world::{Registry, base, docker, image, inspect, unique_name, xtask_in};

/// Publishes the base under another name, with a label that says which; its digest.
fn publish_base(folder: &Path, reference: &str) -> String {
    let dockerfile = format!("FROM {}\nLABEL base={reference}\n", base());
    fs::write(folder.join("Dockerfile"), dockerfile).unwrap();
    publish(folder, reference, &[])
}

/// Each build takes every step from the cache: the label alone is another.
#[test]
fn the_first_from_is_the_base_pinned_or_replaced() {
    let registry = Registry::start();
    let repository = format!("{}/{}/node", registry.address, unique_name());
    let folder = tempfile::tempdir().unwrap();
    let [twenty, other] = ["20-alpine", "22-alpine"].map(|tag| format!("{repository}:{tag}"));
    let digest = publish_base(folder.path(), &twenty);
    let other_digest = publish_base(folder.path(), &other);
    let pinned = format!("{twenty}@{digest}");

    let clone = clone_into(folder.path());
    let dockerfile = clone.join("docker/Dockerfile.agent");
    let text = fs::read_to_string(&dockerfile).unwrap();
    let official = "docker.io/library/node:20-alpine";
    assert_eq!(text.matches(official).count(), 2);
    fs::write(&dockerfile, text.replace(official, &pinned)).unwrap();

    let tag = "agentgate/agent:e2e-base";
    let layers = |image: &str| inspect(image)["RootFS"]["Layers"].clone();
    let builds = [
        (&[][..], &twenty, &digest),
        (&["--node", "22"][..], &other, &other_digest),
    ];
    for (more, name, digest) in builds {
        let args = [&["image", "--tag", "e2e-base", "--progress", "plain"], more].concat();
        Ran::of(&mut xtask_in(&clone, &args)).succeeded();
        let labels = &inspect(tag)["Config"]["Labels"];
        assert_eq!(labels["base"], **name, "{labels}");
        assert_eq!(
            labels["org.opencontainers.image.base.name"], **name,
            "{labels}"
        );
        assert_eq!(
            labels["org.opencontainers.image.base.digest"], **digest,
            "{labels}"
        );
        assert_eq!(layers(tag), layers(image()));
    }
    docker(&["image", "rm", tag]).succeeded();
}

/// Nobody who develops here can reach Docker Hub, and a commit may pin what it has.
#[test]
fn on_the_test_bed_its_stand_ins_take_the_place_of_what_is_pinned() {
    if std::env::var_os("TESTBED_REGISTRY").is_none() {
        println!("NOT RUN: this is no test bed");
        return;
    }
    let tag = "agentgate/agent:e2e-pinned";
    let folder = tempfile::tempdir().unwrap();
    let clone = clone_into(folder.path());
    let dockerfile = clone.join("docker/Dockerfile.agent");
    let text = fs::read_to_string(&dockerfile).unwrap();
    let official = "docker.io/library/node:20-alpine";
    let pinned = format!("{official}@sha256:{}", "ba5e".repeat(16));
    fs::write(&dockerfile, text.replace(official, &pinned)).unwrap();
    let args = ["image", "--tag", "e2e-pinned", "--progress", "plain"];
    let ran = Ran::of(&mut xtask_in(&clone, &args)).succeeded();
    let note = format!("note: the test bed lacks `{pinned}`");
    assert!(ran.stderr.contains(&note), "{ran:#?}");
    let labels = &inspect(tag)["Config"]["Labels"];
    assert_eq!(
        labels["org.opencontainers.image.base.digest"], "",
        "{labels}"
    );
    let layers = |image: &str| inspect(image)["RootFS"]["Layers"].clone();
    assert_eq!(layers(tag), layers(image()));
    docker(&["image", "rm", tag]).succeeded();
}
