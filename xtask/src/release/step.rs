//! What a plan consists of, as data.

use serde::Serialize;

use crate::oci::Digest;
use crate::platform::Platform;
use crate::proof::ReleaseState;
use crate::reference::Repository;
use crate::version::Version;

/// What a release does, in order; with `--dry-run --json` in this form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct ReleasePlan {
    pub(super) version: Version,
    /// The full commit id.
    pub(super) revision: String,
    /// The index that is released, byte for byte.
    pub(super) digest: Digest,
    /// The platforms to verify first, each with the reason why nothing proves it.
    pub(super) verify: Vec<(Platform, String)>,
    /// The proofs that are attached to the image, before any tag is written.
    pub(super) attach: Vec<AttachStep>,
    /// What is signed next.
    pub(super) sign: Vec<Unsigned>,
    /// The records that are written next, in this order.
    pub(super) records: Vec<RecordStep>,
    /// In the order in which they are done.
    pub(super) steps: Vec<TagStep>,
    /// What does not stop the release, and should be known.
    pub(super) notes: Vec<String>,
}

/// A proof that a repository does not have yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct AttachStep {
    pub(super) repository: Repository,
    pub(super) platform: Platform,
    /// Who vouches for it.
    pub(super) by: String,
}

/// What is to be signed in a repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Unsigned {
    pub(super) repository: Repository,
    /// Manifests, and the index last.
    pub(super) digests: Vec<Digest>,
}

/// A record that is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct RecordStep {
    pub(super) repository: Repository,
    pub(super) version: Version,
    /// The index that the version is.
    pub(super) digest: Digest,
    /// What the record says now; none when there is no record.
    pub(super) from: Option<ReleaseState>,
    pub(super) to: ReleaseState,
    /// Of the record that is written.
    pub(super) sequence: u64,
    /// Why the version is withdrawn.
    pub(super) reason: Option<String>,
    /// Whether it is written over a record that is not believed.
    #[serde(skip)]
    pub(super) is_over_doubt: bool,
    /// What `latest` leads to now, and after this run.
    pub(super) before: Option<Digest>,
    pub(super) after: Option<Digest>,
    pub(super) why: String,
}

/// What happens to a tag.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct TagStep {
    pub(super) kind: StepKind,
    pub(super) repository: Repository,
    pub(super) tag: String,
    pub(super) from: Option<Digest>,
    /// None when the tag stays where it is.
    pub(super) to: Option<Digest>,
    pub(super) why: String,
}

/// Why a tag is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum StepKind {
    /// The commit's `sha-…` tag, with the image copied from the first repository.
    Copy,
    /// The version's tag, which is written once.
    Version,
    /// `latest`, which moves up only.
    Latest,
    /// `latest`, which moves down by `--rollback`.
    Rollback,
    /// The tag of a version that was published before, which stays.
    Adopt,
}

impl TagStep {
    /// Whether the step writes the tag.
    pub(super) fn is_write(&self) -> bool {
        self.to.is_some() && self.to != self.from
    }
}

impl ReleasePlan {
    /// Whether nothing is left to write and to sign.
    pub(super) fn is_done(&self) -> bool {
        let has_none = self.attach.is_empty() && self.sign.is_empty() && self.records.is_empty();
        has_none && !self.steps.iter().any(TagStep::is_write)
    }
}
