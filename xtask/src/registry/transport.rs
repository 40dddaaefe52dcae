//! The one place with policy: to whom credentials go, which redirects are followed, what is tried
//! again, and for how long an answer is waited for.

mod authorize;
mod known;
mod message;

use std::fmt;
use std::io::{self, Read};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use anyhow::{anyhow, bail};
use ureq::SendBody;
use ureq::http::header::{ACCEPT, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use ureq::http::{HeaderMap, Method, StatusCode};
use url::Url;

use self::known::Authorization;
pub(super) use self::message::{Answer, Body, Request};
use super::address;
use super::answer::{Access, Asked, is_busy};
use super::wire::{self, Wire};
use crate::exec::{self, Exec};
use crate::printable::short;
use crate::reference::Repository;
use crate::retry::{Retry, Transient};

/// How many redirects are followed, one after the other: as many as Go's client, and so docker's.
const REDIRECTS: usize = 10;

/// The way to one registry, for one repository in it; threads may share it.
pub(super) struct Transport {
    repository: Repository,
    wire: Wire,
    retry: Retry,
    /// The registry over TLS, and without; or why its name is no host's.
    hosts: Result<[Url; 2], String>,
    /// Which of them it is, once that is known.
    base: Mutex<Option<Url>>,
    authorization: Authorization,
}

impl Transport {
    /// The way to `repository`, whose registry is at `host`. An answer may take as long as `limit`.
    pub(super) fn new(
        exec: &Exec,
        repository: &Repository,
        host: &str,
        retry: Retry,
        limit: Duration,
    ) -> Transport {
        Transport {
            repository: repository.clone(),
            wire: Wire::new(exec, limit),
            retry,
            hosts: address::of_host(host),
            base: Mutex::default(),
            authorization: Authorization::new(exec),
        }
    }

    pub(super) fn repository(&self) -> &Repository {
        &self.repository
    }

    /// Where the registry is.
    ///
    /// As docker does: over TLS, and on this machine over plain HTTP if nobody there speaks TLS. Unlike
    /// docker's, our TLS wants a certificate that is trusted, on this machine too. Asks once.
    ///
    /// Fails when nobody can be reached on this machine.
    fn base(&self, what: &str) -> anyhow::Result<Url> {
        let hosts = self.hosts.as_ref();
        let [tls, plain] = hosts.map_err(|why| {
            let registry = self.repository.registry();
            anyhow!("the registry `{registry}` has no address: {why}; hint: check its name")
        })?;
        // Whoever comes second waits for the first to know.
        let mut base = self.base.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(base) = &*base {
            return Ok(base.clone());
        }
        exec::check()?;
        let is_tls = !address::is_loopback(tls)
            || match wire::speaks_tls(tls) {
                Ok(is_tls) => is_tls,
                // Without a port each has its own.
                Err(_) if tls.port_or_known_default() != plain.port_or_known_default() => false,
                Err(error) => return Err(unreachable(error, plain, what)),
            };
        let found = if is_tls { tls } else { plain };
        *base = Some(found.clone());
        Ok(found.clone())
    }

    /// The address of something in the repository; `path` are the parts after its name. Errors call
    /// it `what`.
    pub(super) fn url(&self, path: &[&str], what: &str) -> anyhow::Result<Url> {
        let mut url = self.base(what)?;
        let name = self.repository.path();
        let parts = ["v2"].into_iter().chain(name.split('/'));
        url.path_segments_mut()
            .map_err(|()| anyhow!("`{}` has no address", self.repository))?
            .pop_if_empty()
            .extend(parts.chain(path.iter().copied()));
        Ok(url)
    }

    /// What errors about an answer from `by` say.
    pub(super) fn asked<'a>(&'a self, by: &Url, what: &'a str, access: Access) -> Asked<'a> {
        Asked {
            by: address::origin(by),
            repository: &self.repository,
            what,
            access,
        }
    }

    /// Sends a request, with credentials when the registry asks for them, and again after a while when
    /// the other side is busy or the connection broke.
    ///
    /// Fails with [`Transient`] where a later try may do better. Every other status is an answer.
    pub(super) fn send(&self, request: &Request) -> anyhow::Result<Answer> {
        self.retrying(|| self.send_once(request))
    }

    /// Does a step of several requests, sent with [`Transport::send_once`], and again while it fails
    /// with [`Transient`].
    pub(super) fn retrying<T>(
        &self,
        mut step: impl FnMut() -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        self.retry.run(|| {
            exec::check()?;
            let result = step();
            exec::check()?;
            result
        })
    }

    /// [`Transport::send`] that gives up at once.
    pub(super) fn send_once(&self, request: &Request) -> anyhow::Result<Answer> {
        if !address::is_same_origin(&request.url, &self.base(request.what)?) {
            return self.pass(request, None);
        }
        let mut authorization = self.known_authorization(request)?;
        let mut answered = Vec::new();
        loop {
            let answer = self.pass(request, authorization.as_deref())?;
            let is_used = authorization.is_some();
            let Some(challenge) = self.challenge(request, &answer, is_used)? else {
                return Ok(answer);
            };
            // Asked for the same again, it is the account that may not.
            if answered.contains(&challenge) {
                return Ok(answer);
            }
            let next = self.authorize(&challenge, request, authorization.as_deref())?;
            if next.is_none() || next == authorization || answered.len() > 1 {
                return Ok(answer);
            }
            answered.push(challenge);
            authorization = next;
        }
    }

    /// Sends a request and follows redirects. The credentials stay with the origin that they are for.
    fn pass(&self, request: &Request, authorization: Option<&str>) -> anyhow::Result<Answer> {
        let (mut method, mut url) = (request.method.clone(), request.url.clone());
        let mut authorization = authorization;
        for _ in 0..=REDIRECTS {
            let answer = self.exchange(request, &method, &url, authorization)?;
            let Some(location) = answer.redirect() else {
                return self.unless_busy(request, answer);
            };
            let refused = |why: &str| {
                let (by, what) = (address::origin(&url), request.what);
                let location = short(location);
                LedAway(format!(
                    "`{by}` leads from `{what}` to `{location}`, which is refused: {why}; hint: ask \
                     the registry's operator"
                ))
            };
            let next = address::follow(&url, location).map_err(|why| refused(&why))?;
            if !address::is_same_origin(&url, &next) {
                if request.stays {
                    return Err(refused("it is somebody else's").into());
                }
                authorization = None;
            }
            // 301 and 302 let a POST become a GET (RFC 9110, 15.4), and a GET begins no upload.
            if answer.status == StatusCode::SEE_OTHER && method != Method::HEAD {
                method = Method::GET;
            }
            answer.drain();
            url = next;
        }
        bail!(
            "`{}` leads from one address to the next without an end when asked for `{}`; hint: ask \
             its operator",
            address::origin(&request.url),
            request.what
        )
    }

    fn unless_busy(&self, request: &Request, mut answer: Answer) -> anyhow::Result<Answer> {
        if !is_busy(answer.status) {
            return Ok(answer);
        }
        let asks = answer
            .header(RETRY_AFTER)
            .and_then(|it| wait(it, SystemTime::now()));
        let said = answer.said();
        let asked = self.asked(&answer.url, request.what, request.access);
        let text = asked.busy(answer.status, &said);
        Err(Transient::new(text).asking(asks).into())
    }

    /// One request and its answer.
    fn exchange(
        &self,
        request: &Request,
        method: &Method,
        url: &Url,
        authorization: Option<&str>,
    ) -> anyhow::Result<Answer> {
        let mut headers = HeaderMap::new();
        wire::header(&mut headers, ACCEPT, request.accept)?;
        if let Some(authorization) = authorization {
            wire::header(&mut headers, AUTHORIZATION, authorization)?;
        }
        let has_body = [Method::POST, Method::PUT].contains(method);
        let (mut body, length): (Box<dyn Read>, u64) = match &request.body {
            Body::Bytes(bytes) if has_body => (Box::new(*bytes), bytes.len() as u64),
            Body::Layer { size, open } if has_body => {
                let layer = open().map_err(|why| unreachable(why.into(), url, request.what))?;
                (Box::new(Watched(layer)), *size)
            }
            _ => (Box::new(io::empty()), 0),
        };
        if has_body {
            headers.insert(CONTENT_LENGTH, length.into());
        }
        if let Some(content_type) = request.content_type.filter(|_| has_body) {
            wire::header(&mut headers, CONTENT_TYPE, content_type)?;
        }
        let (body, time) = (SendBody::from_reader(&mut *body), request.time);
        let sent = self.wire.send(method, url, &headers, body, time)?;
        let response = sent.map_err(|error| unreachable(error, url, request.what))?;
        Ok(Answer::new(url.clone(), response))
    }
}

/// A redirect that is not followed.
#[derive(Debug)]
pub(super) struct LedAway(String);

impl fmt::Display for LedAway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for LedAway {}

/// The error for a request without an answer.
fn unreachable(error: ureq::Error, url: &Url, what: &str) -> anyhow::Error {
    let failed = format!("failed to ask `{}` for `{what}`", address::origin(url));
    if let Some(why) = wire::distrust(&error) {
        return anyhow::Error::new(error).context(format!("{failed}: {why}"));
    }
    let text = format!("{failed}; hint: check the network and try again");
    if wire::is_transient(&error) {
        Transient::new(text).caused_by(error).into()
    } else {
        anyhow::Error::new(error).context(text)
    }
}

/// The seconds that `Retry-After` asks to wait: a number, or a time (RFC 9110, 10.2.3).
fn wait(value: &str, now: SystemTime) -> Option<u64> {
    let value = value.trim();
    value.parse().ok().or_else(|| {
        let until = httpdate::parse_http_date(value).ok()?;
        let left = until.duration_since(now).unwrap_or_default();
        Some(left.as_secs() + u64::from(left.subsec_nanos() > 0))
    })
}

/// Ends an upload after a signal.
struct Watched<R>(R);

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        exec::check().map_err(io::Error::other)?;
        self.0.read(buffer)
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    #[test]
    fn a_registry_asks_to_wait_for_seconds_or_until_a_time() {
        // Sun, 06 Nov 1994 08:49:30 GMT, and half a second.
        let now = UNIX_EPOCH + Duration::from_millis(784_111_770_500);
        for (value, expected) in [
            ("7", Some(7)),
            (" 0 ", Some(0)),
            ("86400", Some(86_400)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(7)),
            ("Sunday, 06-Nov-94 08:49:37 GMT", Some(7)),
            ("Sun Nov  6 08:49:37 1994", Some(7)),
            ("Sun, 06 Nov 1994 08:49:00 GMT", Some(0)),
            ("-1", None),
            ("985.86µs", None),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(wait(value, now), expected, "{value}");
        }
    }
}
