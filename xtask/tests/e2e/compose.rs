//! docker-compose.yml: valid, builds the agent image, and runs it the contract's way.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crate::common::{Ran, command};
use crate::world::{built, docker, root};

/// The image that Compose builds here; the other tests run another one.
const IMAGE: &str = "agentgate/agent:e2e-compose";

/// `docker compose` for a project of this test's own, so that nobody else's is touched.
fn compose(args: &[&str]) -> Ran {
    let folder = root().join("target/e2e-compose");
    let workspace = folder.join("workspace");
    fs::create_dir_all(&workspace).unwrap();
    // Writable for the user of the sandbox, which would be unhealthy otherwise.
    fs::set_permissions(&workspace, fs::Permissions::from_mode(0o777)).unwrap();
    let renamed = folder.join("compose.yml");
    let services = format!("services: {{ agent-builder: {{ image: {IMAGE} }} }}\n");
    fs::write(&renamed, services).unwrap();
    let mut line = command("docker", &root());
    line.args([
        "compose",
        "--project-name",
        "agentgate-e2e",
        "--file",
        "docker-compose.yml",
    ]);
    line.arg("--file").arg(renamed).args(args);
    line.env("AGENTGATE_WORKSPACE", workspace)
        .env("AGENTGATE_SANDBOX_IMAGE", IMAGE);
    Ran::of(&mut line)
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
    assert_eq!(compose(&["ps", "--all", "--quiet"]).succeeded().stdout, "");
    docker(&["image", "rm", IMAGE]).succeeded();
}

#[test]
fn the_server_has_the_specifications_settings() {
    let line = ["compose", "--profile", "*", "config", "--format", "json"];
    let config = docker(&line).succeeded().stdout;
    let config: serde_json::Value = serde_json::from_str(&config).unwrap();
    let server = &config["services"]["server"];
    assert_eq!(server["environment"]["AGENTGATE_SANDBOX_PROVIDER"], "auto");
    assert_eq!(
        server["environment"]["AGENTGATE_SANDBOX_IMAGE"],
        "agentgate/agent:latest"
    );
    let builder = &config["services"]["agent-builder"];
    assert_eq!(builder["image"], "agentgate/agent:dev");
}
