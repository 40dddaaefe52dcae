//! `release --status`.

use std::fs;
use std::time::Instant;

use serde_json::{Value, json};
use xtask::proof::ReleaseState;

use super::scene::{OURS, Scene, THEIRS};
use crate::common::Ran;
use crate::proof::COUNTING;
use crate::push::proxy::When;
use crate::world::path_without;

const STATUS: [&str; 2] = ["release", "--status"];

fn json_of(ran: Ran) -> Value {
    serde_json::from_str(&ran.succeeded().stdout).unwrap()
}

/// The states of the versions, the highest first.
fn states(status: &Value) -> Vec<&str> {
    let versions = status["versions"].as_array().unwrap().iter();
    versions.map(|one| one["state"].as_str().unwrap()).collect()
}

impl Scene {
    fn status(&self) -> Value {
        json_of(self.run(&["release", "--status", "--json"]))
    }
}

/// Ten versions of two platforms: a start of cosign for each signature, and no request twice.
#[test]
fn a_machine_that_never_saw_the_project_knows_ten_versions_from_the_registry() {
    let Some(scene) = Scene::believing() else {
        return;
    };
    let mut released = Vec::new();
    for number in 0..11 {
        released.push(scene.release(&format!("1.{number}.0")));
    }
    scene.move_tag("latest", &released[9]);
    scene.record(
        &scene.recorded(&released[10], ReleaseState::Withdrawn, 2),
        OURS,
    );
    let cosign = which::which("cosign").unwrap();
    let path = scene
        .keys
        .stand_in(&COUNTING.replace("COSIGN", cosign.to_str().unwrap()));
    scene.proxy.reset(When::Never);
    let mut command = scene.command(&STATUS);
    let start = Instant::now();
    let ran = Ran::of(command.env("PATH", path)).succeeded();
    let took = start.elapsed();
    let requests = scene.proxy.requests();
    let calls = fs::read_to_string(scene.keys.path("bin/cosign.calls")).unwrap();
    eprintln!(
        "{took:?}, {} requests, {} starts",
        requests.len(),
        calls.lines().count()
    );
    let expected = "\
version  digest        platforms                 state      proven          latest
v1.10.0  DIGEST  linux/amd64, linux/arm64  withdrawn  key `ours.pub`
v1.9.0   DIGEST  linux/amd64, linux/arm64  released   key `ours.pub`  latest
";
    let first = released[10].index.digest.short();
    let second = released[9].index.digest.short();
    let expected = expected
        .replacen("DIGEST", first, 1)
        .replacen("DIGEST", second, 1);
    assert!(ran.stdout.starts_with(&expected), "{ran:#?}");
    let reason = "\nv1.10.0: withdrawn (2026-11-25T05:13:09Z): it leaks\n";
    assert!(ran.stdout.ends_with(reason), "{ran:#?}");
    assert!(
        ran.stderr.contains("note: 1 lower versions are left out"),
        "{ran:#?}"
    );
    // Three signatures a version, and one look at what cosign can do. Both records of the withdrawn version are
    // verified, as either could be the newest.
    assert_eq!(calls.lines().count(), 10 * 3 + 1 + 1, "{calls}");
    // Of a version: its index; the record and its layer; three lists; two proofs and their layers. Two more for
    // the older record. Then the tags, `latest`, the protocol and whether the registry keeps lists.
    assert!(requests.len() <= 10 * 10 + 2 + 4 + 8, "{requests:#?}");
    let mut once = requests.clone();
    once.sort_unstable();
    once.dedup();
    assert!(requests.len() - once.len() <= 8, "{requests:#?}");
}

#[test]
fn what_is_not_believed_is_shown_with_the_reason_and_nothing_of_it_is_obeyed() {
    let Some(scene) = Scene::believing() else {
        return;
    };
    scene.release("1.0.0");
    // Signed by somebody else: the proof of one platform, and the record.
    let two = scene.publish("2.0.0");
    scene.prove(&two, "linux/amd64");
    let statement = scene.verification(&two, "linux/arm64").statement();
    scene.attach_proof(&two, "linux/arm64", &statement, THEIRS);
    scene.record(&scene.recorded(&two, ReleaseState::Released, 1), THEIRS);
    // A check that failed, in a statement of ours that says PASSED.
    let three = scene.publish("3.0.0");
    let mut failed = scene.verification(&three, "linux/amd64");
    failed.receipt["results"][0]["status"] = json!("\u{1b}[2J\n::add-mask::x");
    scene.attach_proof(&three, "linux/amd64", &failed.statement(), OURS);
    // Another version's record.
    let four = scene.publish("4.0.0");
    let mut hostile = scene.recorded(&four, ReleaseState::Withdrawn, 1);
    hostile.0.reason = Some("\u{1b}[2J\n::add-mask::x".to_owned());
    scene.record(&hostile, OURS);
    let status = scene.status();
    assert_eq!(
        states(&status),
        ["not-believed", "none", "not-believed", "released"],
        "{status:#}"
    );
    assert_eq!(
        (&status["schema"], &status["proofs"]),
        (&json!(2), &json!("judged"))
    );
    let of_two = &status["versions"][2];
    assert_eq!(of_two["platforms"][0]["proven_by"], "the key `ours.pub`");
    let why = of_two["platforms"][1]["why"].as_str().unwrap();
    assert!(
        why.starts_with("it is not verified as signed by the key `ours.pub`: "),
        "{why}"
    );
    let why = status["versions"][1]["platforms"][0]["why"]
        .as_str()
        .unwrap();
    let failed = "its receipt says `\\u{1b}[2J ::add-mask::x` of the check `seed-3-node`";
    assert_eq!(why, failed);
    assert_eq!(
        status["versions"][1]["platforms"][1]["why"],
        "no proof is attached to it"
    );
    let ran = scene.run(&STATUS).succeeded();
    assert!(!ran.stdout.contains('\u{1b}'), "{ran:#?}");
    assert!(!ran.stdout.contains("\n::"), "{ran:#?}");
    for part in [
        "linux/amd64 key `ours.pub`, linux/arm64 no",
        "\nv4.0.0: its record is not believed: its `reason` has a character that nobody sees",
        "\nv3.0.0: linux/arm64 is not proven: no proof is attached to it\n",
        "\n`latest` is absent\n",
    ] {
        assert!(ran.stdout.contains(part), "{part}: {ran:#?}");
    }
}

#[test]
fn a_record_that_was_put_back_or_taken_away_says_what_the_newest_says() {
    let Some(scene) = Scene::believing() else {
        return;
    };
    let one = scene.publish("1.0.0");
    let old = scene.record(&scene.recorded(&one, ReleaseState::Released, 1), OURS);
    scene.record(&scene.recorded(&one, ReleaseState::Withdrawn, 2), OURS);
    let newest = |status: &Value| {
        let row = &status["versions"][0];
        assert_eq!(row["record"]["reason"], "it leaks", "{status:#}");
        let notes = row["notes"].to_string();
        let is_displaced = notes.contains("its newest record, 2, is not under `state-v1.0.0`");
        (states(status)[0] == "withdrawn", is_displaced)
    };
    assert_eq!(newest(&scene.status()), (true, false));
    scene.lead("state-v1.0.0", &old);
    assert_eq!(newest(&scene.status()), (true, true));
    // The version's tag leads to an image that its record is not of.
    let two = scene.release("2.0.0");
    scene.move_tag("v1.0.0", &two);
    let status = scene.status();
    assert_eq!(states(&status), ["released", "not-believed"], "{status:#}");
    let note = status["versions"][1]["notes"][0].as_str().unwrap();
    assert!(
        note.starts_with("its record is not believed: it is of `"),
        "{note}"
    );
}

#[test]
fn what_cannot_be_judged_is_unknown_or_nobodys() {
    let Some(scene) = Scene::believing() else {
        return;
    };
    scene.release("1.0.0");
    let mut command = scene.command(&STATUS);
    let ran = Ran::of(command.env("PATH", path_without("cosign"))).succeeded();
    for part in [
        "  unknown  unknown",
        "\nstate and proofs are unknown: `cosign` is not on PATH; hint: install cosign 3",
    ] {
        assert!(ran.stdout.contains(part), "{part}: {ran:#?}");
    }
    // Without settings a record is believed as it is, and no proof is read.
    let Some(scene) = Scene::new("") else { return };
    let one = scene.release("1.0.0");
    scene.move_tag("latest", &one);
    let status = scene.status();
    assert_eq!(status["proofs"], "nobody");
    assert_eq!(states(&status), ["released"]);
    scene.proxy.reset(When::Never);
    let ran = scene.run(&STATUS).succeeded();
    for part in [
        "  released  no settings  latest\n",
        "there are no `proof` settings; hint: docs/proof.md",
    ] {
        assert!(ran.stdout.contains(part), "{part}: {ran:#?}");
    }
    let requests = scene.proxy.requests();
    let manifests = one.manifests.values();
    let mut lists = manifests.map(|one| format!("sha256-{}", one.digest.hex()));
    assert!(
        lists.all(|list| !requests.iter().any(|line| line.contains(&list))),
        "{requests:#?}"
    );
}
