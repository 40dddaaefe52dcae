//! The media types of indexes, manifests and what they name, OCI's (image-spec 1.1) and Docker's.

/// An OCI index.
pub(crate) const INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// An OCI manifest.
pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const DOCKER_INDEX: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
/// An in-toto statement, the only layer of an attestation (BuildKit, `attestation-storage.md`).
pub(crate) const IN_TOTO: &str = "application/vnd.in-toto+json";

/// Whether it is the type of an index.
pub(super) fn is_index(media_type: &str) -> bool {
    [INDEX, DOCKER_INDEX].contains(&media_type)
}

/// Whether it is the type of a manifest.
pub(super) fn is_manifest(media_type: &str) -> bool {
    [MANIFEST, DOCKER_MANIFEST].contains(&media_type)
}

/// Whether it is the type of a layer that a registry need not have: engines fetch it from elsewhere
/// (image-spec 1.1, "Non-Distributable Layers").
pub(super) fn is_foreign(media_type: &str) -> bool {
    media_type.starts_with("application/vnd.oci.image.layer.nondistributable.")
        || media_type.starts_with("application/vnd.docker.image.rootfs.foreign.")
}
