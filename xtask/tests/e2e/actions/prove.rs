//! prove.yml, called from a repository of somebody else as docs/ci-example.md has it.

use std::fs;

use super::github::Github;
use super::run::{Run, TOKEN};
use super::signing;
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
        let [example, _] = examples();
        let zeros = format!("prove.yml@{}", "0".repeat(40));
        let example = example
            .replace(&zeros, &format!("prove.yml@{commit}"))
            .replace("v0.2.13", version);
        self.agent(publisher, &example, digest)
            .calls(publisher, commit)
    }

    /// [`Github::uses`] with the job that checks the published proof instead, by a key.
    pub(super) fn trusts<'a>(&'a self, publisher: &Github, digest: &str) -> Run<'a> {
        let [example, check] = examples();
        let (head, rest) = example.split_once("  prove:\n").unwrap();
        let (_, jobs) = rest.split_once("  use:\n").unwrap();
        let jobs = jobs.replace("needs: prove", "needs: check");
        let key = signing::key().with_extension("pub");
        let by_key = format!(
            "{}--key {} --insecure-ignore-tlog \\",
            " ".repeat(12),
            key.display()
        );
        let lines = check.lines().filter_map(|line| {
            let is_first = line.contains("--certificate-identity-regexp");
            let is_other = line.contains("--certificate-") && !is_first;
            let line = if is_first { &by_key } else { line };
            (!is_other).then_some(line)
        });
        let check: Vec<&str> = lines.collect();
        assert_eq!(check.len() + 2, examples()[1].lines().count(), "{check:#?}");
        let example = format!("{head}{}\n  use:\n{jobs}", check.join("\n"));
        self.agent(publisher, &example, digest).only("check")
    }

    /// Pushes a workflow of the page, for an image that another repository publishes.
    fn agent<'a>(&'a self, publisher: &Github, example: &str, digest: &str) -> Run<'a> {
        let image = format!("{}/{}@{digest}", publisher.gate.address, publisher.name);
        let zeros = format!("ghcr.io/OWNER/NAME@sha256:{}", "0".repeat(64));
        let example = example
            .replace(&zeros, &image)
            .replace("OWNER/NAME", &publisher.name);
        assert!(
            !example.contains("OWNER") && !example.contains("0000000"),
            "{example}"
        );
        self.workspace
            .write(".github/workflows/agent.yml", &example);
        self.workspace.commit("use the image");
        self.push("main");
        self.on_push("agent.yml", "refs/heads/main")
    }
}

/// What docs/ci-example.md has: the workflow, and the job that checks a published proof.
fn examples() -> [String; 2] {
    let page = fs::read_to_string(root().join("docs/ci-example.md")).unwrap();
    let blocks = page.split("```yaml\n").skip(1);
    let blocks: Vec<String> = blocks
        .map(|block| block.split("```\n").next().unwrap().to_owned())
        .collect();
    blocks.try_into().unwrap()
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
