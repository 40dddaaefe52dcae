//! Points a tag at a digest that the registry has.

use anyhow::Context as _;

use super::super::step::TagStep;
use super::super::target::Destination;
use super::context::Apply;
use crate::oci::{Digest, Document};
use crate::published;
use crate::stop::Stop;

/// A tag at the end of a release, as `--json` prints it.
#[derive(Debug, serde::Serialize)]
pub(crate) struct TagResult {
    /// With the repository.
    pub(crate) reference: String,
    pub(crate) tag: String,
    pub(crate) digest: Option<Digest>,
    #[serde(rename = "written")]
    pub(crate) is_written: bool,
    pub(crate) why: String,
}

/// What became of a write.
pub(super) enum WriteOutcome {
    Written,
    /// The tag led there already.
    Before,
    /// Somebody else pointed it at another digest, or deleted it.
    Elsewhere(Option<Digest>),
}

/// A tag that is to be written.
#[derive(Clone, Copy)]
pub(super) struct TagWrite<'a> {
    pub(super) tag: &'a str,
    /// What it must lead to before the write.
    pub(super) from: Option<&'a Digest>,
    pub(super) to: &'a Digest,
    /// Whether even the first try reads the tag: what the plan saw may be old, and a wrong write is
    /// not put right.
    pub(super) checks_first: bool,
}

impl<'a> TagWrite<'a> {
    /// The write of a step that is not decided anew before it: the plan may be old.
    pub(super) fn planned(step: &'a TagStep, to: &'a Digest) -> Self {
        TagWrite {
            tag: &step.tag,
            from: step.from.as_ref(),
            to,
            checks_first: true,
        }
    }
}

impl Apply<'_> {
    /// Writes a tag that is written once.
    pub(super) fn once(&self, step: &TagStep, target: &Destination) -> anyhow::Result<TagResult> {
        let digest = &self.plan().digest;
        let reference = target.repository.reference(&step.tag);
        let gave = if step.is_write() {
            self.give(&TagWrite::planned(step, digest), target)?
        } else {
            WriteOutcome::Before
        };
        let (is_written, why) = match gave {
            WriteOutcome::Written => (true, "published"),
            WriteOutcome::Before => (false, "it was published already"),
            WriteOutcome::Elsewhere(other) => {
                let other = describe(other.as_ref());
                return Err(Stop::Refused(format!(
                    "`{reference}` was published meanwhile with another digest: it is {other}, \
                     and this release is `{digest}`; nothing was overwritten\n  hint: find out \
                     who released it, then release a higher version"
                ))
                .into());
            }
        };
        Ok(result(target, &step.tag, Some(digest), is_written, why))
    }

    /// Writes a tag that leads to `write.from`; leaves a tag that leads elsewhere alone.
    pub(super) fn give(
        &self,
        write: &TagWrite,
        target: &Destination,
    ) -> anyhow::Result<WriteOutcome> {
        let TagWrite { tag, to, .. } = *write;
        let (mut is_begun, mut checks) = (false, write.checks_first);
        self.release.retry.run(|| {
            if checks {
                let found = published::digest(&target.puller, tag)?;
                if found.as_ref() == Some(to) {
                    return Ok(if is_begun {
                        WriteOutcome::Written
                    } else {
                        WriteOutcome::Before
                    });
                }
                if found.as_ref() != write.from {
                    return Ok(WriteOutcome::Elsewhere(found));
                }
            }
            (checks, is_begun) = (true, true);
            self.put(target, tag, to)?;
            Ok(WriteOutcome::Written)
        })
    }

    /// Points `tag` at a digest that the registry has, by pushing its very bytes.
    pub(super) fn put(
        &self,
        target: &Destination,
        tag: &str,
        digest: &Digest,
    ) -> anyhow::Result<()> {
        let found;
        let bytes = if *digest == self.plan().digest {
            self.bytes()
        } else {
            found = target.puller.manifest(digest.as_str())?;
            let found = found.as_ref().map(|(_, bytes)| bytes);
            found.with_context(|| {
                format!(
                    "`{digest}` is gone from the registry; hint: a clean-up deleted it; `cargo \
                     xtask image --push` publishes it again"
                )
            })?
        };
        let document = Document::parse(bytes)
            .with_context(|| format!("`{digest}` is no image that every engine reads alike"))?;
        target
            .pusher
            .push_manifest(tag, document.media_type(), bytes)
    }
}

pub(super) fn result(
    target: &Destination,
    tag: &str,
    digest: Option<&Digest>,
    is_written: bool,
    why: &str,
) -> TagResult {
    TagResult {
        reference: target.repository.reference(tag),
        tag: tag.to_owned(),
        digest: digest.cloned(),
        is_written,
        why: why.to_owned(),
    }
}

pub(super) fn describe(digest: Option<&Digest>) -> String {
    digest.map_or("absent".to_owned(), |digest| format!("`{digest}`"))
}
