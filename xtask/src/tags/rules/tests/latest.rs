//! What `latest` gets, by what is published.

use super::*;

/// What the registry says: the highest other version, and the one that `latest` leads to.
fn known(highest: Option<&str>, latest: Option<&str>) -> Published {
    let parse = |text: &str| Version::parse(text).unwrap();
    Published::Known {
        highest: highest.map(parse),
        latest: latest.map(parse),
    }
}

fn nothing() -> Published {
    known(None, None)
}

#[test]
fn a_version_tag_gives_the_version_and_perhaps_latest() {
    for (at_head, others, published, want) in [
        ("v1.2.3", &[][..], Published::Unknown, "v1.2.3 latest?"),
        (
            "v1.2.3",
            &["v1.2.2", "v1.2.4-rc.1"],
            nothing(),
            "v1.2.3 latest",
        ),
        ("v1.2.3", &["v2.0.0"], Published::Unknown, "v1.2.3 latest?"),
        // What git has and the registry has not, because its build failed, does not count.
        ("v1.2.3", &["v2.0.0"], nothing(), "v1.2.3 latest"),
        (
            "v1.2.3",
            &["v2.0.0"],
            known(Some("2.0.0"), None),
            "v1.2.3 -latest",
        ),
        // A clone of one tag, as Jenkins and Buildkite make it, knows of no other version.
        ("v1.2.3", &[], known(Some("2.0.0"), None), "v1.2.3 -latest"),
        (
            "v1.2.3",
            &[],
            known(Some("1.2.2"), Some("2.0.0")),
            "v1.2.3 -latest",
        ),
        (
            "v1.2.3",
            &[],
            known(Some("2.0.0-rc.1"), Some("1.2.3")),
            "v1.2.3 latest",
        ),
        ("v1.2.3-rc.1", &[], nothing(), "v1.2.3-rc.1 -latest"),
        (
            "v1.2.3-rc.1",
            &[],
            Published::Unknown,
            "v1.2.3-rc.1 -latest",
        ),
    ] {
        let mut question = question();
        question.published = published;
        let want = format!("sha-0123456 dev {want}");
        let set = decides(&facts(&[at_head], others), &question, &want);
        assert_eq!(set.version, version::of_tag(at_head));
        assert_eq!(set.prerelease, Some(at_head.contains('-')));
        let version = set.tags.iter().find(|tag| tag.name == at_head).unwrap();
        assert_eq!(version.applied_by, AppliedBy::Release);
    }
}

#[test]
fn a_shallow_clone_may_not_know_what_is_higher() {
    let mut shallow = facts(&["v1.0.0"], &[]);
    shallow.shallow = true;
    let set = decides(&shallow, &question(), "sha-0123456 dev v1.0.0 !latest");
    assert!(
        reason(&set, "latest")
            .1
            .contains("git fetch --unshallow --tags")
    );
    assert!(set.notes[0].contains("shallow"), "{:?}", set.notes);
    let mut question = question();
    question.published = nothing();
    decides(&shallow, &question, "sha-0123456 dev v1.0.0 !latest");
    shallow.at_head.clear();
    decides(&shallow, &question, "sha-0123456 dev");
}
