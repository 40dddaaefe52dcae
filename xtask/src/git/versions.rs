//! Which of git's tags are versions, which only look so, and which are at HEAD.

use std::collections::BTreeMap;

use git2::{ObjectType, Oid, Repository};

use super::tag_refs::{Reader, TagRef};
use crate::printable;
use crate::version::latest::outranks;
use crate::version::{self, TagName, Version, check_taggable};

/// Up to this number all tags are resolved: that takes no noticeable time.
const FEW: usize = 1000;

/// The tags of a repository, sorted out.
pub(super) struct Versions {
    /// All versions, but for those with build metadata.
    pub(super) all: Vec<Version>,
    pub(super) at_head: Vec<String>,
    pub(super) near_misses: BTreeMap<String, String>,
    /// Tags that lead to something else than a commit, each with what that is.
    pub(super) no_commits: BTreeMap<String, &'static str>,
}

impl Versions {
    /// Reads and sorts out the tags.
    ///
    /// Of many tags, and with a version at HEAD, only those are resolved that would keep `latest`
    /// from that version. For the others the packed references suffice: git itself writes there what an
    /// annotated tag leads to.
    pub(super) fn read(repo: &Repository, head: Oid) -> anyhow::Result<Versions> {
        let reader = Reader::new(repo)?;
        let mut tags = reader.tags()?;
        let at_head = tags.iter().filter(|tag| tag.target == head);
        let lowest_at_head = at_head.filter_map(tag_version).min();
        let is_few = tags.len() <= FEW;
        let is_relevant = |name: &TagName| match (&lowest_at_head, name) {
            (None, _) => true,
            (Some(lowest), TagName::Version(version)) => is_few || outranks(version, lowest),
            (Some(_), _) => is_few,
        };
        let mut versions = Versions {
            all: Vec::with_capacity(tags.len()),
            at_head: Vec::new(),
            near_misses: BTreeMap::new(),
            no_commits: BTreeMap::new(),
        };
        for tag in &mut tags {
            let name = read_name(tag);
            if is_relevant(&name) {
                let kind = reader.resolve(tag)?;
                if kind != ObjectType::Commit {
                    versions
                        .no_commits
                        .insert(printable::bytes(&tag.name), kind.str());
                    continue;
                }
            }
            if tag.target == head {
                versions.at_head.push(printable::bytes(&tag.name));
            }
            versions.add(tag, name);
        }
        versions.at_head.sort_unstable();
        Ok(versions)
    }

    fn add(&mut self, tag: &TagRef, name: TagName) {
        let why = match name {
            TagName::Version(version) => match check_taggable(&version) {
                Ok(()) => return self.all.push(version),
                Err(refused) => refused.why.to_owned(),
            },
            TagName::NearMiss(why) => why,
            TagName::Other => return,
        };
        self.near_misses.insert(printable::bytes(&tag.name), why);
    }
}

fn read_name(tag: &TagRef) -> TagName {
    std::str::from_utf8(&tag.name).map_or(TagName::Other, version::read)
}

fn tag_version(tag: &TagRef) -> Option<Version> {
    match read_name(tag) {
        TagName::Version(version) if check_taggable(&version).is_ok() => Some(version),
        _ => None,
    }
}
