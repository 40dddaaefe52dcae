//! `latest` rolled back, and what is published of each version.

use std::fs;

use serde_json::{Value, json};

use super::Releases;
use crate::push::proxy::{Fault, When};
use crate::push::refused;

#[test]
fn a_version_is_withdrawn_and_every_later_release_leaves_latest() {
    let releases = Releases::new();
    releases.release("1.0.0");
    let second = releases.release("1.1.0");
    let third = releases.release("2.0.0");
    let dry = releases.rollback(&["--dry-run"]).succeeded();
    let plan: Value = serde_json::from_str(&dry.stdout).unwrap();
    assert_eq!(
        (&plan["version"], &plan["digest"]),
        (&"1.1.0".into(), &second.as_str().into())
    );
    assert_eq!(plan["records"][0]["version"], "2.0.0");
    assert_eq!(plan["records"][0]["to"], "withdrawn");
    assert_eq!(releases.digest("latest").as_ref(), Some(&third));
    // Once, and a second time nothing more: the first run may have died half-way.
    for is_written in [true, false] {
        let ran = releases.rollback(&[]).succeeded();
        let report: Value = serde_json::from_str(&ran.stdout).unwrap();
        assert_eq!(report["tags"][0]["written"], is_written, "{report}");
        assert_eq!(releases.digest("latest").as_ref(), Some(&second));
        let record = releases.record("2.0.0").unwrap();
        assert_eq!(
            (&record["state"], &record["sequence"]),
            (&"withdrawn".into(), &2.into())
        );
        assert_eq!(record["reason"], "it leaks");
        assert_eq!(record["latest"], json!({"before": third, "after": second}));
    }
    assert_eq!(releases.digest("v2.0.0").as_ref(), Some(&third));
    // The same release leaves it there, on a machine that has only a clone, unless it is required.
    fs::remove_dir_all(releases.workspace.path("target/xtask")).ok();
    let ran = releases.run(&[]).succeeded();
    assert!(
        ran.stdout
            .contains("it leaks; `--latest require` restores it"),
        "{ran:#?}"
    );
    assert_eq!(releases.digest("latest").as_ref(), Some(&second));
    releases.run(&["--latest", "require"]).succeeded();
    assert_eq!(releases.digest("latest").as_ref(), Some(&third));
    assert_eq!(releases.state("2.0.0"), Some(("restored".to_owned(), 3)));
    releases.rollback(&[]).succeeded();
    assert_eq!(releases.digest("latest").as_ref(), Some(&second));
    assert_eq!(releases.state("2.0.0"), Some(("withdrawn".to_owned(), 4)));
    // A lower version than the withdrawn one moves it, and a higher one.
    for version in ["1.2.0", "2.0.1"] {
        let digest = releases.release(version);
        assert_eq!(releases.digest("latest"), Some(digest));
    }
    // Past what is withdrawn.
    releases.rollback(&[]).succeeded();
    let lower = releases.digest("v1.2.0");
    assert_eq!(releases.digest("latest"), lower);
    releases.rollback(&["--to", "1.1.0"]).succeeded();
    assert_eq!(releases.digest("latest").as_ref(), Some(&second));
    for version in ["2.0.1", "2.0.0", "1.2.0"] {
        let (state, _) = releases.state(version).unwrap();
        assert_eq!(state, "withdrawn", "{version}");
    }
    releases.rollback(&[]).succeeded();
    assert_eq!(releases.digest("latest"), Some(second));
}

#[test]
fn a_rollback_needs_a_reason_and_checks_what_a_release_checks() {
    let releases = Releases::new();
    let first = releases.release("1.0.0");
    let second = releases.release("1.1.0");
    releases.release("2.1.0-rc.1");
    for args in [
        &["--rollback"][..],
        &["--rollback", "--reason", ""],
        &["--rollback", "--reason", "a\nb"],
        &["--reason", "x"],
    ] {
        let ran = releases.run(args);
        assert_eq!(ran.code, Some(2), "{ran:#?}");
    }
    let to = |version: &str| releases.rollback(&["--to", version]);
    refused(&to("9.9.9"), &["git has no tag `v9.9.9`"]);
    refused(&to("2.1.0-rc.1"), &["is a prerelease"]);
    releases.commit("1.0.5");
    refused(&to("1.0.5"), &["v1.0.5` is not published"]);
    let ran = releases.bare(&[
        "--rollback",
        "--to",
        "1.0.0",
        "--sign=cosign.key",
        "--reason",
        "x",
    ]);
    refused(&ran, &["this is not a terminal"]);
    let ran = releases.bare(&["--rollback", "--to", "1.0.0", "--reason", "x"]);
    refused(&ran, &["nobody signs it"]);
    releases
        .workspace
        .git(&["push", "--quiet", "--delete", "origin", "v1.0.0"]);
    refused(&to("1.0.0"), &["`git push origin v1.0.0`"]);
    releases
        .workspace
        .git(&["push", "--quiet", "origin", "v1.0.0"]);
    assert_eq!(releases.digest("latest"), Some(second));
    // The proof is in the registry.
    fs::remove_dir_all(releases.receipts()).unwrap();
    to("1.0.0").succeeded();
    assert_eq!(releases.digest("latest").as_ref(), Some(&first));
    refused(
        &to("1.1.0"),
        &["is at `v1.0.0`, which is lower than `v1.1.0`"],
    );
}

/// A re-run of an old job, the same after somebody deleted the record, and after he put an old one back.
#[test]
fn a_record_that_is_taken_away_or_put_back_changes_nothing() {
    let releases = Releases::new();
    let first = releases.release("1.0.0");
    releases.release("2.0.0");
    let (_, old) = releases.workspace.published("state-v2.0.0").unwrap();
    releases.rollback(&[]).succeeded();
    let (digest, _) = releases.workspace.published("state-v2.0.0").unwrap();
    releases.workspace.put("state-v2.0.0", &old);
    assert_eq!(releases.state("2.0.0"), Some(("released".to_owned(), 1)));
    releases.run(&[]).succeeded();
    assert_eq!(releases.digest("latest").as_ref(), Some(&first));
    // The newest is under its tag again.
    assert_eq!(releases.state("2.0.0"), Some(("withdrawn".to_owned(), 3)));
    let (last, _) = releases.workspace.published("state-v2.0.0").unwrap();
    releases.workspace.delete(&format!("manifests/{last}"));
    assert_eq!(releases.state("2.0.0"), None);
    releases.run(&[]).succeeded();
    assert_eq!(releases.digest("latest"), Some(first));
    assert_eq!(releases.state("2.0.0"), Some(("withdrawn".to_owned(), 3)));
    assert!(releases.workspace.published(&digest).is_some());
}

#[test]
fn what_is_published_without_a_record_does_not_count_until_it_is_adopted() {
    let releases = Releases::new();
    let first = releases.prepare("1.0.0");
    let (_, index) = releases
        .workspace
        .published(&releases.workspace.sha_tag())
        .unwrap();
    for tag in ["v1.0.0", "latest"] {
        releases.workspace.put(tag, &index);
    }
    let second = releases.prepare("0.9.0");
    let dry = releases.run(&["--dry-run"]).succeeded();
    let plan: Value = serde_json::from_str(&dry.stdout).unwrap();
    assert!(
        plan["notes"][0].as_str().unwrap().contains("--adopt"),
        "{plan}"
    );
    // `latest` does not move down, whether what it is at counts or not.
    releases.run(&[]).succeeded();
    assert_eq!(releases.digest("latest").as_ref(), Some(&first));
    assert_eq!(releases.digest("v0.9.0"), Some(second));
    let dry = releases.run(&["--adopt", "--dry-run"]).succeeded();
    let plan: Value = serde_json::from_str(&dry.stdout).unwrap();
    assert_eq!(plan["version"], "1.0.0");
    assert_eq!(releases.record("1.0.0"), None);
    for _ in 0..2 {
        releases.run(&["--adopt"]).succeeded();
        assert_eq!(releases.state("1.0.0"), Some(("released".to_owned(), 1)));
        assert_eq!(releases.digest("latest").as_ref(), Some(&first));
    }
    assert!(
        releases
            .run(&["--dry-run"])
            .succeeded()
            .stdout
            .contains("\"notes\": []")
    );
    refused(
        &releases.run(&["--adopt", "--version", "7.0.0"]),
        &["git has no tag `v7.0.0`"],
    );
}

#[test]
fn a_fault_at_any_request_leaves_latest_where_it_was_or_back() {
    let releases = Releases::new();
    let first = releases.release("1.0.0");
    let second = releases.release("2.0.0");
    releases.proxy.reset(When::Never);
    releases.rollback(&[]).succeeded();
    let requests = releases.proxy.requests().len();
    assert!(requests > 20, "{requests}");
    let step = if super::faults::is_all() { 1 } else { 19 };
    for number in (0..requests).step_by(step) {
        releases.proxy.reset(When::Never);
        releases.run(&["--latest", "require"]).succeeded();
        assert_eq!(releases.digest("latest").as_ref(), Some(&second));
        let fault = [Fault::Hangup, Fault::CutAnswer, Fault::CutBody][number / step % 3];
        releases.proxy.reset(When::From(number, fault));
        let ran = releases.rollback(&["--retry-for", "0"]);
        assert_eq!(ran.code, Some(1), "{fault:?} at {number}: {ran:#?}");
        let latest = releases.digest("latest");
        assert!([Some(&first), Some(&second)].contains(&latest.as_ref()));
        let (state, _) = releases.state("2.0.0").unwrap();
        let is_back = latest.as_ref() == Some(&first);
        assert!(state == "withdrawn" || !is_back, "{fault:?} at {number}");
        releases.proxy.reset(When::Never);
        releases.rollback(&[]).succeeded();
        assert_eq!(releases.digest("latest").as_ref(), Some(&first));
        assert_eq!(releases.state("2.0.0").unwrap().0, "withdrawn");
    }
}

#[test]
fn the_status_has_every_version_and_changes_nothing() {
    let releases = Releases::new();
    let first = releases.release("1.0.0");
    let second = releases.release("2.0.0");
    releases.commit("2.1.0");
    releases.workspace.git(&["tag", "--delete", "v1.0.0"]);
    let status = |more: &[&str]| {
        releases.proxy.reset(When::Never);
        let ran = releases.bare(&[&["--status"], more].concat()).succeeded();
        let requests = releases.proxy.requests();
        let is_read = |line: &String| line.starts_with("GET") || line.starts_with("HEAD");
        assert!(requests.iter().all(is_read), "{requests:?}");
        serde_json::from_str::<Value>(&ran.stdout).unwrap()
    };
    let report = status(&[]);
    assert_eq!(report["latest"], *second);
    let versions = report["versions"].as_array().unwrap();
    let names: Vec<&Value> = versions.iter().map(|row| &row["version"]).collect();
    assert_eq!(names, ["2.1.0", "2.0.0", "1.0.0"]);
    assert_eq!(versions[0]["digest"], Value::Null);
    assert_eq!(versions[1]["digest"], *second);
    assert_eq!(versions[1]["latest"], true);
    assert_eq!(versions[1]["state"], "released");
    let platforms = versions[1]["platforms"].as_array().unwrap();
    assert_eq!(platforms.len(), 2);
    for platform in platforms {
        assert_eq!(platform["proven_by"], "the key `cosign.pub`");
    }
    assert_eq!(versions[2]["digest"], *first);
    // Without git's tag nobody knows which commit it should be.
    assert_eq!(versions[2]["revision"], Value::Null);
    for patch in 1..10 {
        releases.workspace.git(&["tag", &format!("v0.0.{patch}")]);
    }
    assert_eq!(status(&[])["left_out"], 2);
    assert_eq!(status(&["--all"])["left_out"], 0);
}
