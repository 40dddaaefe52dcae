//! The order of the deletions.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::observe::{ObservedTag, TagContent};
use super::verdict::{Decided, Verdict, is_kept};
use crate::oci::Digest;
use crate::tag_kind::Kind;

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

/// A digest and its tags that are removed.
struct Group<'a> {
    content: &'a TagContent,
    is_image: bool,
    tags: Vec<RemovedTag>,
}

/// The tags that are removed, by their digests: signatures before what they sign, else by name.
fn groups<'a>(decided: &Decided<'a>) -> Vec<Group<'a>> {
    let mut groups: BTreeMap<&Digest, Group> = BTreeMap::new();
    for (tag, verdict) in decided {
        let why = match verdict {
            Verdict::Keep(..) => continue,
            Verdict::Remove(why) => why.clone(),
            Verdict::Follow(of) => format!("of {}, which is removed", of.short()),
        };
        let Some(content) = &tag.content else {
            continue;
        };
        let group = groups.entry(&content.digest).or_insert(Group {
            content,
            is_image: false,
            tags: Vec::new(),
        });
        group.is_image |= !matches!(tag.kind, Kind::Signature { .. });
        group.tags.push(RemovedTag {
            tag: tag.name.clone(),
            why,
        });
    }
    let mut groups: Vec<Group> = groups.into_values().collect();
    groups.sort_by(|a, b| (a.is_image, &a.tags[0].tag).cmp(&(b.is_image, &b.tags[0].tag)));
    groups
}

/// The removals, in their order. A manifest goes with the last index that names it: some registries
/// delete nothing that an index leads to.
pub(super) fn removals(decided: &Decided, going: &BTreeSet<Digest>) -> Vec<Removal> {
    let groups = groups(decided);
    // These go in their own turn.
    let mut named: BTreeSet<&Digest> = groups.iter().map(|one| &one.content.digest).collect();
    let mut removals = Vec::new();
    for Group { content, tags, .. } in groups.iter().rev() {
        let entries = content.needs.entries.iter();
        let manifests = entries.filter(|entry| going.contains(*entry) && named.insert(entry));
        let is_going = going.contains(&content.digest);
        removals.push(Removal {
            digest: content.digest.clone(),
            tags: tags.clone(),
            needed_by: (!is_going).then(|| needed_by(decided, &content.digest)),
            manifests: manifests.cloned().collect(),
        });
    }
    removals.reverse();
    removals
}

/// A tag that needs a digest: one that is kept, or else one of another digest that stays.
fn needed_by(decided: &Decided, digest: &Digest) -> String {
    let needs = |tag: &ObservedTag| {
        let content = tag.content.as_ref();
        content.is_some_and(|content| content.needs(digest))
    };
    let is_other = |tag: &ObservedTag| {
        let content = tag.content.as_ref();
        content.is_some_and(|content| content.digest != *digest)
    };
    let mut kept = decided.iter().filter(|(_, verdict)| is_kept(verdict));
    let mut others = decided.iter().filter(|(tag, _)| is_other(tag));
    let found = kept.find(|(tag, _)| needs(tag));
    let found = found.or_else(|| others.find(|(tag, _)| needs(tag)));
    found.map(|(tag, _)| tag.name.clone()).unwrap_or_default()
}
