//! A receipt holds for what it was written for, and for nothing else.

use super::*;
use crate::receipt::tests::{digest, good, outcome};

const CHECKS: [&str; 2] = ["seed-3-node", "image-growth"];
const REVISION: &str = "1ceb56ba0b8b8c4c6882fec8ea36ba45328c3269";

fn judged(receipt: &Receipt, change: impl FnOnce(&mut Required)) -> Vec<Refusal> {
    let (index, manifest, check_set) = (digest("index"), digest("amd64"), digest("checks"));
    let mut wanted = Required {
        name: "ghcr.io/me/agent:v1.0.0",
        index: Some(&index),
        manifest: Some(&manifest),
        platform: Some(Platform::LinuxAmd64),
        revision: Some(REVISION),
        check_set: &check_set,
        checks: &CHECKS,
    };
    change(&mut wanted);
    objections(receipt, &wanted)
}

#[test]
fn a_receipt_holds_for_what_it_was_written_for() {
    assert_eq!(judged(&good(), |_| {}), []);
    assert_eq!(
        judged(&good(), |wanted| {
            wanted.index = None;
            wanted.platform = None;
            wanted.revision = None;
        }),
        []
    );
    let mut emulated = good();
    emulated.execution = Execution::Emulated;
    assert_eq!(judged(&emulated, |_| {}), []);
}

#[test]
fn every_way_not_to_hold_is_told_with_what_to_type() {
    type Break = fn(&mut Receipt);
    let again = format!(
        "cargo xtask verify ghcr.io/me/agent@{} --platform linux/amd64",
        digest("index")
    );
    let table: [(Break, &str, &str); 18] = [
        (|r| r.index = None, "of one manifest alone", &again),
        (
            |r| r.index = Some(digest("x")),
            "another image: of the index",
            &again,
        ),
        (
            |r| r.manifest = Some(digest("x")),
            "another image: of the manifest",
            &again,
        ),
        (|r| r.manifest = None, "classic image store", "--pull"),
        (
            |r| r.platform = Platform::LinuxArm64,
            "it is for `linux/arm64`, not for `linux/amd64`",
            &again,
        ),
        (
            |r| r.revision = Some("f9adc07".to_owned()),
            "built from `f9adc07`",
            &again,
        ),
        (
            |r| r.revision = None,
            "does not say what it is built from",
            &again,
        ),
        (
            |r| r.check_set = digest("x"),
            "the checks have changed since",
            &again,
        ),
        (
            |r| r.execution = Execution::Static,
            "nothing was executed",
            "binfmt",
        ),
        (
            |r| r.results[0].status = Status::Failed,
            "failed: `seed-3-node`",
            "`remedy`",
        ),
        (
            |r| r.results[0].status = Status::Unproven,
            "unproven: `seed-3-node`",
            &again,
        ),
        (
            |r| r.results[0].status = Status::Skipped,
            "skipped: `seed-3-node`",
            &again,
        ),
        (
            |r| r.results[0].status = Status::NotExecuted,
            "not-executed: `seed-3-node`",
            &again,
        ),
        (
            |r| r.results.truncate(1),
            "no result of `image-growth`",
            &again,
        ),
        (
            |r| r.results.clear(),
            "no result of `seed-3-node`, `image-growth`",
            &again,
        ),
        (
            |r| r.results.push(outcome("image-gone", Status::Passed)),
            "this xtask has no check `image-gone`",
            &again,
        ),
        (
            |r| r.results.push(outcome("seed-3-node", Status::Passed)),
            "more than one result",
            &again,
        ),
        (
            |r| {
                r.execution = Execution::Static;
                r.results[0].status = Status::NotExecuted;
            },
            "nothing was executed",
            "binfmt",
        ),
    ];
    for (spoil, reason, hint) in table {
        let mut receipt = good();
        spoil(&mut receipt);
        let found = judged(&receipt, |_| {});
        assert_eq!(found.len(), 1, "{reason}: {found:?}");
        assert!(found[0].why.contains(reason), "{reason}: {found:?}");
        assert!(found[0].remedy.contains(hint), "{hint}: {found:?}");
    }
}

#[test]
fn an_image_that_nothing_identifies_is_not_proven() {
    let found = judged(&good(), |wanted| {
        wanted.index = None;
        wanted.manifest = None;
    });
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].why.contains("has no manifest"), "{found:?}");
}

#[test]
fn all_reasons_are_told_and_each_hint_once() {
    let mut receipt = good();
    receipt.index = None;
    receipt.check_set = digest("x");
    receipt.results[0].status = Status::Failed;
    let found = judged(&receipt, |_| {});
    assert_eq!(found.len(), 3, "{found:?}");
    let text = describe(&found);
    assert_eq!(text.matches("\n  - ").count(), 3, "{text}");
    assert_eq!(text.matches("\n  hint: ").count(), 2, "{text}");
}

#[test]
fn a_name_is_typed_with_its_digest_alone() {
    let digest = digest("");
    for (name, repository) in [
        ("alpine", "alpine@"),
        ("agentgate/agent:dev", "agentgate/agent@"),
        ("127.0.0.1:5000/a/b", "127.0.0.1:5000/a/b@"),
        ("127.0.0.1:5000/a/b:v1@sha256:00", "127.0.0.1:5000/a/b@"),
        ("sha256:00", ""),
        ("", ""),
    ] {
        assert_eq!(by_digest(name, &digest), format!("{repository}{digest}"));
    }
}

#[test]
fn long_lists_are_cut() {
    let ids = ["a"; 10];
    assert!(list(&ids).ends_with("`a` and 2 more"));
    assert_eq!(list(&ids[..2]), "`a`, `a`");
}
