//! `audit`, and each harm that somebody who may push can do.

use std::collections::BTreeMap;
use std::fs;

use serde_json::{Value, json};
use xtask::proof::{RELEASE_RECORD, ReleaseState, VERIFICATION};
use xtask::referrers::{Artifact, Form, tag};

use super::scene::{OURS, Scene, THEIRS};
use crate::common::Ran;
use crate::push::proxy::When;
use crate::world::path_without;

impl Scene {
    /// What an audit finds, as `severity tag why`.
    fn audit(&self, more: &[&str]) -> Vec<String> {
        self.proxy.reset(When::Never);
        let ran = self.run(&[&["audit", "--json"], more].concat());
        let requests = self.proxy.requests();
        let is_read = |line: &String| line.starts_with("GET") || line.starts_with("HEAD");
        assert!(requests.iter().all(is_read), "{requests:?}");
        let report: Value =
            serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{ran:#?}"));
        assert_eq!(report["schema"], 2);
        let findings = report["findings"].as_array().unwrap();
        let is_failed = findings.iter().any(|one| one["severity"] == "error");
        assert_eq!(ran.code, Some(i32::from(is_failed)), "{ran:#?}");
        let own = self.workspace.repository();
        let described = findings.iter().map(|one| {
            let [severity, reference, why] =
                ["severity", "reference", "why"].map(|key| one[key].as_str().unwrap());
            let tag = reference
                .strip_prefix(&own)
                .unwrap()
                .trim_start_matches(':');
            format!("{severity} {tag} {why}")
        });
        described.collect()
    }
}

#[track_caller]
fn has(found: &[String], parts: &[&str]) {
    assert_eq!(found.len(), parts.len(), "{found:#?}");
    for (found, part) in found.iter().zip(parts) {
        assert!(found.contains(part), "`{part}` is not in {found}");
    }
}

#[test]
fn each_harm_to_a_record_is_found() {
    let Some(scene) = Scene::believing() else {
        return;
    };
    let one = scene.release("1.0.0");
    let two = scene.release("2.0.0");
    scene.move_tag("latest", &two);
    has(&scene.audit(&[]), &[]);
    has(&scene.audit(&["--all"]), &[]);
    // Withdrawn, and `latest` did not move.
    let newest = scene.record(&scene.recorded(&two, ReleaseState::Withdrawn, 2), OURS);
    has(
        &scene.audit(&[]),
        &["error latest leads to `v2.0.0`, which is withdrawn (2026-11-25T05:13:09Z): it leaks"],
    );
    scene.move_tag("latest", &one);
    has(&scene.audit(&[]), &[]);
    // The older record is put back, or there is none.
    let old = scene.record(&scene.recorded(&two, ReleaseState::Released, 1), OURS);
    let put_back = "has its record 1 (`released`) under `";
    has(&scene.audit(&[]), &[put_back]);
    scene.workspace.delete(&format!("manifests/{}", old.digest));
    let found = scene.audit(&[]);
    let gone = format!(
        "warning {} lists what is gone (`{}`)",
        tag(&two.index.digest),
        old.digest
    );
    has(
        &found,
        &[
            "v2.0.0 has its record 2 (`withdrawn`) among the referrers",
            &gone,
        ],
    );
    scene.lead("state-v2.0.0", &newest);
    // With `--all` the list is a row, and what is gone is said once.
    has(&scene.audit(&["--all"]), &[&gone]);
    // Somebody else's record, and a tag that was moved to another version's image.
    scene.record(&scene.recorded(&one, ReleaseState::Released, 3), THEIRS);
    has(
        &scene.audit(&[]),
        &[
            "error v1.0.0 has a record that is not believed: it is not verified as signed by the key `ours.pub`",
            "error latest is `",
            &gone,
        ],
    );
    scene.record(&scene.recorded(&one, ReleaseState::Released, 3), OURS);
    scene.move_tag("v2.0.0", &one);
    let found = scene.audit(&[]);
    let moved = found
        .iter()
        .find(|one| one.contains(", and its record says `"));
    assert!(
        moved.unwrap().starts_with("error v2.0.0 is `"),
        "{found:#?}"
    );
    let of_git = found
        .iter()
        .find(|one| one.contains("and the git tag is at"));
    assert!(of_git.is_some(), "{found:#?}");
}

#[test]
fn what_was_killed_or_never_proven_is_found() {
    let Some(scene) = Scene::believing() else {
        return;
    };
    let one = scene.release("1.0.0");
    scene.move_tag("latest", &one);
    // Published by hand.
    scene.publish("2.0.0");
    let found = scene.audit(&[]);
    has(
        &found,
        &[
            "error v2.0.0 has no release record, and other versions have one",
            "error v2.0.0 is not proven for linux/amd64: no proof is attached to it",
            "error v2.0.0 is not proven for linux/arm64: no proof is attached to it",
        ],
    );
    // A release that died before it wrote the version's tag.
    let three = scene.publish_under("3.0.0", "sha-1ceb56b");
    scene.record(&scene.recorded(&three, ReleaseState::Released, 1), OURS);
    let found = scene.audit(&[]);
    assert_eq!(found.len(), 4, "{found:#?}");
    let stray = "note state-v3.0.0 is a record, and `v3.0.0` is not published";
    assert!(found[3].starts_with(stray), "{found:#?}");
    // A list that is an image: what is attached there is not found.
    let list = tag(&one.index.digest);
    scene.move_tag(&list, &one);
    let found = scene.audit(&[]);
    let warning = found.last().unwrap();
    assert!(
        warning.starts_with(&format!("warning {list} counts as empty: ")),
        "{found:#?}"
    );
    assert!(
        warning.contains("is no list of what is attached to an image"),
        "{warning}"
    );
}

/// Whatever an attacker attaches reaches no terminal and no runner as it is, and no page of GitHub's.
#[test]
fn what_somebody_attached_is_printed_harmless() {
    let Some(scene) = Scene::believing() else {
        return;
    };
    let hostile = "\u{1b}[2J\n::add-mask::x";
    let one = scene.publish("1.0.0");
    let mut record = scene.recorded(&one, ReleaseState::Withdrawn, 1);
    record.0.reason = Some(hostile.to_owned());
    scene.record(&record, OURS);
    let names = [
        "org.opencontainers.image.version",
        "agentgate.release-record.reason",
        hostile,
    ];
    let annotations = names.map(|name| (name.to_owned(), hostile.to_owned()));
    let annotations = BTreeMap::from(annotations);
    let mut statement = scene.verification(&one, "linux/amd64").statement();
    statement.predicate["verifier"]["id"] = json!(hostile);
    scene.attach_proof(&one, "linux/amd64", &statement, OURS);
    statement = scene.verification(&one, "linux/arm64").statement();
    statement.name = hostile.to_owned();
    for (subject, form, kind) in [
        (&one.index, Form::Statement, RELEASE_RECORD),
        (&one.manifests["linux/arm64"], Form::Statement, VERIFICATION),
        (&one.manifests["linux/arm64"], Form::Bundle, VERIFICATION),
    ] {
        let layer = match form {
            Form::Statement => statement.to_bytes(),
            Form::Bundle => hostile.as_bytes().to_vec(),
        };
        scene.attach(&Artifact::new(
            subject,
            form,
            layer,
            kind,
            annotations.clone(),
        ));
    }
    let summary = scene.workspace.path("target/summary");
    fs::create_dir_all(summary.parent().unwrap()).unwrap();
    let mut audit = scene.command(&["audit", "--all"]);
    let audit = Ran::of(audit.env("GITHUB_STEP_SUMMARY", &summary));
    assert_eq!(audit.code, Some(1), "{audit:#?}");
    let summary = fs::read_to_string(summary).unwrap();
    let status = scene.run(&["release", "--status"]).succeeded();
    let failed = [
        "its `reason` has a character that nobody sees",
        "is not proven for linux/arm64: ",
    ];
    for part in failed {
        assert!(
            summary.contains(part) && audit.stdout.contains(part),
            "{part}: {audit:#?}"
        );
    }
    for text in [
        &audit.stdout,
        &audit.stderr,
        &status.stdout,
        &status.stderr,
        &summary,
    ] {
        assert!(!text.contains('\u{1b}') && !text.contains("\n::"), "{text}");
    }
    assert!(
        audit.stdout.contains("its verifier is `\\u{1b}[2J"),
        "{audit:#?}"
    );
}

#[test]
fn without_cosign_nothing_is_said_to_be_well() {
    let Some(scene) = Scene::believing() else {
        return;
    };
    let one = scene.release("1.0.0");
    scene.move_tag("latest", &one);
    let mut audit = scene.command(&["audit"]);
    let ran = Ran::of(audit.env("PATH", path_without("cosign")));
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    for part in [
        "cannot be judged: `cosign` is not on PATH",
        "hint: install cosign 3",
    ] {
        assert!(ran.stdout.contains(part), "{part}: {ran:#?}");
    }
}
