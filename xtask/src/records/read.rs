//! Reads records. Whoever may push could have written them: each is judged before it counts.

use crate::oci::Digest;
use crate::proof::{Bundle, Evidence, RELEASE_RECORD, RecordWanted, ReleaseRecord, Trust};
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

impl Records<'_> {
    /// What the record under a version's tag says. It may have been put back: then it says less than
    /// [`Records::newest`].
    pub(crate) fn tagged(&self, version: &Version) -> anyhow::Result<Recorded> {
        let tag = ReleaseRecord::tag(version);
        match referrers::read_tag(self.puller, &tag)? {
            None | Some(Content::Gone) => Ok(Recorded::Absent),
            Some(Content::Unusable(why)) => Ok(Recorded::Doubted(why)),
            Some(Content::Artifact(artifact)) => {
                Ok(match self.judge(&artifact, version, None)? {
                    Ok(record) => Recorded::Believed(record),
                    Err(why) => Recorded::Doubted(why),
                })
            }
        }
    }

    /// What counts of all records of a version, which is published as `digest`. `is_tagged` says whether the
    /// repository lists a tag for its record.
    pub(crate) fn newest(
        &self,
        version: &Version,
        digest: &Digest,
        is_tagged: bool,
    ) -> anyhow::Result<Recorded> {
        let tagged = match self.tagged_if(version, is_tagged)? {
            Recorded::Believed(record) if record.digest != *digest => {
                return Ok(Recorded::Doubted(format!(
                    "it is of `{}`, and `v{version}` leads to `{digest}`",
                    record.digest
                )));
            }
            tagged => tagged,
        };
        Ok(newest(tagged, self.attached(version, digest)?))
    }

    fn tagged_if(&self, version: &Version, is_tagged: bool) -> anyhow::Result<Recorded> {
        if is_tagged {
            self.tagged(version)
        } else {
            Ok(Recorded::Absent)
        }
    }

    /// The records among the referrers of an index that are believed. Others may be anybody's.
    pub(super) fn attached(
        &self,
        version: &Version,
        digest: &Digest,
    ) -> anyhow::Result<Vec<ReleaseRecord>> {
        let found = referrers::find(self.puller, digest, RELEASE_RECORD)?;
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
    ) -> anyhow::Result<Result<ReleaseRecord, String>> {
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
            Ok(trusted) => Ok(trusted.record),
        })
    }
}
