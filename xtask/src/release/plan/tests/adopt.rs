//! What was published without a record gets one, and no tag moves.

use super::*;

/// 1.2.3 is published without a record, and is `latest`.
fn bare() -> ReleaseFacts {
    let mut facts = good();
    let standing = &mut facts.published[0].standing;
    standing.tag = Some(digest("ours"));
    standing.latest = Some(at("ours", Some("1.2.3")));
    facts
}

#[test]
fn an_adopted_version_gets_a_record_and_its_proofs() {
    let mut facts = bare();
    facts.proven = vec![(Platform::LinuxAmd64, "a key".to_owned())];
    facts.published[0].unattached = vec![Platform::LinuxAmd64];
    facts.lacking = vec![(Platform::LinuxArm64, "no file".to_owned())];
    facts.are_receipts_given = false;
    let plan = adopt(&facts).unwrap();
    assert_eq!(recorded(&plan), ["agentgate/agent v1.2.3 none released 1"]);
    let step = &plan.records[0];
    assert_eq!(
        (&step.before, &step.after),
        (&step.after, &Some(digest("ours")))
    );
    assert_eq!((plan.attach.len(), plan.verify.len()), (1, 1));
    assert!(!plan.steps.iter().any(TagStep::is_write), "{plan:?}");
    // Again, and after it was withdrawn.
    for state in [ReleaseState::Released, ReleaseState::Withdrawn] {
        let mut done = bare();
        done.published[0].standing.recorded = own(state);
        let plan = adopt(&done).unwrap();
        assert!(plan.is_done());
        assert!(plan.steps[0].why.contains(state.as_str()), "{plan:?}");
    }
}

#[test]
fn only_what_is_published_is_adopted() {
    type Change = fn(&mut ReleaseFacts);
    let cases: [(&str, Change); 5] = [
        ("is not published", |facts| {
            facts.published[0].standing.tag = None;
        }),
        ("and in the first repository", |facts| {
            facts.published[0].standing.tag = Some(digest("other"));
        }),
        ("recorded with another digest", |facts| {
            facts.published[0].standing.recorded = Recorded::Doubted(Doubt {
                claim: Some(Box::new(record("1.2.3", ReleaseState::Released))),
                ..Doubt::new("it is of another image")
            });
        }),
        ("recorded with another digest", |facts| {
            let theirs = record("1.2.3", ReleaseState::Released);
            facts.published[0].standing.recorded = Recorded::Believed(theirs);
        }),
        ("nobody signs it", |facts| {
            facts.authority = Authority::Missing;
        }),
    ];
    for (part, change) in cases {
        let mut facts = bare();
        change(&mut facts);
        let refused = adopt(&facts).unwrap_err();
        assert_eq!(refused.len(), 1, "{part}: {refused:?}");
        assert!(refused[0].why.contains(part), "{refused:?}");
    }
}

#[test]
fn a_record_that_nobody_believes_is_written_over_and_a_withdrawal_is_kept() {
    use ReleaseState::{Released, Withdrawn};
    let one = |state, sequence| {
        Some(Box::new(ReleaseRecord {
            digest: digest("ours"),
            sequence,
            ..record("1.2.3", state)
        }))
    };
    for (claim, last, want) in [
        (None, None, "none released 1"),
        (one(Released, 9), None, "none released 1"),
        (one(Withdrawn, 9), None, "none withdrawn 1"),
        // What is believed says more.
        (one(Released, 9), one(Withdrawn, 2), "withdrawn withdrawn 3"),
        (one(Withdrawn, 9), one(Released, 1), "released released 2"),
        // Nobody's sequence counts.
        (one(Released, 1 << 50), None, "none released 1"),
    ] {
        let mut facts = bare();
        facts.published[0].standing.recorded = Recorded::Doubted(Doubt {
            claim,
            last,
            ..Doubt::new("forged")
        });
        let plan = adopt(&facts).unwrap();
        assert_eq!(recorded(&plan), [format!("agentgate/agent v1.2.3 {want}")]);
        let step = &plan.records[0];
        assert!(
            step.is_over_doubt && step.why.contains("forged"),
            "{step:?}"
        );
        assert_eq!(step.reason.is_some(), step.to == Withdrawn);
    }
}
