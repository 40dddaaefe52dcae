//! `pr-N`: the image of a pull request of the same repository, never of a fork's.

use std::fs;

use serde_json::{Value, json};

use super::{Workspace, assert_whole, refused};
use crate::common::Ran;

/// A job of pull request 7, whose branch is at `own`, in `head`; HEAD is what is checked out.
struct Job<'a> {
    workspace: &'a Workspace,
    event: &'a str,
    own: &'a str,
    head: Value,
}

impl Job<'_> {
    fn run(&self, args: &[&str]) -> Ran {
        let workspace = self.workspace;
        let payload = json!({"pull_request": {
            "number": 7,
            "head": {"sha": self.own, "repo": self.head},
            "base": {"sha": "", "repo": {"id": 1, "full_name": "me/agent"}},
        }});
        workspace.write("target/event.json", &payload.to_string());
        let args = [
            &["image", "--json", "--progress", "plain", "--sbom", "off"],
            args,
        ]
        .concat();
        let mut image = workspace.xtask(&args);
        image
            .env("CI", "true")
            .env("GITHUB_EVENT_NAME", self.event)
            .env("GITHUB_EVENT_PATH", workspace.path("target/event.json"))
            .env("GITHUB_REPOSITORY", "me/agent")
            .env("GITHUB_REF", "refs/pull/7/merge")
            // GitHub's own merge of the branch, even where that is checked out instead.
            .env(
                "GITHUB_SHA",
                match workspace.revision() {
                    head if head == self.own => "0".repeat(40),
                    merge => merge,
                },
            );
        Ran::of(&mut image)
    }

    #[track_caller]
    fn push(&self, args: &[&str]) -> Value {
        let ran = self.run(args).succeeded();
        serde_json::from_str(&ran.stdout).unwrap()
    }
}

fn own() -> Value {
    json!({"id": 1, "full_name": "me/agent"})
}

fn nothing_else(workspace: &Workspace) {
    for tag in ["dev", "latest"] {
        assert_eq!(workspace.digest(tag), None, "{tag}");
    }
}

#[test]
fn the_merge_of_a_pull_request_moves_its_tag_and_no_other() {
    let workspace = Workspace::new();
    let zeros = "0".repeat(40);
    let job = Job {
        workspace: &workspace,
        event: "pull_request",
        own: &zeros,
        head: own(),
    };
    let first = job.push(&["--push"]);
    let (digest, index) = workspace.published("pr-7").unwrap();
    assert_whole(&index);
    assert_eq!(first["digest"], *digest);
    let again = job.push(&["--push"]);
    assert_eq!(again["tags"], json!(["present"]), "it is adopted");
    // The next push to the branch, by machines of both platforms: no part of the last is taken.
    workspace.write("content/file", "changed");
    workspace.commit("next");
    refused(
        &job.run(&["--merge"]),
        &["`", "pr-7-linux-amd64` is not published"],
    );
    job.push(&["--push", "--platform", "linux/amd64"]);
    job.push(&["--push", "--platform", "linux/arm64"]);
    assert_eq!(workspace.digest("pr-7").as_ref(), Some(&digest));
    let merged = job.push(&["--merge"]);
    assert_ne!(merged["digest"], *digest);
    assert_eq!(
        workspace.digest("pr-7").as_deref(),
        merged["digest"].as_str()
    );
    workspace.commit("and the next");
    refused(
        &job.run(&["--merge"]),
        &["pr-7-linux-arm64` is not published"],
    );
    assert_eq!(workspace.digest(&workspace.sha_tag()), None);
    nothing_else(&workspace);
}

#[test]
fn its_own_commit_has_the_tag_beside_its_sha() {
    let workspace = Workspace::new();
    let own_commit = workspace.revision();
    let job = |event, head| Job {
        workspace: &workspace,
        event,
        own: &own_commit,
        head,
    };
    let pushed = job("pull_request", own()).push(&["--push"]);
    assert_eq!(pushed["tags"], json!(["pushed", "pushed"]));
    let digest = workspace.digest("pr-7");
    assert_eq!(workspace.digest(&workspace.sha_tag()), digest);
    let again = job("pull_request", own()).push(&["--push"]);
    assert_eq!(again["tags"], json!(["present", "present"]));
    nothing_else(&workspace);
}

#[test]
fn nothing_of_a_fork_is_pushed_whatever_the_token_may() {
    let workspace = Workspace::new();
    let own_commit = workspace.revision();
    let theirs = json!({"id": 2, "full_name": "you/agent"});
    for event in ["pull_request", "pull_request_target"] {
        for head in [&theirs, &Value::Null] {
            let job = Job {
                workspace: &workspace,
                event,
                own: &own_commit,
                head: head.clone(),
            };
            for args in [
                &["--push"][..],
                &["--push", "--platform", "linux/amd64"],
                &["--merge"],
            ] {
                refused(
                    &job.run(args),
                    &["the pull request comes from another repository"],
                );
            }
        }
    }
    let job = Job {
        workspace: &workspace,
        event: "pull_request",
        own: "main",
        head: own(),
    };
    refused(
        &job.run(&["--push"]),
        &["is not known: its head is not a commit"],
    );
    fs::remove_dir_all(workspace.path("target")).unwrap();
    let tag = workspace.sha_tag();
    for tag in [
        "pr-7",
        "pr-7-linux-amd64",
        &tag,
        &format!("{tag}-linux-amd64"),
    ] {
        assert_eq!(workspace.digest(tag), None, "{tag}");
    }
    nothing_else(&workspace);
}
