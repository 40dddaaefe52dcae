//! What a release will do, or every reason why it will do nothing: a pure function over facts.

use serde::Serialize;

use super::facts::{Facts, Published, Released, Wish};
use crate::oci::Digest;
use crate::platform::Platform;
use crate::published::Wanted;
use crate::reference::Repository;
use crate::version::Version;

/// Why a release is refused, and what to type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Refusal {
    pub(super) why: String,
    pub(super) remedy: String,
}

impl Refusal {
    pub(super) fn new(why: impl Into<String>, remedy: impl Into<String>) -> Refusal {
        Refusal {
            why: why.into(),
            remedy: remedy.into(),
        }
    }
}

/// A release that is decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Plan {
    #[serde(serialize_with = "as_text")]
    pub(super) version: Version,
    /// The full commit id.
    pub(super) revision: String,
    /// What is released; no byte of it is rewritten.
    pub(super) digest: Digest,
    /// The platforms to prove first, each with the reason why its receipt does not do.
    pub(super) verify: Vec<(Platform, String)>,
    /// What is signed then, before any tag is given.
    pub(super) sign: Vec<Unsigned>,
    /// In the order in which they are done.
    pub(super) steps: Vec<Step>,
}

/// What is to be signed in a repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Unsigned {
    pub(super) repository: Repository,
    /// Manifests, and the index last.
    pub(super) digests: Vec<Digest>,
}

/// What becomes of a tag.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Step {
    pub(super) kind: Kind,
    pub(super) repository: Repository,
    pub(super) tag: String,
    pub(super) from: Option<Digest>,
    /// None where the tag stays.
    pub(super) to: Option<Digest>,
    pub(super) why: String,
}

/// What a step is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Kind {
    /// The commit's image is brought from the first repository.
    Copy,
    /// The version's tag, which is written once.
    Version,
    /// `latest`, which never moves down.
    Latest,
    /// `latest`, which moves down because somebody asked for it.
    Rollback,
}

impl Step {
    /// Whether the tag is to be written.
    pub(super) fn is_write(&self) -> bool {
        self.to.is_some() && self.to != self.from
    }
}

impl Plan {
    /// Whether every tag is where it belongs, and signed what is to be.
    pub(super) fn is_done(&self) -> bool {
        self.sign.is_empty() && !self.steps.iter().any(Step::is_write)
    }
}

fn as_text<S: serde::Serializer>(version: &Version, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(version)
}

/// Decides on a release.
pub(super) fn release(facts: &Facts) -> Result<Plan, Vec<Refusal>> {
    let wanted = &facts.source.wanted;
    let mut refusals = facts.source.refusals.clone();
    let image = image(
        facts,
        &format!("`cargo xtask image --push` at commit `{}`", wanted.revision),
        "delete the tag in the registry, and push the commit's image again: `cargo xtask image \
         --push`",
    );
    let image = image.map_err(|refusal| refusals.push(refusal));
    let (Some(version), Ok(digest)) = (&facts.source.version, image) else {
        return Err(refusals);
    };
    let mut steps = Vec::new();
    for published in facts.published.iter().skip(1) {
        steps.push(copy(facts, published, &digest, &mut refusals));
    }
    for published in &facts.published {
        steps.push(tag(version, published, &digest, &mut refusals));
    }
    for published in &facts.published {
        let goal = latest(version, &digest, published, facts.wish);
        if let (Goal::Stays(why), Wish::Require) = (&goal, facts.wish) {
            refusals.push(Refusal::new(
                format!("`{}` may not move: {why}", published.reference("latest")),
                "leave `--latest require` away, or release a version above all that are published",
            ));
        }
        let from = published.at().cloned();
        steps.push(Step {
            kind: Kind::Latest,
            repository: published.repository.clone(),
            tag: "latest".to_owned(),
            to: match &goal {
                Goal::Is(_) => from.clone(),
                Goal::Moves(to, _) => Some(to.clone()),
                Goal::Stays(_) => None,
            },
            from,
            why: match goal {
                Goal::Is(why) | Goal::Moves(_, why) | Goal::Stays(why) => why,
            },
        });
    }
    finish(facts, version, digest, steps, refusals)
}

/// Decides on a roll-back: `latest` back to a version that was published, for the reason `why`.
pub(super) fn rollback(facts: &Facts, why: &str) -> Result<Plan, Vec<Refusal>> {
    let mut refusals = facts.source.refusals.clone();
    let status = "`cargo xtask release --status` shows what is published";
    let image = image(facts, status, "`--to vX.Y.Z` names another version");
    let image = image.map_err(|refusal| refusals.push(refusal));
    let (Some(version), Ok(digest)) = (&facts.source.version, image) else {
        return Err(refusals);
    };
    if !version.pre.is_empty() {
        refusals.push(Refusal::new(
            format!("`{version}` is a prerelease, which `latest` never leads to"),
            "`--to vX.Y.Z` names a stable version",
        ));
    }
    let mut steps = Vec::new();
    for published in &facts.published {
        let name = published.reference(&format!("v{version}"));
        match &published.tag {
            Some(there) if *there == digest => {}
            Some(there) => refusals.push(Refusal::new(
                format!("`{name}` leads to another digest than the first repository's: `{there}`"),
                status,
            )),
            None => refusals.push(Refusal::new(format!("`{name}` is not published"), status)),
        }
        let latest = published.reference("latest");
        match &published.latest {
            None => refusals.push(Refusal::new(
                format!("`{latest}` is not there, so there is nothing to take back"),
                "`cargo xtask release` gives it",
            )),
            Some(at) if at.version.as_ref().is_some_and(|at| at < version) => {
                let at = at.version.as_ref().map(ToString::to_string);
                refusals.push(Refusal::new(
                    format!(
                        "`{latest}` is at `v{}`, which is lower than `v{version}`: that is no \
                         roll-back",
                        at.unwrap_or_default()
                    ),
                    format!("`cargo xtask release --version {version} --latest require`"),
                ));
            }
            Some(_) => {}
        }
        steps.push(Step {
            kind: Kind::Rollback,
            repository: published.repository.clone(),
            tag: "latest".to_owned(),
            from: published.at().cloned(),
            to: Some(digest.clone()),
            why: if published.at() == Some(&digest) {
                "it is there already".to_owned()
            } else {
                why.to_owned()
            },
        });
    }
    finish(facts, version, digest, steps, refusals)
}

/// The plan, with what is to be proven first; or all refusals.
fn finish(
    facts: &Facts,
    version: &Version,
    digest: Digest,
    steps: Vec<Step>,
    mut refusals: Vec<Refusal>,
) -> Result<Plan, Vec<Refusal>> {
    let unsigned = facts
        .published
        .iter()
        .filter(|one| !one.unsigned.is_empty());
    let sign = unsigned.map(|published| Unsigned {
        repository: published.repository.clone(),
        digests: published.unsigned.clone(),
    });
    let mut plan = Plan {
        version: version.clone(),
        revision: facts.source.wanted.revision.clone(),
        digest,
        verify: Vec::new(),
        sign: sign.collect(),
        steps,
    };
    // Where nothing is to be written there is nothing to prove.
    if !plan.is_done() {
        plan.verify.clone_from(&facts.lacking);
    }
    if facts.are_receipts_given {
        for (platform, why) in plan.verify.drain(..) {
            refusals.push(Refusal::new(
                format!("no receipt proves {platform}: {why}"),
                "leave `--receipt-dir` away: what is not proven is verified now",
            ));
        }
    }
    if refusals.is_empty() {
        Ok(plan)
    } else {
        Err(refusals)
    }
}

/// The commit's image in a repository that is not the first.
fn copy(
    facts: &Facts,
    published: &Published,
    digest: &Digest,
    refusals: &mut Vec<Refusal>,
) -> Step {
    let Wanted { tag, reference, .. } = &facts.source.wanted;
    let there = published.reference(tag);
    if let Some(other) = published.commit.as_ref().filter(|other| *other != digest) {
        refusals.push(Refusal::new(
            format!("`{there}` is `{other}`, and `{reference}` is `{digest}`"),
            "a published tag is never rewritten: delete it there, or release to that repository \
             by itself",
        ));
    }
    Step {
        kind: Kind::Copy,
        repository: published.repository.clone(),
        tag: tag.clone(),
        from: published.commit.clone(),
        to: Some(digest.clone()),
        why: match &published.commit {
            None => format!("copied from `{reference}`"),
            Some(_) => "copied already".to_owned(),
        },
    }
}

/// The version's own tag.
fn tag(
    version: &Version,
    published: &Published,
    digest: &Digest,
    refusals: &mut Vec<Refusal>,
) -> Step {
    let tag = format!("v{version}");
    if let Some(other) = published.tag.as_ref().filter(|other| *other != digest) {
        refusals.push(Refusal::new(
            format!(
                "`{}` is published with another digest: it is `{other}`, and this release is \
                 `{digest}`",
                published.reference(&tag)
            ),
            "a version is written once: release this commit as a higher version",
        ));
    }
    Step {
        kind: Kind::Version,
        repository: published.repository.clone(),
        tag,
        from: published.tag.clone(),
        to: Some(digest.clone()),
        why: match &published.tag {
            None => "git's tag".to_owned(),
            Some(_) => "published already".to_owned(),
        },
    }
}

/// The digest of the image, if that is whole and the commit's; `absent` and `again` say what to do
/// where it is not there, or not what it must be.
fn image(facts: &Facts, absent: &str, again: &str) -> Result<Digest, Refusal> {
    let Wanted {
        reference,
        revision,
        ..
    } = &facts.source.wanted;
    let (why, remedy) = match &facts.image {
        Released::Whole { digest, .. } => return Ok(digest.clone()),
        Released::Absent => (format!("`{reference}` is not published"), absent),
        Released::Broken(why) => (format!("`{reference}` is broken: {why}"), again),
        Released::Other(why) => (
            format!("`{reference}` is not the image of commit `{revision}`: {why}"),
            again,
        ),
    };
    Err(Refusal::new(why, remedy))
}

/// What becomes of `latest`, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Goal {
    /// It leads there already.
    Is(String),
    Moves(Digest, String),
    Stays(String),
}

/// Where `latest` belongs once `version` is published as `digest`: it never moves down.
pub(super) fn latest(
    version: &Version,
    digest: &Digest,
    published: &Published,
    wish: Wish,
) -> Goal {
    if wish == Wish::Never {
        return Goal::Stays("`--latest never`".to_owned());
    }
    if !version.pre.is_empty() {
        return Goal::Stays(format!("`{version}` is a prerelease"));
    }
    if let (Some(time), Wish::Auto) = (&published.taken_back, wish) {
        return Goal::Stays(format!(
            "it was taken back from this version ({time}); `--latest require` gives it again"
        ));
    }
    let at = published.latest.as_ref();
    if let Some((higher, theirs)) = published.highest.as_ref().filter(|(h, _)| h > version) {
        // Another release came between, and ours has moved it.
        if at.is_some_and(|at| at.digest == *digest) {
            let why = format!("`v{higher}` is published, and it is at `v{version}`");
            return Goal::Moves(theirs.clone(), why);
        }
        return Goal::Stays(format!("the higher version `v{higher}` is published"));
    }
    match at {
        Some(at) if at.digest == *digest => Goal::Is("it is there already".to_owned()),
        Some(at) if at.version.as_ref().is_some_and(|at| at > version) => {
            let at = at.version.as_ref().map(ToString::to_string);
            Goal::Stays(format!(
                "it leads to an image that says to be version `{}`",
                at.unwrap_or_default()
            ))
        }
        _ => Goal::Moves(
            digest.clone(),
            "a stable version, and no higher one is published".to_owned(),
        ),
    }
}

#[cfg(test)]
mod tests;
