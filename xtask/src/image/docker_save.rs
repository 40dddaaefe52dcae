//! An image in the engine's store, as `docker save` gives it out: its documents, and what is in its layers.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry as Slot;
use std::io::Read;

use anyhow::{Context as _, ensure};

use super::contents::Contents;
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
    /// Reads the image; layers that `known` has are not read again.
    pub(super) fn read(exec: &Exec, reference: &str, known: Contents) -> anyhow::Result<Saved> {
        let mut saved = Saved {
            contents: known,
            ..Saved::default()
        };
        saved.roots = docker::save(exec, &[reference], |digest, size, stream| {
            saved.add(digest, size, stream)
        })?;
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

impl ManifestStore for Saved {
    fn manifest(&self, digest: &Digest) -> anyhow::Result<Option<Vec<u8>>> {
        Ok(self.documents.get(digest).cloned())
    }

    fn config(&self, digest: &Digest) -> anyhow::Result<Option<Vec<u8>>> {
        self.manifest(digest)
    }
}
