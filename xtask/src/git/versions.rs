//! Which of git's tags are versions, which only look so, and which are at HEAD.

use std::collections::BTreeMap;

use anyhow::Context as _;
use git2::{ObjectType, Oid, Repository};

use super::printable;
use super::refs::TagRef;
use crate::version::{self, Name, Version};

/// So many tags are looked up in no time that is felt; of more, only those that matter.
const FEW: usize = 1000;

/// The tags of a repository, sorted out.
pub(super) struct Versions {
    /// All versions, but for those with build metadata.
    pub(super) all: Vec<Version>,
    pub(super) at_head: Vec<String>,
    pub(super) near_misses: BTreeMap<String, String>,
    pub(super) no_commits: BTreeMap<String, &'static str>,
}

impl Versions {
    /// Sorts out `tags`.
    ///
    /// Of the tags that lead to no commit those are found that could matter: all of them when
    /// HEAD carries no version or there are few, else the stable versions above HEAD's.
    pub(super) fn read(
        repo: &Repository,
        head: Oid,
        tags: Vec<TagRef<'_>>,
    ) -> anyhow::Result<Versions> {
        let head = head.to_string();
        let at_head = tags.iter().filter(|tag| tag.target == head.as_bytes());
        let at_head: Vec<TagRef<'_>> = at_head.copied().collect();
        let lowest_at_head = at_head.iter().filter_map(tag_version).min();
        let looks_at_all = lowest_at_head.is_none() || tags.len() <= FEW;
        let mut versions = Versions {
            all: Vec::with_capacity(tags.len()),
            at_head: at_head.iter().map(|tag| printable(tag.name)).collect(),
            near_misses: BTreeMap::new(),
            no_commits: BTreeMap::new(),
        };
        versions.at_head.sort_unstable();
        let odb = repo.odb().context("failed to open git's objects")?;
        for tag in tags {
            let name = read_name(&tag);
            let is_above = matches!(&name, Name::Version(version)
                if version.pre.is_empty() && Some(version) > lowest_at_head.as_ref());
            if looks_at_all || is_above {
                let kind = tag.kind(&odb)?;
                if kind != ObjectType::Commit {
                    versions.no_commits.insert(printable(tag.name), kind.str());
                    continue;
                }
            }
            versions.add(tag, name);
        }
        Ok(versions)
    }

    fn add(&mut self, tag: TagRef<'_>, name: Name) {
        match name {
            Name::Version(version) if version.build.is_empty() => self.all.push(version),
            Name::Version(_) => {
                let why = "build metadata (`+…`) cannot be part of an image's tag";
                self.near_misses.insert(printable(tag.name), why.to_owned());
            }
            Name::NearMiss(why) => {
                self.near_misses.insert(printable(tag.name), why);
            }
            Name::Other => {}
        }
    }
}

fn read_name(tag: &TagRef<'_>) -> Name {
    std::str::from_utf8(tag.name).map_or(Name::Other, version::read)
}

fn tag_version(tag: &TagRef<'_>) -> Option<Version> {
    match read_name(tag) {
        Name::Version(version) => Some(version).filter(|version| version.build.is_empty()),
        Name::NearMiss(_) | Name::Other => None,
    }
}
