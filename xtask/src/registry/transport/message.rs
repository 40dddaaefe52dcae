//! A request as its sender means it, and the answer to it.

use std::io::{self, Read as _};

use ureq::http::header::{CONTENT_LENGTH, LOCATION, WWW_AUTHENTICATE};
use ureq::http::{HeaderMap, HeaderName, Method, Response, StatusCode};
use url::Url;

use crate::registry::answer::{Access, Said};
use crate::registry::token::Scopes;
use crate::registry::wire::Time;

/// The longest error that is read, in bytes.
const LONGEST_ERROR: u64 = 64 << 10;

/// What a request sends, for as many tries and redirects as it takes.
pub(crate) enum Body<'a> {
    None,
    Bytes(&'a [u8]),
    /// `open` gives it from its first byte on.
    Layer {
        /// In bytes.
        size: u64,
        open: &'a dyn Fn() -> io::Result<Box<dyn io::Read + 'a>>,
    },
}

/// One request.
pub(crate) struct Request<'a> {
    pub(crate) method: Method,
    pub(crate) url: Url,
    /// What errors call the thing that is asked for.
    pub(crate) what: &'a str,
    /// What a token must permit.
    pub(crate) scopes: Scopes,
    pub(crate) access: Access,
    pub(crate) accept: &'a str,
    pub(crate) content_type: Option<&'a str>,
    pub(crate) body: Body<'a>,
    pub(crate) time: Time,
    /// Whether it goes to nobody else, whatever the answer says: it has a secret in it, or is one that only
    /// the registry itself can answer. A redirect elsewhere is [`super::LedAway`].
    pub(crate) stays: bool,
}

/// The answer to a request, from where the redirects led.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    /// Who has answered.
    pub(crate) url: Url,
    headers: HeaderMap,
    body: ureq::Body,
}

impl Answer {
    pub(super) fn new(url: Url, response: Response<ureq::Body>) -> Answer {
        let (head, body) = response.into_parts();
        Answer {
            status: head.status,
            url,
            headers: head.headers,
            body,
        }
    }

    /// A header that stands once; none when it is not text.
    pub(crate) fn header(&self, name: HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The values of a header that may stand several times; none when one of them is not text.
    pub(crate) fn all(&self, name: &HeaderName) -> Option<Vec<&str>> {
        let values = self.headers.get_all(name).iter();
        values.map(|value| value.to_str().ok()).collect()
    }

    /// The challenges' headers. Those that are not text are left out.
    pub(super) fn challenges(&self) -> impl Iterator<Item = &str> {
        let values = self.headers.get_all(WWW_AUTHENTICATE).iter();
        values.filter_map(|value| value.to_str().ok())
    }

    /// The size that the header gives, in bytes.
    pub(crate) fn length(&self) -> Option<u64> {
        self.header(CONTENT_LENGTH)?.trim().parse().ok()
    }

    /// Where a redirect leads to.
    pub(super) fn redirect(&self) -> Option<&str> {
        let is_redirect = matches!(self.status.as_u16(), 301 | 302 | 303 | 307 | 308);
        self.header(LOCATION).filter(|_| is_redirect)
    }

    /// Reads the body of an error, as far as it goes.
    pub(crate) fn said(&mut self) -> Said {
        let mut text = Vec::new();
        // What came before the connection broke is better than nothing.
        let _ = self
            .body
            .as_reader()
            .take(LONGEST_ERROR)
            .read_to_end(&mut text);
        Said::parse(&text)
    }

    /// Reads what nobody needs, so that the connection can be used again.
    pub(super) fn drain(mut self) {
        let _ = io::copy(
            &mut self.body.as_reader().take(LONGEST_ERROR),
            &mut io::sink(),
        );
    }

    /// Reads the body, of at most `limit` bytes.
    pub(crate) fn read(&mut self, limit: u64) -> Result<Vec<u8>, ureq::Error> {
        self.body.with_config().limit(limit).read_to_vec()
    }

    pub(crate) fn into_reader(self) -> impl io::Read + Send + Sync + 'static {
        self.body.into_reader()
    }
}
