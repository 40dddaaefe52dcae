//! Rows of made-up records and proofs.

use super::*;
use crate::attested::PublishedPlatform;
use crate::proof::LatestMove;

fn record(state: ReleaseState, reason: Option<&str>) -> ReleaseRecord {
    ReleaseRecord {
        repository: "docker.io/agentgate/agent".to_owned(),
        version: Version::new(0, 2, 13),
        digest: Digest::of(b"index"),
        state,
        sequence: 3,
        time: "2026-11-25T05:13:09Z".to_owned(),
        reason: reason.map(str::to_owned),
        latest: LatestMove::default(),
    }
}

fn published() -> VersionRow {
    let platform = |name: &str| PublishedPlatform {
        name: name.to_owned(),
        platform: name.parse().ok(),
        manifest: Digest::of(name.as_bytes()),
    };
    let mut row = VersionRow::new(&Version::new(0, 2, 13), None);
    let image = PublishedImage {
        platforms: ["linux/amd64", "linux/arm64"].map(platform).to_vec(),
        fault: None,
    };
    row.is_published(&Digest::of(b"index"), &image);
    row
}

fn recorded(newest: Recorded) -> VersionRow {
    let mut row = published();
    let read = ReadRecords {
        tagged: newest.clone(),
        newest,
        by: Some("the key `cosign.pub`".to_owned()),
    };
    row.is_recorded(&read, true);
    row
}

#[test]
fn a_version_is_what_the_record_that_counts_says() {
    let reason = Some("it leaks");
    let of = |state, reason| Recorded::Believed(record(state, reason));
    for (newest, state, note) in [
        (Recorded::Absent, State::None, None),
        (of(ReleaseState::Released, None), State::Released, None),
        (
            of(ReleaseState::Withdrawn, reason),
            State::Withdrawn,
            Some("withdrawn (2026-11-25T05:13:09Z): it leaks"),
        ),
        (of(ReleaseState::Restored, None), State::Restored, None),
        (
            of(ReleaseState::Restored, reason),
            State::Restored,
            Some("restored (2026-11-25T05:13:09Z): it leaks"),
        ),
        (
            Recorded::Displaced(record(ReleaseState::Released, None)),
            State::Released,
            Some("its newest record, 3, is not under `state-v0.2.13`: "),
        ),
        (
            Recorded::doubted("it is\u{1b}[2J not\nsigned"),
            State::NotBelieved,
            Some("its record is not believed: it is\\u{1b}[2J not signed"),
        ),
    ] {
        let row = recorded(newest);
        assert_eq!(row.state, state, "{row:?}");
        assert_eq!(row.notes.len(), usize::from(note.is_some()), "{row:?}");
        for (found, note) in row.notes.iter().zip(note) {
            assert!(found.starts_with(note), "{found}");
        }
        let is_believed = !matches!(state, State::None | State::NotBelieved);
        assert_eq!(row.record.is_some(), is_believed, "{row:?}");
    }
    let mut unknown = published();
    let read = ReadRecords {
        tagged: Recorded::Absent,
        newest: Recorded::Absent,
        by: None,
    };
    unknown.is_recorded(&read, false);
    assert_eq!(unknown.state, State::Unknown);
}

#[test]
fn who_has_proven_a_version_is_said_once_where_it_is_the_same() {
    let key = || Ok("the key `cosign.pub`".to_owned());
    let long = format!("the identity `^{}$`", "x".repeat(100));
    let why = || Err("no proof is attached to it".to_owned());
    for (proofs, cell, notes) in [
        (vec![key(), key()], "key `cosign.pub`".to_owned(), 0),
        (vec![why(), why()], "no".to_owned(), 2),
        (
            vec![key(), why()],
            "linux/amd64 key `cosign.pub`, linux/arm64 no".to_owned(),
            1,
        ),
        (
            vec![Ok(long.clone()), Ok(long)],
            format!("identity `^{}…", "x".repeat(29)),
            0,
        ),
    ] {
        let mut row = published();
        row.are_proven(proofs);
        assert_eq!((row.proven(), row.notes.len()), (cell, notes));
    }
    let mut row = published();
    row.are_proven(vec![key(), why()]);
    assert_eq!(
        row.notes,
        ["linux/arm64 is not proven: no proof is attached to it"]
    );
}
