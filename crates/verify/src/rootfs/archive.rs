//! The blobs of images, from the stream of `docker save` or put in one by one.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Read;
use std::sync::Arc;

use anyhow::{Context as _, bail, ensure};
use xtask::docker;
use xtask::exec::Exec;
use xtask::oci::{Config, Descriptor, Digest, Document, Manifest};

use super::{Image, Layer};

pub(crate) use super::blob::{Blob, read_blob};

/// Blobs by their digests.
#[derive(Default)]
pub(crate) struct Archive {
    /// What the archive's `index.json` leads to.
    pub(crate) roots: Vec<Descriptor>,
    blobs: BTreeMap<Digest, Blob>,
}

/// Runs `docker save` with `args` and reads what it writes.
pub(crate) fn save(exec: &Exec, args: &[&str]) -> anyhow::Result<Archive> {
    let mut archive = Archive::default();
    archive.roots = docker::save(exec, args, |digest, _, stream| archive.add(digest, stream))?;
    Ok(archive)
}

impl Archive {
    fn add(&mut self, digest: Digest, stream: &mut dyn Read) -> anyhow::Result<()> {
        let blob = read_blob(stream, &digest)?;
        self.insert(digest, blob);
        Ok(())
    }

    pub(crate) fn insert(&mut self, digest: Digest, blob: Blob) {
        self.blobs.insert(digest, blob);
    }

    pub(crate) fn has(&self, digest: &Digest) -> bool {
        self.blobs.contains_key(digest)
    }

    pub(crate) fn document(&self, digest: &Digest) -> Option<&[u8]> {
        match self.blobs.get(digest)? {
            Blob::Document(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// The image that a manifest makes of the blobs.
    pub(crate) fn image(&self, manifest: &Digest) -> anyhow::Result<Image> {
        let digest = manifest.clone();
        let manifest = self.manifest(manifest)?;
        let of = || format!("image `{digest}`");
        let config = self.config(&manifest).with_context(of)?;
        let layers = manifest.layers.iter().enumerate();
        let layers = layers
            .map(|(number, descriptor)| self.layer(number, descriptor))
            .collect::<Result<_, _>>()
            .with_context(of)?;
        Ok(Image {
            manifest,
            config,
            layers,
        })
    }

    fn manifest(&self, digest: &Digest) -> anyhow::Result<Manifest> {
        let what = format!("manifest `{digest}`");
        match Document::parse(self.bytes(digest, &what)?).with_context(|| what.clone())? {
            Document::Manifest(manifest) => Ok(manifest),
            Document::Index(_) => bail!("{what} is an index; hint: take one of its manifests"),
        }
    }

    fn config(&self, manifest: &Manifest) -> anyhow::Result<Config> {
        let what = format!("configuration `{}`", manifest.config.digest);
        let bytes = self.bytes(&manifest.config.digest, &what)?;
        let config = manifest.config.config(bytes);
        config.with_context(|| format!("{what} cannot be read"))
    }

    fn bytes(&self, digest: &Digest, what: &dyn fmt::Display) -> anyhow::Result<&[u8]> {
        ensure!(self.has(digest), "{what} is missing");
        self.document(digest)
            .with_context(|| format!("{what} is not JSON"))
    }

    /// Layers are numbered from 0, as in `Visible`.
    fn layer(&self, number: usize, descriptor: &Descriptor) -> anyhow::Result<Arc<Layer>> {
        let what = format!("layer {number} (`{}`)", descriptor.digest);
        let layer = match self.blobs.get(&descriptor.digest) {
            Some(Blob::Layer(layer)) => Arc::clone(layer),
            Some(_) => bail!("{what} is no archive of files"),
            None => bail!("{what} is missing"),
        };
        ensure!(
            layer.size == descriptor.size,
            "{what} has {} bytes, but the manifest says {}",
            layer.size,
            descriptor.size
        );
        Ok(layer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_archive(mut bytes: &[u8]) -> anyhow::Result<Archive> {
        let mut archive = Archive::default();
        let add = |digest, _, stream: &mut dyn Read| archive.add(digest, stream);
        archive.roots = docker::read_archive(&mut bytes, add)?;
        Ok(archive)
    }

    fn tar_of(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut archive = tar::Builder::new(Vec::new());
        for (path, content) in files {
            let mut header = tar::Header::new_ustar();
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            archive.append_data(&mut header, path, *content).unwrap();
        }
        archive.into_inner().unwrap()
    }

    /// An image of one layer: its manifest's digest, and its blobs.
    fn blobs() -> (Digest, Vec<(Digest, Vec<u8>)>) {
        let named = |bytes: Vec<u8>| (Digest::of(&bytes), bytes);
        let layer = named(tar_of(&[("etc/passwd", b"root:x:0:0::/root:/bin/sh\n")]));
        let config = named(br#"{"architecture":"amd64"}"#.to_vec());
        let descriptor = |(digest, bytes): &(Digest, Vec<u8>)| {
            format!(
                r#"{{"mediaType":"m","digest":"{digest}","size":{}}}"#,
                bytes.len()
            )
        };
        let (layer_json, config_json) = (descriptor(&layer), descriptor(&config));
        let manifest = format!(
            r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",
                "config":{config_json},"layers":[{layer_json}]}}"#
        );
        let manifest = named(manifest.into_bytes());
        (manifest.0.clone(), vec![manifest, config, layer])
    }

    /// What `docker save` writes.
    fn saved(root: &Digest, blobs: &[(Digest, Vec<u8>)]) -> Vec<u8> {
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

    fn error_of<T>(result: anyhow::Result<T>) -> String {
        format!("{:#}", result.err().unwrap())
    }

    #[test]
    fn a_saved_image_is_read() {
        let (root, blobs) = blobs();
        let archive = read_archive(&saved(&root, &blobs)[..]).unwrap();
        assert_eq!(archive.roots[0].digest, root);
        assert_eq!(archive.document(&root), Some(&blobs[0].1[..]));
        assert!(archive.has(&blobs[2].0) && archive.document(&blobs[2].0).is_none());
        let image = archive.image(&root).unwrap();
        assert_eq!(image.config.architecture, "amd64");
        let passwd = &image.files()["etc/passwd"];
        assert_eq!(
            passwd.entry.text.as_deref(),
            Some("root:x:0:0::/root:/bin/sh\n")
        );
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
            let error = error_of(read_archive(&bytes[..]));
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn what_an_image_lacks_is_named() {
        let (root, all) = blobs();
        let digests: Vec<Digest> = all.iter().map(|(digest, _)| digest.clone()).collect();
        let without = |lacking: usize, instead: Option<Blob>| {
            let mut archive = Archive::default();
            for (number, (digest, bytes)) in all.iter().enumerate() {
                if number != lacking {
                    archive.insert(digest.clone(), read_blob(&bytes[..], digest).unwrap());
                }
            }
            if let Some(blob) = instead {
                archive.insert(digests[lacking].clone(), blob);
            }
            archive.image(&root)
        };
        assert!(without(3, None).is_ok());
        let index = || {
            let index = r#"{"schemaVersion":2,"manifests":[],
                "mediaType":"application/vnd.oci.image.index.v1+json"}"#;
            Some(Blob::Document(index.into()))
        };
        let other = || Some(Blob::Other);
        let cases = [
            (0, None, "manifest `{}` is missing"),
            (0, other(), "manifest `{}` is not JSON"),
            (
                0,
                index(),
                "manifest `{}` is an index; hint: take one of its manifests",
            ),
            (1, None, "configuration `{}` is missing"),
            (1, other(), "configuration `{}` is not JSON"),
            (2, None, "layer 0 (`{}`) is missing"),
            (2, index(), "layer 0 (`{}`) is no archive of files"),
        ];
        for (lacking, instead, expected) in cases {
            let error = error_of(without(lacking, instead));
            let expected = expected.replace("{}", digests[lacking].as_str());
            assert!(error.contains(&expected), "{error}");
        }
    }
}
