//! Writes to a repository: blobs, and the manifests that name them (distribution spec, "Push").

use std::io::{self, Read};
use std::sync::PoisonError;

use anyhow::{anyhow, ensure};
use ureq::http::header::{HeaderName, LOCATION};
use ureq::http::{Method, StatusCode};
use url::Url;

use super::address;
use super::answer::{Access, Said, is_forbidden};
use super::endpoint::Endpoint;
use super::puller::Puller;
use super::token::Scopes;
use super::transport::{Answer, Body, Request, Transport};
use super::wire::Time;
use crate::oci::{Digest, EMPTY_BYTES};
use crate::printable::short;
use crate::reference::Repository;
use crate::retry::Transient;
use crate::stop::Stop;

const ANY: &str = "*/*";
/// The subject of a manifest that the registry lists by itself.
const SUBJECT: HeaderName = HeaderName::from_static("oci-subject");

/// Writes to one repository; threads may share it, and a clone is cheap.
#[derive(Clone)]
pub struct Pusher {
    /// Reads with the permission to push, so that one token does for both.
    puller: Puller,
    /// A repository of the same registry, from which blobs can be mounted.
    copied_from: Option<Repository>,
}

/// What an upload did with a blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Upload {
    Sent,
    /// The registry had it already, here or in the repository that it is mounted from.
    Present,
}

/// What a registry says of an account that is about to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum WriteAccess {
    Given,
    /// Its answer means neither yes nor no.
    Unknown(String),
}

impl Pusher {
    pub(super) fn of(endpoint: Endpoint) -> Pusher {
        Pusher {
            puller: Puller::of(endpoint, Access::Push),
            copied_from: None,
        }
    }

    /// The same, which mounts blobs from `from` if that is in the same registry.
    pub(crate) fn copying(self, from: &Repository) -> Pusher {
        let own = self.puller.repository();
        let [theirs, ours] = [from, own].map(|one| address::of_host(one.registry_host()));
        let is_near = theirs == ours && from != own;
        Pusher {
            copied_from: is_near.then(|| from.clone()),
            ..self
        }
    }

    fn transport(&self) -> &Transport {
        self.puller.transport()
    }

    /// Whether this account may write: begins an upload, which is how every push begins, and cancels
    /// it. Asks once: whoever waits for the answer has not begun yet.
    ///
    /// Fails when it may not, when the repository must be created first, when the registry takes no push,
    /// and with [`Transient`] when it is busy. Other answers leave it open: some registries know an
    /// account only when it sends something.
    pub(crate) fn check_access(&self) -> anyhow::Result<WriteAccess> {
        let what = self.puller.repository().to_string();
        let mut begun = self.transport().send_once(&self.beginning(&what, None)?)?;
        let status = begun.status;
        if status.is_success() {
            self.cancel(&begun, &what);
            return Ok(WriteAccess::Given);
        }
        let said = begun.said();
        // A cache of another registry answers with `UNSUPPORTED`.
        let says_no = ["DENIED", "UNAUTHORIZED", "UNSUPPORTED", "NAME_INVALID"];
        if is_forbidden(status) || said.says_absent() || said.has(&says_no) {
            let asked = self.transport().asked(&begun.url, &what, Access::Push);
            return Err(asked.refused(status, &said));
        }
        Ok(WriteAccess::Unknown(format!("{status}{said}")))
    }

    /// Ends an upload that was begun. Whether that is done does no harm: registries forget old ones.
    fn cancel(&self, begun: &Answer, what: &str) {
        if let Ok(url) = location(begun, what) {
            let request = self.puller.request(Method::DELETE, url, ANY, what);
            let _ = self.transport().send_once(&request);
        }
    }

    /// Uploads the blob of `size` bytes that `open` gives, unless the registry has it.
    ///
    /// Starts again from the first byte when the connection breaks or the registry is busy.
    pub(crate) fn upload<R: Read>(
        &self,
        digest: &Digest,
        size: u64,
        open: impl Fn() -> io::Result<R>,
    ) -> anyhow::Result<Upload> {
        if self.puller.has_blob(digest)? {
            return Ok(Upload::Present);
        }
        let what = self.puller.repository().by_digest(digest);
        let open = || -> io::Result<Box<dyn Read + '_>> { Ok(Box::new(open()?)) };
        let mut begun = match &self.copied_from {
            Some(from) => match self.mount(digest, &what, from)? {
                Mount::Done => return Ok(Upload::Present),
                Mount::Begun(url) => Some(url),
                Mount::Refused => None,
            },
            None => None,
        };
        self.transport().retrying(|| {
            // Each try needs an upload of its own: a failed one loses it.
            let begun = match begun.take() {
                Some(begun) => begun,
                None => self.begin(&what)?,
            };
            self.finish(begun, digest, &what, size, &open)
        })?;
        Ok(Upload::Sent)
    }

    /// The request that begins an upload, or mounts a blob.
    fn beginning<'a>(
        &self,
        what: &'a str,
        mounted: Option<(&Digest, &Repository)>,
    ) -> anyhow::Result<Request<'a>> {
        // With a slash at its end.
        let mut url = self.transport().url(&["blobs", "uploads", ""], what)?;
        let mut scopes = self.puller.scopes();
        if let Some((digest, from)) = mounted {
            let from = from.path();
            url.query_pairs_mut()
                .append_pair("mount", digest.as_str())
                .append_pair("from", &from);
            scopes = scopes.and(Scopes::repository(&from, Access::Pull.actions()));
        }
        Ok(Request {
            scopes,
            ..self.puller.request(Method::POST, url, ANY, what)
        })
    }

    /// The address of a new upload.
    fn begin(&self, what: &str) -> anyhow::Result<Url> {
        let begun = self.transport().send_once(&self.beginning(what, None)?)?;
        if begun.status.is_success() {
            return location(&begun, what);
        }
        Err(self.puller.refused(begun, what))
    }

    /// Mounts a blob from another repository of the registry, without sending a byte (distribution
    /// spec, "Mounting a blob from another repository").
    fn mount(&self, digest: &Digest, what: &str, from: &Repository) -> anyhow::Result<Mount> {
        let request = self.beginning(what, Some((digest, from)))?;
        let answer = match self.transport().send(&request) {
            Ok(answer) => answer,
            Err(error) if error.is::<Transient>() || error.is::<Stop>() => return Err(error),
            // An account that may not read there gets no token to do so; it may still push.
            Err(_) => return Ok(Mount::Refused),
        };
        Ok(match (answer.status, location(&answer, what)) {
            (StatusCode::CREATED, _) => Mount::Done,
            // It does not mount, and an upload has begun instead.
            (StatusCode::ACCEPTED, Ok(url)) => Mount::Begun(url),
            (status, _) if status.is_success() && self.puller.has_blob(digest)? => Mount::Done,
            _ => Mount::Refused,
        })
    }

    /// Sends a blob to the upload at `url`.
    fn finish<'a>(
        &self,
        mut url: Url,
        digest: &Digest,
        what: &'a str,
        size: u64,
        open: &'a dyn Fn() -> io::Result<Box<dyn Read + 'a>>,
    ) -> anyhow::Result<()> {
        set_digest(&mut url, digest);
        let request = Request {
            content_type: Some("application/octet-stream"),
            body: Body::Layer { size, open },
            time: Time::Layer,
            ..self.puller.request(Method::PUT, url, ANY, what)
        };
        let mut answer = self.transport().send_once(&request)?;
        // With any other success the registry may mean that it will store it, or that it did not
        // understand.
        let status = answer.status;
        if status == StatusCode::CREATED || (status.is_success() && self.puller.has_blob(digest)?) {
            return Ok(());
        }
        let said = answer.said();
        if is_lost(status, &said) {
            let by = address::origin(&answer.url);
            let text = format!("`{by}` has lost an upload of `{what}` ({status}){said}");
            return Err(Transient::new(format!("{text}; hint: run this again")).into());
        }
        let asked = self.transport().asked(&answer.url, what, Access::Push);
        Err(asked.refused(status, &said))
    }

    /// Uploads the bytes of a small blob once, without asking first whether the registry has it.
    pub(crate) fn send_blob(&self, digest: &Digest, bytes: &[u8]) -> anyhow::Result<()> {
        let sent = &self.puller.known().sent;
        let lock = || sent.lock().unwrap_or_else(PoisonError::into_inner);
        if lock().contains(digest) {
            return Ok(());
        }
        let what = self.puller.repository().by_digest(digest);
        let open = || -> io::Result<Box<dyn Read + '_>> { Ok(Box::new(bytes)) };
        let size = u64::try_from(bytes.len())?;
        self.transport().retrying(|| {
            let begun = self.begin(&what)?;
            self.finish(begun, digest, &what, size, &open)
        })?;
        lock().insert(digest.clone());
        Ok(())
    }

    /// Uploads the configuration of artifacts that have none, once for each repository.
    pub(crate) fn send_empty(&self) -> anyhow::Result<()> {
        let known = &self.puller.known().has_empty;
        if known.get().is_none() {
            let size = u64::try_from(EMPTY_BYTES.len())?;
            self.upload(&Digest::of(EMPTY_BYTES), size, || Ok(EMPTY_BYTES))?;
            let _ = known.set(());
        }
        Ok(())
    }

    /// Pushes an index or manifest as `version`, a tag or its own digest, and reads the digest back.
    ///
    /// Fails when the registry then has another digest there: another push came between.
    pub(crate) fn push_manifest(
        &self,
        version: &str,
        media_type: &str,
        bytes: &[u8],
    ) -> anyhow::Result<()> {
        let what = self.puller.repository().named(version);
        self.transport()
            .retrying(|| match self.put(version, media_type, bytes)? {
                Put::Done { .. } => Ok(()),
                Put::Lacks(why) => Err(why.into()),
            })?;
        let pushed = Digest::of(bytes);
        let Some(found) = self.puller.digest(version)? else {
            let text = format!(
                "`{what}` is absent right after it was pushed; hint: some registries are late, run \
                 this again"
            );
            return Err(Transient::new(text).into());
        };
        ensure!(
            found == pushed,
            "`{what}` is {found} right after `{pushed}` was pushed to it; hint: another push came \
             between; inspect both before you run this again"
        );
        Ok(())
    }

    /// Sends an index or a manifest once, and reads nothing back.
    pub(crate) fn put(&self, version: &str, media_type: &str, bytes: &[u8]) -> anyhow::Result<Put> {
        let what = self.puller.repository().named(version);
        let url = self.transport().url(&["manifests", version], &what)?;
        let request = Request {
            content_type: Some(media_type),
            body: Body::Bytes(bytes),
            ..self.puller.request(Method::PUT, url, ANY, &what)
        };
        let mut answer = self.transport().send_once(&request)?;
        let status = answer.status;
        if status.is_success() {
            let subject = answer.header(SUBJECT).and_then(|it| it.trim().parse().ok());
            let is_created = status == StatusCode::CREATED;
            return Ok(Put::Done {
                subject,
                is_created,
            });
        }
        let said = answer.said();
        if said.has(&["MANIFEST_BLOB_UNKNOWN"]) {
            let by = address::origin(&answer.url);
            let text = format!("`{by}` does not take `{what}` yet ({status}){said}");
            return Ok(Put::Lacks(Transient::new(format!(
                "{text}; hint: run this again"
            ))));
        }
        let asked = self.transport().asked(&answer.url, &what, Access::Push);
        Err(asked.refused(status, &said))
    }
}

/// What became of a manifest that was sent.
pub(crate) enum Put {
    Done {
        /// The manifest of which the registry itself lists it as a referrer (`OCI-Subject`).
        subject: Option<Digest>,
        /// Whether it says that it has stored it, and nothing vaguer than that.
        is_created: bool,
    },
    /// The registry does not know something that it names: that is gone, or the registry is late. The
    /// distribution project's forgets a blob for the moment in which somebody else uploads it, too.
    Lacks(Transient),
}

/// Names the digest in an upload's address. What else is in its query may be signed, and stays as it is.
fn set_digest(url: &mut Url, digest: &Digest) {
    let query = url.query().unwrap_or_default();
    let others = query.split('&');
    let others = others.filter(|pair| pair.split('=').next() != Some("digest"));
    let others = others.collect::<Vec<_>>().join("&");
    url.set_query(Some(&*others).filter(|others| !others.is_empty()));
    url.query_pairs_mut().append_pair("digest", digest.as_str());
}

/// What became of a mount.
enum Mount {
    Done,
    /// An upload has begun instead, at this address.
    Begun(Url),
    Refused,
}

/// The address of the upload of `what` that an answer begins.
fn location(begun: &Answer, what: &str) -> anyhow::Result<Url> {
    let location = begun.header(LOCATION);
    let url = match location {
        Some(location) => address::follow(&begun.url, location),
        None => Err("there is no `Location`".to_owned()),
    };
    url.map_err(|why| {
        let by = address::origin(&begun.url);
        let shown = location.map(|it| format!(" (`{}`)", short(it)));
        anyhow!(
            "`{by}` begins an upload of `{what}` without an address for it: {why}{}; hint: ask the \
             registry's operator",
            shown.unwrap_or_default()
        )
    })
}

/// Whether the registry knows nothing of an upload any more: it was restarted, or there are several of
/// it.
fn is_lost(status: StatusCode, said: &Said) -> bool {
    let is_asking = [StatusCode::NOT_FOUND, StatusCode::RANGE_NOT_SATISFIABLE].contains(&status);
    is_asking && said.has(&["BLOB_UPLOAD_UNKNOWN", "BLOB_UPLOAD_INVALID"])
}
