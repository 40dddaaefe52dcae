//! Reads a repository: tags, manifests and blobs. Asks for permission to pull, and for no more.

mod blob;
mod documents;
mod referrers;
mod tags;

use std::io::{self, ErrorKind, Read};

use anyhow::anyhow;
use ureq::http::header::{CONTENT_TYPE, HeaderName};
use ureq::http::{Method, StatusCode};
use url::Url;

use super::address;
use super::answer::{Access, Unusable};
use super::endpoint::{Endpoint, Known};
use super::token::Scopes;
use super::transport::{Answer, Body, Request, Transport};
use super::verified::Verified;
use super::wire::{self, Time};
use crate::exec::Exec;
use crate::oci::{Digest, Unclear};
use crate::printable::Printable;
use crate::reference::Repository;
use crate::retry::Transient;
use crate::store::Blobs;

/// What a tag may point to: an index or one manifest, in OCI's words and in Docker's. Indexes come
/// first: some registries take the first that they can give, and make a manifest of an index.
const MANIFESTS: &str = "application/vnd.oci.image.index.v1+json, \
    application/vnd.docker.distribution.manifest.list.v2+json, \
    application/vnd.oci.image.manifest.v1+json, \
    application/vnd.docker.distribution.manifest.v2+json";
/// Artifactory answers 406 to other types.
const JSON: &str = "application/json, */*";
const ANY: &str = "*/*";
const DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");

/// Reads one repository; threads may share it, and a clone is cheap.
#[derive(Clone)]
pub struct Puller {
    endpoint: Endpoint,
    /// What its errors say that it is about to do, and what its tokens permit.
    access: Access,
}

impl Puller {
    /// The longest document that is read, in bytes; the distribution project's own limit is 4 MiB.
    pub const LONGEST: u64 = 8 << 20;

    /// Reads `repository`. On the test bed its registry stands for Docker Hub.
    pub fn new(exec: &Exec, repository: &Repository) -> Puller {
        Puller::of(Endpoint::new(exec, repository), Access::Pull)
    }

    pub(super) fn of(endpoint: Endpoint, access: Access) -> Puller {
        Puller { endpoint, access }
    }

    /// The repository's name for other programs: on the test bed, in the test bed's registry.
    pub(crate) fn place(&self) -> &str {
        self.endpoint.place()
    }

    pub(super) fn known(&self) -> &Known {
        self.endpoint.known()
    }

    pub(super) fn transport(&self) -> &Transport {
        self.endpoint.transport()
    }

    pub(super) fn repository(&self) -> &Repository {
        self.transport().repository()
    }

    pub(super) fn scopes(&self) -> Scopes {
        Scopes::repository(&self.repository().path(), self.access.actions())
    }

    pub(super) fn request<'a>(
        &self,
        method: Method,
        url: Url,
        accept: &'a str,
        what: &'a str,
    ) -> Request<'a> {
        Request {
            method,
            url,
            what,
            scopes: self.scopes(),
            access: self.access,
            accept,
            content_type: None,
            body: Body::None,
            time: Time::Answer,
            stays: false,
        }
    }

    /// The error for an answer that is neither the thing nor its absence.
    pub(super) fn refused(&self, mut answer: Answer, what: &str) -> anyhow::Error {
        let said = answer.said();
        let asked = self.transport().asked(&answer.url, what, self.access);
        asked.refused(answer.status, &said)
    }

    /// The digest of `version`, a tag or a digest; none when the registry says that it is absent.
    ///
    /// It is the one in the registry's header, or hashed from the bytes where there is no header.
    pub(crate) fn digest(&self, version: &str) -> anyhow::Result<Option<Digest>> {
        let what = self.repository().named(version);
        let url = self.transport().url(&["manifests", version], &what)?;
        // Docker Hub counts a GET as a pull, and a HEAD not.
        let answer = self
            .transport()
            .send(&self.request(Method::HEAD, url, MANIFESTS, &what))?;
        let status = answer.status;
        if status == StatusCode::UNAUTHORIZED {
            return Err(self.refused(answer, &what));
        }
        if status.is_success()
            && let Some(digest) = header_digest(&answer)
        {
            // Another digest than was asked for: the bytes tell which it is.
            let is_other = version.parse().is_ok_and(|asked: Digest| asked != digest);
            if !is_other {
                return Ok(Some(digest));
            }
        }
        // A proxy may answer 404, too: only the text tells, and the answer to a HEAD has none. And
        // some registries know no HEAD, forbid it, or give no digest with it.
        Ok(self.manifest(version)?.map(|(digest, _)| digest))
    }

    /// The index or manifest that `version`, a tag or a digest, leads to: the digest, hashed here,
    /// and the bytes. None when the registry says that it is absent.
    ///
    /// Fails when `version` is a digest and the bytes have another one, and when what a tag leads to
    /// is no such document: a login page may answer 200, too. Fails with [`Unclear`] when the registry calls
    /// it an index or a manifest, and it says itself that it is something else: engines believe either.
    pub fn manifest(&self, version: &str) -> anyhow::Result<Option<(Digest, Vec<u8>)>> {
        let what = self.repository().named(version);
        let url = self.transport().url(&["manifests", version], &what)?;
        let (answer, bytes) = self.fetch(&self.request(Method::GET, url, MANIFESTS, &what))?;
        let by = address::origin(&answer.url);
        let named = answer.header(DIGEST).map(str::to_owned);
        let kind = answer.header(CONTENT_TYPE).map(str::to_owned);
        let Some(bytes) = self.document(answer, bytes, &what)? else {
            return Ok(None);
        };
        let digest = Digest::of(&bytes);
        if let Ok(asked) = version.parse::<Digest>() {
            check_bytes(&by, &asked, &digest)?;
        } else if named.as_deref() != Some(digest.as_str()) && !is_manifest(&bytes) {
            let text = format!(
                "`{by}` answers for `{what}` in an unknown form, which is no manifest; hint: check \
                 the repository's name and the proxy settings"
            );
            return Err(Unusable(text).into());
        }
        agrees(kind.as_deref(), &bytes)?;
        Ok(Some((digest, bytes)))
    }

    /// The bytes of a blob that is a document; none when the registry says that it is absent.
    pub fn small_blob(&self, digest: &Digest) -> anyhow::Result<Option<Vec<u8>>> {
        self.blob_within(digest, Puller::LONGEST)
    }

    /// The bytes of a blob; none when the registry says that it is absent.
    ///
    /// Fails with [`Unusable`] when they are more than `most`.
    pub(crate) fn blob_within(
        &self,
        digest: &Digest,
        most: u64,
    ) -> anyhow::Result<Option<Vec<u8>>> {
        let what = self.repository().by_digest(digest);
        let url = self.transport().url(&["blobs", digest.as_str()], &what)?;
        let request = self.request(Method::GET, url, ANY, &what);
        let (answer, bytes) = self.fetch_within(&request, most)?;
        let by = address::origin(&answer.url);
        let Some(bytes) = self.document(answer, bytes, &what)? else {
            return Ok(None);
        };
        check_bytes(&by, digest, &Digest::of(&bytes))?;
        Ok(Some(bytes))
    }

    /// The answer to a request, and its body where there is one to read. Asks again where the connection
    /// breaks before its end.
    fn fetch(&self, request: &Request) -> anyhow::Result<(Answer, Option<Vec<u8>>)> {
        self.fetch_within(request, Puller::LONGEST)
    }

    /// [`Puller::fetch`] of a body of at most `most` bytes.
    fn fetch_within(
        &self,
        request: &Request,
        most: u64,
    ) -> anyhow::Result<(Answer, Option<Vec<u8>>)> {
        self.transport().retrying(|| {
            let mut answer = self.transport().send_once(request)?;
            let is_there = answer.status == StatusCode::OK;
            let bytes = is_there.then(|| read(&mut answer, request.what, most));
            Ok((answer, bytes.transpose()?))
        })
    }

    /// The body of an answer; none when the registry says that the thing is absent.
    fn document(
        &self,
        mut answer: Answer,
        bytes: Option<Vec<u8>>,
        what: &str,
    ) -> anyhow::Result<Option<Vec<u8>>> {
        if bytes.is_some() {
            return Ok(bytes);
        }
        let status = answer.status;
        if status != StatusCode::NOT_FOUND {
            return Err(self.refused(answer, what));
        }
        let said = answer.said();
        if said.says_absent() {
            return Ok(None);
        }
        let asked = self.transport().asked(&answer.url, what, self.access);
        Err(asked.unknown(status, &said))
    }
}

/// The body of an answer about `what`.
fn read(answer: &mut Answer, what: &str, most: u64) -> anyhow::Result<Vec<u8>> {
    let by = address::origin(&answer.url);
    answer.read(most).map_err(|error| {
        if matches!(error, ureq::Error::BodyExceedsLimit(_)) {
            let text = format!(
                "`{by}` answers for `{what}` with more than {} MiB, which is no document of an \
                 image; hint: delete it there, or leave it out",
                most >> 20
            );
            return Unusable(text).into();
        }
        let text = format!("`{by}` broke off while it sent `{what}`");
        if wire::is_transient(&error) {
            let text = format!("{text}; hint: check the network and try again");
            return anyhow::Error::from(Transient::new(text).caused_by(error));
        }
        anyhow!(error).context(format!("{text}; hint: ask the registry's operator"))
    })
}

/// Checks that a document is of the kind that the registry says, where that says one.
fn agrees(kind: Option<&str>, bytes: &[u8]) -> Result<(), Unclear> {
    let kind = kind.unwrap_or_default().split(';').next();
    let kind = kind.unwrap_or_default().trim().to_ascii_lowercase();
    let document = serde_json::from_slice::<serde_json::Value>(bytes).unwrap_or_default();
    match document["mediaType"].as_str() {
        Some(own) if own != kind && MANIFESTS.split(", ").any(|known| known == kind) => {
            let own = Printable(own);
            Err(Unclear::new(format!(
                "it says `{own}`, and its registry says `{kind}`"
            )))
        }
        _ => Ok(()),
    }
}

/// The digest that the registry gives; none when it gives none, or one that cannot be read.
fn header_digest(answer: &Answer) -> Option<Digest> {
    answer.header(DIGEST)?.parse().ok()
}

/// Fails where the bytes for `asked` are not those of that digest.
fn check_bytes(by: &str, asked: &Digest, found: &Digest) -> Result<(), Unusable> {
    if asked == found {
        return Ok(());
    }
    Err(Unusable(format!(
        "`{by}` answers for `{asked}` with other bytes (`{found}`); hint: a proxy or the registry's \
         store is broken, ask its operator"
    )))
}

/// Whether it has what indexes and manifests have, in OCI's form or in one of Docker's.
fn is_manifest(bytes: &[u8]) -> bool {
    let names = [
        "schemaVersion",
        "mediaType",
        "manifests",
        "config",
        "layers",
    ];
    let document = serde_json::from_slice::<serde_json::Value>(bytes).unwrap_or_default();
    names.iter().any(|name| document.get(name).is_some())
}

impl Blobs for Puller {
    /// Fails with [`Transient`] where the registry is busy. Reading fails where the bytes are not
    /// those of `digest`.
    fn open<'a>(&'a self, digest: &Digest) -> io::Result<Box<dyn Read + 'a>> {
        let what = self.repository().by_digest(digest);
        let open = || {
            let url = self.transport().url(&["blobs", digest.as_str()], &what)?;
            let mut request = self.request(Method::GET, url, ANY, &what);
            request.time = Time::Layer;
            self.transport().send(&request)
        };
        let answer = open().map_err(|error| match error.downcast::<Transient>() {
            Ok(transient) => io::Error::new(ErrorKind::ConnectionAborted, transient),
            Err(error) => io::Error::other(error),
        })?;
        if answer.status != StatusCode::OK {
            return Err(io::Error::other(self.refused(answer, &what)));
        }
        let length = answer.length();
        Ok(Box::new(Verified::new(
            answer.into_reader(),
            digest,
            length,
        )))
    }
}
