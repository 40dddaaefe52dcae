//! What a release depends on beside git: the registries, the receipts and the journals, as plain
//! data.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context as _;
use clap::ValueEnum;

use super::journal::{self, Entry};
use super::sign::Signer;
use super::source::Source;
use crate::oci::{Digest, Document, Index};
use crate::platform::Platform;
use crate::published::{TagContent, inspect, objections};
use crate::reference::Repository;
use crate::registry::Registry;
use crate::threads;
use crate::tree::{Broken, Image, Tree};
use crate::verify::{self, Candidate};
use crate::version::{self, Version};

/// What is wanted of `latest`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Wish {
    /// It moves if it may
    Auto,
    /// If it may not move, nothing is released
    Require,
    /// It stays
    Never,
}

/// Everything that a release is decided on.
#[derive(Debug)]
pub(super) struct Facts {
    pub(super) source: Source,
    /// What the tag of `source.wanted` leads to, in the first repository.
    pub(super) image: Released,
    /// Platforms without a receipt that holds, each with the reason.
    pub(super) lacking: Vec<(Platform, String)>,
    /// Receipts come from elsewhere, so that nothing is verified now.
    pub(super) are_receipts_given: bool,
    pub(super) wish: Wish,
    /// Of each repository; the first is the one that has the image, the others get a copy.
    pub(super) published: Vec<Published>,
}

impl Facts {
    /// The index that is released; empty where there is none.
    pub(super) fn bytes(&self) -> &[u8] {
        match &self.image {
            Released::Whole { bytes, .. } => bytes,
            _ => &[],
        }
    }
}

/// What is to be released.
#[derive(Clone, Debug)]
pub(super) enum Released {
    Absent,
    /// It names something that is missing or is no image; why.
    Broken(String),
    /// It is whole and not the image that is wanted; why.
    Other(String),
    /// It is the image that is wanted, with all manifests that it names.
    Whole {
        digest: Digest,
        bytes: Vec<u8>,
    },
}

/// What a repository has of versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Published {
    pub(super) repository: Repository,
    /// What the commit's own tag leads to; not asked of the first repository.
    pub(super) commit: Option<Digest>,
    /// What the tag of the version to release leads to.
    pub(super) tag: Option<Digest>,
    /// The highest stable version but for that one.
    pub(super) highest: Option<(Version, Digest)>,
    pub(super) latest: Option<Latest>,
    /// What our key has not signed of the image, where a signature is asked for.
    pub(super) unsigned: Vec<Digest>,
    /// When `latest` was taken back from this very version, and has not moved since.
    pub(super) taken_back: Option<String>,
}

impl Published {
    pub(super) fn reference(&self, tag: &str) -> String {
        self.repository.reference(tag)
    }

    /// Where `latest` is.
    pub(super) fn at(&self) -> Option<&Digest> {
        self.latest.as_ref().map(|latest| &latest.digest)
    }
}

/// What `latest` leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Latest {
    pub(super) digest: Digest,
    /// The version whose tag leads there too, or else what the image says to be.
    pub(super) version: Option<Version>,
}

/// What was asked for on the command line.
pub(super) struct Asked<'a> {
    pub(super) receipts: &'a Path,
    pub(super) are_receipts_given: bool,
    pub(super) wish: Wish,
}

/// A repository that is released to.
pub(super) struct Target {
    pub(super) repository: Repository,
    pub(super) registry: Registry,
}

/// Asks the registries and reads the receipts.
pub(super) fn observe(
    source: &Source,
    asked: &Asked,
    targets: &[Target],
    history: &[Entry],
    signer: Option<&Signer>,
) -> anyhow::Result<Facts> {
    let (first, others) = targets.split_first().context("no repository was named")?;
    let (image, lacking) = image(source, asked, first)?;
    let mut published = Vec::new();
    if let Some(version) = &source.version {
        published.push(self::published(first, version, history)?);
        for other in others {
            let commit = digest(&other.registry, &source.wanted.tag)?;
            let there = self::published(other, version, history)?;
            // What was taken back in the first repository is no `latest` elsewhere.
            let taken_back = there.taken_back.or_else(|| published[0].taken_back.clone());
            published.push(Published {
                commit,
                taken_back,
                ..there
            });
        }
    }
    if let (Some(signer), Released::Whole { bytes, .. }) = (signer, &image) {
        for (target, there) in targets.iter().zip(&mut published) {
            there.unsigned = signer.unsigned(&target.registry, bytes)?;
        }
    }
    Ok(Facts {
        source: source.clone(),
        image,
        lacking,
        are_receipts_given: asked.are_receipts_given,
        wish: asked.wish,
        published,
    })
}

type Lacking = Vec<(Platform, String)>;

/// The image, and the platforms that no receipt proves.
///
/// Receipts that hold were written for these very digests, and say the commit: then it is enough
/// that each manifest is there. Else everything is read.
fn image(source: &Source, asked: &Asked, first: &Target) -> anyhow::Result<(Released, Lacking)> {
    let (registry, wanted) = (&first.registry, &source.wanted);
    let Some((digest, bytes)) = registry.manifest(&wanted.tag)? else {
        return Ok((Released::Absent, Vec::new()));
    };
    let whole = Released::Whole {
        digest: digest.clone(),
        bytes: bytes.clone(),
    };
    let lacks = |is_index, images: Vec<(Platform, &Digest)>| {
        let candidate = Candidate {
            name: &first.repository.by_digest(&digest),
            digest: &digest,
            is_index,
            images,
            revision: &wanted.revision,
        };
        verify::lacking(asked.receipts, &candidate)
    };
    let mut lacking = None;
    if let Ok(Document::Index(index)) = Document::parse(&bytes)
        && let Some(images) = only(&index, &wanted.platforms)
        && lacking.insert(lacks(true, images)).is_empty()
    {
        let entries = index.manifests.iter().map(|entry| &entry.digest);
        return Ok(match missing(registry, entries)? {
            Some(missing) => (Released::Broken(missing), Vec::new()),
            None => (whole, Vec::new()),
        });
    }
    let tree = match Tree::read(bytes, registry) {
        Ok(tree) => tree,
        Err(error) if error.is::<Broken>() => {
            return Ok((Released::Broken(format!("{error:#}")), Vec::new()));
        }
        Err(error) => return Err(error),
    };
    let objections = objections(&tree, wanted);
    if !objections.is_empty() {
        return Ok((Released::Other(objections.join("; ")), Vec::new()));
    }
    let attestations = tree.attestations.iter();
    if let Some(missing) = missing(registry, attestations.map(|one| &one.descriptor.digest))? {
        return Ok((Released::Broken(missing), Vec::new()));
    }
    // Where the index did not say all of it.
    let lacking = lacking.unwrap_or_else(|| {
        let images = wanted.platforms.iter().filter_map(|&platform| {
            let image = *tree.images_for(platform).first()?;
            Some((platform, image.digest()))
        });
        lacks(tree.is_index(), images.collect())
    });
    Ok((whole, lacking))
}

/// The manifest of each platform, where the index has one for each and none for others.
fn only<'a>(index: &'a Index, platforms: &[Platform]) -> Option<Vec<(Platform, &'a Digest)>> {
    let mut images = Vec::new();
    for entry in index.manifests.iter().filter(|one| !one.is_attestation()) {
        let named = entry.platform.as_ref()?;
        let platform = *platforms.iter().find(|platform| named.is(**platform))?;
        images.push((platform, &entry.digest));
    }
    let by_platform: BTreeMap<Platform, &Digest> = images.iter().copied().collect();
    (images.len() == platforms.len() && by_platform.len() == platforms.len()).then_some(images)
}

/// The first manifest that the registry lacks, in words.
fn missing<'a>(
    registry: &Registry,
    digests: impl Iterator<Item = &'a Digest>,
) -> anyhow::Result<Option<String>> {
    let ask = |digest: &'a Digest| {
        move || {
            let found = registry.digest(digest.as_str())?;
            let told = format!("its manifest `{digest}` is missing");
            Ok(found.is_none().then_some(told))
        }
    };
    Ok(threads::all(digests.map(ask))?.into_iter().flatten().next())
}

/// What a tag leads to.
pub(super) fn digest(registry: &Registry, tag: &str) -> anyhow::Result<Option<Digest>> {
    Ok(registry.manifest(tag)?.map(|(digest, _)| digest))
}

/// The versions that a repository lists.
pub(super) fn versions(registry: &Registry) -> anyhow::Result<Vec<Version>> {
    let tags = registry.tags()?;
    Ok(tags.iter().filter_map(|tag| version::of_tag(tag)).collect())
}

/// The stable ones of them.
pub(super) fn stable(registry: &Registry) -> anyhow::Result<Vec<Version>> {
    let mut versions = versions(registry)?;
    versions.retain(|version| version.pre.is_empty());
    Ok(versions)
}

/// What a repository has of versions, now.
pub(super) fn published(
    target: &Target,
    version: &Version,
    history: &[Entry],
) -> anyhow::Result<Published> {
    let registry = &target.registry;
    let versions = versions(registry)?;
    let others = versions.iter().filter(|other| other.pre.is_empty());
    let highest = match others.filter(|other| *other != version).max() {
        Some(highest) => {
            let found = digest(registry, &format!("v{highest}"))?;
            let found = found.with_context(|| {
                format!(
                    "`{}` lists `v{highest}` and has nothing under it; hint: delete the tag, or \
                     ask the registry's operator",
                    target.repository
                )
            })?;
            Some((highest.clone(), found))
        }
        None => None,
    };
    // Where it is not listed, it is looked for right before it is written.
    let tag = if versions.contains(version) {
        digest(registry, &format!("v{version}"))?
    } else {
        None
    };
    let latest = match digest(registry, "latest")? {
        Some(at) => Some(Latest {
            version: match &highest {
                _ if Some(&at) == tag.as_ref() => Some(version.clone()),
                Some((highest, theirs)) if *theirs == at => Some(highest.clone()),
                _ => labelled(registry, &at)?,
            },
            digest: at,
        }),
        None => None,
    };
    let reference = target.repository.reference("latest");
    let at = latest.as_ref().map(|latest| &latest.digest);
    let taken_back = journal::taken_back(history, &reference, tag.as_ref(), at);
    Ok(Published {
        repository: target.repository.clone(),
        commit: None,
        tag,
        highest,
        latest,
        unsigned: Vec::new(),
        taken_back,
    })
}

/// The version that an image says to be; none where it says none, or is no whole image.
pub(super) fn labelled(registry: &Registry, digest: &Digest) -> anyhow::Result<Option<Version>> {
    let TagContent::There(tree) = inspect(registry, digest.as_str())? else {
        return Ok(None);
    };
    Ok(tree.images.iter().filter_map(Image::version).max())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::tests::Shelf;

    #[test]
    fn an_index_has_each_platform_once_and_no_other() {
        let both = &[Platform::LinuxAmd64, Platform::LinuxArm64];
        let mut shelf = Shelf::default();
        let amd64 = shelf.image("amd64", "r", "a");
        let again = shelf.image("amd64", "r", "b");
        let arm64 = shelf.image("arm64", "r", "a");
        for (entries, count) in [
            (vec![&amd64, &arm64], Some(2)),
            (vec![&amd64], None),
            (vec![&amd64, &again], None),
            (vec![&amd64, &again, &arm64], None),
        ] {
            let entries: Vec<_> = entries.into_iter().flatten().cloned().collect();
            let tree = shelf.read(&entries).unwrap();
            let Document::Index(index) = Document::parse(&tree.bytes).unwrap() else {
                panic!("it is no index");
            };
            assert_eq!(only(&index, both).map(|images| images.len()), count);
        }
    }
}
