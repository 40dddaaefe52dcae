//! The files of an image, layer by layer, as its blobs have them.

pub(crate) mod archive;
pub(crate) mod blob;
mod bounds;
pub(crate) mod certificates;
mod content;
mod elf;
mod files;
mod hashed;
mod layer;
pub(crate) mod layer_cache;
pub(crate) mod secrets;
pub(crate) mod store;

use std::sync::Arc;

pub(crate) use secrets::secrets_in;

use regex::bytes::{Regex, RegexBuilder};
use serde::{Deserialize, Serialize};
use xtask::oci::{Config, Digest, Manifest};

/// One platform's image, read from its blobs.
pub(crate) struct Image {
    pub(crate) manifest: Manifest,
    pub(crate) config: Config,
    /// The lowest first, as in the manifest.
    pub(crate) layers: Vec<Arc<Layer>>,
}

/// One layer: what its archive brings, and what it hides of those below.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Layer {
    /// Of the archive within.
    pub(crate) diff_id: Digest,
    /// Bytes as stored (compressed, for most).
    pub(crate) size: u64,
    /// Bytes of the archive within.
    pub(crate) unpacked: u64,
    pub(crate) entries: Vec<Entry>,
}

/// One entry of a layer's archive.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Entry {
    /// Without a slash at either end: `usr/bin/git`; empty for the root itself.
    pub(crate) path: String,
    pub(crate) kind: Kind,
    /// Permission bits, set-ID and sticky bits included (`0o7777`).
    pub(crate) mode: u32,
    pub(crate) uid: u64,
    pub(crate) gid: u64,
    /// Bytes of a regular file.
    pub(crate) size: u64,
    /// Whether it carries the extended attribute `security.capability`.
    pub(crate) has_capabilities: bool,
    /// What it is, where it is a program or a library.
    pub(crate) elf: Option<Elf>,
    /// The content of the few files that checks read (`etc/passwd` and the like), if UTF-8.
    pub(crate) text: Option<String>,
    /// The kinds of secrets that stand in it, each at most once.
    #[serde(deserialize_with = "secrets::kinds")]
    pub(crate) secrets: Vec<&'static str>,
    /// SHA-256 of the DER of each certificate (PEM) in it.
    pub(crate) certificates: Vec<Digest>,
}

#[cfg(test)]
impl Entry {
    /// An entry of root's that holds nothing.
    pub(crate) fn empty(path: &str, kind: Kind, mode: u32) -> Entry {
        Entry {
            path: path.to_owned(),
            kind,
            mode,
            uid: 0,
            gid: 0,
            size: 0,
            has_capabilities: false,
            elf: None,
            text: None,
            secrets: Vec::new(),
            certificates: Vec::new(),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Kind {
    File,
    Folder,
    /// The path that it leads to, as written.
    Symlink(String),
    /// The path (as `Entry::path`) of the file that it is another name of.
    Hardlink(String),
    /// Hides the path below.
    Whiteout,
    /// Hides everything that layers below have in this folder.
    Opaque,
    /// Devices, pipes.
    Special,
}

/// The head of an ELF file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Elf {
    /// `e_machine`: 62 is x86-64, 183 is `AArch64`.
    pub(crate) machine: u16,
    /// The dynamic linker (`PT_INTERP`); none for a static program and for libraries. Empty where
    /// the file does not hold what its head points to.
    pub(crate) interpreter: Option<String>,
}

/// A file as a container sees it.
pub(crate) struct Visible<'a> {
    /// The number of its layer, 0 is the lowest.
    pub(crate) layer: usize,
    pub(crate) entry: &'a Entry,
}

/// A constant pattern over bytes: files are in any encoding.
fn pattern(pattern: &str) -> Regex {
    let regex = RegexBuilder::new(pattern).unicode(false).build();
    regex.expect("the pattern is valid, as the tests show")
}
