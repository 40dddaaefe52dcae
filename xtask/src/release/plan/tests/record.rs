//! The records that a release writes, and what it refuses over them.

use super::*;

/// 1.2.3 is published, and `latest` is at a lower version.
fn published() -> ReleaseFacts {
    let mut facts = good();
    let standing = &mut facts.published[0].standing;
    standing.tag = Some(digest("ours"));
    standing.others = released("1.0.0");
    standing.latest = Some(at("1.0.0", Some("1.0.0")));
    facts
}

#[test]
fn a_release_writes_a_record_where_there_is_none() {
    let plan = release(&good()).unwrap();
    assert_eq!(recorded(&plan), ["agentgate/agent v1.2.3 none released 1"]);
    let step = &plan.records[0];
    assert_eq!((&step.before, &step.after), (&None, &Some(digest("ours"))));
    // A prerelease, after which `latest` stays.
    let mut facts = published();
    facts.source.version = Some(version("1.3.0-rc.1"));
    facts.published[0].standing.tag = None;
    let plan = release(&facts).unwrap();
    let step = &plan.records[0];
    assert_eq!(step.after, Some(digest("1.0.0")));
    assert_eq!(step.before, step.after);
}

#[test]
fn what_was_withdrawn_stays_back_until_it_is_required() {
    let mut facts = published();
    facts.published[0].standing.recorded = own(ReleaseState::Withdrawn);
    for wish in [LatestPolicy::Auto, LatestPolicy::Never] {
        facts.wish = wish;
        assert!(release(&facts).unwrap().is_done(), "{wish:?}");
    }
    facts.wish = LatestPolicy::Require;
    let plan = release(&facts).unwrap();
    let want = ["agentgate/agent v1.2.3 withdrawn restored 8"];
    assert_eq!(recorded(&plan), want);
    assert_eq!(plan.steps[1].to, Some(digest("ours")));
    // Restored once, it is as any other.
    facts.published[0].standing.recorded = own(ReleaseState::Restored);
    facts.wish = LatestPolicy::Auto;
    let plan = release(&facts).unwrap();
    assert!(plan.records.is_empty());
    assert!(plan.steps[1].is_write());
}

#[test]
fn what_is_withdrawn_in_the_first_repository_is_not_latest_elsewhere() {
    let mut facts = published();
    facts.published[0].standing.recorded = own(ReleaseState::Withdrawn);
    facts.published.push(empty("ghcr.io/me/agent"));
    let plan = release(&facts).unwrap();
    let want = ["ghcr.io/me/agent v1.2.3 none withdrawn 1"];
    assert_eq!(recorded(&plan), want);
    assert_eq!(plan.records[0].reason.as_deref(), Some("it crashes"));
    let stays = plan.steps.iter().filter(|step| step.tag == "latest");
    assert!(stays.clone().all(|step| step.to.is_none()), "{plan:?}");
    facts.wish = LatestPolicy::Require;
    let plan = release(&facts).unwrap();
    let want = [
        "agentgate/agent v1.2.3 withdrawn restored 8",
        "ghcr.io/me/agent v1.2.3 none released 1",
    ];
    assert_eq!(recorded(&plan), want);
    // Its own record says more.
    facts.wish = LatestPolicy::Auto;
    facts.published[1].standing.recorded = own(ReleaseState::Released);
    let plan = release(&facts).unwrap();
    assert!(plan.records.is_empty(), "{plan:?}");
}

#[test]
fn a_record_that_is_not_believed_or_not_signed_is_refused() {
    type Change = fn(&mut ReleaseFacts);
    let cases: [(&str, Change); 5] = [
        ("is not believed: forged", |facts| {
            facts.published[0].standing.recorded = Recorded::doubted("forged");
        }),
        ("recorded with another digest", |facts| {
            let theirs = record("1.2.3", ReleaseState::Released);
            facts.published[0].standing.recorded = Recorded::Believed(theirs);
        }),
        ("its sequence is 1099511627776", |facts| {
            let mut last = record("1.2.3", ReleaseState::Withdrawn);
            last.digest = digest("ours");
            last.sequence = 1 << 40;
            facts.published[0].standing.recorded = Recorded::Believed(last);
            facts.wish = LatestPolicy::Require;
        }),
        ("nobody signs it", |facts| {
            facts.authority = Authority::Missing;
        }),
        ("a stranger signs", |facts| {
            let stranger = Refusal::new("a stranger signs", "sign");
            facts.authority = Authority::Stranger(stranger);
        }),
    ];
    for (part, change) in cases {
        let mut facts = published();
        change(&mut facts);
        let refused = release(&facts).unwrap_err();
        assert_eq!(refused.len(), 1, "{refused:?}");
        assert!(refused[0].why.contains(part), "{refused:?}");
    }
    // Nothing is to be signed where nothing is written.
    let mut facts = published();
    facts.published[0].standing.recorded = own(ReleaseState::Released);
    facts.authority = Authority::Missing;
    release(&facts).unwrap();
    // Where nobody is named, nobody must sign.
    facts.published[0].standing.recorded = Recorded::Absent;
    facts.authority = Authority::Unset;
    let notes = release(&facts).unwrap().notes;
    assert!(notes[0].contains("no `proof` settings"), "{notes:?}");
}

#[test]
fn versions_that_do_not_count_are_named() {
    let mut facts = good();
    let one = |of: &str, recorded| RecordedVersion {
        version: version(of),
        recorded,
    };
    facts.published[0].standing.others = vec![
        one("1.2.2", Recorded::doubted("forged")),
        one("1.2.0", Recorded::doubted("forged again")),
        one("1.1.0", Recorded::Absent),
        one("1.0.0", Recorded::Absent),
    ];
    let notes = release(&facts).unwrap().notes;
    assert_eq!(notes.len(), 2, "{notes:?}");
    for (note, parts) in notes.iter().zip([
        ["no record of `v1.1.0` and 1 more", "--adopt"],
        [
            "the record of `v1.2.2`",
            "forged; nor are those of 1 more versions",
        ],
    ]) {
        assert!(parts.iter().all(|part| note.contains(part)), "{note}");
    }
    facts.published[0].standing.others = released("1.0.0");
    assert!(release(&facts).unwrap().notes.is_empty());
}
