//! Release records, signed and not.

use serde_json::json;
use xtask::oci::Digest;
use xtask::proof::{
    Bundle, Evidence, LatestMove, RELEASE_RECORD, RecordWanted, ReleaseRecord, ReleaseState, Trust,
};

use super::{IN_TOTO, Scene, verification, why_no_proof};

pub(super) fn record() -> ReleaseRecord {
    ReleaseRecord {
        repository: "docker.io/agentgate/agent".to_owned(),
        version: "0.2.13".parse().unwrap(),
        digest: Digest::of(b"index"),
        state: ReleaseState::Withdrawn,
        sequence: 2,
        time: "2026-11-25T05:13:09Z".to_owned(),
        reason: Some("claude crashes at start".to_owned()),
        latest: LatestMove::default(),
    }
}

/// By whom the record above is believed, or why it is not.
pub(super) fn believed(trust: &Trust, evidence: Evidence) -> Result<Option<String>, String> {
    let wanted = RecordWanted {
        version: &"0.2.13".parse().unwrap(),
        repository: &"agentgate/agent".parse().unwrap(),
        digest: Some(&Digest::of(b"index")),
    };
    match trust.record(evidence, &wanted).unwrap() {
        Ok(trusted) => {
            assert_eq!(trusted.record, record());
            Ok(trusted.by)
        }
        Err(reasons) => Err(reasons.join("\n")),
    }
}

#[test]
fn a_record_is_believed_as_it_is_until_the_settings_ask_for_a_signature() {
    let Some(scene) = Scene::new() else { return };
    scene.key("ours");
    scene.key("theirs");
    let payload = record().statement().to_bytes();
    let bundle = |key: &str, payload: &[u8]| {
        let bundle = scene.forge(key, "", payload, IN_TOTO).to_string();
        Bundle::parse(bundle.as_bytes()).unwrap()
    };
    let (ours, theirs) = (bundle("ours", &payload), bundle("theirs", &payload));
    let nobody = scene.trust("");
    assert_eq!(believed(&nobody, Evidence::Unsigned(&payload)), Ok(None));
    assert_eq!(believed(&nobody, Evidence::Signed(&theirs)), Ok(None));
    let trust = scene.trust("keys = ['ours.pub']");
    let by = Some("the key `ours.pub`".to_owned());
    assert_eq!(believed(&trust, Evidence::Signed(&ours)), Ok(by));
    let unsigned = believed(&trust, Evidence::Unsigned(&payload));
    assert_eq!(unsigned, Err("it is not signed".to_owned()));
    let why = believed(&trust, Evidence::Signed(&theirs)).unwrap_err();
    assert!(
        why.starts_with("it is not verified as signed by the key `ours.pub`: "),
        "{why}"
    );
    // Of another version, image or repository: under our tag it says nothing.
    let others = [
        ("version", json!("0.2.12"), "it is of the version 0.2.12"),
        ("sequence", json!(0), "its `sequence`"),
        ("time", json!("2999-01-01T00:00:00Z"), "is in the future"),
        (
            "repository",
            json!("ghcr.io/me/agent"),
            "its `repository` is",
        ),
        ("State", json!("released"), "equals `state` but for case"),
    ];
    for (key, value, expected) in others {
        let mut statement = record().statement();
        statement.predicate[key] = value;
        let payload = statement.to_bytes();
        for (trust, evidence) in [
            (&trust, Evidence::Signed(&bundle("ours", &payload))),
            (&nobody, Evidence::Unsigned(&payload)),
        ] {
            let why = believed(trust, evidence).unwrap_err();
            assert!(why.contains(expected), "{key}: {why}");
        }
    }
}

/// CVE-2026-39395: what is signed is of another type, and cosign says that all is well.
#[test]
fn a_record_is_no_proof_and_a_proof_no_record_even_if_cosign_says_so() {
    let Some(scene) = Scene::new() else { return };
    scene.key("ours");
    let path = scene.stand_in("#!/bin/sh\necho --digestAlg\n");
    scene.exec.set_var("PATH", &path);
    let trust = scene.trust("keys = ['ours.pub']");
    let bundle = |payload: &[u8]| scene.forge("ours", "", payload, IN_TOTO).to_string();
    let record = bundle(&record().statement().to_bytes());
    let why = why_no_proof(&trust, record.as_bytes());
    assert!(
        why.contains(&format!("of the type `{RELEASE_RECORD}`")),
        "{why}"
    );
    let proof = bundle(&verification().statement().to_bytes());
    assert_eq!(why_no_proof(&trust, proof.as_bytes()), "");
    let proof = Bundle::parse(proof.as_bytes()).unwrap();
    let why = believed(&trust, Evidence::Signed(&proof)).unwrap_err();
    assert!(why.starts_with("its predicate is of the type"), "{why}");
}
