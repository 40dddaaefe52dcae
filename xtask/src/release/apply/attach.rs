//! Copies of the image, and the proofs that are attached to it.

use std::collections::BTreeMap;

use anyhow::Context as _;

use super::super::target::Destination;
use super::context::Apply;
use crate::image_tree::{Content, upload};
use crate::oci::{Digest, Document};
use crate::proof::{Bundle, SIGNATURE, VERIFICATION};
use crate::referrers::{Artifact, Attached, Form, Subject};

/// Bundles of one manifest, each with its predicate's type.
type Bundles<'a> = Vec<(&'static str, &'a Bundle)>;

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
            upload(&target.pusher, None, &[(&from.puller, &content)])?;
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

    /// The signature over everything that is to be signed anywhere.
    pub(super) fn signature(&self) -> anyhow::Result<Option<Bundle>> {
        let mut digests: Vec<Digest> = Vec::new();
        for digest in self.plan().sign.iter().flat_map(|one| &one.digests) {
            if !digests.contains(digest) {
                digests.push(digest.clone());
            }
        }
        if digests.is_empty() {
            return Ok(None);
        }
        let signer = self.release.signer.as_ref();
        let signer = signer.context("there is no key to sign with")?;
        crate::say::errln!("signing {} images of {}", digests.len(), self.plan().digest);
        signer.sign_images(&digests).map(Some)
    }

    /// Attaches what a repository has not yet of proofs and signatures: all of a manifest at once. The signature
    /// of the index is attached with its record.
    pub(super) fn attach(
        &self,
        target: &'a Destination,
        signature: Option<&Bundle>,
    ) -> anyhow::Result<Vec<AttachedTo<'a>>> {
        let mut attached = Vec::new();
        for (subject, bundles) in self.bundles(target, signature)? {
            let bundles = bundles.into_iter();
            let artifacts = bundles.map(|(kind, bundle)| artifact(&subject, kind, bundle));
            let artifacts: Vec<Artifact> = artifacts.collect();
            crate::say::errln!(
                "attaching to `{}`",
                target.repository.by_digest(&subject.digest)
            );
            let done = self.writer(target).attach(&subject.digest, &artifacts);
            let done = done.with_context(|| {
                format!(
                    "proofs are not attached in `{}`; hint: a registry with immutable tags must exclude \
                     `sha256-*`, which are written again",
                    target.repository
                )
            })?;
            attached.push(AttachedTo {
                target,
                attached: done,
            });
        }
        Ok(attached)
    }

    /// What is attached in a repository to each manifest, and its predicate's type.
    fn bundles<'b>(
        &'b self,
        target: &Destination,
        signature: Option<&'b Bundle>,
    ) -> anyhow::Result<Vec<(Subject, Bundles<'b>)>> {
        let plan = self.plan();
        let mut all: Vec<(Digest, Bundles<'b>)> = Vec::new();
        let mut add = |digest: &Digest, kind: &'static str, bundle: &'b Bundle| match all
            .iter_mut()
            .find(|(one, _)| one == digest)
        {
            Some((_, bundles)) => bundles.push((kind, bundle)),
            None => all.push((digest.clone(), vec![(kind, bundle)])),
        };
        let mut steps = plan.attach.iter();
        let proven = &self.decided.proven.platforms;
        while let Some(step) = steps.find(|step| step.repository == target.repository) {
            let of = proven.iter().find(|one| one.platform == step.platform);
            let of = of.context("a proof to attach is not there")?;
            let bundle = of.bundle.as_ref().context("a proof has no bundle")?;
            add(&of.manifest, VERIFICATION, bundle);
        }
        let mut unsigned = plan.sign.iter();
        if let (Some(unsigned), Some(signature)) = (
            unsigned.find(|one| one.repository == target.repository),
            signature,
        ) {
            let with_record = self.signs_with_record(target);
            for digest in &unsigned.digests {
                if *digest != plan.digest || !with_record {
                    add(digest, SIGNATURE, signature);
                }
            }
        }
        let with_subject = |(digest, bundles)| Ok((self.subject(&digest)?, bundles));
        all.into_iter().map(with_subject).collect()
    }
}

/// A bundle as it is attached to a manifest; `kind` is its predicate's type.
pub(super) fn artifact(subject: &Subject, kind: &str, bundle: &Bundle) -> Artifact {
    let layer = bundle.bytes().to_owned();
    Artifact::new(subject, Form::Bundle, layer, kind, BTreeMap::new())
}
