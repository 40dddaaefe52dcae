//! The upload of what was built: blobs first, then the manifests that name them, the tag last.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use anyhow::Context as _;

use crate::image::layout::{Blob, Content, Layout};
use crate::oci::Digest;
use crate::registry::{Registry, Upload};
use crate::{report, threads};

/// How many blobs are uploaded at a time; docker's own limit is 5.
const AT_ONCE: usize = 4;

/// What an upload took.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sent {
    pub(super) blobs: usize,
    /// Bytes of those blobs.
    pub(super) bytes: u64,
    /// Blobs that the registry had.
    pub(super) present: usize,
}

/// Uploads all that `content` names, but no tag: nothing is seen of it yet.
pub(super) fn upload(registry: &Registry, parts: &[(&Layout, &Content)]) -> anyhow::Result<Sent> {
    let mut seen = BTreeSet::new();
    let mut blobs: Vec<(&Layout, &Blob)> = parts
        .iter()
        .flat_map(|(layout, content)| content.blobs.iter().map(|blob| (*layout, blob)))
        .filter(|(_, blob)| seen.insert(&blob.digest))
        .collect();
    // The largest is begun first; they are taken from the end.
    blobs.sort_by_key(|(_, blob)| blob.size);
    let sent = Mutex::new(Sent::default());
    let (blobs, failed) = (Mutex::new(blobs), AtomicBool::new(false));
    let lock = |sent| Mutex::lock(sent).unwrap_or_else(PoisonError::into_inner);
    let work = || -> anyhow::Result<()> {
        while !failed.load(Ordering::Relaxed) {
            let next = blobs.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let Some((layout, blob)) = next else {
                return Ok(());
            };
            match one(registry, layout, blob) {
                Ok(Upload::Sent) => {
                    let mut sent = lock(&sent);
                    sent.blobs += 1;
                    sent.bytes += blob.size;
                }
                Ok(Upload::Present) => lock(&sent).present += 1,
                Err(error) => {
                    failed.store(true, Ordering::Relaxed);
                    return Err(error);
                }
            }
        }
        Ok(())
    };
    threads::all([work; AT_ONCE])?;
    let manifests = parts.iter().flat_map(|(_, content)| &content.manifests);
    for manifest in manifests {
        let digest = manifest.digest.as_str();
        registry.push_manifest(digest, &manifest.media_type, &manifest.bytes)?;
    }
    Ok(sent.into_inner().unwrap_or_else(PoisonError::into_inner))
}

fn one(registry: &Registry, layout: &Layout, blob: &Blob) -> anyhow::Result<Upload> {
    let start = Instant::now();
    let digest: &Digest = &blob.digest;
    let upload = registry
        .upload(digest, blob.size, || layout.open(digest))
        .with_context(|| format!("failed to push blob `{digest}`"))?;
    if upload == Upload::Sent {
        let (size, time) = (report::bytes(blob.size), report::seconds(start.elapsed()));
        anstream::eprintln!("pushed {size} in {time} ({})", digest.short());
    }
    Ok(upload)
}
