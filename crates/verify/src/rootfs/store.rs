//! An image, put together from its blobs, wherever they are kept.

use std::borrow::Cow;
use std::sync::Arc;

use anyhow::{Context as _, bail, ensure};
use xtask::oci::{Config, Descriptor, Digest, Document, Manifest};
use xtask::threads;

use super::{Image, Layer};

/// Where the blobs of images are kept. What it gives has been checked against its digest.
pub(crate) trait Store: Sync {
    /// An index or a manifest; none when it is absent.
    fn manifest(&self, digest: &Digest) -> anyhow::Result<Option<Cow<'_, [u8]>>>;
    /// A configuration; none when it is absent.
    fn config(&self, digest: &Digest) -> anyhow::Result<Option<Cow<'_, [u8]>>>;
    /// A layer, searched through; none when it is absent.
    fn layer(&self, descriptor: &Descriptor) -> anyhow::Result<Option<Arc<Layer>>>;
}

/// The image that a manifest makes of the blobs in `store`.
///
/// Fails when one is absent or is not what the manifest or the configuration says of it.
pub(crate) fn read_image(store: &impl Store, digest: &Digest) -> anyhow::Result<Image> {
    let manifest = read_manifest(store, digest)?;
    let of = || format!("image `{digest}`");
    let config = read_config(store, &manifest).with_context(of)?;
    let diff_ids = &config.rootfs.diff_ids;
    let count = manifest.layers.len();
    ensure!(
        diff_ids.len() == count,
        "image `{digest}` has {count} layers, but its configuration names {}",
        diff_ids.len()
    );
    let numbered: Vec<_> = manifest.layers.iter().enumerate().zip(diff_ids).collect();
    let layers = threads::each(&numbered, |&((number, descriptor), diff_id)| {
        read_layer(store, number, descriptor, diff_id)
    });
    let layers = layers.with_context(of)?;
    Ok(Image {
        manifest,
        config,
        layers,
    })
}

fn read_manifest(store: &impl Store, digest: &Digest) -> anyhow::Result<Manifest> {
    let what = || format!("manifest `{digest}`");
    let bytes = store.manifest(digest).with_context(what)?;
    let bytes = bytes.with_context(|| format!("manifest `{digest}` is missing"))?;
    match Document::parse(&bytes).with_context(what)? {
        Document::Manifest(manifest) => Ok(manifest),
        Document::Index(_) => {
            bail!("manifest `{digest}` is an index; hint: take one of its manifests")
        }
    }
}

fn read_config(store: &impl Store, manifest: &Manifest) -> anyhow::Result<Config> {
    let digest = &manifest.config.digest;
    let bytes = store.config(digest);
    let bytes = bytes.with_context(|| format!("configuration `{digest}`"))?;
    let bytes = bytes.with_context(|| format!("configuration `{digest}` is missing"))?;
    let config = manifest.config.config(&bytes);
    config.with_context(|| format!("configuration `{digest}` cannot be read"))
}

/// Layers are numbered from 0, as in `Visible`.
fn read_layer(
    store: &impl Store,
    number: usize,
    descriptor: &Descriptor,
    diff_id: &str,
) -> anyhow::Result<Arc<Layer>> {
    let what = || format!("layer {number} (`{}`)", descriptor.digest);
    let layer = store.layer(descriptor).with_context(what)?;
    let layer = layer.with_context(|| format!("{} is missing", what()))?;
    ensure!(
        layer.size == descriptor.size,
        "{} has {} bytes, but the manifest says {}",
        what(),
        layer.size,
        descriptor.size
    );
    ensure!(
        layer.diff_id.as_str() == diff_id,
        "{} unpacks to `{}`, but the configuration says `{diff_id}`",
        what(),
        layer.diff_id
    );
    Ok(layer)
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::rootfs::blob::{Blob, read_blob};

    /// Blobs with their digests.
    pub(crate) type Blobs = Vec<(Digest, Vec<u8>)>;

    pub(crate) fn tar_of(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut archive = tar::Builder::new(Vec::new());
        for (path, content) in files {
            let mut header = tar::Header::new_ustar();
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            archive.append_data(&mut header, path, *content).unwrap();
        }
        archive.into_inner().unwrap()
    }

    /// The manifest, the configuration and the layers of an image: its digest, and its blobs. A layer's
    /// second half are the bytes that it is stored as.
    pub(crate) fn image_of(diff_ids: &[Digest], layers: &[Vec<u8>]) -> (Digest, Blobs) {
        let named = |bytes: Vec<u8>| (Digest::of(&bytes), bytes);
        let config = serde_json::json!({
            "architecture": "amd64",
            "rootfs": {"type": "layers", "diff_ids": diff_ids},
        });
        let config = named(config.to_string().into_bytes());
        let layers: Blobs = layers.iter().cloned().map(named).collect();
        let descriptor = |(digest, bytes): &(Digest, Vec<u8>)| serde_json::json!({"mediaType": "m", "digest": digest, "size": bytes.len()});
        let manifest = serde_json::json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": descriptor(&config),
            "layers": layers.iter().map(descriptor).collect::<Vec<_>>(),
        });
        let manifest = named(manifest.to_string().into_bytes());
        let digest = manifest.0.clone();
        (digest, [vec![manifest, config], layers].concat())
    }

    /// An image of one layer.
    pub(crate) fn blobs() -> (Digest, Blobs) {
        let layer = tar_of(&[("etc/passwd", b"root:x:0:0::/root:/bin/sh\n")]);
        image_of(&[Digest::of(&layer)], &[layer])
    }

    /// Blobs in memory.
    #[derive(Default)]
    struct Memory(BTreeMap<Digest, Vec<u8>>);

    impl Memory {
        fn of(blobs: &Blobs) -> Memory {
            Memory(blobs.iter().cloned().collect())
        }

        fn document(&self, digest: &Digest) -> Option<Cow<'_, [u8]>> {
            self.0.get(digest).map(|bytes| Cow::Borrowed(&bytes[..]))
        }
    }

    impl Store for Memory {
        fn manifest(&self, digest: &Digest) -> anyhow::Result<Option<Cow<'_, [u8]>>> {
            Ok(self.document(digest))
        }

        fn config(&self, digest: &Digest) -> anyhow::Result<Option<Cow<'_, [u8]>>> {
            Ok(self.document(digest))
        }

        fn layer(&self, descriptor: &Descriptor) -> anyhow::Result<Option<Arc<Layer>>> {
            let digest = &descriptor.digest;
            let read = |bytes: &Vec<u8>| read_blob(&bytes[..], digest, None)?.layer();
            self.0.get(digest).map(read).transpose()
        }
    }

    fn error_of<T>(result: anyhow::Result<T>) -> String {
        format!("{:#}", result.err().unwrap())
    }

    #[test]
    fn what_an_image_lacks_is_named() {
        let (root, all) = blobs();
        let digests: Vec<Digest> = all.iter().map(|(digest, _)| digest.clone()).collect();
        let without = |lacking: usize, instead: Option<&[u8]>| {
            let mut memory = Memory::of(&all);
            if let Some(digest) = digests.get(lacking) {
                memory.0.remove(digest);
                memory
                    .0
                    .extend(instead.map(|bytes| (digest.clone(), bytes.to_vec())));
            }
            read_image(&memory, &root)
        };
        assert!(without(3, None).is_ok());
        let index: &[u8] = br#"{"schemaVersion":2,"manifests":[],
            "mediaType":"application/vnd.oci.image.index.v1+json"}"#;
        let cases = [
            (0, None, "manifest `{}` is missing"),
            (0, Some(&b"x"[..]), "manifest `{}`: "),
            (
                0,
                Some(index),
                "manifest `{}` is an index; hint: take one of its manifests",
            ),
            (1, None, "configuration `{}` is missing"),
            (1, Some(b"{}"), "configuration `{}` cannot be read: "),
            (2, None, "layer 0 (`{}`) is missing"),
            (2, Some(index), "layer 0 (`{}`): blob `{}` is corrupt"),
        ];
        for (lacking, instead, expected) in cases {
            let error = error_of(without(lacking, instead));
            let expected = expected.replace("{}", digests[lacking].as_str());
            assert!(error.contains(&expected), "{error}");
        }
    }

    /// A layer is known by its configuration, and a store that has changed how it is packed gives it another
    /// digest (moby/moby#49068, ligfx/k3d-registry-dockerd#14): both are compared.
    #[test]
    fn what_a_layer_unpacks_to_is_what_the_configuration_says() {
        let layer = tar_of(&[("a", b"b")]);
        let other = Digest::of(b"other");
        let right = Digest::of(&layer);
        let of = |diff_ids: &[&Digest], count| {
            let diff_ids: Vec<Digest> = diff_ids.iter().map(|&id| id.clone()).collect();
            let (root, blobs) = image_of(&diff_ids, &vec![layer.clone(); count]);
            read_image(&Memory::of(&blobs), &root)
        };
        assert!(of(&[&right], 1).is_ok());
        for (diff_ids, count, expected) in [
            (vec![&other], 1, "but the configuration says `sha256:"),
            (vec![], 1, "has 1 layers, but its configuration names 0"),
            (
                vec![&right, &right],
                1,
                "has 1 layers, but its configuration names 2",
            ),
        ] {
            let error = error_of(of(&diff_ids, count));
            assert!(error.contains(expected), "{error}");
        }
    }

    /// A layer may be there twice, as an archive of docker's once was not (moby/moby#24003).
    #[test]
    fn one_layer_may_stand_in_several_places() {
        let (first, second) = (tar_of(&[("a", b"1")]), tar_of(&[("a", b"2")]));
        let layers = [first.clone(), second.clone(), first.clone()];
        let diff_ids: Vec<Digest> = layers.iter().map(|layer| Digest::of(layer)).collect();
        let (root, blobs) = image_of(&diff_ids, &layers);
        let image = read_image(&Memory::of(&blobs), &root).unwrap();
        assert_eq!(image.layers.len(), 3);
        assert_eq!(image.files()["a"].layer, 2);
    }

    #[test]
    fn another_size_than_the_manifest_says_is_refused() {
        let (_, all) = blobs();
        let mut blobs = all.clone();
        let manifest = String::from_utf8(all[0].1.clone()).unwrap();
        let size = format!("\"size\":{}", all[2].1.len());
        let manifest = manifest.replace(&size, "\"size\":7").into_bytes();
        blobs[0] = (Digest::of(&manifest), manifest);
        let error = error_of(read_image(&Memory::of(&blobs), &blobs[0].0));
        assert!(error.contains("but the manifest says 7"), "{error}");
    }

    #[test]
    fn only_a_layer_is_a_layer() {
        let document = read_blob(&b"{}"[..], &Digest::of(b"{}"), None).unwrap();
        assert!(matches!(document, Blob::Document(_)));
        assert_eq!(error_of(document.layer()), "it is no archive of files");
    }
}
