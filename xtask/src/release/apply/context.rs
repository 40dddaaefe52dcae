//! A plan with everything that its effects need.

use anyhow::Context as _;

use super::super::decide::Decided;
use super::super::facts::PublishedVersions;
use super::super::intent::{Release, Task};
use super::super::step::{ReleasePlan, StepKind, TagStep};
use super::super::target::Destination;
use crate::oci::{Digest, Document};
use crate::reference::Repository;
use crate::referrers::{Subject, Writer};

/// The effects of a plan.
pub(crate) struct Apply<'a> {
    pub(crate) release: &'a Release<'a>,
    pub(crate) decided: &'a Decided,
}

impl<'a> Apply<'a> {
    pub(super) fn plan(&self) -> &'a ReleasePlan {
        &self.decided.plan
    }

    /// The index that is released, byte for byte.
    pub(super) fn bytes(&self) -> &'a [u8] {
        self.decided.facts.bytes()
    }

    pub(super) fn is_rollback(&self) -> bool {
        matches!(self.release.intent.task, Task::Rollback(_))
    }

    pub(super) fn copies(&self) -> impl Iterator<Item = &'a TagStep> {
        let steps = self.plan().steps.iter();
        steps.filter(|step| step.kind == StepKind::Copy)
    }

    /// A repository, and what it had.
    pub(super) fn target(
        &self,
        repository: &Repository,
    ) -> anyhow::Result<(&'a Destination, &'a PublishedVersions)> {
        let published = &self.decided.facts.published;
        let mut targets = self.release.targets.iter().zip(published);
        let found = targets.find(|(target, _)| target.repository == *repository);
        found.context("a step names an unknown repository")
    }

    pub(super) fn writer<'b>(&self, target: &'b Destination) -> Writer<'b> {
        Writer {
            puller: &target.puller,
            pusher: &target.pusher,
            retry: self.release.retry,
        }
    }

    /// The descriptor of a manifest that the index names, or of the index.
    pub(super) fn subject(&self, digest: &Digest) -> anyhow::Result<Subject> {
        let document = Document::parse(self.bytes())?;
        if let Document::Index(index) = &document
            && let Some(entry) = index.manifests.iter().find(|entry| entry.digest == *digest)
        {
            return Ok(Subject::from(entry));
        }
        Ok(Subject {
            media_type: document.media_type().to_owned(),
            digest: self.plan().digest.clone(),
            size: u64::try_from(self.bytes().len())?,
        })
    }
}
