//! What is wrong with published tags: a pure function over what was read.

mod age;
mod kept;
mod latest;

use std::collections::BTreeMap;

use serde::Serialize;

use super::observe::AuditedRepository;
use super::tag::AuditedTag;
use crate::oci::Digest;
use crate::tags::sha_name;
use crate::version::Version;

/// How much is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Severity {
    /// The audit fails.
    Error,
    /// Something will fail because of it, and nothing is wrong with an image.
    Warning,
    /// To be known.
    Note,
}

/// Something that is wrong with a tag or a repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    pub(super) severity: Severity,
    /// The tag, with its repository; or the repository.
    pub(super) reference: String,
    pub(super) why: String,
    pub(super) remedy: String,
}

/// Judges the repositories. `of_git` has the commit of each version in this clone; `max_age` is how many days old what
/// people follow may be.
pub(super) fn judge(
    repositories: &[AuditedRepository],
    of_git: &BTreeMap<Version, String>,
    max_age: Option<u32>,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for facts in repositories {
        kept::repository(facts, &mut findings);
        for tag in &facts.tags {
            complete(facts, tag, &mut findings);
            if let (Some(version), Some(_)) = (tag.version(), &tag.digest) {
                commit(facts, tag, of_git.get(&version), &mut findings);
                kept::version(facts, tag, &mut findings);
            }
        }
        latest::check(facts, &mut findings);
        if let Some(days) = max_age {
            age::check(facts, days, &mut findings);
        }
        kept::strays(facts, &mut findings);
        kept::lists(facts, &mut findings);
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
            severity: Severity::Error,
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
    // What a list names and is gone has a warning of its own.
    let list = facts.kept.lists.iter().find(|list| list.tag == tag.name);
    let is_known = |why: &&String| {
        let mut dangling = list.iter().flat_map(|list| &list.dangling);
        dangling.any(|digest| why.contains(digest.as_str()))
    };
    for why in tag.broken.iter().filter(|why| !is_known(why)) {
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
                severity: Severity::Error,
                reference: reference.clone(),
                why: format!("is built from commit `{revision}`, and the git tag is at `{commit}`"),
                remedy: "the git tag is what people signed off: compare it with the remote's (`git \
                         ls-remote --tags`); if it was not moved, nobody should use this image: release a \
                         higher version"
                    .to_owned(),
            });
        }
        let own = sha_name(revision);
        let other = facts
            .commits
            .get(&own)
            .filter(|own| Some(*own) != tag.digest.as_ref());
        if let Some(other) = other {
            findings.push(Finding {
                severity: Severity::Error,
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
                severity: Severity::Error,
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
