//! Blobs: whether one is there, how large it is, and its bytes as they arrive.

use std::io::{self, ErrorKind, Read};

use anyhow::bail;
use ureq::http::{Method, StatusCode};

use super::{ANY, Puller};
use crate::oci::Digest;
use crate::printable::Printable;
use crate::retry::Transient;
use crate::store::Blobs as _;

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

    /// Has `read` read a blob, from its begin again where the connection breaks.
    ///
    /// Fails where the registry does not give the blob out; where `read` has read to the end, also where the
    /// bytes are not those of `digest`.
    pub fn read_blob<T>(
        &self,
        digest: &Digest,
        mut read: impl FnMut(&mut dyn Read) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        self.transport().retrying(|| {
            let mut stream = Stream {
                inner: self.open(digest)?,
                broke: None,
            };
            let result = read(&mut stream);
            match (result, stream.broke) {
                (Err(error), Some(why)) => {
                    let text = format!(
                        "`{}` broke off ({}): {:#}",
                        self.repository().by_digest(digest),
                        Printable(&why),
                        error
                    );
                    Err(Transient::new(text).into())
                }
                (result, _) => result,
            }
        })
    }
}

/// Notes why a connection broke: who reads may say it in words of its own.
struct Stream<'a> {
    inner: Box<dyn Read + 'a>,
    broke: Option<String>,
}

impl Read for Stream<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let result = self.inner.read(buffer);
        if let Err(error) = &result
            // Other bytes than the digest's would come again.
            && error.kind() != ErrorKind::InvalidData
        {
            self.broke = Some(error.to_string());
        }
        result
    }
}
