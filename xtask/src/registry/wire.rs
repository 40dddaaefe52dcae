//! How bytes get to an address and back: TLS, proxies, time limits, and an answer that comes before
//! the request's end.
//!
//! `ureq`'s connectors are not covered by its promise of compatibility; this file, its folder and
//! docker/api/connection.rs alone use them.

mod config;
mod failure;
mod patient;
mod probe;
mod tls;
mod trust;

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use ureq::http::{HeaderMap, HeaderName, HeaderValue, Method, Response};
use ureq::typestate::{WithBody, WithoutBody};
use ureq::unversioned::resolver::DefaultResolver;
use ureq::unversioned::transport::{
    ConnectProxyConnector, Connector as _, SocksConnector, TcpConnector,
};
use ureq::{Agent, Body, RequestBuilder, SendBody};
use url::Url;

use self::config::config;
pub(super) use self::failure::{distrust, is_transient};
use self::patient::Patient;
pub(super) use self::probe::speaks_tls;
use self::tls::Tls;
use super::proxy;
use crate::exec::Exec;

/// How long a connection may take, its TLS included.
const CONNECT: Duration = Duration::from_secs(10);
/// How long a single read or write of a layer may take. The whole of it has no limit.
const STALL: Duration = Duration::from_secs(30);
/// How long the registry may take to store a layer after its last byte.
const KEEPING: Duration = Duration::from_mins(3);

/// How much time a request has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Time {
    /// As long as an answer may take.
    Answer,
    /// As long as a layer takes, if it never stops.
    Layer,
}

/// The connections of one client; threads may share them.
pub(super) struct Wire {
    /// One for each proxy, which most often is none.
    agents: Mutex<Vec<(Option<ureq::Proxy>, Agent)>>,
    /// The environment that names proxies.
    exec: Mutex<Exec>,
    /// How long an answer may take.
    limit: Duration,
}

impl Wire {
    pub(super) fn new(exec: &Exec, limit: Duration) -> Wire {
        Wire {
            agents: Mutex::default(),
            exec: Mutex::new(exec.clone()),
            limit,
        }
    }

    /// Sends one request and returns its answer, whatever its status is. Follows no redirect.
    ///
    /// `body` is sent with `PUT` and `POST` alone.
    ///
    /// Fails when the proxy's name cannot be read; the inner error is the connection's.
    pub(super) fn send(
        &self,
        method: &Method,
        url: &Url,
        headers: &HeaderMap,
        body: SendBody,
        time: Time,
    ) -> anyhow::Result<Result<Response<Body>, ureq::Error>> {
        let agent = self.agent(url)?;
        let url = url.as_str();
        Ok(match *method {
            Method::HEAD => self.bare(agent.head(url), headers, time).call(),
            Method::DELETE => self.bare(agent.delete(url), headers, time).call(),
            Method::POST => self.full(agent.post(url), headers, time).send(body),
            Method::PUT => self.full(agent.put(url), headers, time).send(body),
            _ => self.bare(agent.get(url), headers, time).call(),
        })
    }

    fn bare(
        &self,
        request: RequestBuilder<WithoutBody>,
        headers: &HeaderMap,
        time: Time,
    ) -> RequestBuilder<WithoutBody> {
        let request = with_headers(request, headers).config();
        match time {
            Time::Answer => request.timeout_global(Some(self.limit)),
            Time::Layer => request.timeout_per_read(Some(STALL)),
        }
        .build()
    }

    fn full(
        &self,
        request: RequestBuilder<WithBody>,
        headers: &HeaderMap,
        time: Time,
    ) -> RequestBuilder<WithBody> {
        let request = with_headers(request, headers).config();
        match time {
            Time::Answer => request.timeout_global(Some(self.limit)),
            Time::Layer => request
                .timeout_per_write(Some(STALL))
                .timeout_recv_response(Some(KEEPING)),
        }
        .build()
    }

    /// The connections to `url`'s host.
    fn agent(&self, url: &Url) -> anyhow::Result<Agent> {
        let proxy = {
            let exec = self.exec.lock().unwrap_or_else(PoisonError::into_inner);
            proxy::for_address(&exec, url)?
        };
        let mut agents = self.agents.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, agent)) = agents.iter().find(|(known, _)| *known == proxy) {
            return Ok(agent.clone());
        }
        let config = config(CONNECT).proxy(proxy.clone());
        let connector =
            ().chain(SocksConnector::default())
                .chain(ConnectProxyConnector::default())
                .chain(TcpConnector::default())
                .chain(Patient)
                .chain(Tls);
        let agent = Agent::with_parts(config.build(), connector, DefaultResolver::default());
        agents.push((proxy, agent.clone()));
        Ok(agent)
    }
}

fn with_headers<B>(request: RequestBuilder<B>, headers: &HeaderMap) -> RequestBuilder<B> {
    let headers = headers.iter();
    headers.fold(request, |request, (name, value)| {
        request.header(name, value)
    })
}

/// A header from a text.
///
/// Fails when the text has what no header may have.
pub(super) fn header(headers: &mut HeaderMap, name: HeaderName, value: &str) -> anyhow::Result<()> {
    let value = HeaderValue::from_str(value);
    let value = value.with_context(|| format!("no `{name}` can be made of what docker keeps"))?;
    headers.insert(name, value);
    Ok(())
}
