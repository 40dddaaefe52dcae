//! ci.yml and pull-request.yml: what a change is checked with, and what it must not get at.

use std::fs;

use serde_json::json;

use super::github::Github;
use super::run::{Run, TOKEN, succeeded};

/// The run of a pull request's merge commit, as GitHub makes one.
fn pull_request<'a>(github: &'a Github, workflow: &'a str, from: &str) -> (Run<'a>, String) {
    let git = |args: &[&str]| github.workspace.git(args);
    git(&["checkout", "--quiet", "-b", "topic"]);
    github.workspace.write("content/file", "changed");
    github.workspace.commit("a change");
    let head = github.workspace.revision();
    let base = github.workspace.git(&["rev-parse", "main"]);
    git(&["checkout", "--quiet", "--detach", "main"]);
    git(&["merge", "--quiet", "--no-ff", "--message", "Merge", "topic"]);
    let merge = github.workspace.revision();
    git(&["update-ref", "refs/pull/7/merge", "HEAD"]);
    github.push("refs/pull/7/merge");
    git(&["checkout", "--quiet", "main"]);
    let is_fork = |name: &str| name != github.name;
    let repo = |name: &str| json!({"id": 1 + u8::from(is_fork(name)), "full_name": name, "fork": is_fork(name)});
    let payload = json!({
        "action": "opened",
        "number": 7,
        "pull_request": {
            "number": 7,
            "user": {"login": "mallory"},
            "head": {"ref": "topic", "sha": head, "repo": repo(from)},
            "base": {"ref": "main", "sha": base, "repo": repo(&github.name)},
        },
    });
    (
        github.run(workflow, "pull_request", "refs/pull/7/merge", payload),
        merge,
    )
}

/// The tests of a fork's change are whatever the fork wants: they get no secret, no token and nothing
/// to write to (docker/build-push-action#751, #870 are about what fails where they need one).
#[test]
fn a_pull_request_of_a_fork_is_tested_without_any_token() {
    let github = Github::new();
    let (run, merge) = pull_request(&github, "ci.yml", "mallory/agent");
    succeeded(&run.start(&["READ_ONLY_TOKEN=1"]));
    let log = run.read("log");
    assert!(log.ends_with("test: cargo xtask test\n"), "{log}");
    assert_eq!(fs::read_to_string(run.kept("head")).unwrap().trim(), merge);
    let seen = run.read("env-test");
    assert!(seen.contains("GITHUB_EVENT_NAME=pull_request"), "{seen}");
    for secret in [TOKEN, "ACTIONS_RUNTIME_TOKEN", "extraheader", "\"auth\""] {
        assert!(!seen.contains(secret), "`{secret}`: {seen}");
    }
    assert_eq!(github.gate.requests(), [""; 0]);
}

#[test]
fn a_pull_request_of_the_repository_gets_an_image_and_a_forks_gets_none() {
    let github = Github::new();
    let (run, _) = pull_request(&github, "pull-request.yml", &github.name);
    run.succeeds();
    assert!(github.digest("pr-7").is_some());
    assert_eq!(github.digest("dev"), None);
    let seen = run.read("env-pull-request");
    assert!(seen.contains("GITHUB_EVENT_NAME=pull_request"), "{seen}");
    assert!(!seen.contains(TOKEN), "{seen}");

    let github = Github::new();
    let (run, _) = pull_request(&github, "pull-request.yml", "mallory/agent");
    run.succeeds();
    assert_eq!(github.gate.requests(), [""; 0]);
    assert_eq!(run.read("log"), "");
}

#[test]
fn a_push_and_each_night_are_tested() {
    let github = Github::new();
    let run = github.on_push("ci.yml", "refs/heads/main");
    run.succeeds();
    assert!(
        run.read("log").ends_with("test: cargo xtask test\n"),
        "{}",
        run.read("log")
    );
    let night = github.run(
        "ci.yml",
        "schedule",
        "main",
        json!({"schedule": "43 2 * * *"}),
    );
    night.succeeds();
    assert!(
        night.read("log").ends_with("cargo xtask test --all\n"),
        "{}",
        night.read("log")
    );
}

#[test]
fn a_change_starts_its_tests_and_its_image_alone() {
    let github = Github::new();
    let started = ["ci.yml", "pull-request.yml"];
    assert_eq!(github.started_by("pull_request"), started);
    assert_eq!(github.started_by("merge_group"), ["ci.yml"]);
    let by_hand = github.started_by("workflow_dispatch");
    for name in ["audit.yml", "image.yml", "release.yml"] {
        assert!(by_hand.iter().any(|one| one == name), "{by_hand:?}");
    }
}

/// What GitHub would only warn about: a name that is spelt wrong does nothing, for years.
#[test]
fn an_input_that_an_action_does_not_know_fails() {
    let github = Github::new();
    let ci = github.workspace.path(".github/workflows/ci.yml");
    let text = fs::read_to_string(&ci).unwrap();
    let text = text.replace("persist-credentials:", "persist-credential:");
    fs::write(ci, text).unwrap();
    github.workspace.commit("misspelt");
    github.push("main");
    let run = github.on_push("ci.yml", "refs/heads/main");
    let ran = run.start(&[]);
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    assert!(
        ran.stdout
            .contains("unknown input: INPUT_PERSIST-CREDENTIAL"),
        "{ran:#?}"
    );
}
