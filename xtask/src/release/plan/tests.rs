//! Plans over made-up facts.

mod latest;

use super::super::facts::Latest;
use super::super::source::Source;
use super::*;

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
        tag: None,
        highest: None,
        latest: None,
        unsigned: Vec::new(),
        rolled_back: None,
    }
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
        lacking: Vec::new(),
        are_receipts_given: true,
        wish: LatestPolicy::Auto,
        published: vec![empty("agentgate/agent")],
    }
}

/// 1.2.3 is published, and `latest` is at 2.0.0.
fn to_take_back() -> ReleaseFacts {
    let mut facts = good();
    facts.source.wanted.tag = "v1.2.3".to_owned();
    facts.published[0].tag = Some(digest("ours"));
    facts.published[0].latest = Some(at("two", Some("2.0.0")));
    facts
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
    }
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
    facts.published[0].tag = Some(digest("ours"));
    facts.published[0].latest = Some(at("ours", Some("1.2.3")));
    // Nothing is written, so nothing is to be proven.
    facts.lacking = vec![(Platform::LinuxAmd64, "none".to_owned())];
    let plan = release(&facts).unwrap();
    assert!(plan.is_done());
    assert!(plan.verify.is_empty());
}

#[test]
fn what_has_no_receipt_is_proven_or_refused() {
    let mut facts = good();
    facts.lacking = vec![(Platform::LinuxArm64, "no file".to_owned())];
    let refused = release(&facts).unwrap_err();
    assert_eq!(whys(&refused), ["no receipt proves linux/arm64: no file"]);
    facts.are_receipts_given = false;
    assert_eq!(release(&facts).unwrap().verify, facts.lacking);
    // A roll-back is proven the same way.
    let mut facts = to_take_back();
    facts.lacking = vec![(Platform::LinuxArm64, "no file".to_owned())];
    let refused = rollback(&facts, "why").unwrap_err();
    assert_eq!(whys(&refused), ["no receipt proves linux/arm64: no file"]);
    facts.are_receipts_given = false;
    assert_eq!(rollback(&facts, "why").unwrap().verify, facts.lacking);
}

#[test]
fn every_refusal_is_said_at_once() {
    let mut facts = good();
    facts.source.refusals = vec![Refusal::new("dirty", "commit")];
    facts.published[0].tag = Some(digest("other"));
    facts.published[0].highest = Some((version("2.0.0"), digest("two")));
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
        facts.image = image.clone();
        let why = release(&facts).unwrap_err().remove(0).why;
        assert!(why.contains(part), "`{part}` is not in {why}");
        facts = to_take_back();
        facts.image = image;
        let why = rollback(&facts, "why").unwrap_err().remove(0).why;
        assert!(why.contains(part), "`{part}` is not in {why}");
    }
}

#[test]
fn other_repositories_get_a_copy_and_every_version_comes_before_any_latest() {
    let mut facts = good();
    facts.published.push(PublishedVersions {
        highest: Some((version("2.0.0"), digest("two"))),
        latest: Some(at("two", Some("2.0.0"))),
        ..empty("ghcr.io/me/agent")
    });
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
fn latest_goes_back_to_what_was_published_and_is_lower() {
    let facts = to_take_back();
    let plan = rollback(&facts, "the reason").unwrap();
    let expected = (
        StepKind::Rollback,
        "agentgate/agent:latest".to_owned(),
        true,
    );
    assert_eq!(described(&plan), [expected]);
    assert_eq!(plan.steps[0].why, "the reason");
    let mut done = facts;
    done.published[0].latest = Some(at("ours", Some("1.2.3")));
    done.lacking = vec![(Platform::LinuxArm64, "no file".to_owned())];
    assert!(rollback(&done, "why").unwrap().is_done());
    let refused = |change: &dyn Fn(&mut ReleaseFacts)| {
        let mut facts = to_take_back();
        change(&mut facts);
        let refusals = rollback(&facts, "why").unwrap_err();
        assert_eq!(refusals.len(), 1, "{refusals:?}");
        refusals[0].why.clone()
    };
    for (why, part) in [
        (
            refused(&|f| f.published[0].latest = Some(at("one", Some("1.0.0")))),
            "is at `v1.0.0`, which is lower than `v1.2.3`",
        ),
        (
            refused(&|f| f.published[0].latest = None),
            "there is nothing to roll back",
        ),
        (
            refused(&|f| f.published[0].tag = None),
            "`agentgate/agent:v1.2.3` is not published",
        ),
        (
            refused(&|f| {
                f.published.push(PublishedVersions {
                    tag: Some(digest("other")),
                    latest: Some(at("two", Some("2.0.0"))),
                    ..empty("ghcr.io/me/agent")
                });
            }),
            "another digest than the first repository's",
        ),
        (
            refused(&|f| f.source.version = Some(version("1.2.3-rc.1"))),
            "is a prerelease",
        ),
        (
            refused(&|f| f.source.refusals = vec![Refusal::new("no git tag", "fetch")]),
            "no git tag",
        ),
    ] {
        assert!(why.contains(part), "`{part}` is not in {why}");
    }
}

#[test]
fn what_was_rolled_back_stays_back_until_it_is_required() {
    let mut facts = good();
    let published = &mut facts.published[0];
    published.tag = Some(digest("ours"));
    published.highest = Some((version("1.0.0"), digest("one")));
    published.latest = Some(at("one", Some("1.0.0")));
    published.rolled_back = Some("yesterday".to_owned());
    let plan = release(&facts).unwrap();
    assert!(plan.is_done());
    assert!(plan.steps[1].why.contains("(yesterday)"), "{plan:?}");
    facts.wish = LatestPolicy::Require;
    assert!(!release(&facts).unwrap().is_done());
}
