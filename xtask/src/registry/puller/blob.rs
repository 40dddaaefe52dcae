//! Blobs: whether one is there, and how large it is.

use anyhow::bail;
use ureq::http::{Method, StatusCode};

use super::{ANY, Puller};
use crate::oci::Digest;

impl Puller {
    /// Whether the registry has the blob, without reading it.
    pub fn has_blob(&self, digest: &Digest) -> anyhow::Result<bool> {
        Ok(self.blob_size(digest)?.is_some())
    }

    /// The size of a blob in bytes, without reading it; 0 when the registry does not give it, and
    /// none when the blob is absent.
    pub(crate) fn blob_size(&self, digest: &Digest) -> anyhow::Result<Option<u64>> {
        let what = self.repository().by_digest(digest);
        let url = self.transport().url(&["blobs", digest.as_str()], &what)?;
        for method in [Method::HEAD, Method::GET] {
            let request = self.request(method.clone(), url.clone(), ANY, &what);
            let answer = self.transport().send(&request)?;
            match answer.status {
                status if status.is_success() => {
                    return Ok(Some(answer.length().unwrap_or_default()));
                }
                StatusCode::NOT_FOUND => return Ok(None),
                // Some registries know no HEAD or forbid it, and a signed address may be good for a GET alone.
                _ if method == Method::HEAD => {}
                _ => return Err(self.refused(answer, &what)),
            }
        }
        bail!("neither a HEAD nor a GET of `{what}` was answered")
    }
}
