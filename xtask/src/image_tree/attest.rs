//! Statements of ours as entries of an index, each of an image, as BuildKit attaches its provenance
//! (BuildKit, `attestation-storage.md`): every registry takes them, and every copy of the index has them.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Read};

use serde_json::{Value, json};

use super::entries::IndexEntry;
use crate::oci::{
    ATTESTATION, ATTESTATION_OF, Descriptor, Digest, ENTRY_KIND, IN_TOTO, MANIFEST, PREDICATE_TYPE,
};
use crate::store::Blobs;

/// Blobs that were made here.
#[derive(Default)]
pub(crate) struct MadeBlobs(BTreeMap<Digest, Vec<u8>>);

impl MadeBlobs {
    /// Keeps bytes, and returns their descriptor.
    fn keep(&mut self, media_type: &str, bytes: Vec<u8>) -> Value {
        let digest = Digest::of(&bytes);
        let descriptor = json!({"mediaType": media_type, "digest": digest, "size": bytes.len()});
        self.0.insert(digest, bytes);
        descriptor
    }
}

impl Blobs for MadeBlobs {
    fn open<'a>(&'a self, digest: &Digest) -> io::Result<Box<dyn Read + 'a>> {
        match self.0.get(digest) {
            Some(bytes) => Ok(Box::new(&bytes[..])),
            None => Err(ErrorKind::NotFound.into()),
        }
    }
}

/// The entry of a statement of the image `digest`. What it leads to is kept in `blobs`.
pub(super) fn entry(
    digest: &Digest,
    predicate_type: &str,
    statement: &[u8],
    blobs: &mut MadeBlobs,
) -> anyhow::Result<IndexEntry> {
    let mut layer = blobs.keep(IN_TOTO, statement.to_vec());
    layer["annotations"] = json!({PREDICATE_TYPE: predicate_type});
    let config = json!({
        "architecture": "unknown",
        "os": "unknown",
        "config": {},
        "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]},
    });
    let config = blobs.keep(
        "application/vnd.oci.image.config.v1+json",
        config.to_string().into_bytes(),
    );
    let manifest = json!({
        "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer],
    });
    let bytes = manifest.to_string().into_bytes();
    let raw = json!({
        "mediaType": MANIFEST,
        "digest": Digest::of(&bytes),
        "size": bytes.len(),
        "annotations": {
            ATTESTATION_OF: digest,
            ENTRY_KIND: ATTESTATION,
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

impl IndexEntry {
    /// The statements of a type that the entry has of the image `digest`.
    pub(super) fn statements_of<'a>(
        &'a self,
        digest: &Digest,
        predicate_type: &'a str,
    ) -> impl Iterator<Item = &'a Descriptor> + use<'a> {
        let of = self.descriptor.annotations.get(ATTESTATION_OF);
        let is_of = of.is_some_and(|of| of == digest.as_str());
        let statements = self.manifest.layers.iter().filter(move |_| is_of);
        statements.filter(move |statement| {
            let kind = statement.annotations.get(PREDICATE_TYPE);
            kind.is_some_and(|kind| kind == predicate_type)
        })
    }
}
