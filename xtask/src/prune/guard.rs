//! Asks the registry anew, right before each deletion, whether anything needs what is deleted.

use std::collections::BTreeMap;

use super::observe::{self, ObservedTag, TagContent};
use super::plan::PrunePlan;
use crate::oci::Digest;
use crate::published;
use crate::reference::Repository;
use crate::registry::Puller;
use crate::tag_kind::Kind;
use crate::threads;

/// What is known of every tag, brought up to date before each deletion.
pub(super) struct Guard<'a> {
    puller: &'a Puller,
    repository: &'a Repository,
    known: BTreeMap<String, TagContent>,
    /// The tags that are removed. One that leads elsewhere by now is no longer among them.
    removed: BTreeMap<String, Digest>,
}

impl<'a> Guard<'a> {
    pub(super) fn new(
        puller: &'a Puller,
        repository: &'a Repository,
        tags: &[ObservedTag],
        plan: &PrunePlan,
    ) -> Guard<'a> {
        let known = tags.iter().filter_map(|tag| {
            let content = tag.content.clone()?;
            Some((tag.name.clone(), content))
        });
        let removed = plan.remove.iter().flat_map(|removal| {
            let tags = removal.tags.iter();
            tags.map(|tag| (tag.tag.clone(), removal.digest.clone()))
        });
        Guard {
            puller,
            repository,
            known: known.collect(),
            removed: removed.collect(),
        }
    }

    /// Brings up to date what is known. `own` are the tags of what is deleted next.
    ///
    /// Reads the list of tags, and those that may have moved: new ones, `own`, and every tag that is
    /// not written once.
    pub(super) fn refresh(&mut self, own: &[&str]) -> anyhow::Result<()> {
        let names = published::names(self.repository, self.puller)?;
        let may_move = |name: &String| {
            own.contains(&&**name)
                || !self.known.contains_key(name)
                || !Kind::of(name).is_written_once(name)
        };
        let names: Vec<String> = names.into_iter().filter(may_move).collect();
        let (puller, repository, known) = (self.puller, self.repository, &self.known);
        let read = threads::each(&names, |name| {
            let before = known.get(name).map(|content| &content.digest);
            let digest = puller.digest(name)?;
            if digest.is_some() && digest.as_ref() == before {
                return Ok(None);
            }
            observe::read(repository, puller, name).map(Some)
        })?;
        for tag in read.into_iter().flatten() {
            let digest = tag.content.as_ref().map(|content| &content.digest);
            if self.removed.get(&tag.name) != digest {
                self.removed.remove(&tag.name);
            }
            match tag.content {
                Some(content) => self.known.insert(tag.name, content),
                None => self.known.remove(&tag.name),
            };
        }
        // Of the others, one that is not listed stays known: the list may have been cut short.
        for name in own
            .iter()
            .filter(|name| !names.iter().any(|one| one == *name))
        {
            self.removed.remove(*name);
            self.known.remove(*name);
        }
        Ok(())
    }

    /// Whether a tag that is to be removed leads elsewhere than where the plan saw it.
    pub(super) fn is_moved(&self, tag: &str) -> bool {
        self.is_there(tag) && !self.removed.contains_key(tag)
    }

    /// Whether a tag leads anywhere.
    pub(super) fn is_there(&self, tag: &str) -> bool {
        self.known.contains_key(tag)
    }

    /// A tag that is not removed and needs a digest.
    pub(super) fn needed_by(&self, digest: &Digest) -> Option<&str> {
        let mut kept = self
            .known
            .iter()
            .filter(|(name, _)| !self.removed.contains_key(*name));
        let found = kept.find(|(_, content)| content.needs(digest));
        found.map(|(name, _)| &**name)
    }

    /// A tag stays, against the plan, so that what it needs stays, too.
    pub(super) fn keep(&mut self, tag: &str) {
        self.removed.remove(tag);
    }

    /// A tag is gone.
    pub(super) fn forget(&mut self, tag: &str) {
        self.removed.remove(tag);
        self.known.remove(tag);
    }
}
