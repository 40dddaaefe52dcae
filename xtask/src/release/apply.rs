//! Gives the tags: each journalled before and after, read back by digest, and tried again only
//! after a fresh look.

use std::path::PathBuf;

use anyhow::Context as _;

use super::facts::{self, Published, Target, Wish};
use super::journal::{Command, Entry, Journal};
use super::plan::{Goal, Kind, Plan, Step, latest};
use super::sign::Signer;
use crate::oci::Digest;
use crate::reference::Repository;
use crate::retry::Retry;
use crate::stop::Stop;
use crate::tree::{self, Content, upload};

/// Releases that overtake each other more often than this are left to another run.
const ROUNDS: usize = 8;

/// The effects of a plan.
pub(super) struct Apply<'a> {
    pub(super) plan: &'a Plan,
    /// The index that is released, byte for byte.
    pub(super) bytes: &'a [u8],
    pub(super) targets: &'a [Target],
    /// What each repository had when the plan was made, in the order of `targets`.
    pub(super) published: &'a [Published],
    pub(super) history: &'a [Entry],
    pub(super) wish: Wish,
    pub(super) retry: Retry,
    /// What signs, where a signature is asked for.
    pub(super) signer: Option<&'a Signer>,
    /// The folder of the journals.
    pub(super) journals: PathBuf,
}

/// A tag at the end of a release.
#[derive(Debug, serde::Serialize)]
pub(super) struct Given {
    /// With the repository.
    pub(super) reference: String,
    pub(super) tag: String,
    pub(super) digest: Option<Digest>,
    #[serde(rename = "written")]
    pub(super) is_written: bool,
    pub(super) why: String,
}

/// What became of a write.
enum Gave {
    Written,
    /// The tag was there already.
    Before,
    /// Somebody else gave it to this one.
    Elsewhere(Option<Digest>),
}

impl Apply<'_> {
    pub(super) fn run(&self) -> anyhow::Result<Vec<Given>> {
        let mut journal = Journal::open(
            &self.journals,
            &self.plan.version.to_string(),
            &self.plan.revision,
        )?;
        let steps = &self.plan.steps;
        for step in steps.iter().filter(|step| step.kind == Kind::Copy) {
            if step.is_write() {
                self.bring(self.target(&step.repository)?.0)?;
            }
        }
        // Before any tag moves.
        for unsigned in &self.plan.sign {
            let (target, _) = self.target(&unsigned.repository)?;
            let signer = self.signer.context("there is no key to sign with")?;
            signer.sign(&target.registry, &unsigned.digests)?;
        }
        let give = |step| self.step(step, &mut journal);
        steps.iter().map(give).collect()
    }

    fn step(&self, step: &Step, journal: &mut Journal) -> anyhow::Result<Given> {
        let (target, published) = self.target(&step.repository)?;
        match step.kind {
            Kind::Copy | Kind::Version => self.once(step, target, journal),
            Kind::Latest => self.latest(target, published, journal),
            Kind::Rollback => self.rollback(step, target, journal),
        }
    }

    /// A repository, and what it had.
    fn target(&self, repository: &Repository) -> anyhow::Result<(&Target, &Published)> {
        let mut targets = self.targets.iter().zip(self.published);
        let found = targets.find(|(target, _)| target.repository == *repository);
        found.context("a step is for no repository that was named")
    }

    /// Brings the image from the first repository, under no tag yet.
    fn bring(&self, target: &Target) -> anyhow::Result<()> {
        let from = self.targets.first().context("no repository was named")?;
        anstream::eprintln!("copying {} to `{}`", self.plan.digest, target.repository);
        self.retry.run(|| {
            let content = Content::read(self.bytes, &from.registry)?;
            upload(&target.registry, &[(&from.registry, &content)])?;
            self.put(target, self.plan.digest.as_str(), &self.plan.digest)
        })
    }

    /// Gives a tag that is written once.
    fn once(&self, step: &Step, target: &Target, journal: &mut Journal) -> anyhow::Result<Given> {
        let digest = &self.plan.digest;
        let reference = target.repository.reference(&step.tag);
        let write = Write {
            command: Command::Release,
            tag: &step.tag,
            from: None,
            to: digest,
            looks_first: true,
        };
        let gave = if step.is_write() {
            self.give(&write, target, journal)?
        } else {
            Gave::Before
        };
        let (is_written, why) = match gave {
            Gave::Written => (true, "published"),
            Gave::Before => (false, "it was published already"),
            Gave::Elsewhere(other) => {
                let other = told(other.as_ref());
                return Err(Stop::Refused(format!(
                    "`{reference}` was published meanwhile with another digest: it is {other}, \
                     and this release is `{digest}`; nothing was overwritten\n  hint: find out \
                     who released it, then release a higher version"
                ))
                .into());
            }
        };
        Ok(given(target, &step.tag, Some(digest), is_written, why))
    }

    /// Gives `latest`, if it may move; then looks whether a higher version was published
    /// meanwhile, which it then belongs to.
    fn latest(
        &self,
        target: &Target,
        published: &Published,
        journal: &mut Journal,
    ) -> anyhow::Result<Given> {
        let version = &self.plan.version;
        let reference = target.repository.reference("latest");
        let given = |digest: Option<&Digest>, is_written, why: &str| {
            given(target, "latest", digest, is_written, why)
        };
        // The plan is of this moment, unless a copy took its time since; each further round looks.
        let mut copies = self
            .plan
            .steps
            .iter()
            .filter(|step| step.kind == Kind::Copy);
        let mut known = (!copies.any(Step::is_write)).then(|| published.clone());
        let mut is_written = false;
        for _ in 0..ROUNDS {
            let now = match known.take() {
                Some(known) => known,
                None => Published {
                    taken_back: published.taken_back.clone(),
                    ..self
                        .retry
                        .run(|| facts::published(target, version, self.history))?
                },
            };
            let (to, why) = match latest(version, &self.plan.digest, &now, self.wish) {
                Goal::Is(why) | Goal::Stays(why) => {
                    let why = if is_written { "moved" } else { &*why };
                    return Ok(given(now.at(), is_written, why));
                }
                Goal::Moves(to, why) => (to, why),
            };
            anstream::eprintln!("giving `{reference}` to {to}: {why}");
            let write = Write {
                command: Command::Release,
                tag: "latest",
                from: now.at(),
                to: &to,
                looks_first: false,
            };
            match self.give(&write, target, journal)? {
                Gave::Written => is_written = true,
                Gave::Before => {}
                Gave::Elsewhere(_) => continue,
            }
            let known_highest = now.highest.as_ref().map(|(highest, _)| highest);
            let highest = known_highest.max(Some(version));
            let is_overtaken = self.retry.run(|| {
                let versions = facts::stable(&target.registry)?;
                Ok(versions.iter().max() > highest)
            })?;
            if !is_overtaken {
                return Ok(given(Some(&to), is_written, "moved"));
            }
        }
        anyhow::bail!(
            "other releases moved `latest` again and again; hint: run this again once they are \
             done"
        )
    }

    /// Takes `latest` back.
    fn rollback(
        &self,
        step: &Step,
        target: &Target,
        journal: &mut Journal,
    ) -> anyhow::Result<Given> {
        let digest = &self.plan.digest;
        let reference = target.repository.reference(&step.tag);
        let write = Write {
            command: Command::Rollback,
            tag: &step.tag,
            from: step.from.as_ref(),
            to: digest,
            looks_first: true,
        };
        let (is_written, why) = match self.give(&write, target, journal)? {
            Gave::Written => (true, "taken back"),
            Gave::Before => (false, "it was there already"),
            Gave::Elsewhere(other) => {
                let other = told(other.as_ref());
                return Err(Stop::Refused(format!(
                    "`{reference}` was moved meanwhile: it is {other}; it was not taken back\n  \
                     hint: look at `cargo xtask release --status`, then run this again"
                ))
                .into());
            }
        };
        Ok(given(target, &step.tag, Some(digest), is_written, why))
    }

    /// Gives a tag that leads to `write.from`, and nothing that leads anywhere else.
    fn give(&self, write: &Write, target: &Target, journal: &mut Journal) -> anyhow::Result<Gave> {
        let Write { tag, to, .. } = *write;
        let registry = &target.registry;
        let (mut is_begun, mut looks) = (false, write.looks_first);
        self.retry.run(|| {
            if looks {
                let found = facts::digest(registry, tag)?;
                if found.as_ref() == Some(to) {
                    return Ok(if is_begun {
                        journal.done()?;
                        Gave::Written
                    } else {
                        Gave::Before
                    });
                }
                if found.as_ref() != write.from {
                    return Ok(Gave::Elsewhere(found));
                }
            }
            looks = true;
            if !is_begun {
                let reference = target.repository.reference(tag);
                journal.begin(write.command, &reference, write.from, to)?;
                is_begun = true;
            }
            self.put(target, tag, to)?;
            journal.done()?;
            Ok(Gave::Written)
        })
    }

    /// Gives `tag` to the very bytes of a digest that the registry has.
    fn put(&self, target: &Target, tag: &str, digest: &Digest) -> anyhow::Result<()> {
        let found;
        let bytes = if *digest == self.plan.digest {
            self.bytes
        } else {
            found = target.registry.manifest(digest.as_str())?;
            let found = found.as_ref().map(|(_, bytes)| bytes);
            found.with_context(|| {
                format!(
                    "`{digest}` is gone from the registry; hint: a clean-up deleted it; `cargo \
                     xtask image --push` brings it back"
                )
            })?
        };
        let document = serde_json::from_slice(bytes).context("it is not JSON, so no manifest")?;
        let media_type = tree::media_type(&document);
        target.registry.push_manifest(tag, &media_type, bytes)
    }
}

/// A tag that is to be written.
#[derive(Clone, Copy)]
struct Write<'a> {
    command: Command,
    tag: &'a str,
    /// What it must lead to before.
    from: Option<&'a Digest>,
    to: &'a Digest,
    /// Whether even the first try looks: what was seen may be old, and a mistake not mended.
    looks_first: bool,
}

/// Where a tag is at the end.
fn given(
    target: &Target,
    tag: &str,
    digest: Option<&Digest>,
    is_written: bool,
    why: &str,
) -> Given {
    Given {
        reference: target.repository.reference(tag),
        tag: tag.to_owned(),
        digest: digest.cloned(),
        is_written,
        why: why.to_owned(),
    }
}

fn told(digest: Option<&Digest>) -> String {
    digest.map_or("absent".to_owned(), |digest| format!("`{digest}`"))
}
