//! Decisions over made-up repositories. What others' clean-ups broke is cited by its issue.

mod referrers;

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use proptest::prelude::*;

use super::super::needs::Needs;
use super::*;
use crate::tag_kind::Kind;

/// A repository; documents are called by short words instead of digests.
#[derive(Default)]
struct World {
    tags: Vec<ObservedTag>,
    in_git: BTreeSet<String>,
    left_over: Vec<Digest>,
}

const NOW: u64 = 1_800_000_000;
const LIMIT: u64 = 90;

fn digest(word: &str) -> Digest {
    Digest::of(word.as_bytes())
}

fn digests(words: &[&str]) -> Vec<Digest> {
    words.iter().map(|word| digest(word)).collect()
}

impl World {
    /// A tag that leads to an index with `entries`, or to a manifest when there is none.
    fn tag(&mut self, name: &str, leads_to: &str, entries: &[&str]) -> &mut TagContent {
        let entries = digests(entries);
        self.tags.push(ObservedTag {
            name: name.to_owned(),
            kind: Kind::of(name),
            content: Some(TagContent {
                digest: digest(leads_to),
                needs: Needs {
                    all: entries.iter().cloned().collect(),
                    entries,
                },
                made: None,
            }),
        });
        let content = self.tags.last_mut().and_then(|tag| tag.content.as_mut());
        content.unwrap()
    }

    /// [`World::tag`] of an image that is so many days old.
    fn image(&mut self, name: &str, leads_to: &str, entries: &[&str], days: u64) {
        let age = Duration::from_hours(24 * days);
        let made = SystemTime::UNIX_EPOCH + Duration::from_secs(NOW) - age;
        self.tag(name, leads_to, entries).made = Some(Ok(made));
    }

    fn plan(&self) -> PrunePlan {
        plan(
            &self.tags,
            &Question {
                in_git: &self.in_git,
                now: SystemTime::UNIX_EPOCH + Duration::from_secs(NOW),
                older_than: Duration::from_hours(24 * LIMIT),
                left_over: &self.left_over,
            },
        )
    }
}

/// The tags that are removed, in their order.
fn removed(plan: &PrunePlan) -> Vec<&str> {
    let tags = plan.remove.iter().flat_map(|removal| &removal.tags);
    tags.map(|tag| &*tag.tag).collect()
}

/// The manifests that are deleted, in their order.
fn deleted(plan: &PrunePlan) -> Vec<Digest> {
    let removals = plan.remove.iter().flat_map(|removal| {
        let own = removal.needed_by.is_none().then_some(&removal.digest);
        own.into_iter().chain(&removal.manifests)
    });
    plan.left_over.iter().chain(removals).cloned().collect()
}

#[track_caller]
fn keeps(plan: &PrunePlan, tag: &str, reason: Reason) {
    let kept = plan.keep.iter().find(|kept| kept.tag == tag);
    assert_eq!(
        kept.map(|kept| kept.reason),
        Some(reason),
        "{tag}: {plan:#?}"
    );
}

const WHOLE: [&str; 4] = ["amd64", "arm64", "of-amd64", "of-arm64"];

#[test]
fn merged_parts_go_and_the_manifests_that_they_share_with_the_index_stay() {
    // snok/container-retention-policy#97 and #63, actions/delete-package-versions#162.
    let mut world = World::default();
    world.image("sha-0000000", "whole", &WHOLE, 1);
    world.image(
        "sha-0000000-linux-amd64",
        "part1",
        &["amd64", "of-amd64"],
        1,
    );
    world.image(
        "sha-0000000-linux-arm64",
        "part2",
        &["arm64", "of-arm64"],
        1,
    );
    let plan = world.plan();
    assert_eq!(
        removed(&plan),
        ["sha-0000000-linux-amd64", "sha-0000000-linux-arm64"]
    );
    assert_eq!(deleted(&plan), digests(&["part1", "part2"]));
    assert_eq!(plan.remove[0].tags[0].why, "merged into `sha-0000000`");
    keeps(&plan, "sha-0000000", Reason::Young);
}

#[test]
fn a_part_waits_for_its_merge_until_it_is_old() {
    for (whole, days, reason) in [
        (None, 1, Some(Reason::Young)),
        (None, LIMIT, None),
        // The index has another build of the platform.
        (Some(["other", "arm64"]), 1, Some(Reason::Young)),
        (Some(["amd64", "arm64"]), 1, None),
    ] {
        let mut world = World::default();
        if let Some(entries) = whole {
            world.image("sha-0000000", "whole", &entries, 1);
        }
        world.image("sha-0000000-linux-amd64", "part", &["amd64"], days);
        let plan = world.plan();
        match reason {
            Some(reason) => keeps(&plan, "sha-0000000-linux-amd64", reason),
            None => assert_eq!(removed(&plan), ["sha-0000000-linux-amd64"], "{days}"),
        }
    }
}

#[test]
fn an_old_commit_goes_unless_something_leads_there() {
    for (name, leads_to) in [
        ("v1.0.0", "a"),
        ("v2.0.0-rc.1", "a"),
        ("latest", "a"),
        ("dev", "a"),
    ] {
        let mut world = World::default();
        world.image("sha-aaaaaaa", "a", &["a1", "shared"], LIMIT);
        world.image("sha-bbbbbbb", "b", &["b1", "b2", "shared"], LIMIT);
        world.image("sha-ccccccc", "c", &["c1"], LIMIT - 1);
        world.tag(name, leads_to, &["a1", "shared"]);
        let plan = world.plan();
        assert_eq!(removed(&plan), ["sha-bbbbbbb"], "{name}");
        // dataaxiom/ghcr-cleanup-action#91: a manifest of the kept image, too.
        assert_eq!(deleted(&plan), digests(&["b", "b1", "b2"]));
        keeps(&plan, "sha-aaaaaaa", Reason::LedTo);
        keeps(&plan, "sha-ccccccc", Reason::Young);
        keeps(&plan, name, Reason::Root);
    }
}

#[test]
fn a_commit_of_one_manifest_stays_when_a_version_has_it_in_its_index() {
    let mut world = World::default();
    world.image("sha-aaaaaaa", "amd64", &[], LIMIT);
    world.tag("v1.0.0", "index", &["amd64", "arm64"]);
    keeps(&world.plan(), "sha-aaaaaaa", Reason::LedTo);
}

#[test]
fn a_digest_that_another_tag_has_too_is_never_deleted() {
    // distribution/distribution#1566, google/go-containerregistry#999, goharbor/harbor#8717.
    let mut world = World::default();
    world.image("sha-aaaaaaa", "a", &["a1"], LIMIT);
    world.tag("edge", "a", &["a1"]);
    let plan = world.plan();
    assert_eq!(removed(&plan), ["sha-aaaaaaa"]);
    assert_eq!(plan.remove[0].needed_by.as_deref(), Some("edge"));
    assert_eq!(deleted(&plan), []);
    keeps(&plan, "edge", Reason::Foreign);
    // Tags that go together go with their digest.
    let mut world = World::default();
    world.image("sha-aaaaaaa", "a", &["a1"], LIMIT);
    world.image("sha-bbbbbbb", "a", &["a1"], LIMIT);
    let plan = world.plan();
    assert_eq!((plan.remove.len(), removed(&plan).len()), (1, 2));
    assert_eq!(deleted(&plan), digests(&["a", "a1"]));
}

#[test]
fn a_manifest_that_any_kept_tag_leads_to_or_names_is_never_deleted() {
    let mut world = World::default();
    world.image("sha-aaaaaaa", "a", &["a1", "a2", "a3", "a4"], LIMIT);
    world.tag("edge-amd64", "a1", &[]);
    world.tag("mirror", "m", &["a2"]);
    world.image("sha-bbbbbbb", "b", &["a3"], 1);
    let plan = world.plan();
    assert_eq!(removed(&plan), ["sha-aaaaaaa"]);
    assert_eq!(deleted(&plan), digests(&["a", "a4"]));
}

#[test]
fn a_manifest_that_a_kept_one_names_as_its_subject_stays_with_all_that_it_needs() {
    let mut world = World::default();
    world.image("sha-aaaaaaa", "a", &["a1", "a2"], LIMIT);
    world.image("sha-bbbbbbb", "b", &["a1", "b1"], LIMIT);
    world.image("sha-ccccccc", "a1", &[], LIMIT);
    world.tag("sbom", "s", &[]).needs.all = BTreeSet::from([digest("a")]);
    let plan = world.plan();
    assert_eq!(plan.remove[0].needed_by.as_deref(), Some("sbom"));
    assert_eq!(plan.remove[2].needed_by.as_deref(), Some("sha-aaaaaaa"));
    assert_eq!(deleted(&plan), digests(&["b", "b1"]));
}

#[test]
fn an_index_goes_before_the_manifests_below_it_and_each_goes_once() {
    let mut world = World::default();
    world.image("sha-bbbbbbb", "b", &["shared", "b1"], LIMIT);
    world.image("sha-aaaaaaa", "a", &["a1", "shared"], LIMIT);
    world.image("sha-aaaaaaa-linux-amd64", "part", &["a1"], LIMIT);
    let expected = digests(&["a", "part", "a1", "b", "shared", "b1"]);
    assert_eq!(deleted(&world.plan()), expected);
}

/// The tag that cosign, or the fallback for referrers, gives to what is attached to a manifest.
fn attached(to: &str, end: &str) -> String {
    format!("sha256-{}{end}", digest(to).hex())
}

#[test]
fn signatures_of_what_is_kept_stay_also_those_of_a_platform_alone() {
    // dataaxiom/ghcr-cleanup-action#104 and #114: signatures of platforms of kept indexes.
    let mut world = World::default();
    world.tag("v1.0.0", "a", &["a1"]);
    world.image("sha-aaaaaaa", "a", &["a1"], LIMIT);
    for (to, end) in [("a", ".sig"), ("a1", ""), ("not-here", ".att")] {
        let (leads_to, bundle) = (format!("signs-{to}"), format!("bundle-of-{to}"));
        world.tag(&attached(to, end), &leads_to, &[&bundle]);
    }
    let plan = world.plan();
    assert_eq!(removed(&plan), [""; 0]);
    for (to, end) in [("a", ".sig"), ("a1", ""), ("not-here", ".att")] {
        keeps(&plan, &attached(to, end), Reason::Signature);
    }
}

#[test]
fn signatures_go_before_what_they_sign() {
    // teslamate-org/teslamate#5622: signatures of removed images pile up.
    let mut world = World::default();
    world.image("sha-aaaaaaa", "a", &["a1"], LIMIT);
    let names = [attached("a", ".sig"), attached("a1", "")];
    world.tag(&names[0], "sig", &[]).needs.all = BTreeSet::from([digest("a")]);
    world.tag(&names[1], "referrers", &["bundle"]);
    let plan = world.plan();
    let mut signatures: Vec<&str> = names.iter().map(|name| &**name).collect();
    signatures.sort_unstable();
    assert_eq!(removed(&plan)[..2], signatures);
    assert_eq!(removed(&plan)[2], "sha-aaaaaaa");
    let deleted: BTreeSet<Digest> = deleted(&plan).into_iter().collect();
    let expected = digests(&["a", "a1", "sig", "referrers", "bundle"]);
    assert_eq!(deleted, expected.into_iter().collect());
}

#[test]
fn a_signature_that_stays_keeps_what_it_names() {
    let mut world = World::default();
    world.image("sha-aaaaaaa", "a", &["a1"], LIMIT);
    // It is named after another manifest, and its subject is this one; then one more hangs on that.
    world
        .tag(&attached("not-here", ".sig"), "odd", &[])
        .needs
        .all = BTreeSet::from([digest("a1")]);
    world.tag(&attached("a1", ".sig"), "second", &[]);
    let plan = world.plan();
    assert_eq!(deleted(&plan), digests(&["a"]));
    keeps(&plan, &attached("a1", ".sig"), Reason::Signature);
}

#[test]
fn a_signature_of_itself_stays() {
    let mut world = World::default();
    world.tag(&attached("self", ".sig"), "self", &[]);
    world.tag(&attached("one", ""), "two", &[]);
    world.tag(&attached("two", ""), "one", &[]);
    assert_eq!(deleted(&world.plan()), []);
}

#[test]
fn a_commit_that_has_a_version_in_git_may_be_in_release() {
    // DataBiosphere/azul#6812: a tag that was pushed anew yesterday, of a commit that is old.
    let mut world = World::default();
    world.image("sha-aaaaaaa", "a", &["a1"], 400);
    world.image("sha-aaaaaaa-linux-amd64", "part", &["a2"], 400);
    world.in_git.insert("sha-aaaaaaa".to_owned());
    let plan = world.plan();
    keeps(&plan, "sha-aaaaaaa", Reason::InGit);
    keeps(&plan, "sha-aaaaaaa-linux-amd64", Reason::InGit);
}

#[test]
fn what_is_of_an_unknown_age_or_of_the_future_stays() {
    let mut world = World::default();
    world.tag("sha-aaaaaaa", "a", &["a1"]).made = Some(Err("it does not say".to_owned()));
    let future = SystemTime::UNIX_EPOCH + Duration::from_secs(2 * NOW);
    world.tag("sha-bbbbbbb", "b", &["b1"]).made = Some(Ok(future));
    world.tag("sha-ccccccc", "c", &["c1"]);
    world.tags.push(ObservedTag {
        name: "sha-ddddddd".to_owned(),
        kind: Kind::Build,
        content: None,
    });
    let plan = world.plan();
    keeps(&plan, "sha-aaaaaaa", Reason::AgeUnknown);
    keeps(&plan, "sha-bbbbbbb", Reason::Young);
    keeps(&plan, "sha-ccccccc", Reason::AgeUnknown);
    keeps(&plan, "sha-ddddddd", Reason::Nowhere);
    assert!(plan.is_empty());
}

#[test]
fn what_an_interrupted_run_left_is_finished_unless_it_is_needed_again() {
    let mut world = World {
        left_over: digests(&["a1", "a2", "b1"]),
        ..World::default()
    };
    world.tag("v1.0.0", "a", &["a1"]);
    world.image("sha-bbbbbbb", "b", &["b1"], LIMIT);
    let plan = world.plan();
    assert_eq!(plan.left_over, digests(&["a2"]));
    assert_eq!(deleted(&plan), digests(&["a2", "b", "b1"]));
}

#[test]
fn an_empty_repository_has_nothing_to_remove() {
    assert!(World::default().plan().is_empty());
}

/// Names of every kind, and documents that they share often.
fn tags() -> impl Strategy<Value = Vec<(usize, usize, Vec<usize>, usize, u64)>> {
    let document = || 0..DOCUMENTS.len();
    let entries = prop::collection::vec(document(), 0..4);
    prop::collection::vec(
        (0..14usize, document(), entries, document(), 0..200u64),
        0..14,
    )
}

const DOCUMENTS: [&str; 7] = ["a", "b", "c", "d", "e", "f", "g"];

proptest! {
    #[test]
    fn nothing_that_a_kept_tag_needs_is_ever_deleted(tags in tags()) {
        let mut names = ["v1.0.0", "state-v1.0.0", "edge"].map(str::to_owned).to_vec();
        names.extend(["aaaaaaa", "bbbbbbb", "ccccccc"].iter().flat_map(|commit| {
            [format!("sha-{commit}"), format!("sha-{commit}-linux-amd64")]
        }));
        names.extend(DOCUMENTS[..5].iter().map(|of| attached(of, ".sig")));
        let (mut world, mut contents) = (World::default(), BTreeMap::new());
        for (name, leads_to, entries, subject, days) in tags {
            // One tag leads to one thing, and one digest has one content.
            let (entries, subject) = contents.entry(leads_to).or_insert((entries, subject));
            if world.tags.iter().all(|tag| tag.name != names[name]) {
                let entries: Vec<&str> = entries.iter().map(|one| DOCUMENTS[*one]).collect();
                world.image(&names[name], DOCUMENTS[leads_to], &entries, days);
                let content = world.tags.last_mut().and_then(|tag| tag.content.as_mut());
                content.unwrap().needs.all.insert(digest(DOCUMENTS[*subject]));
            }
        }
        world.left_over = digests(&DOCUMENTS);
        let plan = world.plan();
        prop_assert_eq!(plan.keep.len() + removed(&plan).len(), world.tags.len());
        let deleted: Vec<Digest> = deleted(&plan);
        let once: BTreeSet<&Digest> = deleted.iter().collect();
        prop_assert_eq!(once.len(), deleted.len());
        let untagged = plan.remove.iter().filter(|removal| removal.needed_by.is_some());
        let untagged = untagged.map(|removal| &removal.tags[0].tag);
        for stays in plan.keep.iter().map(|kept| &kept.tag).chain(untagged) {
            let tag = world.tags.iter().find(|tag| tag.name == *stays);
            let content = tag.and_then(|tag| tag.content.as_ref()).unwrap();
            for digest in content.digests() {
                prop_assert!(!deleted.contains(digest), "{stays}: {plan:#?}");
            }
        }
        for tag in removed(&plan) {
            prop_assert!(!matches!(Kind::of(tag), Kind::Root | Kind::Record | Kind::Foreign));
        }
    }
}
