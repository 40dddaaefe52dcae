//! The list of a manifest's referrers, as a registry answers it and as clients keep it under a tag
//! (distribution-spec 1.1, "Listing Referrers" and "Referrers Tag Schema").

use std::collections::BTreeMap;

use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};

use super::artifact::{ArtifactManifest, artifact_type};
use super::descriptor::Descriptor;
use super::digest::Digest;
use super::document::unambiguous;
use super::json::LONGEST;
use super::media_type::INDEX;
use super::unclear::Unclear;
use crate::printable::Printable;

/// An entry of such a list: a manifest whose `subject` is another one. What it says of the manifest was
/// written by whoever wrote the list, and may be wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Referrer {
    /// With its annotations.
    pub descriptor: Descriptor,
    /// None where the entry has none.
    pub artifact_type: Option<String>,
}

impl Referrer {
    /// The entry that the specification asks for (distribution-spec 1.1, "Pushing Manifests with Subject").
    pub fn of(manifest: &ArtifactManifest, bytes: &[u8]) -> Referrer {
        Referrer {
            descriptor: Descriptor {
                media_type: manifest.manifest.media_type.clone(),
                digest: Digest::of(bytes),
                size: bytes.len() as u64,
                platform: None,
                annotations: manifest.annotations.clone(),
            },
            artifact_type: Some(manifest.artifact_type.clone()),
        }
    }

    pub fn digest(&self) -> &Digest {
        &self.descriptor.digest
    }

    fn parse(value: &Value) -> Result<Referrer, Unclear> {
        Ok(Referrer {
            descriptor: Descriptor::parse(value, true)?,
            artifact_type: artifact_type(value)?,
        })
    }

    fn to_value(&self) -> Value {
        let Descriptor {
            media_type,
            digest,
            size,
            annotations,
            ..
        } = &self.descriptor;
        let mut value = json!({"mediaType": media_type, "digest": digest, "size": size});
        if let Some(artifact_type) = &self.artifact_type {
            value["artifactType"] = json!(artifact_type);
        }
        if !annotations.is_empty() {
            value["annotations"] = json!(annotations);
        }
        value
    }
}

/// A list of referrers that is written again with the entries of others as they were, byte for byte.
#[derive(Clone, Debug)]
pub(crate) struct ReferrerIndex {
    /// Everything but the entries.
    fields: BTreeMap<String, Box<RawValue>>,
    entries: Vec<Entry>,
}

#[derive(Clone, Debug)]
struct Entry {
    raw: Box<RawValue>,
    /// Or why nobody knows what it leads to, such as a digest that is no SHA-256.
    parsed: Result<Referrer, Unclear>,
}

impl ReferrerIndex {
    /// Parses a list.
    ///
    /// Fails for what is no OCI index, and for what programs may read in different ways. One entry that
    /// cannot be read is no fault of the others: it is kept and not listed.
    pub(crate) fn parse(bytes: &[u8]) -> Result<ReferrerIndex, Unclear> {
        let value = unambiguous(bytes)?;
        match value.get("mediaType").and_then(Value::as_str) {
            Some(INDEX) => {}
            Some(other) => {
                let other = Printable(other);
                return Err(Unclear::new(format!("it is no OCI index, but `{other}`")));
            }
            None => return Err(Unclear::new("it has no `mediaType`")),
        }
        if value.get("schemaVersion").and_then(Value::as_u64) != Some(2) {
            return Err(Unclear::new("its `schemaVersion` is not 2"));
        }
        if let Some(odd) = ["config", "layers"]
            .iter()
            .find(|it| value.get(**it).is_some())
        {
            return Err(Unclear::new(format!("it is an index, and has `{odd}`")));
        }
        let bad = |why: serde_json::Error| Unclear::new(format!("it cannot be read ({why})"));
        let mut fields: BTreeMap<String, Box<RawValue>> =
            serde_json::from_slice(bytes).map_err(bad)?;
        // Go writes an empty list as `null`.
        let raw: Option<Vec<Box<RawValue>>> = match fields.remove("manifests") {
            Some(manifests) => serde_json::from_str(manifests.get()).map_err(bad)?,
            None => return Err(Unclear::new("it has no `manifests`")),
        };
        let entries = raw.unwrap_or_default().into_iter().map(|raw| {
            let value: Value = serde_json::from_str(raw.get()).map_err(bad)?;
            let parsed = Referrer::parse(&value);
            Ok(Entry { raw, parsed })
        });
        Ok(ReferrerIndex {
            entries: entries.collect::<Result<_, Unclear>>()?,
            fields,
        })
    }

    /// A list without entries.
    pub(crate) fn empty() -> anyhow::Result<ReferrerIndex> {
        let fields = [("schemaVersion", json!(2)), ("mediaType", json!(INDEX))];
        let raw = fields.map(|(key, value)| Ok((key.to_owned(), to_raw_value(&value)?)));
        Ok(ReferrerIndex {
            fields: raw.into_iter().collect::<serde_json::Result<_>>()?,
            entries: Vec::new(),
        })
    }

    /// In the order of the list.
    pub(crate) fn referrers(&self) -> impl Iterator<Item = &Referrer> {
        self.entries
            .iter()
            .filter_map(|entry| entry.parsed.as_ref().ok())
    }

    pub(crate) fn has(&self, digest: &Digest) -> bool {
        self.referrers().any(|referrer| referrer.digest() == digest)
    }

    /// Adds an entry at the end, unless there is one of its digest.
    pub(crate) fn add(&mut self, referrer: &Referrer) -> anyhow::Result<()> {
        if !self.has(referrer.digest()) {
            self.entries.push(Entry {
                raw: to_raw_value(&referrer.to_value())?,
                parsed: Ok(referrer.clone()),
            });
        }
        Ok(())
    }

    /// Removes every entry of a digest.
    pub(crate) fn remove(&mut self, digest: &Digest) {
        let is_other = |entry: &Entry| entry.parsed.as_ref().map(Referrer::digest) != Ok(digest);
        self.entries.retain(is_other);
    }

    /// The list, as it is pushed. Fails when it is longer than registries take.
    pub(crate) fn to_bytes(&self) -> anyhow::Result<Vec<u8>> {
        let raw: Vec<&RawValue> = self.entries.iter().map(|entry| &*entry.raw).collect();
        let mut fields: BTreeMap<&str, &RawValue> = BTreeMap::new();
        fields.extend(
            self.fields
                .iter()
                .map(|(key, value)| (key.as_str(), &**value)),
        );
        let manifests = to_raw_value(&raw)?;
        fields.insert("manifests", &manifests);
        let bytes = serde_json::to_vec(&fields)?;
        anyhow::ensure!(
            u64::try_from(bytes.len())? <= LONGEST,
            "the list of referrers would be longer than 4 MiB, which registries do not take; hint: \
             remove old ones from it"
        );
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests;
