//! References to bytes by their digest, checked before anybody believes them.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::Value;

use super::digest::Digest;
use super::json::LONGEST;
use super::media_type::is_foreign;
use super::platform::OciPlatform;
use super::unclear::Unclear;
use crate::printable::Printable;

/// A reference to bytes by their digest.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    #[serde(default)]
    pub media_type: String,
    pub digest: Digest,
    /// Bytes as stored; most layers are compressed.
    pub size: u64,
    #[serde(default)]
    pub platform: Option<OciPlatform>,
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
}

/// What an entry of an index is, by what the index says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryKind {
    Image,
    /// Its platform is `unknown/unknown`, and BuildKit's annotation is there. Its manifest must agree:
    /// [`super::attestation_fault`].
    Attestation,
    /// No engine runs it, and it is no attestation.
    Neither,
}

/// The annotation that says what an entry is.
pub(crate) const ENTRY_KIND: &str = "vnd.docker.reference.type";
/// What it says of an attestation.
pub(crate) const ATTESTATION: &str = "attestation-manifest";

impl Descriptor {
    /// What it is as an entry of an index. An engine takes whatever has a platform that it can run, or none,
    /// for an image, whatever its annotations say.
    pub fn kind(&self) -> EntryKind {
        match &self.platform {
            Some(platform) if platform.is_unknown() => {
                let kind = self.annotations.get(ENTRY_KIND);
                if kind.is_some_and(|kind| kind == ATTESTATION) {
                    EntryKind::Attestation
                } else {
                    EntryKind::Neither
                }
            }
            _ => EntryKind::Image,
        }
    }

    /// Whether the index says that it is provenance or an SBOM.
    pub fn is_attestation(&self) -> bool {
        self.kind() == EntryKind::Attestation
    }

    /// Parses a descriptor that names a document, which is small, or else a layer.
    pub(super) fn parse(value: &Value, is_document: bool) -> Result<Descriptor, Unclear> {
        let bad = |why: String| {
            let digest = value["digest"].as_str().unwrap_or("no digest");
            Unclear::new(format!("its descriptor of `{}` {why}", Printable(digest)))
        };
        let descriptor: Descriptor =
            serde_json::from_value(value.clone()).map_err(|why| bad(format!("is bad: {why}")))?;
        let most = if is_document {
            LONGEST
        } else {
            i64::MAX.unsigned_abs()
        };
        if descriptor.media_type.is_empty() {
            return Err(bad("has no `mediaType`".to_owned()));
        }
        if descriptor.size > most {
            return Err(bad(format!("has a size above {most} bytes")));
        }
        let has_urls = value.get("urls").is_some_and(|urls| {
            !urls.is_null() && urls.as_array().is_none_or(|urls| !urls.is_empty())
        });
        if has_urls || is_foreign(&descriptor.media_type) {
            return Err(bad("leads out of the registry (`urls`)".to_owned()));
        }
        if let Some(platform) = &descriptor.platform
            && (platform.os.is_empty() || platform.architecture.is_empty())
        {
            return Err(bad("has a platform without a name".to_owned()));
        }
        match value.get("data") {
            None | Some(Value::Null) => {}
            Some(data) => {
                let data = data.as_str().and_then(|data| STANDARD.decode(data).ok());
                if data.is_none_or(|data| Digest::of(&data) != descriptor.digest) {
                    return Err(bad("has other `data` than its digest says".to_owned()));
                }
            }
        }
        Ok(descriptor)
    }

    /// Checks that `bytes` are as many as it says, and of the media type that it says.
    pub(super) fn agrees(&self, bytes: &[u8], media_type: &str) -> Result<(), Unclear> {
        if u64::try_from(bytes.len()) != Ok(self.size) {
            return Err(Unclear::new(format!(
                "it has {} bytes instead of {}",
                bytes.len(),
                self.size
            )));
        }
        if media_type != self.media_type {
            return Err(Unclear::new(format!(
                "it says `{}`, and what leads to it says `{}`",
                Printable(media_type),
                Printable(&self.media_type)
            )));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A descriptor of `{}` with more fields.
    fn descriptor(more: &Value) -> Value {
        let mut value = json!({"mediaType": "m", "digest": Digest::of(b"{}"), "size": 2});
        for (key, field) in more.as_object().unwrap() {
            value[key] = field.clone();
        }
        value
    }

    #[test]
    fn a_descriptor_that_could_lead_elsewhere_is_refused() {
        for (more, expected) in [
            (json!({}), ""),
            (json!({"urls": [], "data": null}), ""),
            (json!({"urls": null, "com.example": 1}), ""),
            // As BuildKit and oras write the empty configuration.
            (json!({"data": "e30="}), ""),
            (json!({"data": "e31="}), "has other `data`"),
            (json!({"data": ""}), "has other `data`"),
            (json!({"data": 1}), "has other `data`"),
            (
                json!({"urls": ["https://example.org"]}),
                "out of the registry",
            ),
            (
                json!({"urls": "https://example.org"}),
                "out of the registry",
            ),
            (
                json!({"mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"}),
                "out of the registry",
            ),
            (json!({"mediaType": ""}), "has no `mediaType`"),
            (json!({"mediaType": null}), "is bad"),
            (json!({"size": -1}), "is bad"),
            (json!({"size": 1.0}), "is bad"),
            (json!({"size": "2"}), "is bad"),
            (json!({"size": u64::MAX}), "has a size above"),
            (json!({"digest": "sha512:00"}), "is bad"),
            (json!({"digest": "sha256:00"}), "is bad"),
            (json!({"platform": {"os": "linux"}}), "is bad"),
            (
                json!({"platform": {"os": "", "architecture": "amd64"}}),
                "without a name",
            ),
            (json!({"annotations": {"a": 1}}), "is bad"),
        ] {
            let why = Descriptor::parse(&descriptor(&more), false).err();
            let why = why.map_or(String::new(), |why| why.to_string());
            assert_eq!(why.is_empty(), expected.is_empty(), "{more}: {why}");
            assert!(why.contains(expected), "{more}: {why}");
        }
        let large = descriptor(&json!({"size": 5 << 20}));
        assert!(Descriptor::parse(&large, false).is_ok());
        assert!(Descriptor::parse(&large, true).is_err());
    }

    #[test]
    fn what_an_engine_could_run_is_an_image() {
        let (attestation, other) = (
            json!({ENTRY_KIND: "attestation-manifest"}),
            json!({ENTRY_KIND: "x"}),
        );
        let none = json!({});
        for (os, architecture, annotations, kind) in [
            ("linux", "amd64", &none, EntryKind::Image),
            ("linux", "amd64", &attestation, EntryKind::Image),
            ("unknown", "unknown", &attestation, EntryKind::Attestation),
            ("unknown", "unknown", &other, EntryKind::Neither),
            ("unknown", "unknown", &none, EntryKind::Neither),
            ("linux", "unknown", &attestation, EntryKind::Image),
            ("unknown", "amd64", &attestation, EntryKind::Image),
        ] {
            let platform = json!({"os": os, "architecture": architecture});
            let value = descriptor(&json!({"platform": platform, "annotations": annotations}));
            let entry = Descriptor::parse(&value, true).unwrap();
            assert_eq!(entry.kind(), kind, "{value}");
        }
        let bare = descriptor(&json!({"annotations": attestation}));
        let bare = Descriptor::parse(&bare, true).unwrap();
        assert_eq!(bare.kind(), EntryKind::Image);
    }
}
