//! What holds for every set of versions and every name.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::tests::{facts, question};
use super::*;
use crate::version::latest::highest;

#[test]
fn only_higher_stable_versions_stand_in_the_way_of_latest() {
    let all = ["v0.9.0", "v1.10.0", "v1.9.0", "v2.0.0-rc.1", "v1.2.3-rc.1"];
    let higher = higher(&facts(&["v1.2.3"], &all), &Version::new(1, 2, 3));
    assert_eq!(higher, [Version::new(1, 10, 0), Version::new(1, 9, 0)]);
}

fn any_version() -> impl Strategy<Value = Version> {
    let pre = prop_oneof![3 => Just(""), 1 => Just("rc.1"), 1 => Just("rc.2"), 1 => Just("0")];
    (0..4_u64, 0..4_u64, 0..4_u64, pre).prop_map(|(major, minor, patch, pre)| Version {
        pre: semver::Prerelease::new(pre).unwrap(),
        ..Version::new(major, minor, patch)
    })
}

proptest! {
    /// Releases of any versions in any order, some of them never made (their build failed), each
    /// decided by what is published then.
    #[test]
    fn latest_never_moves_down(
        releases in proptest::collection::vec((any_version(), proptest::bool::weighted(0.8)), 1..30),
    ) {
        let names: Vec<String> = releases.iter().map(|(v, _)| format!("v{v}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut published: BTreeSet<Version> = BTreeSet::new();
        let mut latest: Option<Version> = None;
        for ((version, is_made), name) in releases.iter().zip(&names) {
            if !is_made {
                continue;
            }
            let facts = facts(&[name], &names);
            let mut question = question();
            question.published = Published::Known {
                highest: highest(&published).cloned(),
                latest: latest.clone(),
            };
            let set = tag_set(&facts, &question).unwrap();
            published.insert(version.clone());
            if set.tags.iter().any(|tag| tag.name == "latest") {
                prop_assert!(version.pre.is_empty());
                prop_assert!(latest.as_ref() <= Some(version), "{:?} -> {}", latest, version);
                latest = Some(version.clone());
            }
            // It never lags either: it is the highest stable version that was ever published.
            let highest = published.iter().filter(|v| v.pre.is_empty()).max();
            prop_assert_eq!(latest.as_ref(), highest);
        }
    }

    #[test]
    fn no_name_of_a_git_tag_gives_an_invalid_tag(
        names in proptest::collection::vec(
            r"\PC{0,140}|v[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}(-[0-9a-zA-Z.-]{0,130})?(\+[0-9a-z]{0,9})?",
            0..4,
        ),
        dirty: bool,
        pick in proptest::option::of(any_version()),
    ) {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut facts = facts(&names, &[]);
        facts.head.dirty = dirty.then(|| "x".to_owned()).into_iter().collect();
        let mut question = question();
        question.pick = pick;
        for tag in tag_set(&facts, &question).unwrap().tags {
            prop_assert_eq!(crate::reference::check_tag(&tag.name), Ok(()));
            prop_assert_eq!(tag.reference, format!("ghcr.io/me/agent:{}", tag.name));
        }
    }
}
