//! What a build is made from: the base of the Dockerfile, another Node.js, other build arguments.

use crate::sandbox::{Sandbox, digest};

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
    for name in ["IMAGE_REVISION", "IMAGE_BASE"] {
        let ran = sandbox.run(&["image", "--build-arg", &format!("{name}=cafe")]);
        assert_eq!(ran.code, Some(2), "{ran:#?}");
        let said = format!("`{name}` comes from the commit");
        assert!(ran.stderr.contains(&said), "{ran:#?}");
    }
}

#[test]
fn the_dockerfile_alone_says_the_base() {
    const DOCKERFILE: &str = "work/docker/Dockerfile.agent";
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
