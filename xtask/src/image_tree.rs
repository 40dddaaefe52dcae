//! An index with the images that it names, whether a registry or a folder keeps it.

mod annotations;
mod attest;
mod broken;
mod content;
mod entries;
mod media_type;
mod upload;

use std::collections::BTreeMap;

use anyhow::Context as _;
use serde_json::json;

pub(crate) use self::attest::MadeBlobs;
use self::broken::broken;
pub(crate) use self::broken::{Broken, is_broken};
pub(crate) use self::content::Content;
pub(crate) use self::entries::IndexEntry;
pub(crate) use self::media_type::{is_blob, is_image_config, is_layer, is_unspecific};
pub(crate) use self::upload::{Near, Sent, upload};
use crate::build_step;
use crate::oci::{Config, Descriptor, Digest, INDEX, OciPlatform, Step};
use crate::platform::Platform;
use crate::registry::Puller;
pub(crate) use crate::store::{Blobs, ManifestStore};
use crate::threads;
use crate::version::Version;

impl ManifestStore for Puller {
    fn manifest(&self, digest: &Digest) -> anyhow::Result<Option<Vec<u8>>> {
        Ok(Puller::manifest(self, digest.as_str())?.map(|(_, bytes)| bytes))
    }

    fn config(&self, digest: &Digest) -> anyhow::Result<Option<Vec<u8>>> {
        self.small_blob(digest)
    }
}

/// An index (or a lone manifest), and the images below it.
#[derive(Clone, Debug)]
pub(crate) struct ImageTree {
    pub(crate) digest: Digest,
    pub(crate) bytes: Vec<u8>,
    pub(crate) media_type: String,
    /// The images that can be run, in the order of the index.
    pub(crate) images: Vec<Image>,
    /// The entries of provenance and SBOMs.
    pub(crate) attestations: Vec<IndexEntry>,
}

/// An image for one platform.
#[derive(Clone, Debug)]
pub(crate) struct Image {
    pub(crate) entry: IndexEntry,
    /// From the index, or else from the image's configuration.
    pub(crate) platform: OciPlatform,
    pub(crate) config: Config,
}

impl Image {
    pub(crate) fn digest(&self) -> &Digest {
        &self.entry.descriptor.digest
    }

    pub(crate) fn is_for(&self, platform: Platform) -> bool {
        self.platform.is(platform)
    }

    /// The commit in the image's label.
    pub(crate) fn revision(&self) -> Option<&str> {
        let label = self.config.config.labels.get(REVISION);
        label.map(String::as_str)
    }

    /// The time of that commit in the image's label (RFC 3339, UTC).
    pub(crate) fn created(&self) -> Option<&str> {
        let label = self.config.config.labels.get(CREATED);
        label.map(String::as_str)
    }

    /// The digest of the base in the image's label; none where the label is empty, or no digest.
    pub(crate) fn base_digest(&self) -> Option<Digest> {
        self.config.config.labels.get(BASE_DIGEST)?.parse().ok()
    }

    /// The version in the image's label.
    pub(crate) fn version(&self) -> Option<Version> {
        self.config.config.labels.get(VERSION)?.parse().ok()
    }

    /// For each layer, the step of the build that made it, where that is known.
    pub(crate) fn steps(&self) -> Vec<Option<&Step>> {
        build_step::of_layers(&self.config.history, self.entry.manifest.layers.len())
    }

    /// Each layer with its size as a registry stores it.
    pub(crate) fn layers(&self) -> Vec<(Digest, u64)> {
        let layers = self.entry.manifest.layers.iter();
        layers
            .map(|layer| (layer.digest.clone(), layer.size))
            .collect()
    }
}

/// The label with the commit that an image is built from.
pub(crate) const REVISION: &str = "org.opencontainers.image.revision";

/// The label with the time of that commit.
pub(crate) const CREATED: &str = "org.opencontainers.image.created";

/// The label with the digest of the index or manifest that an image is built on.
pub(crate) const BASE_DIGEST: &str = "org.opencontainers.image.base.digest";

/// The label with the version that an image is built as.
const VERSION: &str = "org.opencontainers.image.version";

impl ImageTree {
    /// Reads the images that `bytes`, an index or a manifest, name.
    ///
    /// Fails with [`Broken`] when something is missing, is not an image, or can be read in two ways, and
    /// with another error when `store` does not answer.
    pub(crate) fn read(bytes: Vec<u8>, store: &impl ManifestStore) -> anyhow::Result<ImageTree> {
        let root = entries::read(&bytes, store)?;
        let is_attestation =
            |entry: &IndexEntry| root.is_index && entry.descriptor.is_attestation();
        let (attestations, images): (Vec<_>, Vec<_>) =
            root.entries.into_iter().partition(is_attestation);
        let configs = threads::each(&images, |entry| config(entry, store))?;
        let images = images.into_iter().zip(configs);
        let images: Vec<Image> = images
            .map(|(entry, config)| image(entry, config))
            .collect::<Result<_, _>>()?;
        one_for_each_platform(&images)?;
        Ok(ImageTree {
            digest: Digest::of(&bytes),
            media_type: root.media_type,
            bytes,
            images,
            attestations,
        })
    }

    /// Everything below it that a registry must have, but for the configurations of its images, which were
    /// read with it.
    pub(crate) fn unread(&self) -> Content {
        let images = self.images.iter().map(|image| &image.entry);
        let mut content = Content::of(images.chain(&self.attestations).cloned());
        let read = self
            .images
            .iter()
            .map(|image| &image.entry.manifest.config.digest);
        let read: Vec<&Digest> = read.collect();
        content.blobs.retain(|blob| !read.contains(&&blob.digest));
        content
    }

    pub(crate) fn is_index(&self) -> bool {
        self.images
            .first()
            .is_none_or(|image| *image.digest() != self.digest)
    }

    /// The images for `platform`: one or none.
    pub(crate) fn images_for(&self, platform: Platform) -> Vec<&Image> {
        let images = self.images.iter();
        images.filter(|image| image.is_for(platform)).collect()
    }

    /// The statements of a type that are attached to the image `digest`.
    pub(crate) fn statements_of<'a>(
        &'a self,
        digest: &'a Digest,
        predicate_type: &'a str,
    ) -> impl Iterator<Item = &'a Descriptor> {
        let entries = self.attestations.iter();
        entries.flat_map(move |entry| entry.statements_of(digest, predicate_type))
    }

    /// Each image by its platform.
    pub(crate) fn by_platform(&self) -> BTreeMap<String, &Image> {
        let images = self.images.iter();
        images
            .map(|image| (image.platform.to_string(), image))
            .collect()
    }
}

/// The configuration of an entry that is an image.
fn config(entry: &IndexEntry, store: &impl ManifestStore) -> anyhow::Result<Config> {
    let descriptor = &entry.manifest.config;
    let named = format!("its configuration `{}`", descriptor.digest);
    let bytes = store
        .config(&descriptor.digest)
        .with_context(|| named.clone())?;
    let bytes = bytes.ok_or_else(|| broken(&named, "is missing"))?;
    let config = descriptor.config(&bytes);
    config.map_err(|why| broken(&named, format!("cannot be read: {why}")))
}

fn image(mut entry: IndexEntry, config: Config) -> anyhow::Result<Image> {
    let own = config.platform();
    let platform = match &entry.descriptor.platform {
        Some(platform) if !platform.is_near(&own) => {
            let why = format!("is for `{own}` by its configuration");
            return Err(broken(entries::name(&entry.descriptor), why));
        }
        Some(platform) => platform.clone(),
        None => own,
    };
    // A lone manifest has its platform in its configuration alone.
    if entry.raw.get("platform").is_none() {
        entry.raw["platform"] = json!({"architecture": platform.architecture, "os": platform.os});
    }
    Ok(Image {
        entry,
        platform,
        config,
    })
}

/// Engines take the first of several images for a platform, or another one.
fn one_for_each_platform(images: &[Image]) -> Result<(), Broken> {
    let mut known: BTreeMap<OciPlatform, &Image> = BTreeMap::new();
    for image in images {
        if let Some(other) = known.insert(image.platform.normal(), image) {
            let (one, other) = (other.digest(), image.digest());
            return Err(Broken::of(
                format!("it has several images for `{}`:", image.platform.normal()),
                format!("`{one}`, `{other}`"),
            ));
        }
    }
    Ok(())
}

/// Joins indexes to one: their images in the order given, then their attestations, annotated with what
/// the images agree on. No manifest is rewritten, so each keeps its digest.
pub(crate) fn join(parts: &[ImageTree]) -> anyhow::Result<ImageTree> {
    let images: Vec<Image> = parts.iter().flat_map(|part| part.images.clone()).collect();
    let attestations = parts.iter().flat_map(|part| part.attestations.clone());
    let attestations: Vec<IndexEntry> = attestations.collect();
    let entries = images.iter().map(|image| &image.entry);
    let entries = entries.chain(&attestations).map(|entry| &entry.raw);
    let mut index = json!({
        "schemaVersion": 2,
        "mediaType": INDEX,
        "manifests": entries.collect::<Vec<_>>(),
    });
    let labels: Vec<_> = images
        .iter()
        .map(|image| &image.config.config.labels)
        .collect();
    let annotations = annotations::of(&labels);
    if !annotations.is_empty() {
        index["annotations"] = json!(annotations);
    }
    let bytes = serde_json::to_vec_pretty(&index)?;
    Ok(ImageTree {
        digest: Digest::of(&bytes),
        bytes,
        media_type: INDEX.to_owned(),
        images,
        attestations,
    })
}

/// An index with more attestations than before, and what a registry must have for them.
pub(crate) struct NewAttestations {
    pub(crate) tree: ImageTree,
    pub(crate) content: Content,
    pub(crate) blobs: MadeBlobs,
}

/// Attaches statements of one type, each to the image whose manifest it is named with. The same statements
/// make the same index.
pub(crate) fn attest(
    tree: &ImageTree,
    predicate_type: &str,
    statements: &[(&Digest, Vec<u8>)],
) -> anyhow::Result<NewAttestations> {
    let (mut entries, mut blobs) = (Vec::new(), MadeBlobs::default());
    for (image, statement) in statements {
        entries.push(attest::entry(image, predicate_type, statement, &mut blobs)?);
    }
    let mut part = tree.clone();
    part.attestations.extend(entries.iter().cloned());
    Ok(NewAttestations {
        tree: join(&[part])?,
        content: Content::of(entries),
        blobs,
    })
}

#[cfg(test)]
pub(crate) mod tests;
