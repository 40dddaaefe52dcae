//! Which record of several counts.

use super::*;
use crate::proof::LatestMove;

/// A record of version 1.0.0.
pub(in super::super) fn record(state: ReleaseState, sequence: u64) -> ReleaseRecord {
    ReleaseRecord {
        repository: "docker.io/agentgate/agent".to_owned(),
        version: Version::new(1, 0, 0),
        digest: Digest::of(b"index"),
        state,
        sequence,
        time: "2026-11-25T05:13:09Z".to_owned(),
        reason: (state == ReleaseState::Withdrawn).then(|| "it crashes".to_owned()),
        latest: LatestMove::default(),
    }
}

#[test]
fn the_highest_sequence_counts_wherever_it_is() {
    use ReleaseState::{Released, Restored, Withdrawn};
    let believed = |state, sequence| Recorded::Believed(record(state, sequence));
    let displaced = |state, sequence| Recorded::Displaced(record(state, sequence));
    let doubted = || Recorded::doubted("forged");
    for (tagged, attached, want) in [
        (Recorded::Absent, vec![], Recorded::Absent),
        (believed(Released, 1), vec![], believed(Released, 1)),
        (
            believed(Withdrawn, 2),
            vec![(Released, 1), (Withdrawn, 2)],
            believed(Withdrawn, 2),
        ),
        (
            believed(Restored, 3),
            vec![(Released, 1), (Withdrawn, 2)],
            believed(Restored, 3),
        ),
        // An older one was put back.
        (
            believed(Released, 1),
            vec![(Released, 1), (Withdrawn, 2)],
            displaced(Withdrawn, 2),
        ),
        // The tag was deleted.
        (
            Recorded::Absent,
            vec![(Released, 1), (Withdrawn, 2)],
            displaced(Withdrawn, 2),
        ),
        (
            Recorded::Absent,
            vec![(Restored, 3), (Withdrawn, 2)],
            displaced(Restored, 3),
        ),
        // Two were written at once.
        (
            believed(Released, 1),
            vec![(Withdrawn, 1)],
            displaced(Withdrawn, 1),
        ),
        (
            believed(Withdrawn, 1),
            vec![(Released, 1)],
            believed(Withdrawn, 1),
        ),
        (
            Recorded::Absent,
            vec![(Withdrawn, 1), (Released, 1)],
            displaced(Withdrawn, 1),
        ),
        (doubted(), vec![], doubted()),
        (
            doubted(),
            vec![(Withdrawn, 2), (Released, 1)],
            Recorded::Doubted(Doubt {
                last: Some(Box::new(record(Withdrawn, 2))),
                ..Doubt::new("forged")
            }),
        ),
    ] {
        let records = attached
            .iter()
            .map(|(state, sequence)| record(*state, *sequence));
        assert_eq!(
            newest(tagged.clone(), records),
            want,
            "{tagged:?} {attached:?}"
        );
    }
}

#[test]
fn only_stable_versions_that_count_are_the_highest() {
    let one = |version: &str, recorded| RecordedVersion {
        version: version.parse().unwrap(),
        recorded,
    };
    let of = |state| Recorded::Believed(record(state, 1));
    let versions = [
        one("3.0.0", of(ReleaseState::Withdrawn)),
        one("2.3.0-rc.1", of(ReleaseState::Released)),
        one("2.2.0", Recorded::Absent),
        one("2.1.0", Recorded::doubted("forged")),
        one("1.0.0", of(ReleaseState::Released)),
        one("2.0.0", of(ReleaseState::Restored)),
    ];
    let (version, digest) = highest(&versions).unwrap();
    assert_eq!(
        (version.to_string(), digest),
        ("2.0.0".to_owned(), Digest::of(b"index"))
    );
    assert_eq!(highest(&versions[..4]), None);
}
