//! Reads from a registry: manifests, blobs and the list of tags.

use anyhow::{Context as _, bail, ensure};
use serde::Deserialize;
use ureq::http::StatusCode;
use ureq::http::header::{CONTENT_LENGTH, LINK};

use super::{Answer, Registry, says_absent};
use crate::oci::Digest;
use crate::retry::Transient;

/// The longest document that is read, in bytes; the distribution project's own limit is 4 MiB.
const LONGEST: u64 = 8 << 20;
/// More pages of tags than this are taken for a loop.
const PAGES: usize = 1000;

impl Registry {
    /// The index or manifest that `version`, a tag or a digest, leads to: the digest, hashed here,
    /// and the bytes. None when the registry says that it is absent.
    ///
    /// Fails when `version` is a digest and the bytes have another one.
    pub fn manifest(&self, version: &str) -> anyhow::Result<Option<(Digest, Vec<u8>)>> {
        let what = format!("{}:{version}", self.repository);
        let answer = self.get(&format!("manifests/{version}"), &what)?;
        let Some(bytes) = self.document(answer, &what)? else {
            return Ok(None);
        };
        let digest = Digest::of(&bytes);
        if let Ok(asked) = version.parse::<Digest>() {
            ensure!(
                asked == digest,
                "`{}` answers for `{asked}` with other bytes (`{digest}`); hint: a proxy or the \
                 registry's store is broken, ask its operator",
                self.base
            );
        }
        Ok(Some((digest, bytes)))
    }

    /// A blob that is JSON; none when the registry says that it is absent.
    pub fn json(&self, digest: &Digest) -> anyhow::Result<Option<serde_json::Value>> {
        let what = self.repository.by_digest(digest);
        let answer = self.get(&format!("blobs/{digest}"), &what)?;
        let Some(bytes) = self.document(answer, &what)? else {
            return Ok(None);
        };
        ensure!(
            Digest::of(&bytes) == *digest,
            "`{}` answers for `{digest}` with other bytes; hint: a proxy or the registry's store is \
             broken, ask its operator",
            self.base
        );
        let json = serde_json::from_slice(&bytes);
        json.map(Some)
            .with_context(|| format!("`{what}` is not JSON"))
    }

    /// Whether the registry has the blob, without reading it.
    pub fn has_blob(&self, digest: &Digest) -> anyhow::Result<bool> {
        Ok(self.blob_size(digest)?.is_some())
    }

    /// The size of a blob in bytes, without reading it; 0 when the registry does not give it, and
    /// none when the blob is absent.
    pub(crate) fn blob_size(&self, digest: &Digest) -> anyhow::Result<Option<u64>> {
        let what = self.repository.by_digest(digest);
        let url = self.url(&format!("blobs/{digest}"));
        let answer = self.ask(|| self.agent.head(&url), &what)?;
        match answer.status() {
            StatusCode::OK => {
                let length = answer.headers().get(CONTENT_LENGTH);
                let length = length.and_then(|length| length.to_str().ok()?.parse().ok());
                Ok(Some(length.unwrap_or_default()))
            }
            StatusCode::NOT_FOUND => Ok(None),
            status => Err(self.refused(status, &what)),
        }
    }

    /// Every tag of the repository; an empty list when the repository is absent.
    pub fn tags(&self) -> anyhow::Result<Vec<String>> {
        #[derive(Deserialize)]
        struct Page {
            // Go writes an empty list as `null`.
            tags: Option<Vec<String>>,
        }
        let what = format!("the tags of {}", self.repository);
        let mut tags = Vec::new();
        let mut page = "tags/list?n=1000".to_owned();
        for _ in 0..PAGES {
            let answer = self.get(&page, &what)?;
            let link = answer.headers().get(LINK);
            let next = link.and_then(|link| next(link.to_str().ok()?));
            let Some(bytes) = self.document(answer, &what)? else {
                return Ok(tags);
            };
            let found: Page = serde_json::from_slice(&bytes)
                .with_context(|| format!("`{}` lists {what} in an unknown form", self.base))?;
            tags.extend(found.tags.unwrap_or_default());
            match next {
                Some(next) => page = format!("tags/list?{next}"),
                None => return Ok(tags),
            }
        }
        bail!("`{}` lists {what} without an end", self.base)
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("{}/v2/{}/{path}", self.base, self.repository.path())
    }

    fn get(&self, path: &str, what: &str) -> anyhow::Result<Answer> {
        let url = self.url(path);
        self.ask(|| self.agent.get(&url), what)
    }

    /// The body of an answer; none when the registry says that the thing is absent.
    fn document(&self, mut answer: Answer, what: &str) -> anyhow::Result<Option<Vec<u8>>> {
        let status = answer.status();
        let body = answer.body_mut().with_config().limit(LONGEST);
        let bytes = body.read_to_vec();
        match status {
            StatusCode::OK => {
                let bytes = bytes.map_err(|error| {
                    let text = format!("`{}` broke off while it sent `{what}`", self.base);
                    let text = format!("{text}; hint: check the network and try again");
                    Transient::new(text).caused_by(error)
                })?;
                Ok(Some(bytes))
            }
            StatusCode::NOT_FOUND => {
                if says_absent(&String::from_utf8_lossy(&bytes.unwrap_or_default())) {
                    return Ok(None);
                }
                Err(self.unknown_answer(status, what))
            }
            status => Err(self.refused(status, what)),
        }
    }
}

/// The query of the next page, from a `Link` header (distribution spec, "Listing tags").
fn next(link: &str) -> Option<String> {
    let (url, parameters) = link.strip_prefix('<')?.split_once('>')?;
    let is_next = parameters.contains("rel=\"next\"") || parameters.contains("rel=next");
    let (_, query) = url.split_once('?')?;
    is_next.then(|| query.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_is_named_by_a_link() {
        for (link, query) in [
            (
                "</v2/a/tags/list?n=2&last=b>; rel=\"next\"",
                Some("n=2&last=b"),
            ),
            ("<https://x/v2/a/tags/list?last=b>;rel=next", Some("last=b")),
            ("</v2/a/tags/list?n=2>; rel=\"prev\"", None),
            ("</v2/a/tags/list>; rel=\"next\"", None),
            ("", None),
        ] {
            assert_eq!(next(link).as_deref(), query, "{link}");
        }
    }
}
