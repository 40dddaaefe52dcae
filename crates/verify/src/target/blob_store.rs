//! Blobs from where they lie: in folders of this machine, and else in a registry.

use std::borrow::Cow;
use std::io::Read;
use std::sync::Arc;

use xtask::blob_folders::BlobFolders;
use xtask::oci::{Descriptor, Digest};
use xtask::registry::Puller;

use crate::rootfs::Layer;
use crate::rootfs::blob::read_blob;
use crate::rootfs::layer_cache::LayerCache;
use crate::rootfs::store::Store;

/// Reads blobs by their digests.
pub(super) struct BlobStore<'a> {
    pub(super) folders: &'a BlobFolders,
    pub(super) registry: Option<&'a Puller>,
    pub(super) cache: Option<&'a LayerCache>,
}

impl BlobStore<'_> {
    /// A document in the folders; a damaged one counts for absent.
    fn document(&self, digest: &Digest) -> Option<Cow<'_, [u8]>> {
        let mut files = self.folders.files(digest);
        files.find_map(|file| {
            let mut bytes = Vec::new();
            // No longer than in a registry.
            file.take(Puller::LONGEST).read_to_end(&mut bytes).ok()?;
            (Digest::of(&bytes) == *digest).then_some(Cow::Owned(bytes))
        })
    }

    fn searched(&self, stream: impl Read, descriptor: &Descriptor) -> anyhow::Result<Arc<Layer>> {
        // One byte more tells that it is too long.
        let most = descriptor.size.saturating_add(1);
        read_blob(stream.take(most), &descriptor.digest, self.cache)?.layer()
    }
}

impl Store for BlobStore<'_> {
    fn manifest(&self, digest: &Digest) -> anyhow::Result<Option<Cow<'_, [u8]>>> {
        match (self.document(digest), self.registry) {
            (None, Some(registry)) => {
                let found = registry.manifest(digest.as_str())?;
                Ok(found.map(|(_, bytes)| Cow::Owned(bytes)))
            }
            (found, _) => Ok(found),
        }
    }

    fn config(&self, digest: &Digest) -> anyhow::Result<Option<Cow<'_, [u8]>>> {
        match (self.document(digest), self.registry) {
            (None, Some(registry)) => Ok(registry.small_blob(digest)?.map(Cow::Owned)),
            (found, _) => Ok(found),
        }
    }

    fn layer(&self, descriptor: &Descriptor) -> anyhow::Result<Option<Arc<Layer>>> {
        let digest = &descriptor.digest;
        if let Some(layer) = self.cache.and_then(|cache| cache.get(digest)) {
            return Ok(Some(Arc::new(layer)));
        }
        let mut failed = None;
        for file in self.folders.files(digest) {
            match self.searched(file, descriptor) {
                Ok(layer) => return Ok(Some(layer)),
                // A damaged file says nothing of the image.
                Err(error) => failed = Some(error),
            }
        }
        match (self.registry, failed) {
            (Some(registry), _) => {
                let read = |stream: &mut dyn Read| self.searched(stream, descriptor);
                registry.read_blob(digest, read).map(Some)
            }
            (None, Some(error)) => Err(error),
            (None, None) => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use xtask::docker::Docker;

    use super::*;
    use crate::rootfs::store::read_image;
    use crate::rootfs::store::tests::{Blobs, blobs};

    /// Puts blobs into the layout `name` among the records.
    fn keep(records: &Path, name: &str, blobs: &Blobs) {
        let folder = records.join("layout").join(name).join("blobs/sha256");
        fs::create_dir_all(&folder).unwrap();
        for (digest, bytes) in blobs {
            fs::write(folder.join(digest.hex()), bytes).unwrap();
        }
    }

    #[test]
    fn a_damaged_file_counts_for_absent() {
        let (root, all) = blobs();
        let records = tempfile::tempdir().unwrap();
        let read = || {
            let folders = BlobFolders::new(records.path(), &Docker::default());
            let store = BlobStore {
                folders: &folders,
                registry: None,
                cache: None,
            };
            read_image(&store, &root).map(|image| image.layers.len())
        };
        let error = format!("{:#}", read().unwrap_err());
        assert_eq!(error, format!("manifest `{root}` is missing"));
        for number in 0..all.len() {
            keep(records.path(), "a", &all);
            let mut damaged = all.clone();
            damaged[number].1[3] ^= 1;
            keep(records.path(), "a", &damaged);
            assert!(read().is_err(), "{number}");
            // Another folder has it.
            keep(records.path(), "b", &all[number..=number].to_vec());
            assert_eq!(read().unwrap(), 1, "{number}");
            fs::remove_dir_all(records.path().join("layout")).unwrap();
        }
    }

    #[test]
    fn more_bytes_than_the_manifest_says_are_not_read() {
        let (_, all) = blobs();
        let records = tempfile::tempdir().unwrap();
        let (digest, bytes) = &all[2];
        let longer = [&bytes[..], &[0; 4096]].concat();
        keep(records.path(), "a", &vec![(digest.clone(), longer)]);
        let folders = BlobFolders::new(records.path(), &Docker::default());
        let store = BlobStore {
            folders: &folders,
            registry: None,
            cache: None,
        };
        let descriptor = serde_json::json!({"digest": digest, "size": bytes.len()});
        let descriptor: Descriptor = serde_json::from_value(descriptor).unwrap();
        let error = format!("{:#}", store.layer(&descriptor).unwrap_err());
        let read = format!("its {} bytes have the SHA-256", bytes.len() + 1);
        assert!(error.contains(&read), "{error}");
    }
}
