//! Plans over made-up facts.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::super::facts::Latest;
use super::*;
use crate::tree::tests::Shelf;

const BOTH: &[Platform] = &[Platform::LinuxAmd64, Platform::LinuxArm64];

fn digest(text: &str) -> Digest {
    Digest::of(text.as_bytes())
}

fn version(text: &str) -> Version {
    text.parse().unwrap()
}

/// A first release of 1.2.3, with receipts.
fn good() -> Facts {
    let mut shelf = Shelf::default();
    let entries = [
        shelf.image("amd64", "r", "a"),
        shelf.image("arm64", "r", "b"),
    ];
    Facts {
        version: Some(version("1.2.3")),
        git: Vec::new(),
        wanted: Wanted {
            tag: "sha-0123456".to_owned(),
            reference: "agentgate/agent:sha-0123456".to_owned(),
            platforms: BOTH.to_vec(),
            revision: "r".to_owned(),
        },
        image: Found::There(shelf.read(&entries.concat()).unwrap()),
        lost: Vec::new(),
        published: Published::default(),
        lacking: Vec::new(),
        are_receipts_given: true,
        wish: Wish::Auto,
    }
}

fn own(facts: &Facts) -> Digest {
    match &facts.image {
        Found::There(tree) => tree.digest.clone(),
        other => panic!("{other:?}"),
    }
}

fn at(text: &str, of: Option<&str>) -> Latest {
    Latest {
        digest: digest(text),
        version: of.map(version),
    }
}

#[test]
fn a_first_release_gives_both_tags() {
    let facts = good();
    let own = own(&facts);
    let plan = plan(&facts).unwrap();
    let steps: Vec<_> = plan
        .steps
        .iter()
        .map(|step| (&*step.tag, step.to.as_ref()))
        .collect();
    assert_eq!(steps, [("v1.2.3", Some(&own)), ("latest", Some(&own))]);
    assert!(!plan.is_done());
}

#[test]
fn a_release_that_was_done_is_done() {
    let mut facts = good();
    let own = own(&facts);
    facts.published.tag = Some(own.clone());
    facts.published.latest = Some(Latest {
        digest: own,
        version: facts.version.clone(),
    });
    // Nothing is written, so nothing is to be proven.
    facts.lacking = vec![(Platform::LinuxAmd64, "none".to_owned())];
    let plan = plan(&facts).unwrap();
    assert!(plan.is_done());
    assert!(plan.verify.is_empty());
}

#[test]
fn what_has_no_receipt_is_proven_or_refused() {
    let mut facts = good();
    facts.lacking = vec![(Platform::LinuxArm64, "no file".to_owned())];
    let refused = plan(&facts).unwrap_err();
    assert!(
        refused[0].why.contains("linux/arm64: no file"),
        "{refused:?}"
    );
    facts.are_receipts_given = false;
    assert_eq!(plan(&facts).unwrap().verify, facts.lacking);
}

#[test]
fn every_refusal_is_said_at_once() {
    let mut facts = good();
    facts.git = vec![Refusal::new("dirty", "commit")];
    facts.published.tag = Some(digest("other"));
    facts.published.highest = Some((version("2.0.0"), digest("two")));
    facts.lacking = vec![(Platform::LinuxAmd64, "stale".to_owned())];
    facts.wish = Wish::Require;
    let refused = plan(&facts).unwrap_err();
    let whys: Vec<&str> = refused.iter().map(|refusal| &*refusal.why).collect();
    let parts = ["dirty", "another digest", "`v2.0.0` is published", "stale"];
    assert_eq!(whys.len(), parts.len(), "{whys:?}");
    for (why, part) in whys.iter().zip(parts) {
        assert!(why.contains(part), "`{part}` is not in {why}");
    }
}

#[test]
fn an_image_that_is_not_the_commits_is_refused() {
    let refused = |change: &dyn Fn(&mut Facts)| {
        let mut facts = good();
        change(&mut facts);
        plan(&facts).unwrap_err().remove(0).why
    };
    for (why, part) in [
        (refused(&|f| f.image = Found::Absent), "is not published"),
        (
            refused(&|f| f.image = Found::Broken("x is missing".into())),
            "x is missing",
        ),
        (
            refused(&|f| f.wanted.revision = "s".into()),
            "is built from commit `r`",
        ),
        (
            refused(&|f| f.wanted.platforms.truncate(1)),
            "an image for `linux/arm64` too",
        ),
        (refused(&|f| f.lost.push(digest("p"))), "attestation"),
    ] {
        assert!(why.contains(part), "`{part}` is not in {why}");
    }
}

#[test]
fn latest_moves_up_alone() {
    let ours = digest("ours");
    let moves = Goal::Moves(
        ours.clone(),
        "a stable version, and no higher one is published".into(),
    );
    let stays = |why: &str| Goal::Stays(why.to_owned());
    let two = || Some((version("2.0.0"), digest("two")));
    let one = || Some((version("1.0.0"), digest("one")));
    for (of, highest, latest, wish, goal) in [
        ("1.2.3", None, None, Wish::Auto, moves.clone()),
        (
            "1.2.3",
            one(),
            Some(at("one", Some("1.0.0"))),
            Wish::Auto,
            moves.clone(),
        ),
        // Moved by hand, to what is no version or a lower one.
        (
            "1.2.3",
            one(),
            Some(at("x", None)),
            Wish::Auto,
            moves.clone(),
        ),
        (
            "1.2.3",
            one(),
            Some(at("x", Some("1.2.2"))),
            Wish::Auto,
            moves.clone(),
        ),
        (
            "1.2.3",
            one(),
            Some(at("x", Some("1.3.0"))),
            Wish::Auto,
            stays("it leads to an image that says to be version `1.3.0`"),
        ),
        (
            "1.2.3",
            one(),
            Some(at("ours", Some("1.2.3"))),
            Wish::Auto,
            Goal::Is("it is there already".into()),
        ),
        ("1.2.3", None, None, Wish::Never, stays("`--latest never`")),
        (
            "1.2.3-rc.1",
            None,
            None,
            Wish::Auto,
            stays("`1.2.3-rc.1` is a prerelease"),
        ),
        // A backport.
        (
            "1.2.3",
            two(),
            Some(at("two", Some("2.0.0"))),
            Wish::Auto,
            stays("the higher version `v2.0.0` is published"),
        ),
        // Two releases at once, and the lower one wrote last.
        (
            "1.2.3",
            two(),
            Some(at("ours", Some("1.2.3"))),
            Wish::Auto,
            Goal::Moves(
                digest("two"),
                "`v2.0.0` is published, and it is at `v1.2.3`".into(),
            ),
        ),
    ] {
        let published = Published {
            tag: None,
            highest,
            latest,
        };
        assert_eq!(
            super::latest(&version(of), &ours, &published, wish),
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
            let facts = Published {
                tag: Some(ours.clone()),
                highest: stable.max().map(|(v, d)| (v.clone(), d.clone())),
                latest: latest_at.as_ref().map(|at| Latest {
                    digest: digest(&at.to_string()),
                    version: Some(at.clone()),
                }),
            };
            if let Goal::Moves(to, _) = latest(&of, &ours, &facts, Wish::Auto) {
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
