//! What the checks of files judge: the image as it is stored, and what it is expected to be.

use std::collections::{BTreeMap, BTreeSet};

use xtask::oci::{Digest, Index, Manifest};
use xtask::platform::Platform;

use super::rootfs::Image;

/// What is known of one platform of an image without running it.
pub(crate) struct ImageFacts {
    pub(crate) platform: Platform,
    pub(crate) image: Image,
    pub(crate) index: IndexFacts,
    pub(crate) expected: Expected,
    /// The last release, or why there is none to compare with.
    pub(crate) last_release: Result<Release, String>,
}

/// The index that the image was named by.
pub(crate) enum IndexFacts {
    /// The digest leads to a manifest: there is no index.
    None,
    /// The index cannot be read here; the text says why.
    Unknown(String),
    Known {
        index: Index,
        /// What its entries lead to, as far as it is there.
        manifests: BTreeMap<Digest, Manifest>,
        /// What the index names and is missing, or does not match its digest.
        broken: Vec<String>,
    },
}

/// What the checkout says of the image.
#[derive(Clone)]
pub(crate) struct Expected {
    /// The version of Node.js that the Dockerfile's base says, such as `20`; or why it says none.
    pub(crate) node: Result<String, String>,
    /// The digest of the base, if the Dockerfile pins one.
    pub(crate) base_digest: Option<Digest>,
    /// The version of Claude Code that the lock pins for this platform.
    pub(crate) claude: Result<String, String>,
    /// The commit, or why none can be named.
    pub(crate) commit: Result<Commit, String>,
    /// Every platform that an index must have.
    pub(crate) platforms: Vec<Platform>,
    /// Bytes (compressed) that the image may have, or why there is no limit to compare with.
    pub(crate) budget: Result<u64, String>,
    /// Percent that it may be larger than the last release.
    pub(crate) growth: u64,
    /// The certificates (SHA-256 of each one's DER) that builds on this machine are made to trust.
    pub(crate) build_ca: BTreeSet<Digest>,
}

/// The commit that an image says it was built from.
#[derive(Clone)]
pub(crate) struct Commit {
    /// The revision label's text: the full commit id, `…-dirty` for a tree that differs from it.
    pub(crate) revision: String,
    /// RFC 3339, in UTC.
    pub(crate) created: String,
}

/// A published version's sizes.
pub(crate) struct Release {
    pub(crate) version: String,
    /// Compressed bytes of each layer, the lowest first.
    pub(crate) layers: Vec<u64>,
    /// How the layers are compressed ([`Manifest::compressions`]).
    pub(crate) compressions: BTreeSet<String>,
}
