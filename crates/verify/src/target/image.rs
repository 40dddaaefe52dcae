//! An image and its platforms, resolved to digests.

use std::collections::BTreeMap;

use xtask::oci::Digest;
use xtask::platform::Platform;
use xtask::reference::Repository;

/// An image, resolved to digests.
pub(crate) struct Target {
    /// The name that was asked for, as messages show it.
    pub(crate) name: String,
    /// What the name leads to: an index, a manifest, or in the classic store a configuration.
    pub(crate) digest: Digest,
    /// Of the index; absent when the name leads to one manifest.
    pub(crate) index: Option<Digest>,
    pub(crate) place: Place,
    /// The platforms to verify, in the order of `Platform`; at least one.
    pub(crate) subjects: Vec<Subject>,
    /// How many platforms the image has, asked for or not.
    pub(crate) found: usize,
}

/// Where the image was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Engine,
    Registry(Repository),
}

/// One platform of the image.
pub(crate) struct Subject {
    pub(crate) platform: Platform,
    /// Absent when the engine's classic store keeps no manifest.
    pub(crate) manifest: Option<Digest>,
    /// Of its configuration, where the registry says it or the engine calls the image so.
    pub(crate) config: Option<Digest>,
    /// What `docker run --platform` and `docker save --platform` are given: a digest, or a name
    /// with one.
    pub(crate) run: String,
    pub(crate) labels: BTreeMap<String, String>,
}

impl Subject {
    /// The commit that the image says it is built from.
    pub(crate) fn revision(&self) -> Option<&str> {
        let label = self.labels.get("org.opencontainers.image.revision");
        label.map(String::as_str)
    }
}

impl Target {
    pub(crate) fn platforms(&self) -> Vec<Platform> {
        self.subjects
            .iter()
            .map(|subject| subject.platform)
            .collect()
    }
}
