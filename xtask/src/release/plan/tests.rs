//! Plans over made-up facts.

mod adopt;
mod latest;
mod record;
mod rollback;

use super::super::facts::{Authority, LatestPolicy, PublishedVersions, ReleaseFacts, SourceImage};
use super::super::source::Source;
use super::super::step::{ReleasePlan, StepKind, TagStep};
use super::*;
use crate::oci::Digest;
use crate::platform::Platform;
use crate::proof::{LatestMove, ReleaseRecord, ReleaseState};
use crate::published::{Latest, Standing, Wanted};
use crate::records::{Doubt, Recorded, RecordedVersion};
use crate::refusal::Refusal;
use crate::version::Version;

fn digest(text: &str) -> Digest {
    Digest::of(text.as_bytes())
}

fn version(text: &str) -> Version {
    text.parse().unwrap()
}

/// A repository without any version.
fn empty(name: &str) -> PublishedVersions {
    PublishedVersions {
        repository: name.parse().unwrap(),
        commit: None,
        standing: Standing {
            tag: None,
            recorded: Recorded::Absent,
            others: Vec::new(),
            latest: None,
        },
        unsigned: Vec::new(),
        unattached: Vec::new(),
    }
}

/// The record of a version whose digest is that of its name.
pub(crate) fn record(of: &str, state: ReleaseState) -> ReleaseRecord {
    ReleaseRecord {
        repository: "docker.io/agentgate/agent".to_owned(),
        version: version(of),
        digest: digest(of),
        state,
        sequence: 7,
        time: "2026-11-25T05:13:09Z".to_owned(),
        reason: (state == ReleaseState::Withdrawn).then(|| "it crashes".to_owned()),
        latest: LatestMove {
            before: None,
            after: None,
        },
    }
}

/// The record of the version that is released.
fn own(state: ReleaseState) -> Recorded {
    Recorded::Believed(ReleaseRecord {
        digest: digest("ours"),
        ..record("1.2.3", state)
    })
}

/// Another version with a record in that state.
fn other(of: &str, state: ReleaseState) -> RecordedVersion {
    RecordedVersion {
        version: version(of),
        recorded: Recorded::Believed(record(of, state)),
    }
}

fn released(of: &str) -> Vec<RecordedVersion> {
    vec![other(of, ReleaseState::Released)]
}

/// A first release of 1.2.3, with receipts.
fn good() -> ReleaseFacts {
    ReleaseFacts {
        source: Source {
            version: Some(version("1.2.3")),
            refusals: Vec::new(),
            wanted: Wanted {
                tag: "sha-0123456".to_owned(),
                reference: "agentgate/agent:sha-0123456".to_owned(),
                platforms: vec![Platform::LinuxAmd64, Platform::LinuxArm64],
                revision: "r".to_owned(),
            },
        },
        image: SourceImage::Whole {
            digest: digest("ours"),
            bytes: Vec::new(),
        },
        proven: Vec::new(),
        lacking: Vec::new(),
        are_receipts_given: true,
        authority: Authority::Believed,
        wish: LatestPolicy::Auto,
        published: vec![empty("agentgate/agent")],
    }
}

/// Each step's kind, repository and tag, and whether it writes.
fn described(plan: &ReleasePlan) -> Vec<(StepKind, String, bool)> {
    let steps = plan.steps.iter();
    let described = |step: &TagStep| {
        let reference = step.repository.reference(&step.tag);
        (step.kind, reference, step.is_write())
    };
    steps.map(described).collect()
}

fn whys(refusals: &[Refusal]) -> Vec<&str> {
    refusals.iter().map(|refusal| &*refusal.why).collect()
}

fn at(text: &str, of: Option<&str>) -> Latest {
    Latest {
        digest: digest(text),
        version: of.map(version),
        is_published: of.is_some(),
    }
}

/// Each record's repository, version, and what it says.
fn recorded(plan: &ReleasePlan) -> Vec<String> {
    let records = plan.records.iter();
    let said = records.map(|step| {
        let from = step.from.map_or("none", ReleaseState::as_str);
        format!(
            "{} v{} {from} {} {}",
            step.repository, step.version, step.to, step.sequence
        )
    });
    said.collect()
}

#[test]
fn a_first_release_gives_both_tags() {
    let plan = release(&good()).unwrap();
    let expected = [
        (StepKind::Version, "agentgate/agent:v1.2.3".to_owned(), true),
        (StepKind::Latest, "agentgate/agent:latest".to_owned(), true),
    ];
    assert_eq!(described(&plan), expected);
    assert!(
        plan.steps
            .iter()
            .all(|step| step.to == Some(digest("ours")))
    );
}

#[test]
fn a_release_that_was_done_is_done() {
    let mut facts = good();
    let standing = &mut facts.published[0].standing;
    standing.tag = Some(digest("ours"));
    standing.recorded = own(ReleaseState::Released);
    standing.latest = Some(at("ours", Some("1.2.3")));
    // Nothing is written, so nothing is to be proven.
    facts.lacking = vec![(Platform::LinuxAmd64, "none".to_owned())];
    let plan = release(&facts).unwrap();
    assert!(plan.is_done());
    assert!(plan.verify.is_empty());
}

#[test]
fn what_nothing_proves_is_verified_or_refused() {
    let mut facts = good();
    facts.lacking = vec![(Platform::LinuxArm64, "no file".to_owned())];
    let refused = release(&facts).unwrap_err();
    assert_eq!(
        whys(&refused),
        ["no proof of linux/arm64 is believed: no file"]
    );
    facts.are_receipts_given = false;
    assert_eq!(release(&facts).unwrap().verify, facts.lacking);
}

#[test]
fn every_refusal_is_said_at_once() {
    let mut facts = good();
    facts.source.refusals = vec![Refusal::new("dirty", "commit")];
    facts.published[0].standing.tag = Some(digest("other"));
    facts.published[0].standing.others = released("2.0.0");
    facts.authority = Authority::Missing;
    facts.published.push(PublishedVersions {
        commit: Some(digest("other")),
        ..empty("ghcr.io/me/agent")
    });
    facts.lacking = vec![(Platform::LinuxAmd64, "stale".to_owned())];
    facts.wish = LatestPolicy::Require;
    let refused = release(&facts).unwrap_err();
    let whys = whys(&refused);
    let parts = [
        "dirty",
        "`ghcr.io/me/agent:sha-0123456` is",
        "another digest",
        "`v2.0.0` is published",
        "nobody signs it",
        "stale",
    ];
    assert_eq!(whys.len(), parts.len(), "{whys:?}");
    for (why, part) in whys.iter().zip(parts) {
        assert!(why.contains(part), "`{part}` is not in {why}");
    }
}

#[test]
fn an_image_that_is_not_the_commits_is_refused() {
    for (image, part) in [
        (SourceImage::Absent, "is not published"),
        (SourceImage::Broken("x is missing".into()), "x is missing"),
        (
            SourceImage::Other("another".into()),
            "not the image of commit `r`: another",
        ),
    ] {
        let mut facts = good();
        facts.image = image;
        let aim = rollback::aim(false);
        for refused in [release(&facts), rollback(&facts, &aim), adopt(&facts)] {
            let why = refused.unwrap_err().remove(0).why;
            assert!(why.contains(part), "`{part}` is not in {why}");
        }
    }
}

#[test]
fn other_repositories_get_a_copy_and_every_version_comes_before_any_latest() {
    let mut facts = good();
    let mut there = empty("ghcr.io/me/agent");
    there.standing.others = released("2.0.0");
    there.standing.latest = Some(at("2.0.0", Some("2.0.0")));
    facts.published.push(there);
    let plan = release(&facts).unwrap();
    let expected = [
        (StepKind::Copy, "ghcr.io/me/agent:sha-0123456", true),
        (StepKind::Version, "agentgate/agent:v1.2.3", true),
        (StepKind::Version, "ghcr.io/me/agent:v1.2.3", true),
        (StepKind::Latest, "agentgate/agent:latest", true),
        // It has a higher version.
        (StepKind::Latest, "ghcr.io/me/agent:latest", false),
    ];
    let expected = expected.map(|(kind, tag, writes)| (kind, tag.to_owned(), writes));
    assert_eq!(described(&plan), expected);
}

#[test]
fn what_a_repository_lacks_of_the_proofs_is_attached() {
    let mut facts = good();
    let by = "the key `proof.pub`".to_owned();
    facts.proven = vec![
        (Platform::LinuxAmd64, by.clone()),
        (Platform::LinuxArm64, by),
    ];
    facts.published.push(empty("ghcr.io/me/agent"));
    facts.published[0].unattached = vec![Platform::LinuxArm64];
    facts.published[1].unattached = Platform::ALL.to_vec();
    let plan = release(&facts).unwrap();
    let attached = plan.attach.iter();
    let attached: Vec<String> = attached
        .map(|step| format!("{} {} {}", step.repository, step.platform, step.by))
        .collect();
    assert_eq!(
        attached,
        [
            "agentgate/agent linux/arm64 the key `proof.pub`",
            "ghcr.io/me/agent linux/amd64 the key `proof.pub`",
            "ghcr.io/me/agent linux/arm64 the key `proof.pub`",
        ]
    );
    // A version that was released is not done while its proof is missing.
    let mut facts = facts;
    facts.published.truncate(1);
    let standing = &mut facts.published[0].standing;
    standing.tag = Some(digest("ours"));
    standing.recorded = own(ReleaseState::Released);
    standing.latest = Some(at("ours", Some("1.2.3")));
    let plan = release(&facts).unwrap();
    assert!(!plan.is_done());
    assert!(plan.records.is_empty());
}
