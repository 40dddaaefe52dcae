//! Uploads to a registry: blobs, and the manifests that name them (distribution spec, "Push").

use std::io::{self, ErrorKind, Read};
use std::time::Duration;

use anyhow::{anyhow, ensure};
use ureq::http::StatusCode;
use ureq::http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, LOCATION};
use ureq::{RequestBuilder, SendBody};

use super::{Answer, Registry};
use crate::exec;
use crate::oci::Digest;
use crate::retry::Transient;
use crate::store::Blobs;

/// How long a single write of an upload may take. The whole upload has no limit.
const STALL: Duration = Duration::from_secs(30);
/// How long the registry may take to store a blob after its last byte.
const KEEPING: Duration = Duration::from_mins(3);

/// What an upload did with a blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Upload {
    Sent,
    /// The registry had it already, here or in the repository that it is mounted from.
    Present,
}

impl Registry {
    /// Uploads the blob of `size` bytes that `open` gives, unless the registry has it.
    ///
    /// Starts again from the first byte when the connection breaks or the registry is busy.
    pub(crate) fn upload<R: Read>(
        &self,
        digest: &Digest,
        size: u64,
        open: impl Fn() -> io::Result<R>,
    ) -> anyhow::Result<Upload> {
        if self.has_blob(digest)? || self.mount(digest)? {
            return Ok(Upload::Present);
        }
        let what = self.repository.by_digest(digest);
        let start = self.url("blobs/uploads/");
        // Each try needs an upload address of its own: a failed upload loses it.
        let answer = self.send(&what, |authorization| {
            let request = authorized(self.agent.post(&start), authorization);
            let begun = request.send_empty()?;
            let (StatusCode::ACCEPTED, Some(url)) = (begun.status(), self.location(&begun)) else {
                return Ok(begun);
            };
            let separator = if url.contains('?') { '&' } else { '?' };
            let url = format!("{url}{separator}digest={digest}");
            // The upload address may be another host, which must not get our credentials.
            let authorization = authorization.filter(|_| url.starts_with(&self.base));
            let mut blob = Watched(open()?);
            authorized(self.agent.put(&url), authorization)
                .header(CONTENT_LENGTH, size)
                .header(CONTENT_TYPE, "application/octet-stream")
                .config()
                .timeout_global(None)
                .timeout_per_write(Some(STALL))
                .timeout_recv_response(Some(KEEPING))
                .build()
                .send(SendBody::from_reader(&mut blob))
        })?;
        match answer.status() {
            StatusCode::CREATED => Ok(Upload::Sent),
            status => Err(self.push_refused(status, answer, &what)),
        }
    }

    /// Mounts a blob from another repository of the registry, without sending a byte (distribution
    /// spec, "Mounting a blob from another repository"). Returns false when the registry does not.
    fn mount(&self, digest: &Digest) -> anyhow::Result<bool> {
        let Some(from) = &self.copied_from else {
            return Ok(false);
        };
        let what = self.repository.by_digest(digest);
        let (url, from) = (self.url("blobs/uploads/"), from.path());
        let answer = self.send(&what, |authorization| {
            let request = authorized(self.agent.post(&url), authorization);
            let request = request.query("mount", digest.as_str());
            request.query("from", &from).send_empty()
        })?;
        Ok(answer.status() == StatusCode::CREATED)
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
        let what = format!("{}:{version}", self.repository);
        let url = self.url(&format!("manifests/{version}"));
        let answer = self.send(&what, |authorization| {
            authorized(self.agent.put(&url), authorization)
                .header(CONTENT_TYPE, media_type)
                .send(bytes)
        })?;
        let status = answer.status();
        if status != StatusCode::CREATED {
            return Err(self.push_refused(status, answer, &what));
        }
        let pushed = Digest::of(bytes);
        let found = self.digest(version)?;
        let Some(found) = found else {
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

    /// The address of an upload. Some registries give the path alone.
    fn location(&self, answer: &Answer) -> Option<String> {
        let location = answer.headers().get(LOCATION)?.to_str().ok()?;
        if location.starts_with('/') {
            return Some(format!("{}{location}", self.base));
        }
        location.contains("://").then(|| location.to_owned())
    }

    /// The error for a push that the registry does not take, with the registry's own text.
    fn push_refused(&self, status: StatusCode, mut answer: Answer, what: &str) -> anyhow::Error {
        if [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN].contains(&status) {
            return self.refused(status, what);
        }
        let said = answer.body_mut().read_to_string().unwrap_or_default();
        let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
        let said: String = said.chars().take(300).collect();
        // Registries that forbid overwriting have no common status for it.
        let hint = if what.ends_with(":latest") {
            "where tags cannot be overwritten, let the registry make an exception of `latest`, or \
             release with `--latest never`"
        } else {
            "run this again, or ask the registry's operator"
        };
        anyhow!(
            "`{}` does not take `{what}` ({status}): {}; hint: {hint}",
            self.base,
            if said.is_empty() {
                "no reason given"
            } else {
                &said
            }
        )
    }
}

impl Blobs for Registry {
    /// Fails with [`Transient`] where the registry is busy.
    fn open<'a>(&'a self, digest: &Digest) -> io::Result<Box<dyn Read + 'a>> {
        let what = self.repository.by_digest(digest);
        let url = self.url(&format!("blobs/{digest}"));
        let answer = self.send(&what, |authorization| {
            let request = self.agent.get(&url);
            let request = match authorization {
                Some(authorization) => request.header(AUTHORIZATION, authorization),
                None => request,
            };
            let request = request.config().timeout_global(None);
            request.timeout_per_read(Some(STALL)).build().call()
        });
        let answer = answer.map_err(|error| match error.downcast::<Transient>() {
            Ok(transient) => io::Error::new(ErrorKind::ConnectionAborted, transient),
            Err(error) => io::Error::other(error),
        })?;
        match answer.status() {
            StatusCode::OK => Ok(Box::new(answer.into_body().into_reader())),
            status => Err(io::Error::other(self.refused(status, &what))),
        }
    }
}

fn authorized<B>(request: RequestBuilder<B>, authorization: Option<&str>) -> RequestBuilder<B> {
    match authorization {
        Some(authorization) => request.header(AUTHORIZATION, authorization),
        None => request,
    }
}

/// Ends an upload after a signal.
struct Watched<R>(R);

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        exec::check().map_err(io::Error::other)?;
        self.0.read(buffer)
    }
}
