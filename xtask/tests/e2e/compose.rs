//! docker-compose.yml: valid, builds the agent image, and runs it the contract's way.

use crate::common::{Ran, command};
use crate::world::{built, docker, root};

/// `docker compose` for a project of this test's own, so that nobody else's is touched.
fn compose(args: &[&str]) -> Ran {
    let mut line = command("docker", &root());
    line.args(["compose", "--project-name", "agentgate-e2e"])
        .args(args);
    let workspace = root().join("target/e2e-compose");
    std::fs::create_dir_all(&workspace).unwrap();
    Ran::of(line.env("AGENTGATE_WORKSPACE", workspace))
}

#[test]
fn the_builder_profile_builds_and_the_sandbox_gets_healthy() {
    built();
    compose(&["--profile", "build", "build"]).succeeded();
    let up = compose(&["up", "--detach", "--wait", "agent"]);
    let who = compose(&["exec", "-T", "agent", "whoami"]);
    let down = compose(&["down", "--volumes", "--timeout", "5"]);
    up.succeeded();
    assert_eq!(who.succeeded().stdout, "agentgate\n");
    down.succeeded();
    let left = docker(&[
        "ps",
        "--all",
        "--quiet",
        "--filter",
        "label=com.docker.compose.project=agentgate-e2e",
    ]);
    assert_eq!(left.succeeded().stdout, "");
}

#[test]
fn the_server_has_the_seeds_settings() {
    let config = compose(&["--profile", "*", "config", "--format", "json"])
        .succeeded()
        .stdout;
    let config: serde_json::Value = serde_json::from_str(&config).unwrap();
    let server = &config["services"]["server"];
    assert_eq!(server["environment"]["AGENTGATE_SANDBOX_PROVIDER"], "auto");
    assert_eq!(
        server["environment"]["AGENTGATE_SANDBOX_IMAGE"],
        "agentgate/agent:latest"
    );
    assert_eq!(
        config["services"]["agent-builder"]["image"],
        "agentgate/agent:dev"
    );
}
