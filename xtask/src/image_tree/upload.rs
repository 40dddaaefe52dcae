//! Uploads everything below an index: blobs first, then manifests. The caller writes the tag.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use anyhow::Context as _;

use super::content::{Blob, Content};
use crate::oci::Digest;
use crate::registry::{Pusher, Upload};
use crate::store::Blobs;
use crate::{report, threads};

/// How many blobs are uploaded at a time; docker's own limit is 5.
const AT_ONCE: usize = 4;

/// What was uploaded.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sent {
    pub(crate) blobs: usize,
    /// Their size.
    pub(crate) bytes: u64,
    /// Blobs that the registry had already.
    pub(crate) present: usize,
}

/// Blobs that another repository has.
pub(crate) struct Near<'a> {
    /// The same repository's, which mounts them from there if that is in the same registry.
    pub(crate) pusher: Pusher,
    pub(crate) blobs: BTreeSet<&'a Digest>,
}

/// Uploads the blobs and manifests of all parts, and no tag.
pub(crate) fn upload<B: Blobs>(
    to: &Pusher,
    near: Option<&Near>,
    parts: &[(&B, &Content)],
) -> anyhow::Result<Sent> {
    let mut seen = BTreeSet::new();
    let mut blobs: Vec<(&B, &Blob)> = parts
        .iter()
        .flat_map(|(from, content)| content.blobs.iter().map(|blob| (*from, blob)))
        .filter(|(_, blob)| seen.insert(&blob.digest))
        .collect();
    // Blobs are taken from the end, the largest first.
    blobs.sort_by_key(|(_, blob)| blob.size);
    let sent = Mutex::new(Sent::default());
    let (blobs, failed) = (Mutex::new(blobs), AtomicBool::new(false));
    let lock = |sent| Mutex::lock(sent).unwrap_or_else(PoisonError::into_inner);
    let work = || -> anyhow::Result<()> {
        while !failed.load(Ordering::Relaxed) {
            let next = blobs.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let Some((from, blob)) = next else {
                return Ok(());
            };
            let near = near.filter(|near| near.blobs.contains(&blob.digest));
            match one(near.map_or(to, |near| &near.pusher), from, blob) {
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
        to.push_manifest(digest, &manifest.media_type, &manifest.bytes)?;
    }
    Ok(sent.into_inner().unwrap_or_else(PoisonError::into_inner))
}

fn one<B: Blobs>(to: &Pusher, from: &B, blob: &Blob) -> anyhow::Result<Upload> {
    let start = Instant::now();
    let digest: &Digest = &blob.digest;
    let upload = to
        .upload(digest, blob.size, || from.open(digest))
        .with_context(|| format!("failed to push blob `{digest}`"))?;
    if upload == Upload::Sent {
        let (size, time) = (report::bytes(blob.size), report::seconds(start.elapsed()));
        crate::say::errln!("pushed {size} in {time} ({})", digest.short());
    }
    Ok(upload)
}
