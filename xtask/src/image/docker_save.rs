//! An image in the engine's store, as `docker save` gives it out: its documents, and how large its
//! layers are unpacked.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry as Slot;
use std::io::{self, Read};

use anyhow::{Context as _, ensure};
use serde::Deserialize;
use serde_json::Value;

use crate::docker;
use crate::exec::Exec;
use crate::oci::{Descriptor, Digest};
use crate::tree::{Store, Tree};
use crate::unpack;

/// The longest document; what is longer is a layer.
const DOCUMENT: u64 = 1 << 20;

/// What was read of an image.
#[derive(Default)]
pub(super) struct Saved {
    roots: Vec<Descriptor>,
    documents: BTreeMap<Digest, Vec<u8>>,
    /// The bytes of the archives within layers.
    pub(super) unpacked: BTreeMap<Digest, u64>,
}

impl Saved {
    /// Reads the image; layers that `known` has are not unpacked for their size.
    pub(super) fn read(
        exec: &Exec,
        reference: &str,
        known: BTreeMap<Digest, u64>,
    ) -> anyhow::Result<Saved> {
        docker::save(exec, &[reference], |stream| {
            let mut saved = Saved {
                unpacked: known,
                ..Saved::default()
            };
            saved.read_archive(stream)?;
            // A writer into a pipe fails when nobody reads the padding.
            io::copy(stream, &mut io::sink())?;
            Ok(saved)
        })
    }

    fn read_archive(&mut self, stream: &mut dyn Read) -> anyhow::Result<()> {
        #[derive(Deserialize)]
        struct Roots {
            manifests: Vec<Descriptor>,
        }
        for entry in tar::Archive::new(stream).entries()? {
            let mut entry = entry?;
            let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
            if path == "index.json" {
                let roots: Roots = serde_json::from_reader(io::BufReader::new(entry))?;
                self.roots = roots.manifests;
                continue;
            }
            let Some(hex) = path.strip_prefix("blobs/sha256/") else {
                continue;
            };
            let Ok(digest) = format!("sha256:{hex}").parse::<Digest>() else {
                continue;
            };
            if entry.size() > DOCUMENT {
                if let Slot::Vacant(slot) = self.unpacked.entry(digest) {
                    slot.insert(unpack::size(&mut entry)?);
                }
                continue;
            }
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes)?;
            if bytes.starts_with(b"{") {
                self.documents.insert(digest, bytes);
            } else {
                self.unpacked.insert(digest, unpack::size(&bytes[..])?);
            }
        }
        Ok(())
    }

    pub(super) fn tree(&self) -> anyhow::Result<Tree> {
        let root = self.roots.first().context("the archive leads to nothing")?;
        let bytes = self.documents.get(&root.digest);
        let bytes = bytes.context("the archive lacks what it leads to")?;
        ensure!(Digest::of(bytes) == root.digest, "the archive is corrupt");
        Tree::read(bytes.clone(), self)
    }
}

impl Store for Saved {
    fn manifest(&self, digest: &Digest) -> anyhow::Result<Option<Vec<u8>>> {
        Ok(self.documents.get(digest).cloned())
    }

    fn config(&self, digest: &Digest) -> anyhow::Result<Option<Value>> {
        let document = self.documents.get(digest);
        let value = document.map(|bytes| serde_json::from_slice(bytes));
        Ok(value.transpose()?)
    }
}
