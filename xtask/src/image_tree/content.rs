//! Everything below an index: what a registry must have before a tag leads to it.

use std::collections::BTreeSet;

use super::entries::{self, IndexEntry};
use crate::oci::Digest;
use crate::registry::Puller;
use crate::store::ManifestStore;
use crate::threads;

/// The manifests below an index, attestations included, and the blobs that they name.
#[derive(Default)]
pub(crate) struct Content {
    pub(crate) manifests: Vec<NamedManifest>,
    pub(crate) blobs: BTreeSet<Blob>,
}

/// A manifest, as it is uploaded.
pub(crate) struct NamedManifest {
    pub(crate) digest: Digest,
    pub(crate) media_type: String,
    pub(crate) bytes: Vec<u8>,
}

/// A configuration or a layer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Blob {
    pub(crate) digest: Digest,
    /// Bytes, as stored.
    pub(crate) size: u64,
}

impl Content {
    /// Reads everything below `bytes`, an index or a lone manifest. A lone manifest is part of it.
    ///
    /// Fails with [`super::Broken`] when a manifest is missing or is not one, and with another error when
    /// `store` does not answer.
    pub(crate) fn read(bytes: &[u8], store: &impl ManifestStore) -> anyhow::Result<Content> {
        Ok(Content::of(entries::read(bytes, store)?.entries))
    }

    /// What these entries lead to.
    pub(super) fn of(entries: impl IntoIterator<Item = IndexEntry>) -> Content {
        let mut content = Content::default();
        for entry in entries {
            let manifest = entry.manifest;
            content.manifests.push(NamedManifest {
                digest: entry.descriptor.digest,
                media_type: manifest.media_type,
                bytes: entry.bytes,
            });
            let named = manifest.layers.into_iter().chain([manifest.config]);
            content.blobs.extend(named.map(|blob| Blob {
                digest: blob.digest,
                size: blob.size,
            }));
        }
        content
    }

    /// The blobs that the registry has not, or has with another size, each as a sentence.
    ///
    /// Asks for each, some at a time, and reads none.
    pub(crate) fn lacking(&self, puller: &Puller) -> anyhow::Result<Vec<String>> {
        let blobs: Vec<&Blob> = self.blobs.iter().collect();
        let found = threads::each(&blobs, |blob| puller.blob_size(&blob.digest))?;
        let pairs = blobs.into_iter().zip(found);
        Ok(pairs
            .filter_map(|(blob, found)| blob.fault(found))
            .collect())
    }
}

impl Blob {
    /// What is wrong with a blob of which the registry says this size.
    pub(crate) fn fault(&self, found: Option<u64>) -> Option<String> {
        let Blob { digest, size } = self;
        match found {
            None => Some(format!("its blob `{digest}` is missing")),
            // Some registries do not give the size.
            Some(0) => None,
            Some(found) if found == *size => None,
            Some(found) => Some(format!(
                "its blob `{digest}` has {found} bytes instead of {size}"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::broken::Broken;
    use super::super::tests::Shelf;
    use super::*;

    #[test]
    fn content_is_every_manifest_and_every_blob_once() {
        let mut shelf = Shelf::default();
        let entries = [
            shelf.image("amd64", "r", "a"),
            shelf.image("arm64", "r", "a"),
        ];
        let tree = shelf.read(&entries.concat()).unwrap();
        let content = Content::read(&tree.bytes, &shelf).unwrap();
        let attestations = tree
            .attestations
            .iter()
            .map(|entry| &entry.descriptor.digest);
        let images = tree.images.iter().map(super::super::Image::digest);
        let expected: BTreeSet<&Digest> = images.chain(attestations).collect();
        let named = content.manifests.iter().map(|manifest| &manifest.digest);
        assert_eq!(named.collect::<BTreeSet<_>>(), expected);
        for image in &tree.images {
            let config = &image.entry.manifest.config;
            assert!(
                content
                    .blobs
                    .iter()
                    .any(|blob| blob.digest == config.digest)
            );
        }
        // What is missing is named.
        let lone = Content::read(&content.manifests[0].bytes, &shelf).unwrap();
        assert_eq!(lone.manifests[0].digest, content.manifests[0].digest);
        let empty = Shelf::default();
        let error = Content::read(&tree.bytes, &empty).err().unwrap();
        assert!(error.is::<Broken>(), "{error:#}");
    }

    #[test]
    fn a_blob_of_another_size_is_named() {
        let blob = Blob {
            digest: Digest::of(b"x"),
            size: 5,
        };
        for (found, fault) in [
            (Some(5), None),
            (Some(0), None),
            (None, Some("is missing")),
            (Some(6), Some("has 6 bytes instead of 5")),
        ] {
            let why = blob.fault(found);
            assert_eq!(why.is_some(), fault.is_some(), "{why:?}");
            assert!(why.unwrap_or_default().ends_with(fault.unwrap_or_default()));
        }
    }
}
