//! Attaches artifacts to a manifest, and keeps the list that clients keep where the registry has none.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};

use super::artifact::Artifact;
use super::list::{Kept, kept, tag};
use crate::oci::{Digest, INDEX, Referrer, ReferrerIndex};
use crate::registry::{Puller, Pusher, Put};
use crate::retry::{Retry, Transient};
use crate::stop::Stop;

/// How often the list is written again while others write it, too.
const ROUNDS: usize = 16;
/// The longest pause before that, and half of it the shortest, so that two who write at once do not meet
/// again. Between reading and writing the list a client has one request at most.
const PAUSE: Duration = Duration::from_millis(500);

/// Attaches to the manifests of one repository. `puller` and `pusher` are in steps: each step here is
/// tried again as `retry` says, after the registry was asked anew.
pub struct Writer<'a> {
    pub puller: &'a Puller,
    pub pusher: &'a Pusher,
    pub retry: Retry,
}

/// What is attached to a manifest now.
#[derive(Clone, Debug)]
pub struct Attached {
    pub subject: Digest,
    /// What was attached now, and was not before.
    pub written: Vec<Digest>,
    /// Entries of the list that led nowhere, and were removed from it.
    pub pruned: Vec<Digest>,
    /// What could not be copied, each as a sentence.
    pub skipped: Vec<String>,
    /// The list's digest as it was written; none where nothing was, or the registry keeps the list.
    pub(super) list: Option<Digest>,
    /// The entries that the list must have.
    pub(super) entries: Vec<Referrer>,
}

/// What is known of a list before it is written.
pub(super) enum Observed {
    /// The registry keeps it.
    Api(Vec<Referrer>),
    /// Clients keep it, as far as that is known.
    Kept(Kept),
}

impl Observed {
    pub(super) fn has(&self, digest: &Digest) -> bool {
        match self {
            Observed::Api(listed) => listed.iter().any(|one| one.digest() == digest),
            Observed::Kept(kept) => kept.has(digest),
        }
    }
}

/// What became of one try to write the list.
enum Round {
    /// The list has the entries, and this digest.
    Listed(Digest),
    /// Somebody else wrote it at the same time.
    Overtaken,
}

impl Writer<'_> {
    /// Attaches artifacts to the manifest that is the subject of all of them. Writes nothing for what is
    /// attached already.
    ///
    /// Whether a registry keeps the list itself is not asked: it says so when it takes a manifest.
    pub fn attach(&self, subject: &Digest, artifacts: &[Artifact]) -> anyhow::Result<Attached> {
        let mut entries = Vec::new();
        for artifact in artifacts {
            ensure!(
                artifact.subject == *subject,
                "an artifact has another subject"
            );
            entries.push(artifact.referrer().context("an artifact has a bad form")?);
        }
        let before = self.observe(subject)?;
        let mut is_listed = matches!(before, Observed::Api(_));
        let mut written = Vec::new();
        for artifact in artifacts {
            if !self.is_attached(&before, &artifact.digest)? {
                is_listed |= self.store(artifact)?;
                written.push(artifact.digest.clone());
            }
        }
        self.listed(is_listed, Attached::new(subject, entries, written))
    }

    /// Checks the list again some time after [`Writer::attach`], and writes it anew while it lacks an entry:
    /// somebody who read it before and wrote it since has lost that. Returns whether an entry was lost. One
    /// request where nobody wrote.
    pub fn settle(&self, attached: &mut Attached) -> anyhow::Result<bool> {
        let mut was_lost = false;
        let tag = tag(&attached.subject);
        for _ in 0..ROUNDS {
            let Some(written) = &attached.list else {
                return Ok(was_lost);
            };
            let found = self.retry.run(|| self.puller.digest(&tag))?;
            if found.as_ref() == Some(written) {
                return Ok(was_lost);
            }
            let now = self.retry.run(|| kept(self.puller, &attached.subject))?;
            if let Kept::List(digest, list) = &now
                && attached.entries.iter().all(|one| list.has(one.digest()))
            {
                attached.list = Some(digest.clone());
                return Ok(was_lost);
            }
            was_lost = true;
            self.enter(Some(now), attached)?;
            self.pause()?;
        }
        Err(overtaken(&tag))
    }

    /// What is attached, by whatever keeps the list.
    pub(super) fn observe(&self, subject: &Digest) -> anyhow::Result<Observed> {
        self.retry.run(|| {
            if self.puller.has_referrers() == Some(true)
                && let Some(listed) = self.puller.referrers(subject)?
            {
                return Ok(Observed::Api(listed));
            }
            let kept = kept(self.puller, subject)?;
            // What is not written over matters only where the registry has no list of its own.
            if matches!(kept, Kept::Other(_))
                && let Some(listed) = self.puller.referrers(subject)?
            {
                return Ok(Observed::Api(listed));
            }
            if let Kept::Other(why) = kept {
                return Err(Stop::Refused(why).into());
            }
            Ok(Observed::Kept(kept))
        })
    }

    /// Whether a manifest is listed, and there: an entry of a list that clients keep may dangle.
    pub(super) fn is_attached(&self, before: &Observed, digest: &Digest) -> anyhow::Result<bool> {
        if !before.has(digest) || matches!(before, Observed::Api(_)) {
            return Ok(before.has(digest));
        }
        let found = self.retry.run(|| self.puller.digest(digest.as_str()))?;
        Ok(found.is_some())
    }

    /// Sends an artifact. Returns whether the registry lists it by itself.
    fn store(&self, artifact: &Artifact) -> anyhow::Result<bool> {
        self.retry.run(|| self.pusher.send_empty())?;
        let layer = Digest::of(&artifact.layer);
        self.retry
            .run(|| self.pusher.send_blob(&layer, &artifact.layer))?;
        let Artifact {
            subject,
            digest,
            manifest,
            ..
        } = artifact;
        self.put(subject, digest, artifact.media_type(), manifest)
    }

    /// Sends the manifest of an artifact, and reads it back where it is not clear that it was stored. Returns
    /// whether the registry lists it by itself.
    pub(super) fn put(
        &self,
        subject: &Digest,
        digest: &Digest,
        media_type: &str,
        bytes: &[u8],
    ) -> anyhow::Result<bool> {
        self.retry.run(|| {
            let (lists, is_created) = match self.pusher.put(digest.as_str(), media_type, bytes)? {
                Put::Done {
                    subject: listed,
                    is_created,
                } => (listed.as_ref() == Some(subject), is_created),
                Put::Lacks(late) => return Err(late.into()),
            };
            if !is_created && self.puller.digest(digest.as_str())?.is_none() {
                let text = format!("`{digest}` is absent right after it was pushed");
                return Err(Transient::new(format!("{text}; hint: run this again")).into());
            }
            if lists {
                self.puller.learn_referrers();
            }
            Ok(lists || self.puller.has_referrers() == Some(true))
        })
    }

    /// Sees to it that what was written is listed, by the registry or by us.
    pub(super) fn listed(
        &self,
        is_listed: bool,
        mut attached: Attached,
    ) -> anyhow::Result<Attached> {
        if attached.written.is_empty() {
            return Ok(attached);
        }
        if is_listed {
            self.retry.run(|| self.check_listed(&attached))?;
        } else {
            // Read again right before it is written: others write it, too.
            self.enter(None, &mut attached)?;
        }
        Ok(attached)
    }

    /// Fails with [`Transient`] where the registry does not list what it took.
    fn check_listed(&self, attached: &Attached) -> anyhow::Result<()> {
        let subject = &attached.subject;
        let listed = self.puller.referrers(subject)?.unwrap_or_default();
        let has = |digest: &&Digest| listed.iter().any(|one| one.digest() == *digest);
        match attached.written.iter().find(|digest| !has(digest)) {
            None => Ok(()),
            Some(digest) => Err(Transient::new(format!(
                "`{}` does not list `{digest}` right after it was attached to `{subject}`; hint: some \
                 registries are late, run this again",
                self.puller.place()
            ))
            .into()),
        }
    }

    /// Writes the list with the entries of `attached`, until it has them. `now` is the list as it was just
    /// read.
    fn enter(&self, mut now: Option<Kept>, attached: &mut Attached) -> anyhow::Result<()> {
        let mut pruned = BTreeSet::new();
        for _ in 0..ROUNDS {
            let round = self.retry.run(|| {
                let found = match now.take() {
                    Some(found) => found,
                    None => kept(self.puller, &attached.subject)?,
                };
                self.round(found, attached, &mut pruned)
            })?;
            match round {
                Round::Listed(digest) => {
                    attached.list = Some(digest);
                    attached.pruned.extend(pruned);
                    return Ok(());
                }
                Round::Overtaken => self.pause()?,
            }
        }
        Err(overtaken(&tag(&attached.subject)))
    }

    /// Writes the list once, and reads it back. What is removed from it is added to `pruned`.
    fn round(
        &self,
        found: Kept,
        attached: &Attached,
        pruned: &mut BTreeSet<Digest>,
    ) -> anyhow::Result<Round> {
        let entries = &attached.entries;
        let mut list = match found {
            Kept::List(digest, list) if entries.iter().all(|one| list.has(one.digest())) => {
                return Ok(Round::Listed(digest));
            }
            Kept::List(_, list) => list,
            Kept::None => ReferrerIndex::empty()?,
            Kept::Other(why) => return Err(Stop::Refused(why).into()),
        };
        entries.iter().try_for_each(|entry| list.add(entry))?;
        let tag = tag(&attached.subject);
        let mut bytes = list.to_bytes()?;
        if let Put::Lacks(late) = self.pusher.put(&tag, INDEX, &bytes)? {
            let gone = self.gone(&list, attached)?;
            if gone.is_empty() {
                return Err(late.into());
            }
            for digest in &gone {
                list.remove(digest);
            }
            bytes = list.to_bytes()?;
            if let Put::Lacks(late) = self.pusher.put(&tag, INDEX, &bytes)? {
                return Err(late.into());
            }
            pruned.extend(gone);
        }
        let written = Digest::of(&bytes);
        match self.puller.digest(&tag)? {
            Some(found) if found == written => Ok(Round::Listed(written)),
            _ => Ok(Round::Overtaken),
        }
    }

    /// The manifests that a list names and the registry has not. Asked for only where the registry refuses
    /// the list for it, as the distribution project's does.
    fn gone(&self, list: &ReferrerIndex, attached: &Attached) -> anyhow::Result<Vec<Digest>> {
        let mut gone = Vec::new();
        for referrer in list.referrers() {
            let digest = referrer.digest();
            if self.puller.digest(digest.as_str())?.is_none() {
                if attached.entries.iter().any(|own| own.digest() == digest) {
                    bail!("`{digest}` was deleted while it was attached; hint: run this again");
                }
                gone.push(digest.clone());
            }
        }
        Ok(gone)
    }

    fn pause(&self) -> anyhow::Result<()> {
        let part = 1.0 - (self.retry.random)() / 2.0;
        Ok((self.retry.sleep)(PAUSE.mul_f64(part))?)
    }
}

impl Attached {
    pub(super) fn new(subject: &Digest, entries: Vec<Referrer>, written: Vec<Digest>) -> Attached {
        Attached {
            subject: subject.clone(),
            written,
            pruned: Vec::new(),
            skipped: Vec::new(),
            list: None,
            entries,
        }
    }
}

fn overtaken(tag: &str) -> anyhow::Error {
    anyhow::anyhow!(
        "others wrote `{tag}` again and again at the same time; hint: run this again once they are done"
    )
}
