//! What is decided of one tag: a pure function over what was read.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use serde::Serialize;

use super::observe::{ObservedTag, TagContent};
use crate::oci::Digest;
use crate::tag_kind::Kind;

/// What the decision depends on besides the tags.
pub(super) struct Question<'a> {
    /// The names of the commits' tags that a version of git is at: a release may be under way.
    pub(super) in_git: &'a BTreeSet<String>,
    pub(super) now: SystemTime,
    pub(super) older_than: Duration,
    /// Manifests that an interrupted run left behind, an index before what it names.
    pub(super) left_over: &'a [Digest],
}

/// Why a tag is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Reason {
    /// It is a version, `latest` or `dev`.
    Root,
    /// It is a release record.
    Record,
    /// A root or a record leads to its image.
    LedTo,
    /// A version of git is at its commit.
    InGit,
    Young,
    AgeUnknown,
    /// It is of a manifest that stays.
    Signature,
    Foreign,
    /// It leads nowhere.
    Nowhere,
}

/// What is decided of one tag.
pub(super) enum Verdict {
    Keep(Reason, String),
    Remove(String),
    /// A signature goes when the manifest that it signs goes.
    Follow(Digest),
}

/// Tags, each with what is decided of it.
pub(super) type Decided<'a> = [(&'a ObservedTag, Verdict)];

/// Decides what becomes of a tag, by itself and by what the others lead to.
pub(super) fn verdict(tag: &ObservedTag, tags: &[ObservedTag], question: &Question) -> Verdict {
    let keep = |reason, why: &str| Verdict::Keep(reason, why.to_owned());
    let Some(content) = &tag.content else {
        return keep(Reason::Nowhere, "it leads nowhere");
    };
    let name = match &tag.kind {
        Kind::Root => return keep(Reason::Root, "a version, `latest` or `dev`"),
        Kind::Record => return keep(Reason::Record, "a release record"),
        Kind::Foreign => return keep(Reason::Foreign, "not one of ours"),
        Kind::Signature { of } => return Verdict::Follow(of.clone()),
        Kind::Build => &tag.name,
        Kind::Part { whole } => whole,
    };
    if let Some(root) = root_of(content, tags) {
        return Verdict::Keep(Reason::LedTo, format!("`{root}` leads to it"));
    }
    if let Kind::Part { whole } = &tag.kind
        && is_merged(content, whole, tags)
    {
        return Verdict::Remove(format!("merged into `{whole}`"));
    }
    if question.in_git.contains(name) {
        return keep(Reason::InGit, "git has a version at its commit");
    }
    let made = match &content.made {
        Some(Ok(made)) => made,
        Some(Err(why)) => return keep(Reason::AgeUnknown, why),
        None => return keep(Reason::AgeUnknown, "its age was not read"),
    };
    // An image of the future is young.
    let age = question.now.duration_since(*made).unwrap_or_default();
    let days = crate::day::age(*made, question.now);
    if age < question.older_than {
        return Verdict::Keep(Reason::Young, format!("{days} days old"));
    }
    Verdict::Remove(format!("{days} days old, and no version is at it"))
}

/// The version, `latest`, `dev` or record that leads to a digest, or to an index with it. A record is written
/// before its version's tag.
fn root_of<'a>(content: &TagContent, tags: &'a [ObservedTag]) -> Option<&'a str> {
    let is_root = |tag: &&ObservedTag| matches!(tag.kind, Kind::Root | Kind::Record);
    let mut roots = tags.iter().filter(is_root);
    let is_at = |root: &&ObservedTag| {
        let root = root.content.as_ref();
        root.is_some_and(|root| root.needs(&content.digest))
    };
    roots.find(is_at).map(|root| &*root.name)
}

/// Whether the commit's index has every manifest of one platform's index.
fn is_merged(part: &TagContent, whole: &str, tags: &[ObservedTag]) -> bool {
    let whole = tags.iter().find(|tag| tag.name == whole);
    let Some(whole) = whole.and_then(|whole| whole.content.as_ref()) else {
        return false;
    };
    let entries = &part.needs.entries;
    let own = std::slice::from_ref(&part.digest);
    let manifests = if entries.is_empty() { own } else { entries };
    let has = |manifest: &Digest| whole.needs.entries.contains(manifest);
    whole.digest != part.digest && manifests.iter().all(has)
}

pub(super) fn is_kept(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Keep(..))
}
