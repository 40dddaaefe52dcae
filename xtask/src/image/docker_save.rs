//! An image in the engine's store, as `docker save` gives it out: its documents, and what is in its layers.
//! Its blobs are kept, so that `verify` reads them without the engine.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry as Slot;
use std::io::{self, Read, Write as _};
use std::path::Path;

use anyhow::{Context as _, ensure};
use tempfile::NamedTempFile;

use super::contents::Contents;
use crate::blob_folders::Keeper;
use crate::docker;
use crate::exec::Exec;
use crate::image_tree::{ImageTree, ManifestStore};
use crate::oci::{Descriptor, Digest};
use crate::packages::LayerContent;

/// The longest document; what is longer is a layer.
const DOCUMENT: u64 = 1 << 20;

/// What was read of an image.
#[derive(Default)]
pub(super) struct Saved {
    roots: Vec<Descriptor>,
    documents: BTreeMap<Digest, Vec<u8>>,
    /// What is in the layers.
    pub(super) contents: Contents,
}

impl Saved {
    /// Reads the image, and keeps its blobs in `folder`, and no others; layers that `known` has are not
    /// read for their content. What cannot be kept is not.
    pub(super) fn read(
        exec: &Exec,
        reference: &str,
        known: Contents,
        folder: &Path,
    ) -> anyhow::Result<Saved> {
        let mut saved = Saved {
            contents: known,
            ..Saved::default()
        };
        let mut keeper = Keeper::of(folder).ok();
        saved.roots = docker::save(exec, &[reference], |digest, size, stream| {
            let file = keeper
                .as_mut()
                .and_then(|keeper| keeper.file(&digest).ok()?);
            let mut stream = Tee { stream, file };
            saved.add(digest.clone(), size, &mut stream)?;
            // The end of a compressed layer may stand behind that of its archive.
            if stream.file.is_some() {
                io::copy(&mut stream, &mut io::sink())?;
            }
            if let (Some(keeper), Some(file)) = (&keeper, stream.file) {
                let _ = keeper.keep(&digest, file);
            }
            Ok(())
        })?;
        let _ = keeper.map(Keeper::prune);
        Ok(saved)
    }

    fn add(&mut self, digest: Digest, size: u64, stream: &mut dyn Read) -> anyhow::Result<()> {
        if size > DOCUMENT {
            if let Slot::Vacant(slot) = self.contents.entry(digest) {
                slot.insert(LayerContent::read(stream)?);
            }
            return Ok(());
        }
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes)?;
        if bytes.starts_with(b"{") {
            self.documents.insert(digest, bytes);
        } else {
            self.contents
                .insert(digest, LayerContent::read(&bytes[..])?);
        }
        Ok(())
    }

    pub(super) fn tree(&self) -> anyhow::Result<ImageTree> {
        let root = self.roots.first().context("the archive leads to nothing")?;
        let bytes = self.documents.get(&root.digest);
        let bytes = bytes.context("the archive lacks what it leads to")?;
        ensure!(Digest::of(bytes) == root.digest, "the archive is corrupt");
        root.document(bytes)?;
        ImageTree::read(bytes.clone(), self)
    }
}

/// Writes to a file what is read.
struct Tee<'a> {
    stream: &'a mut dyn Read,
    /// None where nothing is to be written any more.
    file: Option<NamedTempFile>,
}

impl Read for Tee<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.stream.read(buffer)?;
        let file = self.file.take();
        self.file = file.filter(|mut file| file.write_all(&buffer[..length]).is_ok());
        Ok(length)
    }
}

impl ManifestStore for Saved {
    fn manifest(&self, digest: &Digest) -> anyhow::Result<Option<Vec<u8>>> {
        Ok(self.documents.get(digest).cloned())
    }

    fn config(&self, digest: &Digest) -> anyhow::Result<Option<Vec<u8>>> {
        self.manifest(digest)
    }
}
