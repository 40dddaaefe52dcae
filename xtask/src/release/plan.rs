//! What a release will do, or every reason why it will do nothing: a pure function over facts.

use serde::Serialize;

use super::facts::{Facts, Published, Wish};
use crate::image::{Found, Wanted, objections};
use crate::oci::Digest;
use crate::platform::Platform;
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
    /// In the order in which they are done.
    pub(super) steps: Vec<Step>,
}

/// What becomes of a tag.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Step {
    pub(super) tag: String,
    pub(super) from: Option<Digest>,
    /// None where the tag stays.
    pub(super) to: Option<Digest>,
    pub(super) why: String,
}

impl Step {
    /// Whether the tag is to be written.
    pub(super) fn is_write(&self) -> bool {
        self.to.is_some() && self.to != self.from
    }
}

impl Plan {
    /// Whether every tag is where it belongs.
    pub(super) fn is_done(&self) -> bool {
        !self.steps.iter().any(Step::is_write)
    }
}

fn as_text<S: serde::Serializer>(version: &Version, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(version)
}

/// Decides on a release.
pub(super) fn plan(facts: &Facts) -> Result<Plan, Vec<Refusal>> {
    let mut refusals = facts.git.clone();
    let image = image(facts).map_err(|refusal| refusals.push(refusal));
    let (Some(version), Ok(digest)) = (&facts.version, image) else {
        return Err(refusals);
    };
    let tag = format!("v{version}");
    let published = &facts.published;
    let mut steps = vec![Step {
        why: match &published.tag {
            None => "the git tag at HEAD".to_owned(),
            Some(_) => "published already".to_owned(),
        },
        tag: tag.clone(),
        from: published.tag.clone(),
        to: Some(digest.clone()),
    }];
    if let Some(other) = published.tag.as_ref().filter(|other| **other != digest) {
        refusals.push(Refusal::new(
            format!(
                "`{tag}` is published with another digest: it is `{other}`, and `{}` is `{digest}`",
                facts.wanted.tag
            ),
            "a version is written once: release this commit as a higher version",
        ));
    }
    let goal = latest(version, &digest, published, facts.wish);
    if let (Goal::Stays(why), Wish::Require) = (&goal, facts.wish) {
        refusals.push(Refusal::new(
            format!("`latest` may not move: {why}"),
            "leave `--latest require` away, or release a version above all that are published",
        ));
    }
    let from = published
        .latest
        .as_ref()
        .map(|latest| latest.digest.clone());
    steps.push(Step {
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
    let mut plan = Plan {
        version: version.clone(),
        revision: facts.wanted.revision.clone(),
        digest,
        verify: Vec::new(),
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

/// The digest of the commit's image, if that is whole and the commit's.
fn image(facts: &Facts) -> Result<Digest, Refusal> {
    let Wanted {
        reference,
        revision,
        ..
    } = &facts.wanted;
    let again = "delete the tag in the registry, and push the commit's image again: `cargo xtask \
                 image --push`";
    match &facts.image {
        Found::Absent => Err(Refusal::new(
            format!("`{reference}` is not published"),
            format!("`cargo xtask image --push` at commit `{revision}`"),
        )),
        Found::Broken(why) => Err(Refusal::new(
            format!("`{reference}` is broken: {why}"),
            again,
        )),
        Found::There(tree) => {
            let objections = objections(tree, &facts.wanted);
            if !objections.is_empty() {
                let why = objections.join("; ");
                return Err(Refusal::new(
                    format!("`{reference}` is not the image of commit `{revision}`: {why}"),
                    again,
                ));
            }
            if let Some(lost) = facts.lost.first() {
                return Err(Refusal::new(
                    format!("`{reference}` is broken: its attestation `{lost}` is missing"),
                    again,
                ));
            }
            Ok(tree.digest.clone())
        }
    }
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
