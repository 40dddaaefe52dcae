//! Reads records. Whoever may push could have written them: each is judged before it counts.

use crate::oci::Digest;
use crate::proof::{
    Bundle, Evidence, RELEASE_RECORD, RecordWanted, ReleaseRecord, Trust, TrustedRecord,
};
use crate::reference::Repository;
use crate::referrers::{self, Artifact, Content, Form};
use crate::registry::Puller;
use crate::version::Version;

use super::recorded::{Doubt, Recorded, newest};

/// Reads the records of one repository.
pub(crate) struct Records<'a> {
    pub(crate) repository: &'a Repository,
    pub(crate) puller: &'a Puller,
    pub(crate) trust: &'a Trust,
}

/// What was read of a version's records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ReadRecords {
    /// What the record under its tag says.
    pub(crate) tagged: Recorded,
    /// What counts of all records.
    pub(crate) newest: Recorded,
    /// Who has signed that, in words; none where no signature is asked for.
    pub(crate) by: Option<String>,
}

/// The record under a tag, and the digest of its artifact.
struct Tagged {
    recorded: Recorded,
    by: Option<String>,
    artifact: Option<Digest>,
}

/// The records among the referrers that are believed.
struct Referring {
    records: Vec<TrustedRecord>,
    /// How many were not read.
    unread: usize,
    /// Why there is no list of them.
    fault: Option<String>,
}

impl Tagged {
    fn without_artifact(recorded: Recorded) -> Tagged {
        Tagged {
            recorded,
            by: None,
            artifact: None,
        }
    }
}

impl Records<'_> {
    /// What the record under a version's tag says. It may have been put back: then it says less than
    /// [`Records::newest`].
    pub(crate) fn tagged(&self, version: &Version) -> anyhow::Result<Recorded> {
        Ok(self.under_tag(version)?.recorded)
    }

    /// What counts of all records of a version, which is published as `digest`. `is_tagged` says whether the
    /// repository lists a tag for its record.
    pub(crate) fn newest(
        &self,
        version: &Version,
        digest: &Digest,
        is_tagged: bool,
    ) -> anyhow::Result<Recorded> {
        Ok(self.read(version, digest, is_tagged)?.newest)
    }

    /// What counts of all records of a version that has no tag, and is to be published as `image`: it may have
    /// been published before, and both tags deleted.
    pub(crate) fn unpublished(
        &self,
        version: &Version,
        image: Option<&Digest>,
        is_tagged: bool,
    ) -> anyhow::Result<Recorded> {
        let tagged = if is_tagged {
            self.tagged(version)?
        } else {
            Recorded::Absent
        };
        let other = |record: &ReleaseRecord| image != Some(&record.digest);
        match image {
            Some(image) if !tagged.believed().is_some_and(other) => {
                Ok(self.counted(tagged, version, image, None)?.0)
            }
            _ => Ok(tagged),
        }
    }

    /// [`Records::newest`], with what leads to it. A record is read and verified once, though it is under its tag
    /// and among the referrers.
    pub(crate) fn read(
        &self,
        version: &Version,
        digest: &Digest,
        is_tagged: bool,
    ) -> anyhow::Result<ReadRecords> {
        let tagged = if is_tagged {
            self.under_tag(version)?
        } else {
            Tagged::without_artifact(Recorded::Absent)
        };
        let known = tagged.artifact.as_ref();
        let (mut newest, others) = self.counted(tagged.recorded.clone(), version, digest, known)?;
        if let Some(other) = tagged
            .recorded
            .believed()
            .filter(|one| one.digest != *digest)
        {
            newest = Recorded::Doubted(Doubt {
                claim: Some(Box::new(other.clone())),
                ..Doubt::new(format!(
                    "it is of `{}`, and `v{version}` leads to `{digest}`",
                    other.digest
                ))
            });
        }
        let by = match &newest {
            Recorded::Displaced(record) => {
                let own = others.into_iter().find(|one| one.record == *record);
                own.and_then(|one| one.by)
            }
            _ => tagged.by,
        };
        Ok(ReadRecords {
            tagged: tagged.recorded,
            newest,
            by,
        })
    }

    fn under_tag(&self, version: &Version) -> anyhow::Result<Tagged> {
        let tag = ReleaseRecord::tag(version);
        let artifact = match referrers::read_tag(self.puller, &tag)? {
            None | Some(Content::Gone) => return Ok(Tagged::without_artifact(Recorded::Absent)),
            Some(Content::Unusable(why)) => {
                return Ok(Tagged::without_artifact(Recorded::doubted(why)));
            }
            Some(Content::Artifact(artifact)) => artifact,
        };
        let (recorded, by) = match self.judge(&artifact, version, None)? {
            Ok(trusted) => (Recorded::Believed(trusted.record), trusted.by),
            Err(why) => {
                let claim = self.claim(&artifact, version).map(Box::new);
                let doubt = Doubt {
                    claim,
                    ..Doubt::new(why)
                };
                (Recorded::Doubted(doubt), None)
            }
        };
        Ok(Tagged {
            recorded,
            by,
            artifact: Some(artifact.digest),
        })
    }

    /// The records among the referrers of an index that are believed. Others may be anybody's.
    pub(super) fn attached(
        &self,
        version: &Version,
        digest: &Digest,
    ) -> anyhow::Result<Vec<ReleaseRecord>> {
        let found = self.referring(version, digest, None)?;
        Ok(found.records.into_iter().map(|one| one.record).collect())
    }

    /// What counts of the record under the tag and of those among the referrers, which are given as well.
    fn counted(
        &self,
        tagged: Recorded,
        version: &Version,
        digest: &Digest,
        known: Option<&Digest>,
    ) -> anyhow::Result<(Recorded, Vec<TrustedRecord>)> {
        let found = self.referring(version, digest, known)?;
        let records = found.records.iter().map(|one| one.record.clone());
        let newest = found.known(newest(tagged, records));
        Ok((newest, found.records))
    }

    /// [`Records::attached`] without the artifact `known`.
    fn referring(
        &self,
        version: &Version,
        digest: &Digest,
        known: Option<&Digest>,
    ) -> anyhow::Result<Referring> {
        let found = referrers::find_others(self.puller, digest, RELEASE_RECORD, known)?;
        let mut records = Vec::new();
        for (_, content) in found.read {
            if let Content::Artifact(artifact) = content
                && let Ok(record) = self.judge(&artifact, version, Some(digest))?
            {
                records.push(record);
            }
        }
        Ok(Referring {
            records,
            unread: found.unread,
            fault: found.fault,
        })
    }

    /// What an artifact says about a version, whoever has signed it.
    fn claim(&self, artifact: &Artifact, version: &Version) -> Option<ReleaseRecord> {
        let wanted = RecordWanted {
            version,
            repository: self.repository,
            digest: Some(&artifact.subject),
        };
        match artifact.form {
            Form::Statement => Trust::claim(Evidence::Unsigned(&artifact.layer), &wanted),
            Form::Bundle => {
                let bundle = Bundle::parse(&artifact.layer).ok()?;
                Trust::claim(Evidence::Signed(&bundle), &wanted)
            }
        }
    }

    /// The record in an artifact, or why it is not believed.
    fn judge(
        &self,
        artifact: &Artifact,
        version: &Version,
        digest: Option<&Digest>,
    ) -> anyhow::Result<Result<TrustedRecord, String>> {
        let wanted = RecordWanted {
            version,
            repository: self.repository,
            digest,
        };
        let judged = match artifact.form {
            Form::Statement => {
                let evidence = Evidence::Unsigned(&artifact.layer);
                self.trust.record(evidence, &wanted)?
            }
            Form::Bundle => match Bundle::parse(&artifact.layer) {
                Ok(bundle) => self.trust.record(Evidence::Signed(&bundle), &wanted)?,
                Err(why) => return Ok(Err(why.to_string())),
            },
        };
        Ok(match judged {
            Err(reasons) => Err(reasons.join("; ")),
            Ok(trusted) if trusted.record.digest != artifact.subject => Err(format!(
                "it is of `{}`, and attached to `{}`",
                trusted.record.digest, artifact.subject
            )),
            Ok(trusted) => Ok(trusted),
        })
    }
}

impl Referring {
    /// What counts where there may be a newer record than those that were read: a withdrawal alone.
    fn known(&self, newest: Recorded) -> Recorded {
        let why = match (&self.fault, self.unread) {
            (None, 0) => return newest,
            (Some(fault), _) => format!("a newer one may be attached to the image: {fault}"),
            (None, unread) => format!(
                "{unread} more records are attached to the image than are read, and a newer one may be among \
                 them, until those that are nobody's are deleted in the registry"
            ),
        };
        match newest {
            Recorded::Believed(last) | Recorded::Displaced(last) if last.counts() => {
                Recorded::Doubted(Doubt {
                    last: Some(Box::new(last)),
                    ..Doubt::new(why)
                })
            }
            // Without a list nothing can be written either.
            Recorded::Absent if self.unread > 0 => Recorded::doubted(why),
            newest => newest,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::recorded::tests::record;
    use super::*;
    use crate::proof::ReleaseState::{Released, Withdrawn};

    #[test]
    fn where_not_all_is_read_only_a_withdrawal_counts() {
        let believed = |state| Recorded::Believed(record(state, 2));
        let displaced = |state| Recorded::Displaced(record(state, 2));
        for (newest, unread, is_listed, is_doubted) in [
            (Recorded::Absent, 0, true, false),
            (Recorded::Absent, 1, true, true),
            (Recorded::Absent, 0, false, false),
            (believed(Released), 0, true, false),
            (believed(Released), 1, true, true),
            (believed(Released), 0, false, true),
            (displaced(Released), 1, true, true),
            (believed(Withdrawn), 1, true, false),
            (displaced(Withdrawn), 0, false, false),
        ] {
            let referring = Referring {
                records: Vec::new(),
                unread,
                fault: (!is_listed).then(|| "no list".to_owned()),
            };
            let found = referring.known(newest.clone());
            assert_eq!(found != newest, is_doubted, "{newest:?}: {found:?}");
        }
    }
}
