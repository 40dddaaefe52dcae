//! The whole way from reading to deleting, at registries that delete in different ways.

mod fake;

use self::fake::{Fake, Mode, State};
use super::apply::RemovalResult;
use super::plan::PrunePlan;
use super::*;
use crate::oci::Digest;

const OLD: &str = "2026-01-01T00:00:00Z";
const YOUNG: &str = "2026-06-01T00:00:00Z";
const NOW: &str = "2026-06-02T00:00:00Z";

/// Two old commits with a manifest in common, a merged part, and a version of a third one.
fn publish(state: &mut State) {
    let mut manifest = |content: &str, created: &str| state.manifest(content, created);
    let [a1, shared, b1] = ["a1", "shared", "b1"].map(|content| manifest(content, OLD));
    let [c1, c2] = ["c1", "c2"].map(|content| manifest(content, YOUNG));
    state.index("sha-aaaaaaa", &[a1, shared.clone()]);
    state.index("sha-bbbbbbb", &[b1, shared]);
    state.index("sha-ccccccc", &[c1.clone(), c2]);
    state.index("sha-ccccccc-linux-amd64", &[c1]);
    let version = state.tags["sha-ccccccc"].clone();
    state.tags.insert("v1.0.0".to_owned(), version);
}

const KEPT: [&str; 2] = ["sha-ccccccc", "v1.0.0"];

impl Fake {
    fn published(mode: Mode) -> Fake {
        let fake = Fake::new(mode);
        publish(&mut fake.state());
        fake
    }

    fn left_over(&self) -> LeftOver {
        LeftOver::new(self.home.path(), &self.repository)
    }

    /// Reads, plans and applies.
    fn prune(&self) -> anyhow::Result<(PrunePlan, Vec<RemovalResult>)> {
        let tags = observe::observe(&self.repository, self.deleter.puller())?;
        let left_over = self.left_over();
        let plan = plan(
            &tags,
            &Question {
                in_git: &BTreeSet::new(),
                now: humantime::parse_rfc3339(NOW).unwrap(),
                older_than: Duration::from_hours(24 * 90),
                left_over: &left_over.read().unwrap(),
            },
        );
        let apply = Apply::new(&self.deleter, &self.repository, &tags, &plan);
        let results = apply.run(&plan, &left_over)?;
        Ok((plan, results))
    }

    /// The text of the error that a run ends with, and its exit code.
    #[track_caller]
    fn fails(&self) -> (String, std::process::ExitCode) {
        let error = self.prune().unwrap_err();
        (format!("{error:#}"), crate::stop::exit_code(&error))
    }

    fn deletions(&self) -> usize {
        let state = self.state();
        let is_deletion = |line: &&String| line.starts_with("DELETE");
        state.log.iter().filter(is_deletion).count()
    }
}

fn why<'a>(results: &'a [RemovalResult], tag: &str) -> &'a str {
    let is_of = |result: &&RemovalResult| result.tags.iter().any(|name| name == tag);
    results.iter().find(is_of).map_or("", |result| &*result.why)
}

#[test]
fn what_nothing_needs_goes_at_registries_that_delete_in_different_ways() {
    for mode in [Mode::Both, Mode::Digests, Mode::Untagged, Mode::Greedy] {
        let fake = Fake::published(mode);
        let (_, results) = fake.prune().unwrap();
        assert!(
            results.iter().all(|result| result.removed),
            "{mode:?}: {results:#?}"
        );
        assert_eq!(fake.tags(), KEPT, "{mode:?}");
        // The index of the version, and its two manifests.
        assert_eq!(fake.state().manifests.len(), 3, "{mode:?}");
        assert_eq!(fake.left_over().read().unwrap(), []);
        let (plan, _) = fake.prune().unwrap();
        assert!(plan.is_empty(), "{mode:?}: {plan:#?}");
    }
}

#[test]
fn a_registry_that_deletes_nothing_is_left_as_it_was() {
    // podman-container-tools/skopeo#1880, docker/hub-feedback#1759.
    for mode in [Mode::Nothing, Mode::Tags] {
        let fake = Fake::published(mode);
        let before = (fake.tags(), fake.state().manifests.len());
        let (error, code) = fake.fails();
        assert_eq!(code, 3.into(), "{error}");
        for part in [
            "deletes nothing over the registry API (405 Method Not Allowed), so nothing was removed",
            "hint: ask its operator to allow deletion",
        ] {
            assert!(error.contains(part), "{error}");
        }
        assert_eq!((fake.tags(), fake.state().manifests.len()), before);
    }
    let fake = Fake::published(Mode::Forbidden);
    let (error, code) = fake.fails();
    assert_eq!(code, 1.into(), "{error}");
    assert!(error.contains("does not let us delete"), "{error}");
    // One that probes, and one of a tag.
    assert_eq!(fake.deletions(), 2);
}

#[test]
fn a_tag_that_shares_its_digest_goes_alone_or_stays() {
    for (mode, is_removed) in [(Mode::Both, true), (Mode::Digests, false)] {
        let fake = Fake::published(mode);
        let digest = fake.state().tags["sha-aaaaaaa"].clone();
        fake.state().tags.insert("edge".to_owned(), digest.clone());
        let (_, results) = fake.prune().unwrap();
        assert!(fake.state().manifests.contains_key(&digest));
        assert!(fake.tags().contains(&"edge".to_owned()));
        assert_eq!(fake.tags().contains(&"sha-aaaaaaa".to_owned()), !is_removed);
        // Its two manifests, one of which the other commit had, too.
        assert_eq!(fake.state().manifests.len(), 6, "{mode:?}");
        if !is_removed {
            let expected = "`edge` needs its digest, and this registry does not delete a tag alone";
            assert_eq!(why(&results, "sha-aaaaaaa"), expected);
        }
    }
    // project-zot/zot#67: the manifest went with one of its tags.
    let fake = Fake::published(Mode::Greedy);
    let digest = fake.state().tags["sha-aaaaaaa"].clone();
    fake.state().tags.insert("edge".to_owned(), digest);
    let (error, _) = fake.fails();
    assert!(error.contains("is gone with one of its tags"), "{error}");
}

#[test]
fn tags_that_outlive_their_manifest_are_an_error() {
    let (error, _) = Fake::published(Mode::Dangling).fails();
    assert!(error.contains("sha-aaaaaaa` still leads to"), "{error}");
    assert!(error.contains("run this again"), "{error}");
}

#[test]
fn a_version_that_is_released_meanwhile_keeps_its_image() {
    // Before a deletion of another image, and of the image's own tag.
    for (mode, before) in [
        (Mode::Both, "sha-aaaaaaa"),
        (Mode::Both, "sha-bbbbbbb"),
        (Mode::Digests, "sha-aaaaaaa"),
    ] {
        let fake = Fake::published(mode);
        let digest = fake.state().tags["sha-bbbbbbb"].clone();
        let given = digest.clone();
        fake.before(before, move |state| {
            state.tags.insert("v2.0.0".to_owned(), given);
        });
        let (_, results) = fake.prune().unwrap();
        let expected = "`v2.0.0` needs it by now";
        assert_eq!(why(&results, "sha-bbbbbbb"), expected, "{mode:?}");
        let state = fake.state();
        assert_eq!(state.tags["v2.0.0"], digest);
        // The version of before, this one, and the manifests of both.
        assert_eq!(state.manifests.len(), 6, "{mode:?}");
    }
}

#[test]
fn a_moving_tag_that_moves_meanwhile_keeps_its_image() {
    for tag in ["dev", "edge"] {
        let fake = Fake::published(Mode::Digests);
        let version = fake.state().tags["v1.0.0"].clone();
        fake.state().tags.insert(tag.to_owned(), version);
        let digest = fake.state().tags["sha-bbbbbbb"].clone();
        fake.before("sha-aaaaaaa", move |state| {
            state.tags.insert(tag.to_owned(), digest);
        });
        let (_, results) = fake.prune().unwrap();
        let expected = format!("`{tag}` needs it by now");
        assert_eq!(why(&results, "sha-bbbbbbb"), expected);
    }
}

#[test]
fn an_image_that_is_kept_meanwhile_keeps_what_it_shares_with_one_that_goes() {
    let fake = Fake::published(Mode::Digests);
    let digest = fake.state().tags["sha-aaaaaaa"].clone();
    // Before the first deletion of all, which probes.
    fake.before("sha256:", move |state| state.attach("sbom", &digest));
    let (_, results) = fake.prune().unwrap();
    assert_eq!(why(&results, "sha-aaaaaaa"), "`sbom` needs it by now");
    let kept = ["sbom", "sha-aaaaaaa", "sha-ccccccc", "v1.0.0"];
    assert_eq!(fake.tags(), kept);
    // Two indexes with two manifests each, and the one that is attached.
    assert_eq!(fake.state().manifests.len(), 7);
}

#[test]
fn a_tag_that_is_pushed_anew_meanwhile_stays() {
    // Azure/acr#520: a retention policy that deletes what was tagged again.
    for mode in [Mode::Both, Mode::Digests] {
        let fake = Fake::published(mode);
        fake.before("sha-aaaaaaa", |state| {
            let shared = state.manifest("shared", OLD);
            state.index("sha-bbbbbbb", &[shared]);
        });
        let (_, results) = fake.prune().unwrap();
        assert_eq!(
            why(&results, "sha-bbbbbbb"),
            "`sha-bbbbbbb` leads elsewhere by now"
        );
        let state = fake.state();
        let shared = state.manifests.len();
        assert!(state.tags.contains_key("sha-bbbbbbb"));
        // What it has by now, what it had, and the version.
        assert_eq!(shared, 1 + 1 + 2 + 3, "{mode:?}");
    }
}

#[test]
fn a_tag_that_somebody_else_removed_meanwhile_is_gone() {
    let fake = Fake::published(Mode::Both);
    fake.before("sha-aaaaaaa", |state| {
        state.tags.remove("sha-bbbbbbb");
    });
    let (_, results) = fake.prune().unwrap();
    assert!(results.iter().all(|result| result.removed), "{results:#?}");
    assert_eq!(fake.state().manifests.len(), 3);
}

#[test]
fn an_interrupted_run_is_finished_by_the_next_one_wherever_it_ended() {
    for mode in [Mode::Both, Mode::Digests, Mode::Untagged] {
        let whole = Fake::published(mode);
        whole.prune().unwrap();
        let deletions = whole.deletions();
        // The first one probes.
        for after in 1..deletions - 1 {
            let fake = Fake::published(mode);
            fake.state().breaks_after = after;
            if fake.prune().is_ok() {
                break;
            }
            fake.state().breaks_after = usize::MAX;
            fake.prune().unwrap();
            assert_eq!(fake.tags(), KEPT, "{mode:?} {after}");
            assert_eq!(fake.state().manifests.len(), 3, "{mode:?} {after}");
        }
    }
}

#[test]
fn the_last_page_of_tags_counts() {
    // trek10inc/ecr-cleaner#6: only the first page was read. Here the version is on the last one.
    let fake = Fake::published(Mode::Digests);
    let digest = fake.state().tags["sha-aaaaaaa"].clone();
    fake.state()
        .tags
        .insert("v0.9.0".to_owned(), digest.clone());
    fake.state().page = 1;
    fake.prune().unwrap();
    let kept = ["sha-aaaaaaa", "sha-ccccccc", "v0.9.0", "v1.0.0"];
    assert_eq!(fake.tags(), kept);
    assert!(fake.state().manifests.contains_key(&digest));
}

#[test]
fn what_a_registry_must_not_say_ends_the_run_before_anything_is_deleted() {
    let lists = |name: &str| {
        let fake = Fake::published(Mode::Both);
        fake.state().lists.push(name.to_owned());
        fake
    };
    for name in ["zz/../../x", "zz\u{1b}[2J", "zz?n=1"] {
        let fake = lists(name);
        let (error, _) = fake.fails();
        assert!(error.contains("which cannot be a tag's name"), "{error}");
        assert!(!error.contains('\u{1b}'), "{error}");
        assert_eq!(fake.deletions(), 0);
    }
    // A document that nobody understands may need anything.
    let fake = Fake::published(Mode::Both);
    let nonsense = b"{\"manifests\":{}}".to_vec();
    let digest = Digest::of(&nonsense);
    fake.state().manifests.insert(digest.clone(), nonsense);
    fake.state().tags.insert("edge".to_owned(), digest);
    let (error, code) = fake.fails();
    assert_eq!(code, 3.into(), "{error}");
    assert!(
        error.contains("edge` needs is not known, so nothing may be removed"),
        "{error}"
    );
    assert_eq!(fake.deletions(), 0);
    // A tag that is listed and leads nowhere harms nobody.
    let fake = lists("zz");
    fake.prune().unwrap();
    assert_eq!(fake.tags(), KEPT);
}

#[test]
fn an_age_has_a_unit_and_is_a_day_at_least() {
    for (text, days) in [("30d", 30), ("24h", 1), ("12weeks", 84), ("90days", 90)] {
        assert_eq!(age(text), Ok(Duration::from_hours(24 * days)), "{text}");
    }
    for text in ["", "30", "0s", "23h", "-30d", "30 x"] {
        assert!(age(text).is_err(), "{text}");
    }
}
