//! Made-up repositories, each with one thing wrong.

mod age;
mod kept;

use super::*;
use crate::attested::{Attested, Believed, PublishedImage};
use crate::audit::kept::{Kept, KeptVersion};
use crate::proof::{LatestMove, ReleaseRecord, ReleaseState};
use crate::records::{ReadRecords, Recorded};

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
    let kept = tags.iter().filter_map(|tag| {
        let version = tag.version()?;
        let kept = released(&version, tag.digest.as_ref()?);
        Some((version, kept))
    });
    AuditedRepository {
        repository: name.parse().unwrap(),
        commits: commits.collect(),
        believed: Believed::Judged,
        kept: Kept {
            versions: kept.collect(),
            ..Kept::default()
        },
        tags,
    }
}

fn record(version: &Version, digest: &Digest, state: ReleaseState) -> ReleaseRecord {
    ReleaseRecord {
        repository: "docker.io/a/b".to_owned(),
        version: version.clone(),
        digest: digest.clone(),
        state,
        sequence: 1,
        time: "2026-11-25T05:13:09Z".to_owned(),
        reason: (state == ReleaseState::Withdrawn).then(|| "it leaks".to_owned()),
        latest: LatestMove::default(),
    }
}

/// What a release keeps with a version of two platforms.
fn released(version: &Version, digest: &Digest) -> KeptVersion {
    let platform = |name: &str| crate::attested::PublishedPlatform {
        name: name.to_owned(),
        platform: name.parse().ok(),
        manifest: Digest::of(name.as_bytes()),
    };
    let recorded = Recorded::Believed(record(version, digest, ReleaseState::Released));
    KeptVersion {
        image: PublishedImage {
            platforms: ["linux/amd64", "linux/arm64"].map(platform).to_vec(),
            fault: None,
        },
        attested: Attested {
            records: ReadRecords {
                tagged: recorded.clone(),
                newest: recorded,
                by: None,
            },
            proofs: vec![Ok("the key `cosign.pub`".to_owned()); 2],
        },
    }
}

impl AuditedRepository {
    fn kept(&mut self, version: &str) -> &mut KeptVersion {
        let version = version.parse().unwrap();
        self.kept.versions.get_mut(&version).unwrap()
    }

    /// Changes what the record of a version says, under its tag and as the newest.
    fn recorded(&mut self, version: &str, recorded: Recorded) {
        let records = &mut self.kept(version).attested.records;
        records.tagged = recorded.clone();
        records.newest = recorded;
    }

    fn withdraw(&mut self, version: &str) {
        let digest = self
            .tags
            .iter()
            .find(|tag| tag.name == format!("v{version}"));
        let digest = digest.unwrap().digest.clone().unwrap();
        let record = record(&version.parse().unwrap(), &digest, ReleaseState::Withdrawn);
        self.recorded(version, Recorded::Believed(record));
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
    let findings = judge(&[facts], &of_git(), None);
    // What an image says is no reason to move what people signed off.
    for Finding { remedy, .. } in &findings {
        assert!(!remedy.contains("`git tag"), "{remedy}");
        assert!(!remedy.contains("--force"), "{remedy}");
    }
    let findings = findings.iter();
    findings
        .map(|one| format!("{}{} {}", prefix(one.severity), one.reference, one.why))
        .collect()
}

fn prefix(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "",
        Severity::Warning => "warning: ",
        Severity::Note => "note: ",
    }
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
    assert_eq!(judge(&[good()], &BTreeMap::new(), None), []);
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
        *facts.kept("1.0.0") = released(&Version::new(1, 0, 0), &digest("other"));
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
    only(
        &found(back),
        "the highest stable version that counts is `v2.0.0`",
    );
    let withdrawn = |facts: &mut AuditedRepository| facts.withdraw("2.0.0");
    let rolled_back = |facts: &mut AuditedRepository| {
        back(facts);
        withdrawn(facts);
    };
    assert_eq!(found(rolled_back), [""; 0]);
    only(
        &found(withdrawn),
        "a/b:latest leads to `v2.0.0`, which is withdrawn (2026-11-25T05:13:09Z): it leaks",
    );
    only(&found(|facts| drop(facts.tags.remove(0))), "is not there");
    let alone = |facts: &mut AuditedRepository| facts.tags.truncate(2);
    only(&found(alone), "no stable version is published");
}

#[test]
fn versions_are_what_the_other_repositories_say() {
    let other = repository("c/d", vec![tag("latest", "one"), tag("v1.0.0", "one")]);
    assert_eq!(judge(&[good(), other], &of_git(), None), []);
    let mut other = repository("c/d", vec![tag("latest", "one"), tag("v1.0.0", "one")]);
    for tag in &mut other.tags {
        tag.digest = Some(digest("x"));
    }
    *other.kept("1.0.0") = released(&Version::new(1, 0, 0), &digest("x"));
    other.commits.clear();
    let findings = judge(&[good(), other], &of_git(), None);
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
