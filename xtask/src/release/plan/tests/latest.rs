//! Where `latest` belongs, by a table and for releases in any order.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

#[test]
fn latest_moves_up_alone() {
    let ours = digest("ours");
    let moves = LatestPlan::Moves(
        ours.clone(),
        "a stable version, and no higher one is published".into(),
    );
    let stays = |why: &str| LatestPlan::Stays(why.to_owned());
    let two = || released("2.0.0");
    let one = || released("1.0.0");
    for (of, others, latest, wish, goal) in [
        ("1.2.3", vec![], None, LatestPolicy::Auto, moves.clone()),
        (
            "1.2.3",
            one(),
            Some(at("1.0.0", Some("1.0.0"))),
            LatestPolicy::Auto,
            moves.clone(),
        ),
        // Moved by hand, to something that is not a version, or to a lower one.
        (
            "1.2.3",
            one(),
            Some(at("x", None)),
            LatestPolicy::Auto,
            moves.clone(),
        ),
        (
            "1.2.3",
            one(),
            Some(at("x", Some("1.2.2"))),
            LatestPolicy::Auto,
            moves.clone(),
        ),
        (
            "1.2.3",
            one(),
            Some(at("x", Some("1.3.0"))),
            LatestPolicy::Auto,
            stays("it is at the image of version `1.3.0`"),
        ),
        (
            "1.2.3",
            one(),
            Some(at("ours", Some("1.2.3"))),
            LatestPolicy::Auto,
            LatestPlan::Is("it is there already".into()),
        ),
        (
            "1.2.3",
            vec![],
            None,
            LatestPolicy::Never,
            stays("`--latest never`"),
        ),
        (
            "1.2.3-rc.1",
            vec![],
            None,
            LatestPolicy::Auto,
            stays("`1.2.3-rc.1` is a prerelease"),
        ),
        // A backport.
        (
            "1.2.3",
            two(),
            Some(at("2.0.0", Some("2.0.0"))),
            LatestPolicy::Auto,
            stays("the higher version `v2.0.0` is published"),
        ),
        // Two releases at once, and the lower one wrote last.
        (
            "1.2.3",
            two(),
            Some(at("ours", Some("1.2.3"))),
            LatestPolicy::Auto,
            LatestPlan::Moves(
                digest("2.0.0"),
                "`v2.0.0` is published, and it is at `v1.2.3`".into(),
            ),
        ),
    ] {
        let mut published = empty("a");
        published.standing.others = others;
        published.standing.latest = latest;
        assert_eq!(
            crate::release::plan::latest(&version(of), &ours, &published, wish, None),
            goal,
            "{of} {published:?}"
        );
    }
}

/// Unless `latest` is at it.
#[test]
fn what_does_not_count_keeps_no_version_back() {
    let ours = digest("ours");
    let withdrawn = || vec![other("2.0.0", ReleaseState::Withdrawn)];
    let lower = || Some(at("1.0.0", Some("1.0.0")));
    let moves = "a stable version, and no higher one is published";
    for (others, led_to, why) in [
        (withdrawn(), lower(), moves),
        (vec![unrecorded("2.0.0", Recorded::Absent)], lower(), moves),
        (
            vec![unrecorded("2.0.0", Recorded::doubted("x"))],
            None,
            moves,
        ),
        (
            withdrawn(),
            Some(at("2.0.0", Some("2.0.0"))),
            "it is at the image of version `2.0.0`",
        ),
    ] {
        let mut published = empty("a");
        published.standing.others = others;
        published.standing.latest = led_to;
        let (of, wish) = (version("1.2.3"), LatestPolicy::Require);
        let goal = match latest(&of, &ours, &published, wish, None) {
            LatestPlan::Moves(to, why) if to == ours => why,
            LatestPlan::Stays(why) => why,
            other => panic!("{other:?}"),
        };
        assert_eq!(goal, why, "{published:?}");
    }
}

fn unrecorded(of: &str, recorded: Recorded) -> RecordedVersion {
    RecordedVersion {
        version: version(of),
        recorded,
    }
}

#[test]
fn a_withdrawn_version_gets_latest_only_if_it_is_required() {
    let record = record("1.2.3", ReleaseState::Withdrawn);
    let (of, ours) = (version("1.2.3"), digest("ours"));
    let mut published = empty("a");
    published.standing.others = released("1.0.0");
    published.standing.latest = Some(at("1.0.0", Some("1.0.0")));
    let goal =
        |wish, published: &PublishedVersions| latest(&of, &ours, published, wish, Some(&record));
    let stays = goal(LatestPolicy::Auto, &published);
    let LatestPlan::Stays(why) = &stays else {
        panic!("{stays:?}");
    };
    for part in ["(2026-11-25T05:13:09Z)", "it crashes", "`--latest require`"] {
        assert!(why.contains(part), "`{part}` is not in {why}");
    }
    let moves = goal(LatestPolicy::Require, &published);
    assert!(
        matches!(&moves, LatestPlan::Moves(to, _) if *to == ours),
        "{moves:?}"
    );
    // A rollback that died after the withdrawal.
    published.standing.latest = Some(at("ours", Some("1.2.3")));
    let stays = goal(LatestPolicy::Auto, &published);
    assert!(matches!(stays, LatestPlan::Stays(_)), "{stays:?}");
}

proptest! {
    /// Releases in any order, each of which may die after its version's tag.
    #[test]
    fn latest_never_goes_down(
        releases in prop::collection::vec((0u64..4, 0u64..4, any::<bool>(), any::<bool>()), 1..24),
    ) {
        let mut published: BTreeMap<Version, Digest> = BTreeMap::new();
        let mut latest_at: Option<Version> = None;
        for (minor, patch, is_prerelease, dies) in releases {
            let mut of = Version::new(1, minor, patch);
            if is_prerelease {
                of.pre = "rc.1".parse().unwrap();
            }
            let ours = digest(&of.to_string());
            let before = published.insert(of.clone(), ours.clone());
            prop_assert!(before.is_none_or(|before| before == ours));
            if dies {
                continue;
            }
            let stable = published.keys().filter(|v| v.pre.is_empty() && **v != of);
            let mut facts = empty("a");
            facts.standing.tag = Some(ours.clone());
            facts.standing.others = stable
                .map(|v| other(&v.to_string(), ReleaseState::Released))
                .collect();
            facts.standing.latest = latest_at
                .as_ref()
                .map(|of| at(&of.to_string(), Some(&of.to_string())));
            let goal = latest(&of, &ours, &facts, LatestPolicy::Auto, None);
            if let LatestPlan::Moves(to, _) = goal {
                let to = published.iter().find(|(_, d)| **d == to).unwrap().0.clone();
                prop_assert!(to.pre.is_empty());
                prop_assert!(latest_at.as_ref().is_none_or(|at| *at < to), "{latest_at:?} {to}");
                let highest = published.keys().filter(|v| v.pre.is_empty()).max();
                prop_assert_eq!(highest, Some(&to));
                latest_at = Some(to);
            }
        }
    }
}
