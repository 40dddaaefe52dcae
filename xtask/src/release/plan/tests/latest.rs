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
    let two = || Some((version("2.0.0"), digest("two")));
    let one = || Some((version("1.0.0"), digest("one")));
    for (of, highest, latest, wish, goal) in [
        ("1.2.3", None, None, LatestPolicy::Auto, moves.clone()),
        (
            "1.2.3",
            one(),
            Some(at("one", Some("1.0.0"))),
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
            stays("it leads to an image that says to be version `1.3.0`"),
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
            None,
            None,
            LatestPolicy::Never,
            stays("`--latest never`"),
        ),
        (
            "1.2.3-rc.1",
            None,
            None,
            LatestPolicy::Auto,
            stays("`1.2.3-rc.1` is a prerelease"),
        ),
        // A backport.
        (
            "1.2.3",
            two(),
            Some(at("two", Some("2.0.0"))),
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
                digest("two"),
                "`v2.0.0` is published, and it is at `v1.2.3`".into(),
            ),
        ),
    ] {
        let published = PublishedVersions {
            highest,
            latest,
            ..empty("a")
        };
        assert_eq!(
            crate::release::plan::latest(&version(of), &ours, &published, wish),
            goal,
            "{of} {published:?}"
        );
    }
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
            let stable = published.iter().filter(|(v, _)| v.pre.is_empty() && **v != of);
            let facts = PublishedVersions {
                tag: Some(ours.clone()),
                highest: stable.max().map(|(v, d)| (v.clone(), d.clone())),
                latest: latest_at.as_ref().map(|at| Latest {
                    digest: digest(&at.to_string()),
                    version: Some(at.clone()),
                }),
                ..empty("a")
            };
            if let LatestPlan::Moves(to, _) = latest(&of, &ours, &facts, LatestPolicy::Auto) {
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
