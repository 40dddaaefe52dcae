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

    /// What `docker save` is given to save this platform alone.
    pub(crate) fn save_args(&self) -> Vec<&str> {
        // Only containerd's store, which keeps manifests, is asked for one platform of several.
        let manifest = self.manifest.as_ref();
        let choice = manifest.map(|_| ["--platform", self.platform.as_str()]);
        let image = [self.run.as_str()];
        choice.into_iter().flatten().chain(image).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_store_that_keeps_manifests_is_asked_for_a_platform() {
        let digest = Digest::of(b"x");
        for (manifest, expected) in [
            (
                Some(digest),
                vec!["--platform", "linux/arm64", "x@sha256:00"],
            ),
            (None, vec!["x@sha256:00"]),
        ] {
            let subject = Subject {
                platform: Platform::LinuxArm64,
                manifest,
                config: None,
                run: "x@sha256:00".to_owned(),
                labels: BTreeMap::new(),
            };
            assert_eq!(subject.save_args(), expected);
        }
    }
}
