//! The records of a plan.

use super::super::facts::PublishedVersions;
use super::super::observe;
use super::super::step::RecordStep;
use super::super::target::Destination;
use super::attach::artifact;
use super::context::Apply;
use crate::oci::Document;
use crate::proof::{Bundle, LatestMove, ReleaseRecord, ReleaseState, SIGNATURE};
use crate::records::{RecordChange, RecordOutcome, RecordWriter};
use crate::reference::Repository;
use crate::referrers::Subject;
use crate::stop::Stop;
use crate::version::Version;

/// A record of the plan, and what became of it.
pub(super) struct Written<'a> {
    target: &'a Destination,
    change: RecordChange,
    pub(super) outcome: RecordOutcome,
}

impl Written<'_> {
    pub(super) fn is_of(&self, repository: &Repository, version: &Version) -> bool {
        self.target.repository == *repository && self.change.version == *version
    }

    pub(super) fn is_written(&self) -> bool {
        matches!(self.outcome, RecordOutcome::Written(_))
    }

    /// The record that withdraws the version.
    pub(super) fn withdrawn(&self) -> Option<&ReleaseRecord> {
        Some(self.outcome.record()).filter(|record| !record.counts())
    }
}

impl<'a> Apply<'a> {
    /// Writes the records of the plan, in its order.
    ///
    /// Fails where a version was withdrawn meanwhile that is to be restored, or that `latest` is to go back to.
    pub(super) fn write_records(
        &self,
        signature: Option<&Bundle>,
    ) -> anyhow::Result<Vec<Written<'a>>> {
        let mut written = Vec::new();
        for step in self.plan().records.iter().cloned().chain(self.kept()) {
            let (target, _) = self.target(&step.repository)?;
            let mut change = self.change(&step, target)?;
            if let Some(signature) = signature.filter(|_| self.signs_with_record(target)) {
                change.beside = vec![artifact(&change.subject, SIGNATURE, signature)];
            }
            if step.from != Some(step.to) {
                crate::say::errln!("recording `v{}` as {}", step.version, step.to);
            }
            let outcome = self.record_writer(target).write(&change)?;
            if let RecordOutcome::Overruled(record) = &outcome {
                let is_restored = step.to == ReleaseState::Restored;
                if is_restored || self.is_rollback() {
                    return Err(overruled(record));
                }
            }
            written.push(Written {
                target,
                change,
                outcome,
            });
        }
        Ok(written)
    }

    /// The withdrawals that a rollback found: somebody may restore the version that `latest` is at before it
    /// moves.
    fn kept(&self) -> Vec<RecordStep> {
        let published = self.decided.facts.published.iter();
        let kept = published.filter(|_| self.is_rollback());
        kept.filter_map(|published| self.kept_in(published))
            .collect()
    }

    fn kept_in(&self, published: &PublishedVersions) -> Option<RecordStep> {
        let at = published.standing.latest.as_ref()?;
        let version = at.version.as_ref().filter(|_| at.is_published)?;
        let mut others = published.standing.others.iter();
        let other = others.find(|one| one.version == *version)?;
        let record = other.recorded.withdrawn()?;
        let mut planned = self.plan().records.iter();
        let own = &published.repository;
        if planned.any(|step| step.repository == *own && step.version == *version) {
            return None;
        }
        Some(RecordStep {
            repository: own.clone(),
            version: version.clone(),
            digest: record.digest.clone(),
            from: Some(record.state),
            to: ReleaseState::Withdrawn,
            sequence: record.sequence,
            reason: record.reason.clone(),
            is_over_doubt: false,
            before: record.latest.before.clone(),
            after: record.latest.after.clone(),
            why: String::new(),
        })
    }

    /// Whether the signature of the index is attached with its record: one write of the list for both.
    pub(super) fn signs_with_record(&self, target: &Destination) -> bool {
        let digest = &self.plan().digest;
        let mut unsigned = self.plan().sign.iter();
        let mut records = self.plan().records.iter();
        let own = &target.repository;
        unsigned.any(|one| one.repository == *own && one.digests.contains(digest))
            && records.any(|one| one.repository == *own && one.digest == *digest)
    }

    /// Looks at the records again at the end. Returns where one was decided anew, as somebody else has written
    /// it since.
    pub(super) fn settle_records(
        &self,
        records: Vec<Written<'a>>,
    ) -> anyhow::Result<(Vec<Written<'a>>, Vec<&'a Destination>)> {
        let (mut settled, mut again) = (Vec::new(), Vec::new());
        for Written {
            target,
            change,
            outcome,
        } in records
        {
            let writer = self.record_writer(target);
            let before = outcome.record().sequence;
            let outcome = match outcome {
                RecordOutcome::Written(written) => writer.settle(&change, *written)?,
                _ if self.is_rollback() => writer.write(&change)?,
                other => other,
            };
            let record = outcome.record();
            if record.sequence != before {
                crate::say::errln!(
                    "note: `v{}` was {} meanwhile ({})",
                    record.version,
                    record.state,
                    record.time
                );
                again.push(target);
            }
            settled.push(Written {
                target,
                change,
                outcome,
            });
        }
        Ok((settled, again))
    }

    fn record_writer<'b>(&'b self, target: &'b Destination) -> RecordWriter<'b> {
        RecordWriter {
            records: observe::records(self.release, target),
            pusher: &target.pusher,
            signer: self.release.signer.as_ref(),
            retry: self.release.retry,
        }
    }

    fn change(&self, step: &RecordStep, target: &Destination) -> anyhow::Result<RecordChange> {
        let subject = if step.digest == self.plan().digest {
            self.subject(&step.digest)?
        } else {
            let read = || target.puller.manifest(step.digest.as_str());
            let Some((_, bytes)) = self.release.retry.run(read)? else {
                let version = &step.version;
                return Err(Stop::Refused(format!(
                    "`v{version}` cannot be recorded: `{}` is gone from the registry\n  hint: `cargo xtask \
                     audit` says what else is",
                    step.digest
                ))
                .into());
            };
            Subject {
                media_type: Document::parse(&bytes)?.media_type().to_owned(),
                digest: step.digest.clone(),
                size: u64::try_from(bytes.len())?,
            }
        };
        Ok(RecordChange {
            version: step.version.clone(),
            subject,
            to: step.to,
            sequence: step.sequence,
            reason: step.reason.clone(),
            latest: LatestMove {
                before: step.before.clone(),
                after: step.after.clone(),
            },
            is_over_doubt: step.is_over_doubt,
            beside: Vec::new(),
        })
    }
}

fn overruled(record: &ReleaseRecord) -> anyhow::Error {
    let reason = record.reason.as_deref().unwrap_or("no reason given");
    Stop::Refused(format!(
        "`v{}` was withdrawn meanwhile ({}): {reason}; no tag was moved\n  hint: `cargo xtask release \
         --status` shows where `latest` is",
        record.version, record.time
    ))
    .into()
}
