//! prove.yml, called from a repository of somebody else as docs/ci-example.md has it.

use std::fs;

use super::github::Github;
use super::run::{Run, TOKEN};
use crate::world::root;

impl Github {
    /// The workflow of docs/ci-example.md on the main branch of this repository, for an image that
    /// another one publishes at `commit` as `version`.
    pub(super) fn uses<'a>(
        &'a self,
        publisher: &'a Github,
        version: &str,
        commit: &str,
        digest: &str,
    ) -> Run<'a> {
        let page = fs::read_to_string(root().join("docs/ci-example.md")).unwrap();
        let (_, rest) = page.split_once("```yaml\n").unwrap();
        let (example, _) = rest.split_once("```\n").unwrap();
        let image = format!("{}/{}@{digest}", publisher.gate.address, publisher.name);
        let of = |text: &str, zeros| format!("{text}{}", "0".repeat(zeros));
        let example = example
            .replace(&of("ghcr.io/OWNER/NAME@sha256:", 64), &image)
            .replace(&of("prove.yml@", 40), &format!("prove.yml@{commit}"))
            .replace("OWNER/NAME", &publisher.name)
            .replace("v0.2.13", version);
        assert!(
            !example.contains("OWNER") && !example.contains("0000000"),
            "{example}"
        );
        self.workspace
            .write(".github/workflows/agent.yml", &example);
        self.workspace.commit("use the image");
        self.push("main");
        self.on_push("agent.yml", "refs/heads/main")
            .calls(publisher, commit)
    }
}

#[test]
fn another_repository_proves_a_version_at_the_commit_of_the_version() {
    let publisher = Github::new();
    let version = publisher.tag("1.0.0");
    publisher.at_a_desk(&["image", "--push"]).succeeded();
    let commit = publisher.workspace.revision();
    let digest = publisher.digest(&publisher.workspace.sha_tag()).unwrap();
    publisher.workspace.commit("later");
    publisher.push("main");
    publisher.gate.make_public();
    publisher.gate.requests();

    let user = Github::new();
    let run = user
        .uses(&publisher, &version, &commit, &digest)
        .only("prove");
    run.succeeds();
    let log = run.read("log");
    for platform in ["linux/amd64", "linux/arm64"] {
        let image = format!("{}/{}@{digest}", publisher.gate.address, publisher.name);
        let line = format!("prove: cargo xtask verify --pull {image} --platform {platform}\n");
        assert_eq!(log.matches(&line).count(), 1, "{log}");
    }
    assert_eq!(run.read("head").trim(), commit);
    let seen = run.read("env-prove");
    for secret in [TOKEN, "ACTIONS_RUNTIME_TOKEN", "extraheader", "\"auth\""] {
        assert!(!seen.contains(secret), "`{secret}`: {seen}");
    }
    let requests = publisher.gate.requests();
    let is_nobody = |request: &String| request.starts_with("nobody ");
    assert!(
        !requests.is_empty() && requests.iter().all(is_nobody),
        "{requests:?}"
    );
    assert_eq!(publisher.digest("stolen"), None);

    let ran = run.start(&["VERIFY_FAILS=linux/arm64"]);
    assert_eq!(ran.code, Some(1), "{ran:#?}");
}
