//! Which images of a release our signer has signed.

use crate::oci::{Digest, Document};
use crate::proof::{Bundle, SIGNATURE, Signer};
use crate::referrers::{self, Content};
use crate::registry::Puller;

/// What is signed of an index (or manifest) with these bytes: the index, which names everything, and the images
/// that are pulled by their own digests.
pub(super) fn images(bytes: &[u8]) -> anyhow::Result<Vec<Digest>> {
    let mut digests = vec![Digest::of(bytes)];
    if let Document::Index(index) = Document::parse(bytes)? {
        let entries = index.manifests.into_iter();
        let images = entries.filter(|entry| !entry.is_attestation());
        digests.extend(images.map(|entry| entry.digest));
    }
    Ok(digests)
}

/// The digests that have no signature by `signer` in the repository.
pub(super) fn unsigned(
    signer: &Signer,
    puller: &Puller,
    digests: &[Digest],
) -> anyhow::Result<Vec<Digest>> {
    let mut unsigned = Vec::new();
    for digest in digests {
        if !is_signed(signer, puller, digest)? {
            unsigned.push(digest.clone());
        }
    }
    Ok(unsigned)
}

fn is_signed(signer: &Signer, puller: &Puller, digest: &Digest) -> anyhow::Result<bool> {
    for (_, content) in referrers::find(puller, digest, SIGNATURE)?.read {
        if let Content::Artifact(artifact) = content
            && let Ok(bundle) = Bundle::parse(&artifact.layer)
            && signer.has_signed(&bundle, digest)?
        {
            return Ok(true);
        }
    }
    Ok(false)
}
