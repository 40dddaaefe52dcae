//! Reads records. Whoever may push could have written them: each is judged before it counts.

use crate::oci::Digest;
use crate::proof::{
    Bundle, Evidence, RELEASE_RECORD, RecordWanted, ReleaseRecord, Trust, TrustedRecord,
};
use crate::reference::Repository;
use crate::referrers::{self, Artifact, Content, Form};
use crate::registry::Puller;
use crate::version::Version;

use super::recorded::{Recorded, newest};

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
        let others = self.referring(version, digest, tagged.artifact.as_ref())?;
        let records = others.iter().map(|one| one.record.clone());
        let newest = match &tagged.recorded {
            Recorded::Believed(record) if record.digest != *digest => Recorded::Doubted(format!(
                "it is of `{}`, and `v{version}` leads to `{digest}`",
                record.digest
            )),
            recorded => newest(recorded.clone(), records),
        };
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
                return Ok(Tagged::without_artifact(Recorded::Doubted(why)));
            }
            Some(Content::Artifact(artifact)) => artifact,
        };
        let (recorded, by) = match self.judge(&artifact, version, None)? {
            Ok(trusted) => (Recorded::Believed(trusted.record), trusted.by),
            Err(why) => (Recorded::Doubted(why), None),
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
        Ok(found.into_iter().map(|one| one.record).collect())
    }

    /// [`Records::attached`] without the artifact `known`.
    fn referring(
        &self,
        version: &Version,
        digest: &Digest,
        known: Option<&Digest>,
    ) -> anyhow::Result<Vec<TrustedRecord>> {
        let found = referrers::find_others(self.puller, digest, RELEASE_RECORD, known)?;
        let mut records = Vec::new();
        for (_, content) in found.read {
            if let Content::Artifact(artifact) = content
                && let Ok(record) = self.judge(&artifact, version, Some(digest))?
            {
                records.push(record);
            }
        }
        Ok(records)
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
