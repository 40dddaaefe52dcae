//! The records of a plan.

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
        for step in &self.plan().records {
            let (target, _) = self.target(&step.repository)?;
            let mut change = self.change(step, target)?;
            if let Some(signature) = signature.filter(|_| self.signs_with_record(target)) {
                change.beside = vec![artifact(&change.subject, SIGNATURE, signature)];
            }
            crate::say::errln!("recording `v{}` as {}", step.version, step.to);
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

    /// Whether the signature of the index is attached with its record: one write of the list for both.
    pub(super) fn signs_with_record(&self, target: &Destination) -> bool {
        let digest = &self.plan().digest;
        let mut unsigned = self.plan().sign.iter();
        let mut records = self.plan().records.iter();
        let own = &target.repository;
        unsigned.any(|one| one.repository == *own && one.digests.contains(digest))
            && records.any(|one| one.repository == *own && one.digest == *digest)
    }

    /// Looks at the records again at the end. Returns where the version was withdrawn meanwhile.
    pub(super) fn settle_records(
        &self,
        records: Vec<Written<'a>>,
    ) -> anyhow::Result<Vec<&'a Destination>> {
        let mut withdrawn = Vec::new();
        for one in records {
            let RecordOutcome::Written(written) = one.outcome else {
                continue;
            };
            let settled = self
                .record_writer(one.target)
                .settle(&one.change, *written)?;
            if let RecordOutcome::Overruled(record) = settled {
                let reason = record.reason.as_deref().unwrap_or("no reason given");
                crate::say::errln!(
                    "note: `v{}` was withdrawn meanwhile ({}): {reason}",
                    record.version,
                    record.time
                );
                withdrawn.push(one.target);
            }
        }
        Ok(withdrawn)
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
