//! Writes the tags of a plan. Each is journalled before and after, read back by digest, and tried
//! again only after the registry was asked anew.

use std::path::PathBuf;

use anyhow::Context as _;

use super::facts::{self, Destination, LatestPolicy, PublishedVersions};
use super::plan::{LatestPlan, ReleasePlan, StepKind, TagStep, latest};
use super::sign::Signer;
use crate::image_tree::{Content, upload};
use crate::journal::{Journal, JournalEntry, Operation};
use crate::oci::{Digest, Document};
use crate::published;
use crate::reference::Repository;
use crate::retry::Retry;
use crate::stop::Stop;
use crate::version::Version;

/// How often a release tries to move `latest` while other releases move it, too.
const ROUNDS: usize = 8;

/// The effects of a plan.
pub(super) struct Apply<'a> {
    pub(super) plan: &'a ReleasePlan,
    /// The index that is released, byte for byte.
    pub(super) bytes: &'a [u8],
    pub(super) targets: &'a [Destination],
    /// What each repository had when the plan was made, in the order of `targets`.
    pub(super) published: &'a [PublishedVersions],
    pub(super) history: &'a [JournalEntry],
    pub(super) wish: LatestPolicy,
    pub(super) retry: Retry,
    /// None when no signature is asked for.
    pub(super) signer: Option<&'a Signer>,
    /// The folder of the journals.
    pub(super) journals: PathBuf,
}

/// A tag at the end of a release, as `--json` prints it.
#[derive(Debug, serde::Serialize)]
pub(super) struct TagResult {
    /// With the repository.
    pub(super) reference: String,
    pub(super) tag: String,
    pub(super) digest: Option<Digest>,
    #[serde(rename = "written")]
    pub(super) is_written: bool,
    pub(super) why: String,
}

/// What became of a write.
enum WriteOutcome {
    Written,
    /// The tag led there already.
    Before,
    /// Somebody else pointed it at another digest, or deleted it.
    Elsewhere(Option<Digest>),
}

impl Apply<'_> {
    pub(super) fn run(&self) -> anyhow::Result<Vec<TagResult>> {
        let mut journal = Journal::open(
            &self.journals,
            &self.plan.version.to_string(),
            &self.plan.revision,
        )?;
        let steps = &self.plan.steps;
        for step in steps.iter().filter(|step| step.kind == StepKind::Copy) {
            if step.is_write() {
                self.copy(self.target(&step.repository)?.0)?;
            }
        }
        // Before any tag moves.
        for unsigned in &self.plan.sign {
            let (target, _) = self.target(&unsigned.repository)?;
            let signer = self.signer.context("there is no key to sign with")?;
            signer.sign_images(&target.puller, &unsigned.digests)?;
        }
        let give = |step| self.step(step, &mut journal);
        steps.iter().map(give).collect()
    }

    fn step(&self, step: &TagStep, journal: &mut Journal) -> anyhow::Result<TagResult> {
        let (target, published) = self.target(&step.repository)?;
        match step.kind {
            StepKind::Copy | StepKind::Version => self.once(step, target, journal),
            StepKind::Latest => self.latest(target, published, journal),
            StepKind::Rollback => self.rollback(step, target, journal),
        }
    }

    /// A repository, and what it had.
    fn target(
        &self,
        repository: &Repository,
    ) -> anyhow::Result<(&Destination, &PublishedVersions)> {
        let mut targets = self.targets.iter().zip(self.published);
        let found = targets.find(|(target, _)| target.repository == *repository);
        found.context("a step names an unknown repository")
    }

    /// Copies the image from the first repository, without a tag.
    fn copy(&self, target: &Destination) -> anyhow::Result<()> {
        let from = self.targets.first().context("no repository was named")?;
        crate::say::errln!("copying {} to `{}`", self.plan.digest, target.repository);
        self.retry.run(|| {
            let content = Content::read(self.bytes, &from.puller)?;
            upload(&target.pusher, &[(&from.puller, &content)])?;
            self.put(target, self.plan.digest.as_str(), &self.plan.digest)
        })
    }

    /// Writes a tag that is written once.
    fn once(
        &self,
        step: &TagStep,
        target: &Destination,
        journal: &mut Journal,
    ) -> anyhow::Result<TagResult> {
        let digest = &self.plan.digest;
        let reference = target.repository.reference(&step.tag);
        let write = TagWrite::planned(Operation::Release, step, digest);
        let gave = if step.is_write() {
            self.give(&write, target, journal)?
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

    /// Writes `latest`, if it may move, then reads the published versions again: if another release
    /// has published a higher one meanwhile, `latest` moves to that.
    fn latest(
        &self,
        target: &Destination,
        published: &PublishedVersions,
        journal: &mut Journal,
    ) -> anyhow::Result<TagResult> {
        let version = &self.plan.version;
        let reference = target.repository.reference("latest");
        let given = |digest: Option<&Digest>, is_written, why: &str| {
            result(target, "latest", digest, is_written, why)
        };
        // The plan is fresh, unless a copy took its time since. Each further round asks again.
        let mut copies = self
            .plan
            .steps
            .iter()
            .filter(|step| step.kind == StepKind::Copy);
        let mut known = (!copies.any(TagStep::is_write)).then(|| published.clone());
        let mut is_written = false;
        for _ in 0..ROUNDS {
            let now = match known.take() {
                Some(known) => known,
                None => PublishedVersions {
                    rolled_back: published.rolled_back.clone(),
                    ..self
                        .retry
                        .run(|| facts::observe_versions(target, version, self.history))?
                },
            };
            let (to, why) = match latest(version, &self.plan.digest, &now, self.wish) {
                LatestPlan::Is(why) | LatestPlan::Stays(why) => {
                    let why = if is_written { "moved" } else { &*why };
                    return Ok(given(now.at(), is_written, why));
                }
                LatestPlan::Moves(to, why) => (to, why),
            };
            crate::say::errln!("moving `{reference}` to {to}: {why}");
            let write = TagWrite {
                command: Operation::Release,
                tag: "latest",
                from: now.at(),
                to: &to,
                checks_first: false,
            };
            match self.give(&write, target, journal)? {
                WriteOutcome::Written => is_written = true,
                WriteOutcome::Before => {}
                WriteOutcome::Elsewhere(_) => continue,
            }
            let highest = now.highest.as_ref().map(|(highest, _)| highest);
            let highest = highest.max(Some(version));
            if !self.is_overtaken(target, highest)? {
                return Ok(given(Some(&to), is_written, "moved"));
            }
        }
        anyhow::bail!(
            "other releases moved `latest` again and again; hint: run this again once they are \
             done"
        )
    }

    /// Whether a stable version above `highest` was published meanwhile.
    fn is_overtaken(
        &self,
        target: &Destination,
        highest: Option<&Version>,
    ) -> anyhow::Result<bool> {
        self.retry.run(|| {
            let versions = published::stable(&target.puller)?;
            Ok(versions.iter().max() > highest)
        })
    }

    /// Moves `latest` to a lower version.
    fn rollback(
        &self,
        step: &TagStep,
        target: &Destination,
        journal: &mut Journal,
    ) -> anyhow::Result<TagResult> {
        let digest = &self.plan.digest;
        let reference = target.repository.reference(&step.tag);
        let write = TagWrite::planned(Operation::Rollback, step, digest);
        let (is_written, why) = match self.give(&write, target, journal)? {
            WriteOutcome::Written => (true, "rolled back"),
            WriteOutcome::Before => (false, "it was there already"),
            WriteOutcome::Elsewhere(other) => {
                let other = describe(other.as_ref());
                return Err(Stop::Refused(format!(
                    "`{reference}` was moved meanwhile: it is {other}; it was not rolled back\n  \
                     hint: `cargo xtask release --status` shows where it is; then run this again"
                ))
                .into());
            }
        };
        Ok(result(target, &step.tag, Some(digest), is_written, why))
    }

    /// Writes a tag that leads to `write.from`; leaves a tag that leads elsewhere alone.
    fn give(
        &self,
        write: &TagWrite,
        target: &Destination,
        journal: &mut Journal,
    ) -> anyhow::Result<WriteOutcome> {
        let TagWrite { tag, to, .. } = *write;
        let (mut is_begun, mut checks) = (false, write.checks_first);
        self.retry.run(|| {
            if checks {
                let found = published::digest(&target.puller, tag)?;
                if found.as_ref() == Some(to) {
                    return Ok(if is_begun {
                        journal.done()?;
                        WriteOutcome::Written
                    } else {
                        WriteOutcome::Before
                    });
                }
                if found.as_ref() != write.from {
                    return Ok(WriteOutcome::Elsewhere(found));
                }
            }
            checks = true;
            if !is_begun {
                let reference = target.repository.reference(tag);
                journal.begin(write.command, &reference, write.from, to)?;
                is_begun = true;
            }
            self.put(target, tag, to)?;
            journal.done()?;
            Ok(WriteOutcome::Written)
        })
    }

    /// Points `tag` at a digest that the registry has, by pushing its very bytes.
    fn put(&self, target: &Destination, tag: &str, digest: &Digest) -> anyhow::Result<()> {
        let found;
        let bytes = if *digest == self.plan.digest {
            self.bytes
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

/// A tag that is to be written.
#[derive(Clone, Copy)]
struct TagWrite<'a> {
    command: Operation,
    tag: &'a str,
    /// What it must lead to before the write.
    from: Option<&'a Digest>,
    to: &'a Digest,
    /// Whether even the first try reads the tag: what the plan saw may be old, and a wrong write is
    /// not put right.
    checks_first: bool,
}

impl<'a> TagWrite<'a> {
    /// The write of a step that is not decided anew before it: the plan may be old.
    fn planned(command: Operation, step: &'a TagStep, to: &'a Digest) -> Self {
        TagWrite {
            command,
            tag: &step.tag,
            from: step.from.as_ref(),
            to,
            checks_first: true,
        }
    }
}

fn result(
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

fn describe(digest: Option<&Digest>) -> String {
    digest.map_or("absent".to_owned(), |digest| format!("`{digest}`"))
}
