//! What is removed from a repository and what is kept: a pure decision over what was read.

mod removals;

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use serde::Serialize;

use self::removals::removals;
use super::kind::Kind;
use super::observe::{ObservedTag, TagContent};
use crate::oci::Digest;

/// What the decision depends on besides the tags.
pub(super) struct Question<'a> {
    /// The names of the commits' tags that a version of git is at: a release may be under way.
    pub(super) in_git: &'a BTreeSet<String>,
    pub(super) now: SystemTime,
    pub(super) older_than: Duration,
    /// Manifests that an interrupted run left behind, an index before what it names.
    pub(super) left_over: &'a [Digest],
}

/// What is done with every tag.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct PrunePlan {
    /// Manifests without a tag that an interrupted run left behind, and that nothing needs. They go
    /// first, in this order.
    pub(super) left_over: Vec<Digest>,
    /// In the order of the deletions.
    pub(super) remove: Vec<Removal>,
    pub(super) keep: Vec<KeptTag>,
}

impl PrunePlan {
    pub(super) fn is_empty(&self) -> bool {
        self.remove.is_empty() && self.left_over.is_empty()
    }
}

/// A digest that loses all its tags, or those that are removed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Removal {
    pub(super) digest: Digest,
    /// The tags that are removed.
    pub(super) tags: Vec<RemovedTag>,
    /// A tag that is kept and needs the digest, so that only its tags may be deleted.
    pub(super) needed_by: Option<String>,
    /// The manifests below it that nothing needs any more; the digest itself is not among them.
    pub(super) manifests: Vec<Digest>,
}

/// A tag, and why it is removed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct RemovedTag {
    pub(super) tag: String,
    pub(super) why: String,
}

/// A tag, and why it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct KeptTag {
    pub(super) tag: String,
    pub(super) reason: Reason,
    pub(super) why: String,
}

/// Why a tag is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Reason {
    /// It is a version, `latest` or `dev`.
    Root,
    /// A root leads to its image.
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
enum Verdict {
    Keep(Reason, String),
    Remove(String),
    /// A signature goes when the manifest that it signs goes.
    Follow(Digest),
}

/// Decides what becomes of each tag.
pub(super) fn plan(tags: &[ObservedTag], question: &Question) -> PrunePlan {
    let verdicts = tags.iter().map(|tag| verdict(tag, tags, question));
    let mut decided: Vec<(&ObservedTag, Verdict)> = tags.iter().zip(verdicts).collect();
    follow(&mut decided);
    let going = going(&decided);
    let needs = kept_needs(&decided);
    let left_over = question.left_over.iter();
    let left_over = left_over.filter(|one| !needs.contains(*one) && !going.contains(*one));
    PrunePlan {
        left_over: left_over.cloned().collect(),
        remove: removals(&decided, &going),
        keep: decided.iter().filter_map(kept).collect(),
    }
}

/// Decides which signatures go with what they sign, and keeps the others.
fn follow(decided: &mut Decided) {
    // A tag can be named after its own digest: only a removed image starts a chain.
    let removed = decided
        .iter()
        .filter(|(_, it)| matches!(it, Verdict::Remove(_)));
    let mut named: BTreeSet<Digest> = removed.flat_map(|(tag, _)| named(tag)).collect();
    loop {
        let follows = decided
            .iter()
            .filter(|(_, verdict)| matches!(verdict, Verdict::Follow(of) if named.contains(of)));
        let more: Vec<Digest> = follows.flat_map(|(tag, _)| self::named(tag)).collect();
        let before = named.len();
        named.extend(more);
        if named.len() == before {
            break;
        }
    }
    keep_unfollowed(decided, &named);
    // Keeping one signature may keep what another one signs.
    while keep_unfollowed(decided, &going(decided)) {}
}

/// Keeps the signatures of what does not go. Returns whether there were any.
fn keep_unfollowed(decided: &mut Decided, going: &BTreeSet<Digest>) -> bool {
    let mut is_changed = false;
    for (_, verdict) in decided {
        if matches!(verdict, Verdict::Follow(of) if !going.contains(of)) {
            *verdict = Verdict::Keep(Reason::Signature, "what it signs is kept".to_owned());
            is_changed = true;
        }
    }
    is_changed
}

fn verdict(tag: &ObservedTag, tags: &[ObservedTag], question: &Question) -> Verdict {
    let keep = |reason, why: &str| Verdict::Keep(reason, why.to_owned());
    let Some(content) = &tag.content else {
        return keep(Reason::Nowhere, "it leads nowhere");
    };
    let name = match &tag.kind {
        Kind::Root => return keep(Reason::Root, "a version, `latest` or `dev`"),
        Kind::Foreign => return keep(Reason::Foreign, "not one of ours"),
        Kind::Signature { of } => return Verdict::Follow(of.clone()),
        Kind::Commit => &tag.name,
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
    let days = age.as_secs() / 86_400;
    if age < question.older_than {
        return Verdict::Keep(Reason::Young, format!("{days} days old"));
    }
    Verdict::Remove(format!("{days} days old, and no version is at it"))
}

/// The version, `latest` or `dev` that leads to a digest, or to an index with it.
fn root_of<'a>(content: &TagContent, tags: &'a [ObservedTag]) -> Option<&'a str> {
    let mut roots = tags.iter().filter(|tag| tag.kind == Kind::Root);
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

type Decided<'a> = [(&'a ObservedTag, Verdict)];

/// What the tags that are kept lead to and need. A digest that stays keeps what it needs itself, even
/// when it loses its tags.
fn kept_needs(decided: &Decided) -> BTreeSet<Digest> {
    let mut needs = BTreeSet::new();
    let mut rest: Vec<&TagContent> = Vec::new();
    for (tag, verdict) in decided {
        match &tag.content {
            Some(content) if is_kept(verdict) => needs.extend(content.digests().cloned()),
            Some(content) => rest.push(content),
            None => {}
        }
    }
    loop {
        let (stay, go): (Vec<_>, Vec<_>) = rest
            .into_iter()
            .partition(|content| needs.contains(&content.digest));
        if stay.is_empty() {
            return needs;
        }
        needs.extend(stay.into_iter().flat_map(TagContent::digests).cloned());
        rest = go;
    }
}

/// The manifests that no tag needs which is kept.
fn going(decided: &Decided) -> BTreeSet<Digest> {
    let removed = decided.iter().filter(|(_, verdict)| !is_kept(verdict));
    let named: BTreeSet<Digest> = removed.flat_map(|(tag, _)| named(tag)).collect();
    &named - &kept_needs(decided)
}

/// What a tag leads to, and the entries of that.
fn named(tag: &ObservedTag) -> impl Iterator<Item = Digest> {
    let contents = tag.content.iter();
    let named = contents.flat_map(|content| content.needs.entries.iter().chain([&content.digest]));
    named.cloned()
}

fn is_kept(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Keep(..))
}

fn kept((tag, verdict): &(&ObservedTag, Verdict)) -> Option<KeptTag> {
    let Verdict::Keep(reason, why) = verdict else {
        return None;
    };
    Some(KeptTag {
        tag: tag.name.clone(),
        reason: *reason,
        why: why.clone(),
    })
}

#[cfg(test)]
mod tests;
