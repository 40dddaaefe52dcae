//! What a release depends on besides git: the registries, the receipts and the journals, as plain
//! data.

use anyhow::Context as _;
use clap::ValueEnum;

use super::sign::Signer;
use super::source::Source;
use crate::journal::{self, JournalEntry};
use crate::oci::Digest;
pub(super) use crate::published::Latest;
use crate::published::{self, Standing, TagContent, inspect, objections};
use crate::reference::Repository;
use crate::registry::{Puller, Pusher};
use crate::verify::{Receipts, ReleaseImage, Unproven};
use crate::version::Version;

/// Whether `latest` moves to the version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum LatestPolicy {
    /// It moves if it may
    Auto,
    /// It moves, or nothing is released
    Require,
    /// It stays
    Never,
}

/// Everything that a release is decided on.
#[derive(Debug)]
pub(super) struct ReleaseFacts {
    pub(super) source: Source,
    /// What the tag of `source.wanted` leads to in the first repository.
    pub(super) image: SourceImage,
    /// Platforms without a valid receipt, each with the reason.
    pub(super) lacking: Unproven,
    /// Whether receipts come from elsewhere: then nothing is verified now.
    pub(super) are_receipts_given: bool,
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

/// The versions that a repository has, as far as a release depends on them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PublishedVersions {
    pub(super) repository: Repository,
    /// What the commit's `sha-…` tag leads to; always none for the first repository.
    pub(super) commit: Option<Digest>,
    /// What the tag of the version to release leads to.
    pub(super) tag: Option<Digest>,
    /// The highest stable version besides that one.
    pub(super) highest: Option<(Version, Digest)>,
    pub(super) latest: Option<Latest>,
    /// The digests of the image that our key has not signed, when a signature is asked for.
    pub(super) unsigned: Vec<Digest>,
    /// When `latest` was rolled back from this very version, if it has not moved since.
    pub(super) rolled_back: Option<String>,
}

impl PublishedVersions {
    pub(super) fn reference(&self, tag: &str) -> String {
        self.repository.reference(tag)
    }

    /// Where `latest` is.
    pub(super) fn at(&self) -> Option<&Digest> {
        self.latest.as_ref().map(|latest| &latest.digest)
    }
}

/// What the command line asks for.
pub(super) struct ReleaseOptions<'a> {
    pub(super) receipts: Receipts<'a>,
    pub(super) are_receipts_given: bool,
    pub(super) wish: LatestPolicy,
}

/// A repository that is released to.
pub(super) struct Destination {
    pub(super) repository: Repository,
    pub(super) puller: Puller,
    pub(super) pusher: Pusher,
}

/// Asks the registries and reads the receipts.
pub(super) fn observe(
    source: &Source,
    asked: &ReleaseOptions,
    targets: &[Destination],
    history: &[JournalEntry],
    signer: Option<&Signer>,
) -> anyhow::Result<ReleaseFacts> {
    let (first, others) = targets.split_first().context("no repository was named")?;
    let (image, lacking) = image(source, asked, first)?;
    let mut published = Vec::new();
    if let Some(version) = &source.version {
        published.push(observe_versions(first, version, history)?);
        for other in others {
            let commit = published::digest(&other.puller, &source.wanted.tag)?;
            let there = observe_versions(other, version, history)?;
            // A version that was rolled back in the first repository is not `latest` elsewhere.
            let rolled_back = there
                .rolled_back
                .or_else(|| published[0].rolled_back.clone());
            published.push(PublishedVersions {
                commit,
                rolled_back,
                ..there
            });
        }
    }
    if let (Some(signer), SourceImage::Whole { bytes, .. }) = (signer, &image) {
        for (target, there) in targets.iter().zip(&mut published) {
            there.unsigned = signer.unsigned(&target.puller, bytes)?;
        }
    }
    Ok(ReleaseFacts {
        source: source.clone(),
        image,
        lacking,
        are_receipts_given: asked.are_receipts_given,
        wish: asked.wish,
        published,
    })
}

/// The image, and the platforms that no receipt proves.
///
/// What was proven must be there, down to the last blob: a clean-up may have taken something since. And it
/// must be what its labels say, whether receipts prove it or not.
fn image(
    source: &Source,
    asked: &ReleaseOptions,
    first: &Destination,
) -> anyhow::Result<(SourceImage, Unproven)> {
    let (puller, wanted) = (&first.puller, &source.wanted);
    let (tree, lacking) = match inspect(puller, &wanted.tag)? {
        TagContent::Absent => return Ok((SourceImage::Absent, Vec::new())),
        TagContent::Broken(why) => return Ok((SourceImage::Broken(why), Vec::new())),
        TagContent::There(tree) => {
            let lacking = tree.unread().lacking(puller)?;
            (tree, lacking)
        }
    };
    let objections = objections(&tree, wanted);
    if !objections.is_empty() {
        return Ok((SourceImage::Other(objections.join("; ")), Vec::new()));
    }
    if !lacking.is_empty() {
        return Ok((SourceImage::Broken(lacking.join("; ")), Vec::new()));
    }
    let images = wanted.platforms.iter().filter_map(|&platform| {
        let image = *tree.images_for(platform).first()?;
        Some((platform, image.digest().clone()))
    });
    let candidate = ReleaseImage {
        name: first.repository.by_digest(&tree.digest),
        digest: tree.digest.clone(),
        is_index: tree.is_index(),
        images: images.collect(),
        revision: wanted.revision.clone(),
    };
    let mut unproven = asked.receipts.unproven(&[candidate])?;
    let whole = SourceImage::Whole {
        digest: tree.digest,
        bytes: tree.bytes,
    };
    Ok((whole, unproven.pop().unwrap_or_default()))
}

/// Asks a repository for its versions.
pub(super) fn observe_versions(
    target: &Destination,
    version: &Version,
    history: &[JournalEntry],
) -> anyhow::Result<PublishedVersions> {
    // A tag that is not listed is checked again right before it is written.
    let Standing {
        tag,
        highest,
        latest,
    } = published::standing(&target.repository, &target.puller, version)?;
    let reference = target.repository.reference("latest");
    let at = latest.as_ref().map(|latest| &latest.digest);
    let rolled_back = journal::rolled_back(history, &reference, tag.as_ref(), at);
    Ok(PublishedVersions {
        repository: target.repository.clone(),
        commit: None,
        tag,
        highest,
        latest,
        unsigned: Vec::new(),
        rolled_back,
    })
}
