//! Everything that a release is decided on, as plain data.

use clap::ValueEnum;

use super::source::Source;
use crate::oci::Digest;
use crate::platform::Platform;
use crate::proof::ReleaseRecord;
use crate::published::Standing;
use crate::records;
use crate::reference::Repository;
use crate::refusal::Refusal;
use crate::verify::Unproven;
use crate::version::Version;

/// Whether `latest` moves to the version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum LatestPolicy {
    /// It moves if it may
    Auto,
    /// It moves, or nothing is released; a withdrawn version is restored
    Require,
    /// It stays
    Never,
}

/// What a release is decided on.
#[derive(Debug)]
pub(super) struct ReleaseFacts {
    pub(super) source: Source,
    /// What the tag of `source.wanted` leads to in the first repository.
    pub(super) image: SourceImage,
    /// Platforms that are proven, each with who vouches for it.
    pub(super) proven: Vec<(Platform, String)>,
    /// Platforms that nothing proves, each with the reason.
    pub(super) lacking: Unproven,
    /// Whether proofs come from elsewhere: then nothing is verified now.
    pub(super) are_receipts_given: bool,
    pub(super) authority: Authority,
    pub(super) wish: LatestPolicy,
    /// One for each repository. The first has the image, the others get a copy.
    pub(super) published: Vec<PublishedVersions>,
}

impl ReleaseFacts {
    /// The bytes of the index that is released; empty when there is no image to release.
    pub(super) fn bytes(&self) -> &[u8] {
        match &self.image {
            SourceImage::Whole { bytes, .. } => bytes,
            _ => &[],
        }
    }
}

/// The image that is to be released.
#[derive(Clone, Debug)]
pub(super) enum SourceImage {
    Absent,
    /// It names something that is missing or is not an image; the reason.
    Broken(String),
    /// It is whole, but not the image that is wanted; the reason.
    Other(String),
    /// It is the image that is wanted, and the registry has every manifest and every blob of it.
    Whole {
        digest: Digest,
        bytes: Vec<u8>,
    },
}

/// Whether the records that this run writes are believed by whoever reads them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Authority {
    /// The settings name nobody who is believed: every record is.
    Unset,
    /// Its signer is one of those that the settings name.
    Believed,
    /// The settings name somebody, and nobody signs here.
    Missing,
    /// Somebody else signs here; why that is not believed, and the remedy.
    Stranger(Refusal),
}

/// The versions that a repository has, as far as a release depends on them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PublishedVersions {
    pub(super) repository: Repository,
    /// What the commit's `sha-…` tag leads to; always none for the first repository.
    pub(super) commit: Option<Digest>,
    pub(super) standing: Standing,
    /// The digests of the image that our key has not signed, when a signature is asked for.
    pub(super) unsigned: Vec<Digest>,
    /// The platforms whose proof the repository does not have.
    pub(super) unattached: Vec<Platform>,
}

impl PublishedVersions {
    pub(super) fn reference(&self, tag: &str) -> String {
        self.repository.reference(tag)
    }

    /// What the tag of the version to release leads to.
    pub(super) fn tag(&self) -> Option<&Digest> {
        self.standing.tag.as_ref()
    }

    /// Where `latest` is.
    pub(super) fn at(&self) -> Option<&Digest> {
        self.standing.latest.as_ref().map(|latest| &latest.digest)
    }

    /// The highest stable version besides the one to release that counts.
    pub(super) fn highest(&self) -> Option<(Version, Digest)> {
        records::highest(&self.standing.others)
    }

    /// The record by which the version to release is withdrawn here, or else in `first`: what was withdrawn
    /// there is not `latest` anywhere.
    pub(super) fn withdrawn<'a>(
        &'a self,
        first: &'a PublishedVersions,
    ) -> Option<&'a ReleaseRecord> {
        match self.standing.recorded.believed() {
            Some(_) => self.standing.recorded.withdrawn(),
            None => first.standing.recorded.withdrawn(),
        }
    }
}
