//! Moves `latest`, up or down.

use super::super::facts::PublishedVersions;
use super::super::observe;
use super::super::plan::{LatestPlan, latest};
use super::super::step::TagStep;
use super::super::target::Destination;
use super::context::Apply;
use super::records::Written;
use super::tag::{TagResult, TagWrite, WriteOutcome, describe, result};
use crate::oci::Digest;
use crate::proof::ReleaseRecord;
use crate::published;
use crate::stop::Stop;
use crate::version::Version;

/// How often a release tries to move `latest` while other releases move it, too.
const ROUNDS: usize = 8;

impl Apply<'_> {
    /// Writes `latest`, if it may move, then reads the published versions again: if another release
    /// has published a higher one meanwhile, `latest` moves to that.
    pub(super) fn latest(
        &self,
        target: &Destination,
        published: &PublishedVersions,
        own: Option<&Written>,
    ) -> anyhow::Result<TagResult> {
        // The plan is fresh, unless a copy took its time since. Each further round asks again.
        let is_fresh = !self.copies().any(TagStep::is_write);
        let known = is_fresh.then(|| published.clone());
        self.moved(target, known, own, false)
    }

    /// Puts `latest` right that this run moved to a version which was withdrawn meanwhile: to where the rollback
    /// went.
    pub(super) fn latest_again(&self, target: &Destination) -> anyhow::Result<TagResult> {
        self.moved(target, None, None, true)
    }

    fn moved(
        &self,
        target: &Destination,
        mut known: Option<PublishedVersions>,
        own: Option<&Written>,
        mut is_written: bool,
    ) -> anyhow::Result<TagResult> {
        let version = &self.plan().version;
        let reference = target.repository.reference("latest");
        let given = |digest: Option<&Digest>, is_written, why: &str| {
            result(target, "latest", digest, is_written, why)
        };
        for _ in 0..ROUNDS {
            let (now, is_new) = match known.take() {
                Some(known) => (known, false),
                None => (self.now(target)?, true),
            };
            let withdrawn = if is_new {
                now.standing.recorded.withdrawn()
            } else {
                self.withdrawn(&now, own)
            };
            let goal = match withdrawn.filter(|_| is_written) {
                Some(record) => self.back(&now, record),
                None => latest(version, &self.plan().digest, &now, self.wish(), withdrawn),
            };
            let (to, why) = match goal {
                LatestPlan::Is(why) | LatestPlan::Stays(why) => {
                    let why = if is_written { "moved" } else { &*why };
                    return Ok(given(now.at(), is_written, why));
                }
                LatestPlan::Moves(to, why) => (to, why),
            };
            if let Some(why) = self.is_no_longer(&now, &to, target)? {
                return Ok(given(now.at(), is_written, &why));
            }
            crate::say::errln!("moving `{reference}` to {to}: {why}");
            let write = TagWrite {
                tag: "latest",
                from: now.at(),
                to: &to,
                checks_first: false,
            };
            match self.give(&write, target)? {
                WriteOutcome::Written => is_written = true,
                WriteOutcome::Before => {}
                WriteOutcome::Elsewhere(_) => continue,
            }
            // A record that this run has written is looked at again when all is done.
            let is_looked_at = own.is_some_and(Written::is_written);
            let is_ours = to == self.plan().digest;
            let is_undone = is_ours && !is_looked_at && self.is_withdrawn(target)?;
            if !is_undone && !self.is_overtaken(target, listed(&now).max(Some(version)))? {
                return Ok(given(Some(&to), is_written, "moved"));
            }
        }
        anyhow::bail!(
            "other releases moved `latest` again and again; hint: run this again once they are \
             done"
        )
    }

    fn wish(&self) -> super::super::facts::LatestPolicy {
        self.release.options.wish
    }

    fn now(&self, target: &Destination) -> anyhow::Result<PublishedVersions> {
        let version = &self.plan().version;
        let image = Some(&self.plan().digest);
        let versions = || observe::versions(self.release, target, version, image);
        self.release.retry.run(versions)
    }

    /// The record by which the version is withdrawn, as far as this run knows.
    fn withdrawn<'b>(
        &'b self,
        now: &'b PublishedVersions,
        own: Option<&'b Written>,
    ) -> Option<&'b ReleaseRecord> {
        match own {
            Some(own) => own.withdrawn(),
            None => now.withdrawn(self.decided.facts.published.first().unwrap_or(now)),
        }
    }

    /// Where `latest` goes that this run moved to a version which was withdrawn meanwhile: to where the rollback
    /// went.
    fn back(&self, now: &PublishedVersions, record: &ReleaseRecord) -> LatestPlan {
        let is_there = now.at() == Some(&self.plan().digest);
        match &record.latest.after {
            Some(after) if is_there && *after != self.plan().digest => {
                let why = format!("`v{}` was withdrawn meanwhile", record.version);
                LatestPlan::Moves(after.clone(), why)
            }
            _ => LatestPlan::Stays("the version was withdrawn meanwhile".to_owned()),
        }
    }

    /// Why another version than this one, to which `latest` is to move, does not count any more.
    fn is_no_longer(
        &self,
        now: &PublishedVersions,
        to: &Digest,
        target: &Destination,
    ) -> anyhow::Result<Option<String>> {
        let Some((highest, digest)) = now.highest().filter(|(_, digest)| digest == to) else {
            return Ok(None);
        };
        let records = observe::records(self.release, target);
        let counts = self.release.retry.run(|| {
            let recorded = records.newest(&highest, &digest, true)?;
            let tag = published::digest(&target.puller, &format!("v{highest}"))?;
            Ok(tag.as_ref() == Some(to) && recorded.counting().is_some())
        })?;
        Ok((!counts).then(|| format!("`v{highest}` does not count any more")))
    }

    /// Whether the version was withdrawn meanwhile.
    fn is_withdrawn(&self, target: &Destination) -> anyhow::Result<bool> {
        let records = observe::records(self.release, target);
        let version = &self.plan().version;
        let recorded = self.release.retry.run(|| records.tagged(version))?;
        Ok(recorded.withdrawn().is_some())
    }

    /// Whether a stable version above `highest` was published meanwhile.
    fn is_overtaken(
        &self,
        target: &Destination,
        highest: Option<&Version>,
    ) -> anyhow::Result<bool> {
        self.release.retry.run(|| {
            let found = published::highest(&target.puller)?;
            Ok(found.as_ref() > highest)
        })
    }

    /// Moves `latest` to a lower version.
    pub(super) fn rollback(
        &self,
        step: &TagStep,
        target: &Destination,
        published: &PublishedVersions,
    ) -> anyhow::Result<TagResult> {
        let digest = &self.plan().digest;
        let reference = target.repository.reference(&step.tag);
        let write = TagWrite::planned(step, digest);
        let (is_written, why) = match self.give(&write, target)? {
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
        if is_written
            && self.is_overtaken(target, listed(published).max(Some(&self.plan().version)))?
        {
            anyhow::bail!(
                "a higher version was released while `{reference}` was rolled back; hint: `cargo xtask \
                 release --status` shows it, and its `cargo xtask release --version X.Y.Z` moves `latest` on"
            );
        }
        Ok(result(target, &step.tag, Some(digest), is_written, why))
    }
}

/// The highest other stable version that the repository lists.
fn listed(published: &PublishedVersions) -> Option<&Version> {
    published.standing.others.first().map(|one| &one.version)
}
