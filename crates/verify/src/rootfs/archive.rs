//! The blobs of images, from the stream of `docker save` or put in one by one.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::Read;
use std::sync::Arc;

use anyhow::bail;
use xtask::docker;
use xtask::exec::Exec;
use xtask::oci::{Descriptor, Digest};

use super::Layer;
use super::blob::{Blob, read_blob};
use super::layer_cache::LayerCache;
use super::store::Store;

/// Blobs by their digests.
#[derive(Default)]
pub(crate) struct Archive {
    /// What the archive's `index.json` leads to.
    pub(crate) roots: Vec<Descriptor>,
    blobs: BTreeMap<Digest, Blob>,
}

/// Runs `docker save` with `args` and reads what it writes. What `cache` has of a layer is not read again.
pub(crate) fn save(
    exec: &Exec,
    args: &[&str],
    cache: Option<&LayerCache>,
) -> anyhow::Result<Archive> {
    let mut archive = Archive::default();
    archive.roots = docker::save(exec, args, |digest, _, stream| {
        archive.add(digest, stream, cache)
    })?;
    Ok(archive)
}

impl Archive {
    fn add(
        &mut self,
        digest: Digest,
        stream: &mut dyn Read,
        cache: Option<&LayerCache>,
    ) -> anyhow::Result<()> {
        let known = cache.and_then(|cache| cache.get(&digest));
        let blob = match known {
            Some(layer) => Blob::Layer(Arc::new(layer)),
            None => read_blob(stream, &digest, cache)?,
        };
        self.insert(digest, blob);
        Ok(())
    }

    fn insert(&mut self, digest: Digest, blob: Blob) {
        self.blobs.insert(digest, blob);
    }

    pub(crate) fn has(&self, digest: &Digest) -> bool {
        self.blobs.contains_key(digest)
    }

    /// None when it is absent.
    fn json(&self, digest: &Digest) -> anyhow::Result<Option<Cow<'_, [u8]>>> {
        match self.blobs.get(digest) {
            None => Ok(None),
            Some(Blob::Document(bytes)) => Ok(Some(Cow::Borrowed(bytes))),
            Some(_) => bail!("it is not JSON"),
        }
    }
}

impl Store for Archive {
    fn manifest(&self, digest: &Digest) -> anyhow::Result<Option<Cow<'_, [u8]>>> {
        self.json(digest)
    }

    fn config(&self, digest: &Digest) -> anyhow::Result<Option<Cow<'_, [u8]>>> {
        self.json(digest)
    }

    fn layer(&self, descriptor: &Descriptor) -> anyhow::Result<Option<Arc<Layer>>> {
        match self.blobs.get(&descriptor.digest) {
            None => Ok(None),
            Some(blob) => blob.layer().map(Some),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rootfs::store::read_image;
    use crate::rootfs::store::tests::{Blobs, blobs, tar_of};

    fn read_archive(mut bytes: &[u8]) -> anyhow::Result<Archive> {
        let mut archive = Archive::default();
        let add = |digest, _, stream: &mut dyn Read| archive.add(digest, stream, None);
        archive.roots = docker::read_archive(&mut bytes, add)?;
        Ok(archive)
    }

    /// What `docker save` writes.
    fn saved(root: &Digest, blobs: &Blobs) -> Vec<u8> {
        let index = format!(r#"{{"manifests":[{{"mediaType":"m","digest":"{root}","size":1}}]}}"#);
        let paths = blobs
            .iter()
            .map(|(digest, _)| format!("blobs/sha256/{}", digest.hex()));
        let paths: Vec<String> = paths.collect();
        let mut files: Vec<(&str, &[u8])> = vec![("oci-layout", b"{}")];
        files.extend(
            paths
                .iter()
                .map(String::as_str)
                .zip(blobs.iter().map(|(_, bytes)| &bytes[..])),
        );
        files.push(("index.json", index.as_bytes()));
        tar_of(&files)
    }

    #[test]
    fn a_saved_image_is_read() {
        let (root, blobs) = blobs();
        let archive = read_archive(&saved(&root, &blobs)[..]).unwrap();
        assert_eq!(archive.roots[0].digest, root);
        assert_eq!(archive.manifest(&root).unwrap().unwrap(), blobs[0].1);
        assert!(archive.has(&blobs[2].0) && archive.manifest(&blobs[2].0).is_err());
        let image = read_image(&archive, &root).unwrap();
        assert_eq!(image.config.architecture, "amd64");
        let passwd = &image.files()["etc/passwd"];
        assert_eq!(
            passwd.entry.text.as_deref(),
            Some("root:x:0:0::/root:/bin/sh\n")
        );
    }

    /// An engine that knows attestations by name alone saves an index without them (containerd/containerd#11344),
    /// and one that was asked for a platform saves that alone (docker/cli#5476).
    #[test]
    fn an_archive_may_lack_what_its_index_names() {
        let (root, blobs) = blobs();
        let attestation = Digest::of(b"attestation");
        let index = format!(
            r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json",
                "manifests":[{{"mediaType":"application/vnd.oci.image.manifest.v1+json",
                "digest":"{root}","size":{}}},{{"mediaType":"application/vnd.oci.image.manifest.v1+json",
                "digest":"{attestation}","size":1}}]}}"#,
            blobs[0].1.len()
        );
        let index = (Digest::of(index.as_bytes()), index.into_bytes());
        let all = [vec![index.clone()], blobs].concat();
        let archive = read_archive(&saved(&index.0, &all)[..]).unwrap();
        assert!(archive.has(&index.0) && !archive.has(&attestation));
        assert!(archive.manifest(&attestation).unwrap().is_none());
        assert!(read_image(&archive, &root).is_ok());
    }

    #[test]
    fn an_archive_that_is_no_image_says_so() {
        let (root, mut blobs) = blobs();
        let whole = saved(&root, &blobs);
        let middle = whole.len() - 3000;
        blobs[1].1[3] ^= 1;
        let cases = [
            (tar_of(&[("a", b"b")]), "has no `index.json`; hint: "),
            (
                tar_of(&[("index.json", b"[]")]),
                "its `index.json` is no index",
            ),
            (vec![1; 700], "failed to read the image's archive"),
            (
                whole[..middle].to_vec(),
                "failed to read the image's archive",
            ),
            (saved(&root, &blobs), blobs[1].0.as_str()),
        ];
        for (bytes, expected) in cases {
            let error = format!("{:#}", read_archive(&bytes[..]).err().unwrap());
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn what_is_known_of_a_layer_is_not_read_again() {
        let (root, blobs) = blobs();
        let bytes = saved(&root, &blobs);
        let folder = tempfile::tempdir().unwrap();
        let cache = LayerCache::new(folder.path().to_owned(), &Digest::of(b"checks"));
        let mut entries = Vec::new();
        for _ in 0..2 {
            let mut archive = Archive::default();
            docker::read_archive(&mut &bytes[..], |digest, _, stream| {
                archive.add(digest, stream, Some(&cache))
            })
            .unwrap();
            entries.push(read_image(&archive, &root).unwrap().layers);
        }
        assert_eq!(entries[0], entries[1]);
        assert!(cache.get(&blobs[2].0).is_some());
        // The documents are small.
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
