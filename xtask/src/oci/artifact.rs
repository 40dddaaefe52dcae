//! Manifests of what is no image, such as a signature (image-spec 1.1, "Guidelines for Artifact Usage").

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::document::{Document, Manifest, unambiguous};
use super::unclear::Unclear;

/// The configuration of an artifact that has none: `{}` (image-spec 1.1, "Guidance for an Empty Descriptor").
pub(crate) const EMPTY_JSON: &str = "application/vnd.oci.empty.v1+json";
/// Its bytes.
pub(crate) const EMPTY_BYTES: &[u8] = b"{}";

/// A manifest, with what a list of referrers repeats of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArtifactManifest {
    pub manifest: Manifest,
    /// Its `artifactType`, or else the media type of its configuration.
    pub artifact_type: String,
    pub annotations: BTreeMap<String, String>,
}

impl ArtifactManifest {
    /// Parses a manifest. Fails as [`Document::parse`] does, and for an index.
    pub fn parse(bytes: &[u8]) -> Result<ArtifactManifest, Unclear> {
        let Document::Manifest(manifest) = Document::parse(bytes)? else {
            return Err(Unclear::new("it is an index"));
        };
        let value = unambiguous(bytes)?;
        let own = artifact_type(&value)?;
        let annotations = match value.get("annotations") {
            None | Some(Value::Null) => BTreeMap::new(),
            Some(annotations) => BTreeMap::deserialize(annotations)
                .map_err(|_| Unclear::new("its `annotations` are not text"))?,
        };
        Ok(ArtifactManifest {
            artifact_type: own.unwrap_or_else(|| manifest.config.media_type.clone()),
            manifest,
            annotations,
        })
    }
}

/// The `artifactType` of a manifest, or of an entry that leads to one; none where it is empty.
pub(super) fn artifact_type(value: &Value) -> Result<Option<String>, Unclear> {
    match value.get("artifactType") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.is_empty() => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(Unclear::new("its `artifactType` is not text")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::digest::Digest;
    use super::super::media_type::MANIFEST;
    use super::*;

    fn parsed(more: &Value) -> Result<ArtifactManifest, Unclear> {
        let config = json!({"mediaType": EMPTY_JSON, "digest": Digest::of(EMPTY_BYTES), "size": 2});
        let mut value = json!({
            "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [],
        });
        for (key, field) in more.as_object().unwrap() {
            value[key] = field.clone();
        }
        ArtifactManifest::parse(value.to_string().as_bytes())
    }

    #[test]
    fn an_artifact_has_a_type_of_its_own_or_its_configurations() {
        for (more, expected) in [
            (json!({"artifactType": "a/b"}), "a/b"),
            (json!({"artifactType": ""}), EMPTY_JSON),
            (json!({"artifactType": null}), EMPTY_JSON),
            (json!({}), EMPTY_JSON),
        ] {
            assert_eq!(parsed(&more).unwrap().artifact_type, expected, "{more}");
        }
        let annotated = parsed(&json!({"annotations": {"a": "b"}})).unwrap();
        assert_eq!(annotated.annotations["a"], "b");
        for (more, why) in [
            (json!({"artifactType": 1}), "`artifactType` is not text"),
            (json!({"annotations": []}), "`annotations` are not text"),
            (
                json!({"annotations": {"a": 1}}),
                "`annotations` are not text",
            ),
            (
                json!({"ArtifactType": "a"}),
                "equals `artifactType` but for case",
            ),
        ] {
            let error = parsed(&more).unwrap_err().to_string();
            assert!(error.contains(why), "{more}: {error}");
        }
    }
}
