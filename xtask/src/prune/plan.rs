//! What is removed from a repository and what is kept: a pure decision over what was read.

use std::collections::BTreeSet;

use serde::Serialize;

use super::observe::{ObservedTag, TagContent};
use super::removals::{Removal, removals};
use super::verdict::{Decided, Question, Reason, Verdict, is_kept, verdict};
use crate::oci::Digest;

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

/// A tag, and why it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct KeptTag {
    pub(super) tag: String,
    pub(super) reason: Reason,
    pub(super) why: String,
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
