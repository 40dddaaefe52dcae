//! One table for each rule, over plain facts.

use std::collections::{BTreeMap, BTreeSet};

use super::*;

mod latest;

pub(super) const REVISION: &str = "0123456789abcdef0123456789abcdef01234567";

/// A clean clone on `main`, whose HEAD carries `at_head` among the versions of `all`.
pub(super) fn facts(at_head: &[&str], all: &[&str]) -> Facts {
    let parsed = all.iter().chain(at_head).map(|name| version::read(name));
    let versions: BTreeSet<Version> = parsed
        .filter_map(|name| match name {
            TagName::Version(version) => Some(version).filter(|v| check_taggable(v).is_ok()),
            TagName::NearMiss(_) | TagName::Other => None,
        })
        .collect();
    Facts {
        head: Head {
            revision: REVISION.to_owned(),
            branch: Some("main".to_owned()),
            epoch: 0,
            dirty: Vec::new(),
            filtered: Vec::new(),
            source: Some("https://example.org/me/agent".to_owned()),
        },
        top: Some("/work".into()),
        at_head: at_head.iter().map(ToString::to_string).collect(),
        versions: versions.into_iter().collect(),
        near_misses: BTreeMap::new(),
        no_commits: BTreeMap::new(),
        shallow: false,
        replaced: false,
        default_branch: Some("main".to_owned()),
    }
}

pub(super) fn question() -> Question {
    Question {
        repository: "ghcr.io/me/agent".parse().unwrap(),
        default_branch: None,
        workspace_version: None,
        pick: None,
        ci: None,
        published: Published::Unknown,
    }
}

pub(super) fn ci(event: &str, git_ref: &str, sha: &str) -> Ci {
    Ci {
        event: Some(event.to_owned()),
        git_ref: Some(git_ref.to_owned()),
        sha: Some(sha.to_owned()),
        origin: None,
    }
}

/// The set in short: given tags by name, `?` for a conditional one; `-` in front of a withheld
/// one, `!` in front of a refused one.
fn brief(set: &TagSet) -> String {
    let given = set.tags.iter().map(|tag| {
        let condition = if tag.is_conditional { "?" } else { "" };
        format!("{}{condition}", tag.name)
    });
    let withheld = set.withheld.iter().map(|withheld| {
        let sign = if withheld.is_refused { '!' } else { '-' };
        format!("{sign}{}", withheld.name)
    });
    given.chain(withheld).collect::<Vec<_>>().join(" ")
}

#[track_caller]
pub(super) fn decides(facts: &Facts, question: &Question, want: &str) -> TagSet {
    let set = tag_set(facts, question).unwrap();
    assert_eq!(brief(&set), want, "{set:#?}");
    set
}

/// The reason and the remedy of a tag that is not given.
fn reason<'a>(set: &'a TagSet, name: &str) -> (&'a str, &'a str) {
    let withheld = set.withheld.iter().find(|w| w.name == name).unwrap();
    (&withheld.reason.why, &withheld.reason.remedy)
}

#[test]
fn a_clean_commit_is_sha_and_dev_given_by_image() {
    let set = decides(&facts(&[], &["v1.0.0"]), &question(), "sha-0123456 dev");
    assert!(
        set.tags
            .iter()
            .all(|tag| tag.applied_by == AppliedBy::Image)
    );
    assert_eq!(set.tags[0].reference, "ghcr.io/me/agent:sha-0123456");
    assert_eq!((set.version, set.prerelease), (None, None));
}

#[test]
fn dev_is_for_local_builds_and_in_ci_for_the_default_branch() {
    for (branch, ci, default, want) in [
        (Some("main"), None, Some("main"), "dev"),
        (Some("feature"), None, Some("main"), "dev"),
        (None, None, None, "dev"),
        (
            Some("main"),
            Some(ci("push", "refs/heads/main", REVISION)),
            Some("main"),
            "dev",
        ),
        (
            Some("trunk"),
            Some(ci("push", "refs/heads/trunk", REVISION)),
            Some("main"),
            "-dev",
        ),
        (
            Some("trunk"),
            Some(ci("push", "refs/heads/trunk", REVISION)),
            Some("trunk"),
            "dev",
        ),
        // Detached, as CI checks out a tag, or a commit of the branch that it names.
        (
            None,
            Some(ci("push", "refs/tags/v1.0.0", REVISION)),
            Some("main"),
            "-dev",
        ),
        (
            None,
            Some(ci("push", "refs/heads/main", REVISION)),
            Some("main"),
            "dev",
        ),
        (
            None,
            Some(ci("push", "refs/heads/main", "another")),
            Some("main"),
            "-dev",
        ),
        // A fork's branch may be called as ours is.
        (
            Some("main"),
            Some(ci("pull_request", "refs/pull/7/head", REVISION)),
            Some("main"),
            "-dev",
        ),
        (
            Some("main"),
            Some(ci("pull_request_target", "refs/heads/main", "x")),
            Some("main"),
            "-dev",
        ),
        (
            Some("main"),
            Some(ci("push", "refs/heads/main", REVISION)),
            None,
            "-dev",
        ),
        (Some("main"), Some(Ci::default()), Some("main"), "dev"),
    ] {
        let mut facts = facts(&[], &[]);
        facts.head.branch = branch.map(str::to_owned);
        facts.default_branch = default.map(str::to_owned);
        let mut question = question();
        question.ci = ci;
        let want = if want == "dev" {
            "sha-0123456 dev"
        } else {
            "sha-0123456 -dev"
        };
        decides(&facts, &question, want);
    }
}

#[test]
fn the_setting_of_the_default_branch_overrides_git() {
    let mut question = question();
    question.ci = Some(ci("push", "refs/heads/main", REVISION));
    question.default_branch = Some("release".to_owned());
    let set = decides(&facts(&[], &[]), &question, "sha-0123456 -dev");
    assert_eq!(set.default_branch.as_deref(), Some("release"));
}

#[test]
fn a_dirty_tree_is_dev_and_nothing_else() {
    let mut facts = facts(&["v1.0.0"], &[]);
    facts.head.dirty = vec!["README.md".to_owned()];
    let set = decides(&facts, &question(), "dev -sha-0123456 -v1.0.0");
    assert_eq!(set.revision, format!("{REVISION}-dirty"));
    assert_eq!(
        set.labels["org.opencontainers.image.revision"],
        set.revision
    );
    assert!(reason(&set, "v1.0.0").1.contains("git commit"));
    // In CI as well: the build there is local too, and it is never pushed.
    let mut question = question();
    question.ci = Some(ci("push", "refs/heads/feature", REVISION));
    decides(&facts, &question, "dev -sha-0123456 -v1.0.0");
}

#[test]
fn of_several_versions_the_highest_counts_unless_another_is_picked() {
    // As text `v1.10.0` comes before `v1.9.0`, and a prerelease after its version.
    let facts = facts(&["nightly", "v1.10.0", "v1.10.0-rc.1", "v1.9.0"], &[]);
    let set = decides(&facts, &question(), "sha-0123456 dev v1.10.0 latest?");
    assert!(
        set.notes[0].contains("`v1.10.0-rc.1`, `v1.9.0`"),
        "{:?}",
        set.notes
    );
    let mut question = question();
    question.pick = Some(Version::new(1, 9, 0));
    let set = decides(&facts, &question, "sha-0123456 dev v1.9.0 latest?");
    assert_eq!(set.higher, ["v1.10.0"]);
    assert_eq!(set.notes.len(), 2, "{:?}", set.notes);
}

#[test]
fn a_version_that_is_not_at_head_cannot_be_picked() {
    for (pick, remedy) in [
        ("1.0.0", "`git tag -a v1.0.0`"),
        ("3.0.0", "`git checkout v3.0.0`"),
        ("2.0.0+a", "`--version 2.0.0`"),
    ] {
        let mut question = question();
        question.pick = Some(pick.parse().unwrap());
        let want = format!("sha-0123456 dev !v{pick}");
        let set = decides(&facts(&["v2.0.0"], &["v3.0.0"]), &question, &want);
        assert_eq!(reason(&set, &format!("v{pick}")).1, remedy);
        assert_eq!(set.version, None);
    }
}

#[test]
fn build_metadata_is_refused_and_never_dropped() {
    let set = decides(
        &facts(&["v1.2.3+build.1"], &[]),
        &question(),
        "sha-0123456 dev !v1.2.3+build.1",
    );
    let (why, remedy) = reason(&set, "v1.2.3+build.1");
    assert!(why.contains("cannot be part"), "{why}");
    assert!(remedy.contains("git tag -a v1.2.3`"), "{remedy}");
    let both = facts(&["v1.2.3", "v1.2.3+build.1"], &[]);
    decides(
        &both,
        &question(),
        "sha-0123456 dev v1.2.3 latest? !v1.2.3+build.1",
    );
    let mut question = question();
    question.pick = Some(Version::new(1, 2, 3));
    decides(&both, &question, "sha-0123456 dev v1.2.3 latest?");
}

#[test]
fn the_git_tag_must_equal_the_version_in_cargo_toml() {
    let mut question = question();
    question.workspace_version = Some("1.2.3".to_owned());
    decides(
        &facts(&["v1.2.3"], &[]),
        &question,
        "sha-0123456 dev v1.2.3 latest?",
    );
    for wrong in ["v1.2.4", "v1.2.3-rc.1"] {
        let want = format!("sha-0123456 dev !{wrong}");
        let set = decides(&facts(&[wrong], &[]), &question, &want);
        assert!(reason(&set, wrong).0.contains("Cargo.toml says `1.2.3`"));
    }
    let set = decides(&facts(&[], &[]), &question, "sha-0123456 dev");
    assert_eq!(set.labels["org.opencontainers.image.version"], "1.2.3");
}

#[test]
fn nothing_is_named_after_a_pull_requests_merge_commit() {
    let mut question = question();
    question.ci = Some(ci("pull_request", "refs/pull/7/merge", REVISION));
    let mut merge = facts(&["v1.0.0"], &[]);
    merge.head.branch = None;
    let set = decides(&merge, &question, "-sha-0123456 -pr-7 -dev -v1.0.0");
    let (why, remedy) = reason(&set, "sha-0123456");
    assert!(why.contains("pull request 7"), "{why}");
    assert!(remedy.contains("pull_request.head.sha"), "{remedy}");
    // Without GITHUB_SHA, GITHUB_REF decides.
    question.ci = Some(Ci {
        sha: None,
        ..question.ci.unwrap()
    });
    decides(&merge, &question, "-sha-0123456 -pr-7 -dev -v1.0.0");
    // The job checked out the pull request's own commit, which releases nothing from there.
    question.ci = Some(ci("pull_request", "refs/pull/7/merge", "another"));
    decides(&merge, &question, "sha-0123456 -pr-7 -dev -v1.0.0");
}

#[test]
fn a_name_that_registries_refuse_is_withheld() {
    let long = format!("v1.0.0-{}", "a".repeat(122));
    let set = decides(
        &facts(&[&long], &[]),
        &question(),
        &format!("sha-0123456 dev !{long}"),
    );
    assert!(reason(&set, &long).0.contains("longer than 128"));
    let fits = &long[..128];
    decides(
        &facts(&[fits], &[]),
        &question(),
        &format!("sha-0123456 dev {fits} -latest"),
    );
}

#[test]
fn oddities_of_the_repository_are_noted() {
    let mut facts = facts(&[], &[]);
    facts.top = None;
    facts.replaced = true;
    facts.no_commits = BTreeMap::from([("v9.0.0".to_owned(), "tree")]);
    let set = decides(&facts, &question(), "sha-0123456 dev");
    for part in ["`v9.0.0` leads to a tree", "is bare", "`git replace`"] {
        assert!(
            set.notes.iter().any(|note| note.contains(part)),
            "{part}: {:?}",
            set.notes
        );
    }
}

#[test]
fn a_commit_before_1970_is_an_error() {
    let mut facts = facts(&[], &[]);
    facts.head.epoch = -1;
    let error = tag_set(&facts, &question()).unwrap_err().to_string();
    assert!(error.contains("no usable time"), "{error}");
}
