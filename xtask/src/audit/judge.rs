//! What is wrong with published tags: a pure function over what was read.

use std::collections::BTreeMap;

use serde::Serialize;

use super::observe::{AuditedRepository, AuditedTag};
use crate::oci::Digest;
use crate::tags::sha_name;
use crate::version::Version;
use crate::version::latest::highest;

/// Something that is wrong with a tag.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    /// The tag, with its repository.
    pub(super) reference: String,
    pub(super) why: String,
    pub(super) remedy: String,
}

/// Judges the repositories. `of_git` has the commit of each version in this clone.
pub(super) fn judge(
    repositories: &[AuditedRepository],
    of_git: &BTreeMap<Version, String>,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for facts in repositories {
        for tag in &facts.tags {
            complete(facts, tag, &mut findings);
            if let (Some(version), Some(_)) = (tag.version(), &tag.digest) {
                commit(facts, tag, of_git.get(&version), &mut findings);
            }
        }
        latest(facts, &mut findings);
    }
    agree(repositories, &mut findings);
    findings
}

/// Checks that the tag leads to something, that everything below it is there, and that it is an image if
/// its name says so.
fn complete(facts: &AuditedRepository, tag: &AuditedTag, findings: &mut Vec<Finding>) {
    let reference = facts.repository.reference(&tag.name);
    let mut add = |why: String, remedy: &str| {
        findings.push(Finding {
            reference: reference.clone(),
            why,
            remedy: remedy.to_owned(),
        });
    };
    let remedy = if tag.is_ours() {
        "restore it from a copy of the registry, and stop the clean-up that deleted it; or release a \
         higher version"
    } else {
        "push it anew, or delete the tag"
    };
    let is_known = !tag.broken.is_empty() || tag.odd.is_some() || tag.is_gone;
    if tag.digest.is_none() && !is_known {
        add("is listed, and leads nowhere".to_owned(), remedy);
    }
    for why in &tag.broken {
        add(format!("is broken: {why}"), remedy);
    }
    if let Some(odd) = tag.odd.as_ref().filter(|_| tag.is_ours()) {
        add(
            format!("is not an image of this project: {odd}"),
            "find out who pushed it, and delete the tag or release a higher version",
        );
    }
}

/// Checks that a version is built from the git tag's commit, and equals the commit's `sha-…` tag.
fn commit(
    facts: &AuditedRepository,
    tag: &AuditedTag,
    of_git: Option<&String>,
    findings: &mut Vec<Finding>,
) {
    let reference = facts.repository.reference(&tag.name);
    for revision in &tag.revisions {
        if let Some(commit) = of_git.filter(|commit| *commit != revision) {
            findings.push(Finding {
                reference: reference.clone(),
                why: format!("is built from commit `{revision}`, and the git tag is at `{commit}`"),
                remedy: format!(
                    "find out who moved the git tag; `git fetch --tags --force` takes the \
                     remote's, `git tag --force {} {revision}` moves it back",
                    tag.name
                ),
            });
        }
        let own = sha_name(revision);
        let other = facts
            .commits
            .get(&own)
            .filter(|own| Some(*own) != tag.digest.as_ref());
        if let Some(other) = other {
            findings.push(Finding {
                reference: reference.clone(),
                why: format!("is not `{own}`, which is `{other}`"),
                remedy: format!(
                    "one of them was overwritten: `cargo xtask verify --pull {}` and the release \
                     records say which",
                    facts.repository.reference(&own)
                ),
            });
        }
    }
}

/// Checks that `latest` is the highest stable version that is not withdrawn.
fn latest(facts: &AuditedRepository, findings: &mut Vec<Finding>) {
    let reference = facts.repository.reference("latest");
    let at = facts.tags.iter().find(|tag| tag.name == "latest");
    let at = at.and_then(|tag| tag.digest.as_ref());
    let versions = facts.tags.iter().filter_map(|tag| {
        let version = tag.version()?;
        let is_withdrawn = facts.withdrawn.contains(&version.to_string());
        (!is_withdrawn).then_some((version, tag.digest.as_ref()))
    });
    let versions: BTreeMap<Version, Option<&Digest>> = versions.collect();
    let highest = highest(versions.keys()).and_then(|highest| versions.get_key_value(highest));
    let (why, remedy) = match (at, highest) {
        (None, None) => return,
        (Some(_), None) => (
            "is there, and no stable version is published".to_owned(),
            "`cargo xtask release` publishes one".to_owned(),
        ),
        (at, Some((_, highest))) if at == *highest => return,
        (at, Some((highest, _))) => (
            format!(
                "is {}, and the highest stable version is `v{highest}`",
                at.map_or("not there".to_owned(), |at| format!("`{at}`"))
            ),
            format!(
                "`cargo xtask release --version {highest} --latest require`, unless it was taken \
                 back elsewhere"
            ),
        ),
    };
    findings.push(Finding {
        reference,
        why,
        remedy,
    });
}

/// Checks that a version is the same in every repository that has it.
fn agree(repositories: &[AuditedRepository], findings: &mut Vec<Finding>) {
    let Some((first, others)) = repositories.split_first() else {
        return;
    };
    for facts in others {
        for tag in facts.tags.iter().filter(|tag| tag.version().is_some()) {
            let theirs = first.tags.iter().find(|theirs| theirs.name == tag.name);
            let Some(theirs) = theirs.filter(|theirs| theirs.digest != tag.digest) else {
                continue;
            };
            let describe = |digest: &Option<Digest>| {
                digest
                    .as_ref()
                    .map_or("absent".to_owned(), |digest| format!("`{digest}`"))
            };
            findings.push(Finding {
                reference: facts.repository.reference(&tag.name),
                why: format!(
                    "is {}, and in `{}` it is {}",
                    describe(&tag.digest),
                    first.repository,
                    describe(&theirs.digest)
                ),
                remedy: "find out which one was overwritten, and release a higher version"
                    .to_owned(),
            });
        }
    }
}

#[cfg(test)]
mod tests;
