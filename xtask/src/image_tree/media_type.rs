//! The media types of what indexes and manifests name, as far as others put it there.

/// Whether an index's entry of this type is a blob and no manifest. BuildKit's cache lists its layers and
/// its own configuration so (docker/buildx#1007, containers/image#2210).
pub(crate) fn is_blob(media_type: &str) -> bool {
    is_layer(media_type) || media_type.starts_with("application/vnd.buildkit.cacheconfig.")
}

/// Whether this is the type of an image's layer, OCI's (image-spec 1.1) or Docker's.
pub(crate) fn is_layer(media_type: &str) -> bool {
    let layers = [
        "application/vnd.oci.image.layer.",
        "application/vnd.docker.image.rootfs.",
    ];
    layers.iter().any(|layer| media_type.starts_with(layer))
}

/// Whether this is the type of an image's configuration.
pub(crate) fn is_image_config(media_type: &str) -> bool {
    let configurations = [
        "application/vnd.oci.image.config.v1+json",
        "application/vnd.docker.container.image.v1+json",
    ];
    configurations.contains(&media_type)
}

/// Whether this says nothing of what it is the type of (RFC 2046, 4.5.1).
pub(crate) fn is_unspecific(media_type: &str) -> bool {
    ["", "application/octet-stream"].contains(&media_type)
}

#[cfg(test)]
mod tests {
    use super::*;

    const INDEX: &str = "application/vnd.oci.image.index.v1+json";
    const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

    #[test]
    fn the_types_of_blobs_are_known() {
        for (media_type, blob) in [
            ("application/vnd.oci.image.layer.v1.tar+zstd", true),
            (
                "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
                true,
            ),
            ("application/vnd.docker.image.rootfs.diff.tar.gzip", true),
            (
                "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
                true,
            ),
            ("application/vnd.buildkit.cacheconfig.v0", true),
            (MANIFEST, false),
            (INDEX, false),
            (
                "application/vnd.docker.distribution.manifest.list.v2+json",
                false,
            ),
            // It may be anything: who deletes must look.
            ("application/vnd.example+json", false),
            ("", false),
        ] {
            assert_eq!(is_blob(media_type), blob, "{media_type}");
        }
    }
}
