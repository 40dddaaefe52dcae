//! The engine's HTTP API (docs.docker.com/reference/api/engine). A request costs a hundredth of what a start of
//! docker's client does.
//!
//! Output is read as an answer that ends with its connection, which the engine gives to whoever sends no stdin:
//! nothing is taken out of HTTP's hands, and no half of a connection is closed.

mod connection;
mod endpoint;
mod failure;
mod frames;
mod request;
#[cfg(test)]
mod tests;
mod version;

use std::io::Read as _;
use std::time::Duration;

use anyhow::Context as _;
use ureq::http::{Method, Response};
use ureq::{Agent, Body};

pub use self::failure::Failure;
pub use self::frames::Output;
use self::frames::read_frames;
pub use self::request::Request;
use self::version::Version;
use crate::exec::{self, Exec};

/// The longest description of a container in bytes; it is some ten thousand.
const LONGEST: u64 = 16 << 20;
/// How long an engine may take to say which API it has.
const PING: Duration = Duration::from_secs(30);

/// The API of the engine that docker's client leads to; threads may share it.
pub struct Api {
    agent: Agent,
    version: Version,
}

/// An answer that goes on after its head.
pub struct Answer(Response<Body>);

impl Api {
    /// Agrees with the engine on a version of the API.
    ///
    /// Fails when the engine does not answer, and when it is older than 20.10.
    pub fn connect(exec: &Exec) -> anyhow::Result<Api> {
        let agent = connection::agent(endpoint::find(exec)?, exec);
        // A signal is reported from here on: an answer is waited for, and the run ends in order.
        exec::report_signals();
        let mut api = Api {
            agent,
            version: Version::OLDEST,
        };
        let answer = api.send(&Request::get("/_ping").unversioned(), PING)?;
        let version = answer.0.headers().get("api-version");
        let version = version.and_then(|version| version.to_str().ok());
        let version = version.context("the engine does not say which API it has")?;
        let version = Version::common(version)?;
        // Read to its end, so that the connection serves again.
        answer.bytes()?;
        api.version = version;
        Ok(api)
    }

    /// The answer's bytes. Fails as [`Api::send`] and [`Answer::bytes`] do.
    pub fn call(&self, request: &Request, limit: Duration) -> Result<Vec<u8>, Failure> {
        self.send(request, limit)?.bytes()
    }

    /// Returns when the answer's head has come: then the engine has begun with what the request asks for. The limit
    /// is that of the whole answer.
    ///
    /// Fails when the engine refuses, does not answer in time or breaks off, and after a signal of ours.
    pub fn send(&self, request: &Request, limit: Duration) -> Result<Answer, Failure> {
        exec::check()?;
        if limit.is_zero() {
            return Err(Failure::TimedOut);
        }
        let url = request.url(self.version);
        let configured = |request: ureq::RequestBuilder<ureq::typestate::WithBody>| {
            request.config().timeout_global(Some(limit)).build()
        };
        let bare = |request: ureq::RequestBuilder<ureq::typestate::WithoutBody>| {
            let request = request.config().timeout_global(Some(limit));
            request.build().call()
        };
        let sent = match (&request.method, &request.body) {
            (&Method::DELETE, _) => bare(self.agent.delete(&url)),
            (&Method::POST, Some(body)) => {
                let post = self.agent.post(&url).content_type("application/json");
                configured(post).send(body.to_string())
            }
            (&Method::POST, None) => configured(self.agent.post(&url)).send_empty(),
            _ => bare(self.agent.get(&url)),
        };
        let answer = Answer(sent.map_err(Failure::of)?);
        let status = answer.0.status();
        if status.is_success() || status.as_u16() == 304 {
            return Ok(answer);
        }
        let said = answer.bytes()?;
        Err(Failure::refused(status.as_u16(), &said))
    }
}

impl Answer {
    /// All of it. Fails when it is longer than [`LONGEST`].
    pub fn bytes(self) -> Result<Vec<u8>, Failure> {
        let mut bytes = Vec::new();
        let mut body = self.0.into_body().into_reader().take(LONGEST + 1);
        body.read_to_end(&mut bytes).map_err(Failure::of_reading)?;
        if bytes.len() as u64 > LONGEST {
            return Err(Failure::odd("its answer is too long"));
        }
        Ok(bytes)
    }

    /// What a program without a terminal prints, until it has closed its output. 16 MiB of each stream are kept.
    pub fn output(self) -> Result<Output, Failure> {
        read_frames(self.0.into_body().into_reader())
    }
}
