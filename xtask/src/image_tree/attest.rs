//! Statements of ours in an index, each attached to an image as BuildKit attaches its provenance
//! (BuildKit, `attestation-storage.md`): every registry takes them, and every copy of the index has them.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Read};

use serde_json::{Value, json};

use super::content::Content;
use super::entries::IndexEntry;
use super::{ImageTree, join};
use crate::oci::{ATTESTATION_OF, Descriptor, Digest, IN_TOTO, MANIFEST};
use crate::store::Blobs;

/// The annotation of a statement with the type of what it says.
const PREDICATE_TYPE: &str = "in-toto.io/predicate-type";

/// An index with more attestations than before, and what a registry must have for them.
pub(crate) struct NewAttestations {
    pub(crate) tree: ImageTree,
    pub(crate) content: Content,
    pub(crate) blobs: BTreeMap<Digest, Vec<u8>>,
}

impl Blobs for NewAttestations {
    fn open<'a>(&'a self, digest: &Digest) -> io::Result<Box<dyn Read + 'a>> {
        match self.blobs.get(digest) {
            Some(bytes) => Ok(Box::new(&bytes[..])),
            None => Err(ErrorKind::NotFound.into()),
        }
    }
}

/// Attaches statements of one type, each to the image whose manifest it is named with.
///
/// The same statements make the same index.
pub(crate) fn attest(
    tree: &ImageTree,
    predicate_type: &str,
    statements: &[(&Digest, Vec<u8>)],
) -> anyhow::Result<NewAttestations> {
    let (mut entries, mut blobs) = (Vec::new(), BTreeMap::new());
    for (image, statement) in statements {
        let mut keep = |media_type: &str, bytes: Vec<u8>| {
            let descriptor = json!({
                "mediaType": media_type, "digest": Digest::of(&bytes), "size": bytes.len(),
            });
            blobs.insert(Digest::of(&bytes), bytes);
            descriptor
        };
        let mut layer = keep(IN_TOTO, statement.clone());
        layer["annotations"] = json!({PREDICATE_TYPE: predicate_type});
        let config = json!({
            "architecture": "unknown",
            "os": "unknown",
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]},
        });
        let config = keep(
            "application/vnd.oci.image.config.v1+json",
            config.to_string().into_bytes(),
        );
        let manifest = json!({
            "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer],
        });
        entries.push(entry(image, &manifest)?);
    }
    let mut part = tree.clone();
    part.attestations.extend(entries.iter().cloned());
    Ok(NewAttestations {
        tree: join(&[part])?,
        content: Content::of(entries),
        blobs,
    })
}

fn entry(image: &Digest, manifest: &Value) -> anyhow::Result<IndexEntry> {
    let bytes = manifest.to_string().into_bytes();
    let raw = json!({
        "mediaType": MANIFEST,
        "digest": Digest::of(&bytes),
        "size": bytes.len(),
        "annotations": {
            ATTESTATION_OF: image,
            "vnd.docker.reference.type": "attestation-manifest",
        },
        "platform": {"architecture": "unknown", "os": "unknown"},
    });
    let descriptor: Descriptor = serde_json::from_value(raw.clone())?;
    Ok(IndexEntry {
        manifest: descriptor.manifest(&bytes)?,
        raw,
        descriptor,
        bytes,
    })
}

impl ImageTree {
    /// The statements of a type that are attached to the image `digest`.
    pub(crate) fn statements_of<'a>(
        &'a self,
        digest: &'a Digest,
        predicate_type: &'a str,
    ) -> impl Iterator<Item = &'a Descriptor> {
        let attestations = self.attestations.iter().filter(move |entry| {
            let of = entry.descriptor.annotations.get(ATTESTATION_OF);
            of.is_some_and(|of| of == digest.as_str())
        });
        let statements = attestations.flat_map(|entry| &entry.manifest.layers);
        statements.filter(move |statement| {
            let kind = statement.annotations.get(PREDICATE_TYPE);
            kind.is_some_and(|kind| kind == predicate_type)
        })
    }
}
