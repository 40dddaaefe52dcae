//! Everything below an index: what a registry must have before a tag leads to it.

use std::collections::BTreeSet;

use serde_json::Value;

use super::broken::broken;
use super::media_type::media_type;
use crate::oci::{Descriptor, Digest, Document, Manifest};
use crate::store::ManifestStore;

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
        let mut content = Content::default();
        match parse(bytes, "it")? {
            Document::Index(index) => {
                for entry in index.manifests {
                    content.read_entry(&entry, store)?;
                }
            }
            Document::Manifest(manifest) => {
                let document: Value = serde_json::from_slice(bytes)?;
                let media_type = media_type(&document);
                content.add(manifest, Digest::of(bytes), media_type, bytes.to_vec());
            }
        }
        Ok(content)
    }

    fn read_entry(&mut self, entry: &Descriptor, store: &impl ManifestStore) -> anyhow::Result<()> {
        let digest = entry.digest.clone();
        let named = format!("its manifest `{digest}`");
        let bytes = store.manifest(&digest)?;
        let bytes = bytes.ok_or_else(|| broken(&named, "is missing"))?;
        match parse(&bytes, &named)? {
            Document::Manifest(manifest) => {
                self.add(manifest, digest, entry.media_type.clone(), bytes);
                Ok(())
            }
            Document::Index(_) => Err(broken(named, "is an index")),
        }
    }

    fn add(&mut self, manifest: Manifest, digest: Digest, media_type: String, bytes: Vec<u8>) {
        let named = manifest.layers.into_iter().chain([manifest.config]);
        self.blobs.extend(named.map(|blob| Blob {
            digest: blob.digest,
            size: blob.size,
        }));
        self.manifests.push(NamedManifest {
            digest,
            media_type,
            bytes,
        });
    }
}

fn parse(bytes: &[u8], what: &str) -> anyhow::Result<Document> {
    Document::parse(bytes).map_err(|why| broken(what, format!("is not a manifest: {why:#}")))
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
            let config = &image.manifest.config;
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
}
