//! The media types of indexes and manifests.

use serde_json::Value;

/// The media type of an OCI index (image-spec 1.1).
pub(super) const INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// The media type of an OCI manifest (image-spec 1.1).
pub(super) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// The media type of an index or a manifest: its own `mediaType`, or else OCI's.
pub(crate) fn media_type(document: &Value) -> String {
    let usual = if document.get("manifests").is_some() {
        INDEX
    } else {
        MANIFEST
    };
    document["mediaType"].as_str().unwrap_or(usual).to_owned()
}
