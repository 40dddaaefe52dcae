//! `cargo xtask release`: small made-up images in a real registry, and a real git remote.

mod attacks;
mod audit;
mod beside;
mod copies;
pub(crate) mod cosign;
mod faults;
mod github;
mod question;
mod receipt;
mod rollback;
mod scene;
mod signing;

use std::fs;

use serde_json::{Value, json};

pub(crate) use self::receipt::{proof, receipt};
pub(crate) use self::scene::{Releases, digest};
use crate::common::Ran;
use crate::push::refused;

#[test]
fn versions_are_written_once_and_latest_never_goes_down() {
    let releases = Releases::new();
    let first = releases.release("1.0.0");
    assert_eq!(releases.digest("v1.0.0").as_ref(), Some(&first));
    assert_eq!(releases.digest("latest").as_ref(), Some(&first));
    let old = releases.workspace.revision();
    // Again: nothing is written, and no receipt is needed.
    fs::remove_dir_all(releases.receipts()).unwrap();
    releases.proxy.reset(crate::push::proxy::When::Never);
    let again = releases.run(&[]).succeeded();
    let report: Value = serde_json::from_str(&again.stdout).unwrap();
    assert_eq!(report["tags"][1]["written"], false, "{report}");
    let requests = releases.proxy.requests();
    assert!(
        !requests.iter().any(|line| line.starts_with("PUT")),
        "{requests:?}"
    );
    let second = releases.release("2.0.0");
    assert_eq!(releases.digest("latest").as_ref(), Some(&second));
    // A prerelease, and a backport from the old commit.
    releases.release("2.1.0-rc.1");
    assert_eq!(releases.digest("latest").as_ref(), Some(&second));
    releases.workspace.git(&["checkout", "--quiet", &old]);
    let backport = releases.release("1.0.1");
    assert_eq!(releases.digest("v1.0.1"), Some(backport));
    assert_eq!(releases.digest("latest").as_ref(), Some(&second));
    let ran = releases.run(&["--latest", "require"]);
    refused(&ran, &["the higher version `v2.0.0` is published"]);
    assert_eq!(releases.digest("v1.0.0").as_ref(), Some(&first));
    let record = releases.record("2.0.0").unwrap();
    assert_eq!(record["state"], "released");
    assert_eq!(record["digest"], *second);
    assert_eq!(record["latest"], json!({"before": first, "after": second}));
    for version in ["1.0.0", "1.0.1", "2.0.0", "2.1.0-rc.1"] {
        let state = releases.state(version);
        assert_eq!(state, Some(("released".to_owned(), 1)), "{version}");
    }
}

#[test]
fn a_version_whose_git_tag_moved_is_refused() {
    let releases = Releases::new();
    let first = releases.release("1.0.0");
    releases.workspace.commit("another");
    releases.workspace.git(&["tag", "--force", "v1.0.0"]);
    let ran = releases.run(&["--dry-run"]);
    let parts = ["is not published", "on the remote `origin`, and to"];
    refused(&ran, &parts);
    releases
        .workspace
        .git(&["push", "--quiet", "--force", "origin", "v1.0.0"]);
    releases.publish("1.0.0");
    refused(&releases.run(&[]), &["published with another digest"]);
    assert_eq!(releases.digest("v1.0.0").as_ref(), Some(&first));
    assert_eq!(releases.digest("latest"), Some(first));
}

#[test]
fn all_that_is_wrong_is_said_at_once_and_nothing_is_written() {
    let releases = Releases::new();
    releases.commit("1.0.0");
    releases
        .workspace
        .git(&["push", "--quiet", "--delete", "origin", "v1.0.0"]);
    releases.publish("1.0.0");
    fs::remove_dir_all(releases.receipts()).unwrap();
    releases.workspace.write("stray", "x");
    let parts = [
        "the tree differs from the commit (`stray`)",
        "`git push origin v1.0.0`",
        "no proof of linux/amd64 is believed: there is no `",
        "no proof of linux/arm64 is believed: there is no `",
    ];
    refused(&releases.run(&[]), &parts);
    assert_eq!(releases.digest("v1.0.0"), None);
    assert_eq!(releases.digest("latest"), None);
}

#[test]
fn nothing_is_released_without_a_yes() {
    let releases = Releases::new();
    let digest = releases.prepare("1.0.0");
    let receipts = releases.receipts();
    let receipts = receipts.to_str().unwrap();
    let args = ["release", "--sign=cosign.key", "--receipt-dir", receipts];
    let ran = Ran::of(&mut releases.xtask(&args));
    refused(&ran, &["this is not a terminal"]);
    let dry = releases.run(&["--dry-run"]).succeeded();
    let plan: Value = serde_json::from_str(&dry.stdout).unwrap();
    assert_eq!(plan["steps"][0]["to"], *digest);
    assert_eq!(plan["steps"][1]["tag"], "latest");
    assert_eq!(plan["attach"].as_array().unwrap().len(), 2, "{plan}");
    assert_eq!(plan["attach"][0]["by"], "the key `cosign.pub`");
    assert_eq!(plan["records"][0]["to"], "released");
    assert_eq!(plan["sign"][0]["digests"][0], *digest);
    assert_eq!(releases.digest("v1.0.0"), None);
}

#[test]
fn a_version_that_is_not_at_head_is_released_from_anywhere() {
    let releases = Releases::new();
    let first = releases.prepare("1.0.0");
    releases.workspace.commit("later");
    releases
        .workspace
        .write("stray", "nothing depends on the tree");
    refused(&releases.run(&[]), &["no git tag at HEAD is a version"]);
    refused(
        &releases.run(&["--version", "9.0.0"]),
        &["git has no tag `v9.0.0`"],
    );
    releases.run(&["--version", "v1.0.0"]).succeeded();
    assert_eq!(releases.digest("v1.0.0").as_ref(), Some(&first));
    assert_eq!(releases.digest("latest"), Some(first));
    // A tag on a commit whose manifest says another version.
    releases.workspace.git(&["tag", "v1.0.1", "v1.0.0"]);
    releases
        .workspace
        .git(&["push", "--quiet", "origin", "v1.0.1"]);
    let parts = ["the git tag says `1.0.1`, Cargo.toml of its commit says `1.0.0`"];
    refused(&releases.run(&["--version", "1.0.1"]), &parts);
}

#[test]
fn in_github_actions_a_release_says_what_it_did() {
    let releases = Releases::new();
    let digest = releases.prepare("1.0.0");
    let path = |name: &str| releases.workspace.path(&format!("target/{name}"));
    let mut release = releases.command(&[]);
    release.env("GITHUB_OUTPUT", path("output"));
    release.env("GITHUB_STEP_SUMMARY", path("summary"));
    Ran::of(&mut release).succeeded();
    let outputs = fs::read_to_string(path("output")).unwrap();
    let repository = releases.workspace.repository();
    for part in [
        "1.0.0",
        &digest,
        &format!("{repository}:v1.0.0\n{repository}:latest\n"),
        "latest-moved",
        "true",
    ] {
        assert!(outputs.contains(part), "`{part}` is not in {outputs}");
    }
    let summary = fs::read_to_string(path("summary")).unwrap();
    for part in [
        "### Release v1.0.0",
        &format!("| `{repository}:latest` | `{digest}` | moved |"),
        "| linux/arm64 | `sha256:",
        "` | 7 B |",
        &format!("docker pull {repository}@{digest}\n"),
    ] {
        assert!(summary.contains(part), "`{part}` is not in {summary}");
    }
    let mut audit = releases.xtask(&["audit"]);
    audit.env("GITHUB_STEP_SUMMARY", path("summary"));
    Ran::of(&mut audit).succeeded();
    let summary = fs::read_to_string(path("summary")).unwrap();
    assert!(summary.contains("### Audit"), "{summary}");
}

#[test]
fn a_latest_that_was_moved_by_hand_is_mended_but_not_taken_down() {
    let releases = Releases::new();
    let first = releases.release("1.0.0");
    let second = releases.release("1.1.0");
    let (_, index) = releases.workspace.published("v1.0.0").unwrap();
    releases.workspace.put("latest", &index);
    assert_eq!(releases.digest("latest"), Some(first));
    releases.run(&[]).succeeded();
    assert_eq!(releases.digest("latest").as_ref(), Some(&second));
    // To a higher version, which is published under no version's tag.
    let higher = releases.prepare("3.0.0");
    let (_, index) = releases
        .workspace
        .published(&releases.workspace.sha_tag())
        .unwrap();
    releases.workspace.put("latest", &index);
    releases.release("1.2.0");
    assert_eq!(releases.digest("latest"), Some(higher));
}
