//! `latest` rolled back, and what is published of each version.

use std::fs;

use serde_json::Value;

use super::Releases;
use crate::push::proxy::{Fault, When};
use crate::push::refused;

#[test]
fn latest_goes_back_to_where_it_was_and_stays_there() {
    let releases = Releases::new();
    releases.release("1.0.0");
    let second = releases.release("1.1.0");
    let third = releases.release("2.0.0");
    let dry = releases.run(&["--rollback", "--dry-run"]).succeeded();
    let plan: Value = serde_json::from_str(&dry.stdout).unwrap();
    assert_eq!(
        (&plan["version"], &plan["digest"]),
        (&"1.1.0".into(), &second.as_str().into())
    );
    assert_eq!(releases.digest("latest").as_ref(), Some(&third));
    // Once, and a second time nothing more: the first run may have died half-way.
    for is_written in [true, false] {
        let ran = releases.run(&["--rollback"]).succeeded();
        let report: Value = serde_json::from_str(&ran.stdout).unwrap();
        assert_eq!(report["tags"][0]["written"], is_written, "{report}");
        assert_eq!(releases.digest("latest").as_ref(), Some(&second));
    }
    assert_eq!(releases.digest("v2.0.0").as_ref(), Some(&third));
    // The same release leaves it there, unless it is required.
    releases.run(&[]).succeeded();
    assert_eq!(releases.digest("latest").as_ref(), Some(&second));
    releases.run(&["--latest", "require"]).succeeded();
    assert_eq!(releases.digest("latest").as_ref(), Some(&third));
    releases.run(&["--rollback"]).succeeded();
    assert_eq!(releases.digest("latest"), Some(second));
    // A higher version moves it.
    let fourth = releases.release("2.0.1");
    assert_eq!(releases.digest("latest"), Some(fourth));
}

#[test]
fn without_a_journal_the_registry_says_where_to_or_somebody_must() {
    let releases = Releases::new();
    let first = releases.release("1.0.0");
    let second = releases.release("1.1.0");
    releases.release("2.0.0");
    releases.release("2.1.0-rc.1");
    fs::remove_dir_all(releases.journals()).unwrap();
    releases.run(&["--rollback"]).succeeded();
    assert_eq!(releases.digest("latest").as_ref(), Some(&second));
    fs::remove_dir_all(releases.journals()).unwrap();
    refused(
        &releases.run(&["--rollback"]),
        &["no journal here says where"],
    );
    let to = |version: &str| releases.run(&["--rollback", "--to", version]);
    refused(&to("9.9.9"), &["git has no tag `v9.9.9`"]);
    refused(&to("2.1.0-rc.1"), &["is a prerelease"]);
    refused(
        &to("2.0.0"),
        &["is at `v1.1.0`, which is lower than `v2.0.0`"],
    );
    releases.commit("1.0.5");
    refused(&to("1.0.5"), &["v1.0.5` is not published"]);
    // The same checks as for a release.
    let ran = releases.bare(&["--rollback", "--to", "1.0.0"]);
    refused(&ran, &["this is not a terminal"]);
    releases
        .workspace
        .git(&["push", "--quiet", "--delete", "origin", "v1.0.0"]);
    refused(&to("1.0.0"), &["`git push origin v1.0.0`"]);
    releases
        .workspace
        .git(&["push", "--quiet", "origin", "v1.0.0"]);
    fs::rename(releases.receipts(), releases.workspace.path("target/away")).unwrap();
    refused(&to("1.0.0"), &["no receipt proves linux/amd64"]);
    fs::rename(releases.workspace.path("target/away"), releases.receipts()).unwrap();
    assert_eq!(releases.digest("latest"), Some(second));
    to("1.0.0").succeeded();
    assert_eq!(releases.digest("latest"), Some(first));
}

#[test]
fn a_fault_at_any_request_leaves_latest_where_it_was_or_back() {
    let releases = Releases::new();
    let first = releases.release("1.0.0");
    let second = releases.release("2.0.0");
    releases.proxy.reset(When::Never);
    releases.run(&["--rollback"]).succeeded();
    let requests = releases.proxy.requests().len();
    assert!(requests > 5);
    for number in 0..requests {
        releases.proxy.reset(When::Never);
        releases.run(&["--latest", "require"]).succeeded();
        assert_eq!(releases.digest("latest").as_ref(), Some(&second));
        let fault = [Fault::Hangup, Fault::CutAnswer, Fault::CutBody][number % 3];
        releases.proxy.reset(When::From(number, fault));
        let ran = releases.run(&["--rollback", "--retry-for", "0"]);
        assert_eq!(ran.code, Some(1), "{fault:?} at {number}: {ran:#?}");
        let latest = releases.digest("latest");
        assert!([Some(&first), Some(&second)].contains(&latest.as_ref()));
        releases.proxy.reset(When::Never);
        releases.run(&["--rollback"]).succeeded();
        assert_eq!(releases.digest("latest").as_ref(), Some(&first));
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
        let receipts = releases.receipts();
        let args = ["--status", "--receipt-dir", receipts.to_str().unwrap()];
        releases.proxy.reset(When::Never);
        let ran = releases.bare(&[&args, more].concat()).succeeded();
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
    assert_eq!(versions[1]["proven"].as_array().unwrap().len(), 2);
    assert_eq!(versions[2]["digest"], *first);
    // Without git's tag nobody knows which commit it should be.
    assert_eq!(versions[2]["revision"], Value::Null);
    for patch in 1..10 {
        releases.workspace.git(&["tag", &format!("v0.0.{patch}")]);
    }
    assert_eq!(status(&[])["left_out"], 2);
    assert_eq!(status(&["--all"])["left_out"], 0);
}
