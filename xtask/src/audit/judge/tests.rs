//! Made-up repositories, each with one thing wrong.

use super::*;

fn digest(text: &str) -> Digest {
    Digest::of(text.as_bytes())
}

/// A tag of the image that is built from the commit `revision`.
fn tag(name: &str, revision: &str) -> AuditedTag {
    AuditedTag {
        name: name.to_owned(),
        digest: Some(digest(revision)),
        manifests: 2,
        blobs: 4,
        revisions: [revision.to_owned()].into(),
        ..AuditedTag::default()
    }
}

fn repository(name: &str, tags: Vec<AuditedTag>) -> AuditedRepository {
    let versions = tags.iter().filter(|tag| tag.version().is_some());
    let commits = versions.flat_map(|tag| {
        let own = |revision: &String| (sha_name(revision), tag.digest.clone().unwrap());
        tag.revisions.iter().map(own)
    });
    AuditedRepository {
        repository: name.parse().unwrap(),
        commits: commits.collect(),
        withdrawn: std::collections::BTreeSet::new(),
        tags,
    }
}

/// Two stable versions, one prerelease above them, `latest` at the higher stable one.
fn good() -> AuditedRepository {
    let tags = vec![
        tag("latest", "two"),
        tag("v2.1.0-rc.1", "three"),
        tag("v2.0.0", "two"),
        tag("v1.0.0", "one"),
    ];
    repository("a/b", tags)
}

fn of_git() -> BTreeMap<Version, String> {
    let versions = [("1.0.0", "one"), ("2.0.0", "two"), ("2.1.0-rc.1", "three")];
    let own = |(version, commit): (&str, &str)| (version.parse().unwrap(), commit.to_owned());
    versions.map(own).into()
}

/// The findings after a change, as `reference why`.
fn found(change: impl FnOnce(&mut AuditedRepository)) -> Vec<String> {
    let mut facts = good();
    change(&mut facts);
    let findings = judge(&[facts], &of_git());
    let findings = findings.iter();
    findings
        .map(|one| format!("{} {}", one.reference, one.why))
        .collect()
}

#[track_caller]
fn only(found: &[String], part: &str) {
    assert!(
        found.len() == 1 && found[0].contains(part),
        "{part}: {found:?}"
    );
}

#[test]
fn a_good_repository_has_no_findings() {
    assert_eq!(found(|_| {}), [""; 0]);
    // Nothing is published, and git's tags may be elsewhere.
    assert_eq!(found(|facts| facts.tags.clear()), [""; 0]);
    assert_eq!(judge(&[good()], &BTreeMap::new()), []);
}

#[test]
fn what_is_missing_is_named() {
    let gone = |facts: &mut AuditedRepository| facts.tags[3].digest = None;
    only(&found(gone), "a/b:v1.0.0 is listed, and leads nowhere");
    let broken =
        |facts: &mut AuditedRepository| facts.tags[3].broken.push("its blob is missing".to_owned());
    only(&found(broken), "a/b:v1.0.0 is broken: its blob is missing");
}

#[test]
fn a_version_is_gits_commit_and_the_commits_own_tag() {
    let moved = |facts: &mut AuditedRepository| {
        facts.tags[3] = tag("v1.0.0", "other");
        facts
            .commits
            .insert("sha-other".to_owned(), digest("other"));
    };
    only(
        &found(moved),
        "built from commit `other`, and the git tag is at `one`",
    );
    let overwritten = |facts: &mut AuditedRepository| {
        facts.commits.insert("sha-one".to_owned(), digest("other"));
    };
    only(&found(overwritten), "is not `sha-one`");
    // A clean-up of old builds is allowed.
    assert_eq!(found(|facts| facts.commits.clear()), [""; 0]);
}

#[test]
fn latest_is_the_highest_stable_version_that_is_not_withdrawn() {
    let back = |facts: &mut AuditedRepository| facts.tags[0] = tag("latest", "one");
    only(&found(back), "the highest stable version is `v2.0.0`");
    let withdrawn = |facts: &mut AuditedRepository| {
        facts.withdrawn.insert("2.0.0".to_owned());
    };
    let rolled_back = |facts: &mut AuditedRepository| {
        back(facts);
        withdrawn(facts);
    };
    assert_eq!(found(rolled_back), [""; 0]);
    only(&found(withdrawn), "the highest stable version is `v1.0.0`");
    only(&found(|facts| drop(facts.tags.remove(0))), "is not there");
    let alone = |facts: &mut AuditedRepository| facts.tags.truncate(2);
    only(&found(alone), "no stable version is published");
}

#[test]
fn versions_are_what_the_other_repositories_say() {
    let other = repository("c/d", vec![tag("latest", "one"), tag("v1.0.0", "one")]);
    assert_eq!(judge(&[good(), other], &of_git()), []);
    let mut other = repository("c/d", vec![tag("latest", "one"), tag("v1.0.0", "one")]);
    for tag in &mut other.tags {
        tag.digest = Some(digest("x"));
    }
    other.commits.clear();
    let findings = judge(&[good(), other], &of_git());
    assert_eq!(findings.len(), 1);
    assert!(
        findings[0].why.contains("and in `a/b` it is"),
        "{findings:?}"
    );
}

#[test]
fn what_is_no_image_is_wrong_under_a_name_of_ours_alone() {
    let odd = |name: &str| {
        let mut other = tag(name, "other");
        other.revisions.clear();
        other.odd = Some("an artifact (x)".to_owned());
        found(|facts| facts.tags.push(other))
    };
    let wrong = "is not an image of this project: an artifact (x)";
    for name in ["v0.9.0-rc.1", "dev", "sha-1ceb56b", "pr-7"] {
        assert_eq!(odd(name), [format!("a/b:{name} {wrong}")]);
    }
    let signature = format!("sha256-{}.sig", "ab".repeat(32));
    for name in ["chart", "buildcache", &signature, "v1"] {
        assert_eq!(odd(name), [""; 0], "{name}");
    }
}

#[test]
fn a_tag_that_was_deleted_meanwhile_is_not_wrong() {
    let mut gone = AuditedTag {
        name: "pr-7".to_owned(),
        is_gone: true,
        ..AuditedTag::default()
    };
    assert_eq!(found(|facts| facts.tags.push(gone.clone())), [""; 0]);
    gone.is_gone = false;
    let nowhere = found(|facts| facts.tags.push(gone));
    assert_eq!(nowhere, ["a/b:pr-7 is listed, and leads nowhere"]);
}
