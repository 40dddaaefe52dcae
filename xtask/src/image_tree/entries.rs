//! An index with the manifests that it names, all of them read, before anybody asks what they are for.

use serde_json::{Value, json};

use super::broken::{Broken, broken};
use crate::oci::{Descriptor, Digest, Document, Index, Manifest, attestation_fault};
use crate::store::ManifestStore;
use crate::threads;

/// An index or a lone manifest, read down to the manifests.
#[derive(Debug)]
pub(super) struct Root {
    pub(super) media_type: String,
    pub(super) is_index: bool,
    /// In the order of the index; a lone manifest is its own entry.
    pub(super) entries: Vec<IndexEntry>,
}

/// An entry of an index, and what it leads to.
#[derive(Clone, Debug)]
pub(crate) struct IndexEntry {
    /// Its JSON as it is.
    pub(crate) raw: Value,
    pub(crate) descriptor: Descriptor,
    pub(crate) manifest: Manifest,
    /// The manifest's bytes.
    pub(crate) bytes: Vec<u8>,
}

/// Reads an index, or a manifest, and every manifest below it, attestations included.
///
/// Fails with [`Broken`] when something is missing, is not what its entry says, or can be read in two ways,
/// and with another error when `store` does not answer.
pub(super) fn read(bytes: &[u8], store: &impl ManifestStore) -> anyhow::Result<Root> {
    let document = Document::parse(bytes).map_err(|why| broken("it cannot be read:", why))?;
    let media_type = document.media_type().to_owned();
    let index = match document {
        Document::Index(index) => index,
        Document::Manifest(manifest) => {
            let entry = lone(manifest, bytes)?;
            let root = Root {
                media_type,
                is_index: false,
                entries: vec![entry],
            };
            return Ok(root);
        }
    };
    let value: Value = serde_json::from_slice(bytes)?;
    let raw = value["manifests"].as_array().into_iter().flatten();
    let named: Vec<(&Value, &Descriptor)> = raw.zip(&index.manifests).collect();
    let found = threads::each(&named, |(_, descriptor)| {
        let found = store.manifest(&descriptor.digest)?;
        Ok(found.ok_or_else(|| Broken::of(name(descriptor), "is missing")))
    })?;
    let entries = named.into_iter().zip(found);
    let entries = entries
        .map(|((raw, descriptor), found)| entry(raw, descriptor, found?, &index))
        .collect::<Result<_, Broken>>()?;
    Ok(Root {
        media_type,
        is_index: true,
        entries,
    })
}

/// How errors call an entry.
pub(super) fn name(descriptor: &Descriptor) -> String {
    let digest = &descriptor.digest;
    match &descriptor.platform {
        Some(platform) => format!("its manifest `{digest}` ({platform})"),
        None => format!("its manifest `{digest}`"),
    }
}

fn entry(
    raw: &Value,
    descriptor: &Descriptor,
    bytes: Vec<u8>,
    index: &Index,
) -> Result<IndexEntry, Broken> {
    let why = |why: &dyn std::fmt::Display| Broken::of(name(descriptor), why);
    if Digest::of(&bytes) != descriptor.digest {
        return Err(why(&"has other bytes than its digest says"));
    }
    let manifest = descriptor.manifest(&bytes);
    let manifest = manifest.map_err(|fault| why(&format!("is not a manifest: {fault}")))?;
    if descriptor.kind() != crate::oci::EntryKind::Image
        && let Some(fault) = attestation_fault(descriptor, Some(&manifest), index)
    {
        return Err(Broken::of("its", fault));
    }
    Ok(IndexEntry {
        raw: raw.clone(),
        descriptor: descriptor.clone(),
        manifest,
        bytes,
    })
}

/// The entry that a lone manifest would have.
fn lone(manifest: Manifest, bytes: &[u8]) -> anyhow::Result<IndexEntry> {
    let raw = json!({
        "mediaType": manifest.media_type,
        "digest": Digest::of(bytes),
        "size": bytes.len(),
    });
    Ok(IndexEntry {
        descriptor: serde_json::from_value(raw.clone())?,
        raw,
        manifest,
        bytes: bytes.to_vec(),
    })
}
