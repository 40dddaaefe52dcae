//! What a build is made from: the base of the Dockerfile, another Node.js, other build arguments.

use serde_json::json;

use crate::common::Ran;
use crate::registry::{Content, Registry};
use crate::sandbox::{BASE, Sandbox, digest};

const DOCKERFILE: &str = "work/docker/Dockerfile.agent";

#[test]
fn a_build_with_other_arguments_is_not_named_after_the_commit() {
    let sandbox = Sandbox::new();
    for args in [["--node", "22"], ["--build-arg", "RUSTFLAGS=-g"]] {
        let ran = sandbox
            .run(&["image", "--dry-run", args[0], args[1]])
            .succeeded();
        assert!(!ran.stdout.contains(":sha-"), "{ran:#?}");
        assert!(ran.stdout.ends_with(" agentgate/agent:dev\n"), "{ran:#?}");
    }
    let ran = sandbox
        .run(&["image", "--dry-run", "--node", "20"])
        .succeeded();
    assert!(ran.stdout.contains(":sha-"), "{ran:#?}");
    for name in ["IMAGE_REVISION", "IMAGE_BASE", "IMAGE_BASE_DIGEST"] {
        let ran = sandbox.run(&["image", "--build-arg", &format!("{name}=cafe")]);
        assert_eq!(ran.code, Some(2), "{ran:#?}");
        let said = format!("`{name}` comes from the commit");
        assert!(ran.stderr.contains(&said), "{ran:#?}");
    }
}

#[test]
fn the_dockerfile_alone_says_the_base() {
    let sandbox = Sandbox::new();
    let pinned = format!("ghcr.io/me/node:24-alpine3.24@{}", digest("b"));
    sandbox.write(DOCKERFILE, &format!("FROM {pinned} AS agent\n"));
    let ran = sandbox.run(&["image", "--dry-run"]).succeeded();
    let said = "--build-arg 'IMAGE_BASE=ghcr.io/me/node:24-alpine3.24'";
    assert!(ran.stdout.contains(said), "{ran:#?}");
    assert!(!ran.stdout.contains("--build-context"), "{ran:#?}");
    let ran = sandbox
        .run(&["image", "--dry-run", "--node", "22"])
        .succeeded();
    let said = format!("--build-context '{pinned}=docker-image://ghcr.io/me/node:22-alpine3.24'");
    assert!(ran.stdout.contains(&said), "{ran:#?}");

    for (dockerfile, said) in [
        (
            "FROM debian:13\n",
            "the base `debian:13` does not say its Node.js",
        ),
        (
            "FROM scratch\n",
            "`--node` needs a base that `docker/Dockerfile.agent` names in full",
        ),
    ] {
        sandbox.write(DOCKERFILE, dockerfile);
        let ran = sandbox.run(&["image", "--dry-run", "--node", "22"]);
        assert_eq!(ran.code, Some(1), "{ran:#?}");
        assert!(
            ran.stderr.contains(said) && ran.stderr.contains("; hint: "),
            "{ran:#?}"
        );
        sandbox.run(&["image", "--dry-run"]).succeeded();
    }
}

/// A registry with images of these tags, and the digest of each.
fn registry(tags: &[&str]) -> (Registry, Vec<String>) {
    let mut content = Content::default();
    let mut digests = Vec::new();
    for tag in tags {
        let image = content.image(&json!({"tag": tag}));
        content.lead(tag, &image);
        digests.push(image["digest"].as_str().unwrap().to_owned());
    }
    (Registry::with(content), digests)
}

/// A tag may move between two steps of one build, and between the platforms of one index.
#[test]
fn a_tag_is_asked_for_once_and_the_build_gets_its_digest() {
    let sandbox = Sandbox::new();
    let (registry, digests) = registry(&["20-alpine", "22-alpine", "1.95"]);
    let [node, other, rust] = ["node:20-alpine", "node:22-alpine", "rust:1.95"]
        .map(|name| format!("{}/{name}", registry.address));
    let dockerfile = format!("FROM {node} AS a\nFROM {node} AS b\nFROM {rust} AS c\nFROM a AS d\n");
    sandbox.write(DOCKERFILE, &dockerfile);
    let ran = sandbox.run(&["image"]).succeeded();
    assert!(!ran.stderr.contains("is not known"), "{ran:#?}");
    let builds = sandbox.builds();
    for said in [
        format!(
            "--build-context {node}=docker-image://{node}@{} ",
            digests[0]
        ),
        format!(
            "--build-context {rust}=docker-image://{rust}@{} ",
            digests[2]
        ),
        format!(
            "--build-arg IMAGE_BASE={node} --build-arg IMAGE_BASE_DIGEST={} ",
            digests[0]
        ),
    ] {
        assert!(builds[0].contains(&said), "{said} is not in {builds:?}");
    }
    let mut requests = registry.requests();
    requests.retain(|request| !request.ends_with("v2"));
    requests.sort();
    assert_eq!(requests, ["HEAD 1.95", "HEAD 20-alpine"]);

    let ran = sandbox
        .run(&["image", "--dry-run", "--node", "22"])
        .succeeded();
    for said in [
        format!(
            "--build-context '{node}=docker-image://{other}@{}' ",
            digests[1]
        ),
        format!(
            "--build-arg 'IMAGE_BASE={other}' --build-arg 'IMAGE_BASE_DIGEST={}' ",
            digests[1]
        ),
    ] {
        assert!(ran.stdout.contains(&said), "{ran:#?}");
    }
}

/// A registry that is asked in vain: absent, forbidden, or not to be reached at all.
#[test]
fn without_an_answer_the_tag_is_used_and_a_note_says_so() {
    let sandbox = Sandbox::new();
    let (registry, _) = registry(&[]);
    let answers = [("manifests/3".to_owned(), "403 Forbidden", "{}")];
    registry.content().answers.extend(answers);
    for (name, why) in [
        (
            format!("{}/node:2", registry.address),
            "there is no such image",
        ),
        (format!("{}/node:3", registry.address), "403"),
        ("127.0.0.1:1/node:4".to_owned(), "127.0.0.1:1"),
    ] {
        sandbox.write(DOCKERFILE, &format!("FROM {name} AS agent\n"));
        let ran = sandbox.run(&["image", "--dry-run"]).succeeded();
        let note = format!("note: the digest of `{name}` is not known");
        assert!(
            ran.stderr.contains(&note) && ran.stderr.contains(why),
            "{ran:#?}"
        );
        assert!(!ran.stdout.contains("--build-context"), "{ran:#?}");
        assert!(!ran.stdout.contains("IMAGE_BASE_DIGEST"), "{ran:#?}");
        assert!(
            ran.stdout.contains(&format!("'IMAGE_BASE={name}'")),
            "{ran:#?}"
        );
    }
}

/// microsoft/azure-pipelines-tasks#17774: the label had the digest of the tag, whatever FROM pinned.
#[test]
fn what_is_pinned_is_not_asked_for_and_is_the_label() {
    let sandbox = Sandbox::new();
    let (registry, _) = registry(&["20"]);
    let pinned = format!("{}/node:20@{}", registry.address, digest("b"));
    sandbox.write(DOCKERFILE, &format!("FROM {pinned} AS agent\n"));
    let ran = sandbox.run(&["image", "--dry-run"]).succeeded();
    let said = format!("'IMAGE_BASE_DIGEST={}'", digest("b"));
    assert!(ran.stdout.contains(&said), "{ran:#?}");
    assert_eq!(registry.requests(), [""; 0]);

    sandbox.write(DOCKERFILE, "FROM node:20@sha256:1234 AS agent\n");
    let ran = sandbox.run(&["image", "--dry-run"]);
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    let said = "`node:20@sha256:1234` has a bad digest in `docker/Dockerfile.agent`; hint: ";
    assert!(ran.stderr.contains(said), "{ran:#?}");
}

#[test]
fn on_the_test_bed_its_stand_ins_take_the_place_of_docker_hubs_images() {
    let sandbox = Sandbox::new();
    let (registry, digests) = registry(&["20-alpine"]);
    let name = "docker.io/library/node:20-alpine";
    let run = |from: &str| {
        sandbox.write(DOCKERFILE, &format!("FROM {from} AS agent\n"));
        let mut image = sandbox.xtask(&["image", "--dry-run"]);
        Ran::of(image.env("TESTBED_REGISTRY", &registry.address)).succeeded()
    };
    let own = format!("{name}@{}", digests[0]);
    let label = format!("'IMAGE_BASE_DIGEST={}'", digests[0]);
    let ran = run(name);
    let context = format!("--build-context '{name}=docker-image://{own}'");
    assert!(
        ran.stdout.contains(&context) && ran.stdout.contains(&label),
        "{ran:#?}"
    );
    let ran = run(&own);
    assert!(!ran.stdout.contains("--build-context"), "{ran:#?}");
    assert!(ran.stdout.contains(&label), "{ran:#?}");
    // Docker Hub's own image, which no test bed has.
    let ran = run(BASE);
    let context = format!("--build-context '{BASE}=docker-image://{own}'");
    assert!(ran.stdout.contains(&context), "{ran:#?}");
    assert!(!ran.stdout.contains("IMAGE_BASE_DIGEST"), "{ran:#?}");
    assert!(
        ran.stderr
            .contains(&format!("note: the test bed lacks `{BASE}`")),
        "{ran:#?}"
    );
}
