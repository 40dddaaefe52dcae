//! Where the parts of an image are read from: a registry, a folder or what `docker save` gives.

use std::io::{self, Read};

use crate::oci::Digest;

/// Where manifests and configurations are read from.
pub(crate) trait ManifestStore: Sync {
    /// An index or a manifest; `None` when it is absent.
    fn manifest(&self, digest: &Digest) -> anyhow::Result<Option<Vec<u8>>>;
    /// The bytes of an image's configuration; `None` when it is absent.
    fn config(&self, digest: &Digest) -> anyhow::Result<Option<Vec<u8>>>;
}

/// Where an upload reads blobs from.
pub(crate) trait Blobs: Sync {
    fn open<'a>(&'a self, digest: &Digest) -> io::Result<Box<dyn Read + 'a>>;
}
