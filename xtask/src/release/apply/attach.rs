//! Copies of the image, and the proofs that are attached to it.

use std::collections::BTreeMap;

use anyhow::Context as _;

use super::super::step::AttachStep;
use super::super::target::Destination;
use super::context::Apply;
use crate::image_tree::{Content, upload};
use crate::oci::Document;
use crate::proof::VERIFICATION;
use crate::referrers::{Artifact, Attached, Form};

/// What a run has attached to a repository's image.
pub(super) struct AttachedTo<'a> {
    pub(super) target: &'a Destination,
    pub(super) attached: Attached,
}

impl<'a> Apply<'a> {
    /// Copies the image from the first repository, without a tag, and what is attached to it.
    pub(super) fn copy(&self, target: &'a Destination) -> anyhow::Result<Vec<AttachedTo<'a>>> {
        let digest = &self.plan().digest;
        let from = self.release.targets.first();
        let from = from.context("no repository was named")?;
        crate::say::errln!("copying {digest} to `{}`", target.repository);
        self.release.retry.run(|| {
            let content = Content::read(self.bytes(), &from.puller)?;
            upload(&target.pusher, &[(&from.puller, &content)])?;
            self.put(target, digest.as_str(), digest)
        })?;
        let mut subjects = vec![digest.clone()];
        if let Document::Index(index) = Document::parse(self.bytes())? {
            subjects.extend(index.manifests.into_iter().map(|entry| entry.digest));
        }
        let mut attached = Vec::new();
        for subject in subjects {
            let copied = self.writer(target).copy(&from.puller, &subject)?;
            for skipped in &copied.skipped {
                crate::say::errln!(
                    "note: what is attached to `{subject}` is not copied: {skipped}"
                );
            }
            attached.push(AttachedTo {
                target,
                attached: copied,
            });
        }
        Ok(attached)
    }

    /// Attaches the proof of a platform.
    pub(super) fn attach(&self, step: &AttachStep) -> anyhow::Result<AttachedTo<'a>> {
        let (target, _) = self.target(&step.repository)?;
        let mut proven = self.decided.proven.platforms.iter();
        let proven = proven.find(|one| one.platform == step.platform);
        let proven = proven.context("a proof to attach is not there")?;
        let bundle = proven.bundle.as_ref().context("a proof has no bundle")?;
        let subject = self.subject(&proven.manifest)?;
        let artifact = Artifact::new(
            &subject,
            Form::Bundle,
            bundle.bytes().to_owned(),
            VERIFICATION,
            BTreeMap::new(),
        );
        let attached = self.writer(target).attach(&subject.digest, &[artifact]);
        let attached = attached.with_context(|| {
            format!(
                "the proof of {} is not attached in `{}`; hint: a registry with immutable tags must \
                 exclude `sha256-*`, which are written again",
                step.platform, step.repository
            )
        })?;
        Ok(AttachedTo { target, attached })
    }
}
