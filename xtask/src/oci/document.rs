//! Indexes and manifests: the one place that parses them.

use std::collections::BTreeSet;

use serde_json::Value;

use super::descriptor::Descriptor;
use super::digest::Digest;
use super::json;
use super::media_type::{is_index, is_manifest};
use super::shape::DOCUMENT;
use super::unclear::Unclear;
use crate::platform::Platform;
use crate::printable::Printable;

/// Several manifests under one digest, one for each platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Index {
    /// Its own `mediaType`.
    pub media_type: String,
    pub manifests: Vec<Descriptor>,
}

impl Index {
    /// The entry of the image for a platform; none when there is none. Of several the first counts, as for engines.
    pub fn image_for(&self, platform: Platform) -> Option<&Descriptor> {
        let is_for = |entry: &&Descriptor| {
            let own = entry.platform.as_ref();
            own.is_some_and(|own| own.is(platform))
        };
        self.manifests.iter().find(is_for)
    }
}

/// One image for one platform (or one attestation).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// Its own `mediaType`.
    pub media_type: String,
    pub config: Descriptor,
    /// The lowest first.
    pub layers: Vec<Descriptor>,
    /// The manifest that this one says something of.
    pub subject: Option<Digest>,
}

impl Manifest {
    /// The ends of the layers' media types: `gzip`, `zstd`, or `tar` for none.
    pub fn compressions(&self) -> BTreeSet<String> {
        let types = self.layers.iter().map(|layer| &*layer.media_type);
        let ends = types.filter_map(|name| name.rsplit(['.', '+']).next());
        ends.map(ToOwned::to_owned).collect()
    }
}

/// What the digest of an image can lead to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Document {
    Index(Index),
    Manifest(Manifest),
}

/// The fields of the other kind, and of Docker's schema 1 (CVE-2021-41190).
const NO_INDEX: [&str; 6] = [
    "config",
    "layers",
    "blobs",
    "fsLayers",
    "history",
    "signatures",
];
const NO_MANIFEST: [&str; 5] = ["manifests", "blobs", "fsLayers", "history", "signatures"];

impl Document {
    /// Parses an index or a manifest.
    ///
    /// Fails with [`Unclear`] for what is neither, and for what programs may read in different ways: what
    /// has a key twice or in another case, has the fields of both, does not say in `mediaType` which it is, or
    /// has a descriptor that leads elsewhere than its digest says.
    pub fn parse(bytes: &[u8]) -> Result<Document, Unclear> {
        let value = json::parse(bytes, &DOCUMENT)?;
        let media_type = match value.get("mediaType") {
            Some(Value::String(media_type)) => media_type.as_str(),
            _ => return Err(Unclear::new("it has no `mediaType`")),
        };
        if value.get("schemaVersion").and_then(Value::as_u64) != Some(2) {
            return Err(Unclear::new("its `schemaVersion` is not 2"));
        }
        let others: &[&str] = match media_type {
            one if is_index(one) => &NO_INDEX,
            one if is_manifest(one) => &NO_MANIFEST,
            other => {
                let other = Printable(other);
                return Err(Unclear::new(format!(
                    "it is neither an index nor a manifest of an image, but `{other}`"
                )));
            }
        };
        if let Some(other) = others.iter().find(|other| value.get(**other).is_some()) {
            return Err(Unclear::new(format!(
                "it says `{media_type}`, and has `{other}` of another kind"
            )));
        }
        let media_type = media_type.to_owned();
        if is_index(&media_type) {
            let manifests = descriptors(&value["manifests"], "manifests", true)?;
            return Ok(Document::Index(Index {
                media_type,
                manifests,
            }));
        }
        let config = value.get("config").filter(|config| !config.is_null());
        let config = config.ok_or_else(|| Unclear::new("it has no `config`"))?;
        let subject = value.get("subject").filter(|subject| !subject.is_null());
        Ok(Document::Manifest(Manifest {
            media_type,
            config: Descriptor::parse(config, true)?,
            // BuildKit writes an image without layers so.
            layers: match value.get("layers") {
                Some(Value::Null) => Vec::new(),
                _ => descriptors(&value["layers"], "layers", false)?,
            },
            subject: match subject {
                Some(subject) => Some(Descriptor::parse(subject, true)?.digest),
                None => None,
            },
        }))
    }

    /// Its own `mediaType`.
    pub fn media_type(&self) -> &str {
        match self {
            Document::Index(index) => &index.media_type,
            Document::Manifest(manifest) => &manifest.media_type,
        }
    }
}

impl Descriptor {
    /// Parses the index or the manifest that this names.
    ///
    /// Fails as [`Document::parse`] does, and where it is not of the size or the media type that this says.
    pub fn document(&self, bytes: &[u8]) -> Result<Document, Unclear> {
        let document = Document::parse(bytes)?;
        self.agrees(bytes, document.media_type())?;
        Ok(document)
    }

    /// Parses the manifest that this names. Fails as [`Descriptor::document`] does, and for an index.
    pub fn manifest(&self, bytes: &[u8]) -> Result<Manifest, Unclear> {
        match self.document(bytes)? {
            Document::Manifest(manifest) => Ok(manifest),
            Document::Index(_) => Err(Unclear::new("it is an index")),
        }
    }
}

fn descriptors(list: &Value, name: &str, are_documents: bool) -> Result<Vec<Descriptor>, Unclear> {
    let list = list.as_array();
    let list = list.ok_or_else(|| Unclear::new(format!("it has no `{name}`")))?;
    let parsed = list.iter().map(|one| Descriptor::parse(one, are_documents));
    parsed.collect()
}

/// What the `index.json` of an image layout leads to. It need not say what it is (image-spec 1.1, "Image
/// Layout").
pub(crate) fn roots(bytes: &[u8]) -> Result<Vec<Descriptor>, Unclear> {
    descriptors(&unambiguous(bytes)?["manifests"], "manifests", true)
}

/// Parses any document that a tag may lead to, an image's or not, if no key of it can be taken in two ways.
pub(crate) fn unambiguous(bytes: &[u8]) -> Result<Value, Unclear> {
    json::parse(bytes, &DOCUMENT)
}

#[cfg(test)]
mod tests;
