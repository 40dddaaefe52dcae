//! Writes a record: reads, decides, writes and reads back, and decides anew where somebody else wrote.

use std::time::SystemTime;

use anyhow::Context as _;

use super::read::Records;
use super::recorded::{Recorded, newest};
use crate::oci::Digest;
use crate::proof::{LatestMove, RELEASE_RECORD, ReleaseRecord, ReleaseState, Signer};
use crate::referrers::{Artifact, Attached, Form, Subject, Writer};
use crate::registry::{Pusher, Put};
use crate::retry::Retry;
use crate::stop::Stop;
use crate::version::Version;

/// How often a record is decided anew while others write it, too.
const ROUNDS: usize = 8;

/// Writes records in one repository. Its puller and pusher are in steps.
pub(crate) struct RecordWriter<'a> {
    pub(crate) records: Records<'a>,
    pub(crate) pusher: &'a Pusher,
    /// None where records need no signature.
    pub(crate) signer: Option<&'a Signer>,
    pub(crate) retry: Retry,
}

/// What a record is to say.
#[derive(Clone, Debug)]
pub(crate) struct RecordChange {
    pub(crate) version: Version,
    /// The version's index.
    pub(crate) subject: Subject,
    pub(crate) to: ReleaseState,
    /// The sequence that the plan gives it.
    pub(crate) sequence: u64,
    pub(crate) reason: Option<String>,
    pub(crate) latest: LatestMove,
    /// Whether a record that is not believed is written over.
    pub(crate) is_over_doubt: bool,
    /// What is attached to the version's index at the same time.
    pub(crate) beside: Vec<Artifact>,
}

/// What became of a record.
#[derive(Debug)]
pub(crate) enum RecordOutcome {
    Written(Box<WrittenRecord>),
    /// It said so already.
    Before(ReleaseRecord),
    /// Somebody else has withdrawn the version.
    Overruled(ReleaseRecord),
}

/// A record that was written and read back.
#[derive(Debug)]
pub(crate) struct WrittenRecord {
    pub(crate) record: ReleaseRecord,
    /// Of the artifact under the record's tag.
    digest: Digest,
    attached: Attached,
}

impl RecordOutcome {
    pub(crate) fn record(&self) -> &ReleaseRecord {
        match self {
            RecordOutcome::Written(written) => &written.record,
            RecordOutcome::Before(record) | RecordOutcome::Overruled(record) => record,
        }
    }
}

/// What is done about a record.
#[derive(Debug, PartialEq, Eq)]
enum Decision {
    Done(ReleaseRecord),
    Overruled(ReleaseRecord),
    /// Written with this sequence.
    Write(u64),
    Refused(String),
}

/// Decides over what the registry says now: a withdrawal that the plan did not see wins.
fn decide(now: &Recorded, change: &RecordChange) -> Decision {
    let (record, is_tagged) = match now {
        Recorded::Absent => return Decision::Write(1),
        Recorded::Doubted(doubt) if change.is_over_doubt => {
            let last = doubt.last.as_ref().map_or(0, |record| record.sequence);
            return Decision::Write(last + 1);
        }
        Recorded::Doubted(doubt) => return Decision::Refused(doubt.why.clone()),
        Recorded::Believed(record) => (record, true),
        Recorded::Displaced(record) => (record, false),
    };
    if record.digest != change.subject.digest {
        return Decision::Refused(format!("it names another digest, `{}`", record.digest));
    }
    let next = record.sequence + 1;
    let is_withdrawn = record.state == ReleaseState::Withdrawn;
    if change.to == ReleaseState::Withdrawn {
        let is_said = is_withdrawn && record.latest.after == change.latest.after;
        return if is_said && is_tagged {
            Decision::Done(record.clone())
        } else {
            Decision::Write(next)
        };
    }
    // The plan restores the withdrawal that it saw, and no later one.
    let is_seen = change.to == ReleaseState::Restored && next <= change.sequence;
    if is_withdrawn && !is_seen {
        return Decision::Overruled(record.clone());
    }
    if is_tagged && !is_withdrawn {
        return Decision::Done(record.clone());
    }
    Decision::Write(next)
}

impl RecordWriter<'_> {
    /// Writes a record, unless the registry says already what it is to say.
    pub(crate) fn write(&self, change: &RecordChange) -> anyhow::Result<RecordOutcome> {
        let tag = ReleaseRecord::tag(&change.version);
        let reference = self.records.repository.reference(&tag);
        for _ in 0..ROUNDS {
            let now = self.retry.run(|| self.now(change))?;
            let sequence = match decide(&now, change) {
                Decision::Done(record) => {
                    self.attach_beside(change)?;
                    return Ok(RecordOutcome::Before(record));
                }
                Decision::Overruled(record) => {
                    self.attach_beside(change)?;
                    return Ok(RecordOutcome::Overruled(record));
                }
                Decision::Write(sequence) => sequence,
                Decision::Refused(why) => {
                    return Err(Stop::Refused(format!(
                        "`{reference}` was written meanwhile, and is not believed: {why}\n  hint: find \
                         out who wrote it, then run this again"
                    ))
                    .into());
                }
            };
            let written = self.put(change, sequence).with_context(|| {
                format!(
                    "the record `{reference}` is not written; hint: a registry with immutable tags must \
                     exclude `state-*` and `sha256-*`, which are written again"
                )
            })?;
            if let Some(written) = written {
                return Ok(RecordOutcome::Written(Box::new(written)));
            }
        }
        anyhow::bail!(
            "others wrote `{reference}` again and again at the same time; hint: run this again once they \
             are done"
        )
    }

    /// Looks at a record again once everything else is done: somebody who read it before and wrote it since has
    /// lost ours. What is there then is decided anew.
    pub(crate) fn settle(
        &self,
        change: &RecordChange,
        mut written: WrittenRecord,
    ) -> anyhow::Result<RecordOutcome> {
        self.writer().settle(&mut written.attached)?;
        let tag = ReleaseRecord::tag(&change.version);
        let found = self.retry.run(|| self.records.puller.digest(&tag))?;
        if found.as_ref() == Some(&written.digest) {
            return Ok(RecordOutcome::Written(Box::new(written)));
        }
        self.write(change)
    }

    fn attach_beside(&self, change: &RecordChange) -> anyhow::Result<()> {
        if !change.beside.is_empty() {
            self.writer()
                .attach(&change.subject.digest, &change.beside)?;
        }
        Ok(())
    }

    /// What the registry says now.
    fn now(&self, change: &RecordChange) -> anyhow::Result<Recorded> {
        let records = &self.records;
        let tagged = records.tagged(&change.version)?;
        if tagged == Recorded::Absent && change.sequence == 1 {
            return Ok(tagged);
        }
        let attached = records.attached(&change.version, &change.subject.digest)?;
        Ok(newest(tagged, attached))
    }

    /// Writes the record; none when somebody else wrote it at the same time.
    ///
    /// It is attached first: a run that dies between leaves a record that is found, and not one that can be
    /// taken away unseen.
    fn put(&self, change: &RecordChange, sequence: u64) -> anyhow::Result<Option<WrittenRecord>> {
        let record = self.record(change, sequence);
        let statement = record.statement().to_bytes();
        let (form, layer) = match self.signer {
            Some(signer) => (Form::Bundle, signer.sign(&statement)?.bytes().to_owned()),
            None => (Form::Statement, statement),
        };
        let annotations = record.annotations();
        let artifact = Artifact::new(&change.subject, form, layer, RELEASE_RECORD, annotations);
        let mut artifacts = change.beside.clone();
        artifacts.push(artifact.clone());
        let attached = self.writer().attach(&change.subject.digest, &artifacts)?;
        let tag = ReleaseRecord::tag(&change.version);
        let is_ours = self.retry.run(|| {
            match self
                .pusher
                .put(&tag, artifact.media_type(), &artifact.manifest)?
            {
                Put::Done { .. } => {}
                Put::Lacks(late) => return Err(late.into()),
            }
            Ok(self.records.puller.digest(&tag)?.as_ref() == Some(&artifact.digest))
        })?;
        Ok(is_ours.then_some(WrittenRecord {
            record,
            digest: artifact.digest,
            attached,
        }))
    }

    fn record(&self, change: &RecordChange, sequence: u64) -> ReleaseRecord {
        ReleaseRecord {
            repository: self.records.repository.canonical(),
            version: change.version.clone(),
            digest: change.subject.digest.clone(),
            state: change.to,
            sequence,
            time: humantime::format_rfc3339_millis(SystemTime::now()).to_string(),
            reason: change.reason.clone(),
            latest: change.latest.clone(),
        }
    }

    fn writer(&self) -> Writer<'_> {
        Writer {
            puller: self.records.puller,
            pusher: self.pusher,
            retry: self.retry,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::Doubt;
    use crate::records::recorded::tests::record;

    fn change(to: ReleaseState, sequence: u64) -> RecordChange {
        RecordChange {
            version: Version::new(1, 0, 0),
            subject: Subject {
                media_type: "x".to_owned(),
                digest: Digest::of(b"index"),
                size: 1,
            },
            to,
            sequence,
            reason: None,
            latest: LatestMove::default(),
            is_over_doubt: false,
            beside: Vec::new(),
        }
    }

    #[test]
    fn a_withdrawal_wins_and_a_sequence_grows_by_one() {
        use ReleaseState::{Released, Restored, Withdrawn};
        let of = |state, sequence| record(state, sequence);
        let believed = |state, sequence| Recorded::Believed(of(state, sequence));
        let displaced = |state, sequence| Recorded::Displaced(of(state, sequence));
        let mut elsewhere = of(Withdrawn, 2);
        elsewhere.latest.after = Some(Digest::of(b"other"));
        let mut other = of(Released, 1);
        other.digest = Digest::of(b"other");
        for (to, planned, now, want) in [
            (Released, 1, Recorded::Absent, Decision::Write(1)),
            (Withdrawn, 1, Recorded::Absent, Decision::Write(1)),
            // By another run.
            (
                Released,
                1,
                believed(Released, 1),
                Decision::Done(of(Released, 1)),
            ),
            (
                Released,
                1,
                believed(Restored, 3),
                Decision::Done(of(Restored, 3)),
            ),
            (
                Restored,
                3,
                believed(Restored, 3),
                Decision::Done(of(Restored, 3)),
            ),
            (
                Withdrawn,
                2,
                believed(Withdrawn, 2),
                Decision::Done(of(Withdrawn, 2)),
            ),
            // A rollback came between.
            (
                Released,
                1,
                believed(Withdrawn, 1),
                Decision::Overruled(of(Withdrawn, 1)),
            ),
            (
                Released,
                1,
                believed(Withdrawn, 2),
                Decision::Overruled(of(Withdrawn, 2)),
            ),
            (
                Restored,
                3,
                believed(Withdrawn, 4),
                Decision::Overruled(of(Withdrawn, 4)),
            ),
            // As planned.
            (Restored, 3, believed(Withdrawn, 2), Decision::Write(3)),
            (Withdrawn, 2, believed(Released, 1), Decision::Write(2)),
            (Withdrawn, 2, believed(Restored, 5), Decision::Write(6)),
            (
                Withdrawn,
                3,
                Recorded::Believed(elsewhere),
                Decision::Write(3),
            ),
            // Its tag was put back, or deleted.
            (Withdrawn, 3, displaced(Withdrawn, 2), Decision::Write(3)),
            (Released, 2, displaced(Released, 1), Decision::Write(2)),
            (
                Released,
                1,
                displaced(Withdrawn, 2),
                Decision::Overruled(of(Withdrawn, 2)),
            ),
        ] {
            let found = decide(&now, &change(to, planned));
            assert_eq!(found, want, "{to} {planned} over {now:?}");
        }
        for now in [Recorded::doubted("forged"), Recorded::Believed(other)] {
            let found = decide(&now, &change(Withdrawn, 2));
            assert!(matches!(found, Decision::Refused(_)), "{now:?}");
        }
        let over = RecordChange {
            is_over_doubt: true,
            ..change(Withdrawn, 2)
        };
        let doubted = |last| {
            Recorded::Doubted(Doubt {
                last,
                ..Doubt::new("forged")
            })
        };
        let last = Some(Box::new(of(Released, 4)));
        for (last, want) in [(None, 1), (last, 5)] {
            assert_eq!(decide(&doubted(last), &over), Decision::Write(want));
        }
    }
}
