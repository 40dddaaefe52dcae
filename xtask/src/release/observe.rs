//! Asks the registries and reads the proofs that a release is decided on.

use anyhow::Context as _;

use super::facts::{Authority, PublishedVersions, ReleaseFacts, SourceImage};
use super::intent::{Release, Task};
use super::signatures;
use super::target::Destination;
use crate::oci::Digest;
use crate::proven::{Proofs, Proven};
use crate::published::{self, Depth, TagContent, inspect, objections};
use crate::records::Records;
use crate::verify::ReleaseImage;
use crate::version::Version;

/// The facts of a release, and the bundles that may be attached.
pub(super) fn observe(release: &Release) -> anyhow::Result<(ReleaseFacts, Proven)> {
    let source = &release.intent.source;
    let (first, others) = release
        .targets
        .split_first()
        .context("no repository was named")?;
    let (image, candidate) = image(release, first)?;
    let mut published = Vec::new();
    if let Some(version) = &source.version {
        let image = candidate.as_ref().map(|image| &image.digest);
        published.push(versions(release, first, version, image)?);
        for other in others {
            let commit = published::digest(&other.puller, &source.wanted.tag)?;
            published.push(PublishedVersions {
                commit,
                ..versions(release, other, version, image)?
            });
        }
    }
    let proofs = proofs(release);
    let mut proven = Proven::default();
    if let Some(candidate) = &candidate {
        proven = proofs.of(candidate, &first.puller)?;
        for (target, there) in release.targets.iter().zip(&mut published) {
            there.unattached = unattached(&proofs, candidate, &proven, target, there)?;
        }
    }
    if let (Some(signer), SourceImage::Whole { bytes, .. }, Task::Release) =
        (&release.signer, &image, &release.intent.task)
    {
        let digests = signatures::images(bytes)?;
        for (target, there) in release.targets.iter().zip(&mut published) {
            // What is published for the first time has no signature yet.
            there.unsigned = if there.tag().is_some() {
                signatures::unsigned(signer, &target.puller, &digests)?
            } else {
                digests.clone()
            };
        }
    }
    let by = proven.platforms.iter();
    let facts = ReleaseFacts {
        source: source.clone(),
        image,
        proven: by.map(|one| (one.platform, one.by.clone())).collect(),
        lacking: proven.lacking.clone(),
        are_receipts_given: release.options.are_receipts_given,
        authority: authority(release),
        wish: release.options.wish,
        published,
    };
    Ok((facts, proven))
}

fn proofs<'a>(release: &'a Release) -> Proofs<'a> {
    Proofs {
        ctx: release.ctx,
        trust: &release.trust,
        folder: &release.options.folder,
        own: release.own.get(),
        is_of_its_day: matches!(release.intent.task, Task::Rollback(_)),
    }
}

/// The platforms whose proof a repository has not, of those that have one. One that is published for the first
/// time has none: what is there already is not written again.
fn unattached(
    proofs: &Proofs,
    image: &ReleaseImage,
    proven: &Proven,
    target: &Destination,
    there: &PublishedVersions,
) -> anyhow::Result<Vec<crate::platform::Platform>> {
    let bundled = proven.platforms.iter().filter(|one| one.bundle.is_some());
    let mut bundled: Vec<_> = bundled.map(|one| one.platform).collect();
    if there.tag().is_some() && !bundled.is_empty() {
        let attached = proofs.attached(image, &target.puller)?;
        bundled.retain(|platform| !attached.contains(platform));
    }
    Ok(bundled)
}

fn authority(release: &Release) -> Authority {
    match &release.signer {
        _ if !release.trust.has_policy() => Authority::Unset,
        None => Authority::Missing,
        Some(signer) => match release.trust.accepts(signer) {
            Ok(()) => Authority::Believed,
            Err(refusal) => Authority::Stranger(refusal),
        },
    }
}

/// The image, and what is to be proven of it.
///
/// What was proven must be there, down to the last blob: a clean-up may have taken something since. And it
/// must be what its labels say, whether proofs say so or not.
fn image(
    release: &Release,
    first: &Destination,
) -> anyhow::Result<(SourceImage, Option<ReleaseImage>)> {
    let (puller, wanted) = (&first.puller, &release.intent.source.wanted);
    let (tree, lacking) = match inspect(puller, &wanted.tag)? {
        TagContent::Absent => return Ok((SourceImage::Absent, None)),
        TagContent::Broken(why) => return Ok((SourceImage::Broken(why), None)),
        TagContent::There(tree) => {
            let lacking = tree.unread().lacking(puller)?;
            (tree, lacking)
        }
    };
    let objections = objections(&tree, wanted);
    if !objections.is_empty() {
        return Ok((SourceImage::Other(objections.join("; ")), None));
    }
    if !lacking.is_empty() {
        return Ok((SourceImage::Broken(lacking.join("; ")), None));
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
    let whole = SourceImage::Whole {
        digest: tree.digest,
        bytes: tree.bytes,
    };
    Ok((whole, Some(candidate)))
}

/// Asks a repository for its versions. `image` is what `version` is to be published as.
pub(super) fn versions(
    release: &Release,
    target: &Destination,
    version: &Version,
    image: Option<&Digest>,
) -> anyhow::Result<PublishedVersions> {
    let depth = match &release.intent.task {
        Task::Release | Task::Adopt => Depth::Counting,
        Task::Rollback(_) => Depth::Above(version),
    };
    // A tag that is not listed is checked again right before it is written.
    let standing = published::standing(&records(release, target), version, image, depth)?;
    Ok(PublishedVersions {
        repository: target.repository.clone(),
        commit: None,
        standing,
        unsigned: Vec::new(),
        unattached: Vec::new(),
    })
}

/// The records of a repository.
pub(super) fn records<'a>(release: &'a Release, target: &'a Destination) -> Records<'a> {
    Records {
        repository: &target.repository,
        puller: &target.puller,
        trust: &release.trust,
    }
}
