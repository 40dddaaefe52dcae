//! What a rollback withdraws, and where `latest` goes.

use super::*;

pub(super) fn aim(is_named: bool) -> RollbackAim {
    RollbackAim {
        why: "the why".to_owned(),
        reason: "it leaks".to_owned(),
        is_named,
    }
}

/// 1.2.3 is published with a record, and `latest` is at 2.0.0, above which is 3.0.0.
fn to_take_back() -> ReleaseFacts {
    let mut facts = good();
    facts.source.wanted.tag = "v1.2.3".to_owned();
    facts.published[0].standing = Standing {
        tag: Some(digest("ours")),
        recorded: own(ReleaseState::Released),
        others: [released("3.0.0"), released("2.0.0")].concat(),
        latest: Some(at("2.0.0", Some("2.0.0"))),
    };
    facts
}

/// A version that is withdrawn, after which `latest` was at `after`.
fn withdrawn(of: &str, after: &str) -> RecordedVersion {
    let mut record = record(of, ReleaseState::Withdrawn);
    record.latest.after = Some(digest(after));
    RecordedVersion {
        version: version(of),
        recorded: Recorded::Believed(record),
    }
}

#[test]
fn the_version_is_withdrawn_and_then_latest_goes_down() {
    let plan = rollback(&to_take_back(), &aim(false)).unwrap();
    let latest = "agentgate/agent:latest".to_owned();
    assert_eq!(described(&plan), [(StepKind::Rollback, latest, true)]);
    assert_eq!(plan.steps[0].why, "the why");
    let want = ["agentgate/agent v2.0.0 released withdrawn 8"];
    assert_eq!(recorded(&plan), want);
    let step = &plan.records[0];
    assert_eq!(step.reason.as_deref(), Some("it leaks"));
    assert_eq!(step.digest, digest("2.0.0"));
    assert_eq!(step.before, Some(digest("2.0.0")));
    assert_eq!(step.after, Some(digest("ours")));
}

#[test]
fn with_a_name_every_higher_version_is_withdrawn() {
    let mut facts = to_take_back();
    let others = &mut facts.published[0].standing.others;
    others.insert(0, withdrawn("4.0.0", "3.0.0"));
    others.push(RecordedVersion {
        version: version("1.9.0"),
        recorded: Recorded::Absent,
    });
    let plan = rollback(&facts, &aim(true)).unwrap();
    let want = [
        "agentgate/agent v3.0.0 released withdrawn 8",
        "agentgate/agent v2.0.0 released withdrawn 8",
    ];
    assert_eq!(recorded(&plan), want);
    // What it goes to gets a record.
    facts.published[0].standing.recorded = Recorded::Absent;
    let plan = rollback(&facts, &aim(true)).unwrap();
    assert_eq!(recorded(&plan)[2], "agentgate/agent v1.2.3 none released 1");
}

#[test]
fn a_rollback_goes_on_where_another_ended() {
    // After the withdrawal.
    let mut facts = to_take_back();
    facts.published[0].standing.others = vec![withdrawn("2.0.0", "ours")];
    let plan = rollback(&facts, &aim(false)).unwrap();
    assert!(plan.records.is_empty(), "{plan:?}");
    assert!(!plan.is_done());
    // The version that it went to was withdrawn since.
    facts.published[0].standing.others = vec![withdrawn("2.0.0", "1.5.0")];
    let plan = rollback(&facts, &aim(false)).unwrap();
    let want = ["agentgate/agent v2.0.0 withdrawn withdrawn 8"];
    assert_eq!(recorded(&plan), want);
    assert_eq!(plan.records[0].reason.as_deref(), Some("it crashes"));
    assert_eq!(plan.records[0].after, Some(digest("ours")));
    // At its end.
    facts.published[0].standing.latest = Some(at("ours", Some("1.2.3")));
    facts.lacking = vec![(Platform::LinuxArm64, "no file".to_owned())];
    assert!(rollback(&facts, &aim(false)).unwrap().is_done());
}

#[test]
fn what_was_published_without_a_record_is_withdrawn_by_its_digest() {
    let mut facts = to_take_back();
    facts.published[0].standing.others = vec![RecordedVersion {
        version: version("2.0.0"),
        recorded: Recorded::Absent,
    }];
    let plan = rollback(&facts, &aim(false)).unwrap();
    assert_eq!(recorded(&plan), ["agentgate/agent v2.0.0 none withdrawn 1"]);
    assert_eq!(plan.records[0].digest, digest("2.0.0"));
    // `latest` leads to an image that only says to be it.
    let latest = facts.published[0].standing.latest.as_mut().unwrap();
    latest.is_published = false;
    assert!(rollback(&facts, &aim(true)).unwrap().records.is_empty());
}

#[test]
fn what_nobody_believes_is_withdrawn_all_the_same() {
    let mut facts = to_take_back();
    facts.published[0].standing.others[1].recorded = Recorded::doubted("forged");
    let plan = rollback(&facts, &aim(false)).unwrap();
    assert_eq!(recorded(&plan), ["agentgate/agent v2.0.0 none withdrawn 1"]);
    let step = &plan.records[0];
    assert!(step.is_over_doubt);
    assert_eq!(step.reason.as_deref(), Some("it leaks"));
    assert_eq!(step.after, Some(digest("ours")));
}

#[test]
fn each_repository_withdraws_its_own() {
    let mut facts = to_take_back();
    let mut there = facts.published[0].clone();
    there.repository = "ghcr.io/me/agent".parse().unwrap();
    there.standing.others = released("1.9.0");
    there.standing.latest = Some(at("1.9.0", Some("1.9.0")));
    facts.published.push(there);
    let plan = rollback(&facts, &aim(false)).unwrap();
    let want = [
        "agentgate/agent v2.0.0 released withdrawn 8",
        "ghcr.io/me/agent v1.9.0 released withdrawn 8",
    ];
    assert_eq!(recorded(&plan), want);
}

#[test]
fn a_rollback_is_proven_as_a_release_is() {
    let mut facts = to_take_back();
    facts.lacking = vec![(Platform::LinuxArm64, "no file".to_owned())];
    let refused = rollback(&facts, &aim(false)).unwrap_err();
    let want = ["no proof of linux/arm64 is believed: no file"];
    assert_eq!(whys(&refused), want);
    facts.are_receipts_given = false;
    let plan = rollback(&facts, &aim(false)).unwrap();
    assert_eq!(plan.verify, facts.lacking);
}

#[test]
fn latest_goes_back_only_to_what_is_published_lower_and_good() {
    type Change = fn(&mut ReleaseFacts);
    let cases: [(&str, Change); 11] = [
        ("is at `v1.0.0`, which is lower than `v1.2.3`", |facts| {
            facts.published[0].standing.latest = Some(at("1.0.0", Some("1.0.0")));
        }),
        ("there is nothing to roll back", |facts| {
            facts.published[0].standing.latest = None;
        }),
        ("`agentgate/agent:v1.2.3` is not published", |facts| {
            facts.published[0].standing.tag = None;
        }),
        ("another digest than the first repository's", |facts| {
            let mut there = facts.published[0].clone();
            there.repository = "ghcr.io/me/agent".parse().unwrap();
            there.standing.tag = Some(digest("other"));
            facts.published.push(there);
        }),
        ("is a prerelease", |facts| {
            facts.source.version = Some(version("1.2.3-rc.1"));
        }),
        ("no git tag", |facts| {
            facts.source.refusals = vec![Refusal::new("no git tag", "fetch")];
        }),
        ("is withdrawn itself", |facts| {
            facts.published[0].standing.recorded = own(ReleaseState::Withdrawn);
        }),
        ("the record of `v1.2.3`", |facts| {
            facts.published[0].standing.recorded = Recorded::doubted("forged");
        }),
        ("v2.0.0` is recorded with another digest", |facts| {
            let others = &mut facts.published[0].standing.others;
            others[1].recorded = Recorded::Doubted(Doubt {
                claim: Some(Box::new(record("1.9.0", ReleaseState::Released))),
                ..Doubt::new("it is of another image")
            });
        }),
        ("and its record says", |facts| {
            let theirs = record("1.2.3", ReleaseState::Released);
            facts.published[0].standing.recorded = Recorded::Believed(theirs);
        }),
        ("nobody signs it", |facts| {
            facts.authority = Authority::Missing;
        }),
    ];
    for (part, change) in cases {
        let mut facts = to_take_back();
        change(&mut facts);
        let refused = rollback(&facts, &aim(false)).unwrap_err();
        assert_eq!(refused.len(), 1, "{part}: {refused:?}");
        assert!(refused[0].why.contains(part), "{refused:?}");
    }
}
