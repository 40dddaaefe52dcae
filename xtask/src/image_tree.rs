//! An index with the images that it names, whether a registry or a folder keeps it.

mod annotations;
mod broken;
mod content;
mod media_type;
mod upload;

use std::collections::BTreeMap;

use anyhow::Context as _;
use serde_json::{Value, json};

pub(crate) use self::broken::Broken;
use self::broken::broken;
pub(crate) use self::content::Content;
use self::media_type::INDEX;
pub(crate) use self::media_type::{is_blob, is_image_config, is_layer, is_unspecific, media_type};
pub(crate) use self::upload::{Sent, upload};
use crate::build_step;
use crate::oci::{Config, Descriptor, Digest, Document, Manifest, OciPlatform, Step};
use crate::platform::Platform;
use crate::registry::Puller;
pub(crate) use crate::store::{Blobs, ManifestStore};
use crate::version::Version;

impl ManifestStore for Puller {
    fn manifest(&self, digest: &Digest) -> anyhow::Result<Option<Vec<u8>>> {
        Ok(Puller::manifest(self, digest.as_str())?.map(|(_, bytes)| bytes))
    }

    /// Fails with [`Broken`] when it is not JSON: the registry is well, and the image is not.
    fn config(&self, digest: &Digest) -> anyhow::Result<Option<Value>> {
        self.json(digest).map_err(|error| {
            if error.is::<serde_json::Error>() {
                return broken(format!("`{digest}`"), "is not JSON");
            }
            error
        })
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

/// An entry of an index: its JSON as it is, and the parsed descriptor.
#[derive(Clone, Debug)]
pub(crate) struct IndexEntry {
    pub(crate) raw: Value,
    pub(crate) descriptor: Descriptor,
}

/// An image for one platform.
#[derive(Clone, Debug)]
pub(crate) struct Image {
    pub(crate) entry: IndexEntry,
    /// From the index, or else from the image's configuration.
    pub(crate) platform: OciPlatform,
    pub(crate) manifest: Manifest,
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

    /// The version in the image's label.
    pub(crate) fn version(&self) -> Option<Version> {
        self.config.config.labels.get(VERSION)?.parse().ok()
    }

    /// For each layer, the step of the build that made it, where that is known.
    pub(crate) fn steps(&self) -> Vec<Option<&Step>> {
        build_step::of_layers(&self.config.history, self.manifest.layers.len())
    }

    /// Each layer with its size as a registry stores it.
    pub(crate) fn layers(&self) -> Vec<(Digest, u64)> {
        let layers = self.manifest.layers.iter();
        layers
            .map(|layer| (layer.digest.clone(), layer.size))
            .collect()
    }
}

/// The label with the commit that an image is built from.
pub(crate) const REVISION: &str = "org.opencontainers.image.revision";

/// The label with the time of that commit.
pub(crate) const CREATED: &str = "org.opencontainers.image.created";

/// The label with the version that an image is built as.
const VERSION: &str = "org.opencontainers.image.version";

impl ImageTree {
    /// Reads the images that `bytes`, an index or a manifest, name.
    ///
    /// Fails with [`Broken`] when something is missing or is not an image, and with another error
    /// when `store` does not answer.
    pub(crate) fn read(bytes: Vec<u8>, store: &impl ManifestStore) -> anyhow::Result<ImageTree> {
        let digest = Digest::of(&bytes);
        let (mut images, mut attestations) = (Vec::new(), Vec::new());
        let document = Document::parse(&bytes).map_err(|why| broken("it:", format!("{why:#}")))?;
        let value: Value = serde_json::from_slice(&bytes)?;
        match document {
            Document::Index(index) => {
                let entries = value["manifests"].as_array().into_iter().flatten();
                for (raw, descriptor) in entries.zip(index.manifests) {
                    let entry = IndexEntry {
                        raw: raw.clone(),
                        descriptor,
                    };
                    if entry.descriptor.is_attestation() {
                        attestations.push(entry);
                    } else {
                        images.push(image(entry, store)?);
                    }
                }
            }
            Document::Manifest(manifest) => {
                let raw = json!({
                    "mediaType": media_type(&value),
                    "digest": digest,
                    "size": bytes.len(),
                });
                let descriptor = serde_json::from_value(raw.clone())?;
                images.push(of_manifest(
                    IndexEntry { raw, descriptor },
                    manifest,
                    store,
                )?);
            }
        }
        Ok(ImageTree {
            digest,
            media_type: media_type(&value),
            bytes,
            images,
            attestations,
        })
    }

    pub(crate) fn is_index(&self) -> bool {
        self.images
            .first()
            .is_none_or(|image| *image.digest() != self.digest)
    }

    /// The images for `platform`. There should be one.
    pub(crate) fn images_for(&self, platform: Platform) -> Vec<&Image> {
        let images = self.images.iter();
        images.filter(|image| image.is_for(platform)).collect()
    }

    /// Each image by its platform.
    pub(crate) fn by_platform(&self) -> BTreeMap<String, &Image> {
        let images = self.images.iter();
        images
            .map(|image| (image.platform.to_string(), image))
            .collect()
    }
}

fn image(entry: IndexEntry, store: &impl ManifestStore) -> anyhow::Result<Image> {
    let digest = entry.descriptor.digest.clone();
    let named = match &entry.descriptor.platform {
        Some(platform) => format!("its manifest `{digest}` ({platform})"),
        None => format!("its manifest `{digest}`"),
    };
    let bytes = store.manifest(&digest).with_context(|| named.clone())?;
    let bytes = bytes.ok_or_else(|| broken(&named, "is missing"))?;
    match Document::parse(&bytes) {
        Ok(Document::Manifest(manifest)) => of_manifest(entry, manifest, store),
        Ok(Document::Index(_)) => Err(broken(named, "is an index")),
        Err(why) => Err(broken(named, format!("is not a manifest: {why:#}"))),
    }
}

fn of_manifest(
    mut entry: IndexEntry,
    manifest: Manifest,
    store: &impl ManifestStore,
) -> anyhow::Result<Image> {
    let digest = &manifest.config.digest;
    let named = format!("its configuration `{digest}`");
    let config = store.config(digest).with_context(|| named.clone())?;
    let config = config.ok_or_else(|| broken(&named, "is missing"))?;
    let config: Config = serde_json::from_value(config)
        .map_err(|why| broken(&named, format!("cannot be read: {why}")))?;
    let platform = match &entry.descriptor.platform {
        Some(platform) => platform.clone(),
        None => OciPlatform {
            os: config.os.clone(),
            architecture: config.architecture.clone(),
            variant: None,
        },
    };
    // A lone manifest has its platform in its configuration alone.
    if entry.raw.get("platform").is_none() {
        entry.raw["platform"] = json!({"architecture": platform.architecture, "os": platform.os});
    }
    Ok(Image {
        entry,
        platform,
        manifest,
        config,
    })
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

#[cfg(test)]
pub(crate) mod tests;
