//! Whether a registry on this machine speaks TLS.

use std::io::{self, ErrorKind};
use std::time::Duration;

use ureq::tls::TlsConfig;
use ureq::unversioned::resolver::DefaultResolver;
use ureq::unversioned::transport::{
    ConnectionDetails, Connector, RustlsConnector, TcpConnector, Transport,
};
use ureq::{Agent, Error};
use url::Url;

use super::config::config;
use super::failure::tls_error;

/// How long a handshake within this machine may take. Who has said nothing by then waits for a
/// request in plain HTTP.
const LIMIT: Duration = Duration::from_secs(5);

/// Whether who listens at `url`, an `https` address of this machine, speaks TLS.
///
/// Nothing is sent besides the handshake's beginning, so the certificate is not looked at: the first
/// request does that.
///
/// Fails when nobody can be reached there.
pub(crate) fn speaks_tls(url: &Url) -> Result<bool, Error> {
    let tls = TlsConfig::builder().disable_verification(true);
    let config = config(LIMIT).tls_config(tls.build());
    let connector =
        ().chain(TcpConnector::default())
            .chain(RustlsConnector::default())
            .chain(HangUp);
    let agent = Agent::with_parts(config.build(), connector, DefaultResolver::default());
    let Err(error) = agent.get(url.as_str()).call() else {
        return Ok(true);
    };
    match &error {
        Error::Other(reason) if reason.is::<Spoken>() => Ok(true),
        Error::Rustls(error) => Ok(is_tls(error)),
        Error::Io(io) => match tls_error(io) {
            Some(error) => Ok(is_tls(error)),
            None if is_cut(io) => Ok(false),
            None => Err(error),
        },
        Error::Timeout(_) => Ok(false),
        _ => Err(error),
    }
}

/// Whether it was TLS that did not agree with ours.
fn is_tls(error: &rustls::Error) -> bool {
    matches!(
        error,
        rustls::Error::AlertReceived(_)
            | rustls::Error::PeerIncompatible(_)
            | rustls::Error::PeerMisbehaved(_)
            | rustls::Error::InvalidCertificate(_)
    )
}

/// Whether the other side hung up on what it did not understand.
fn is_cut(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::UnexpectedEof
            | ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::BrokenPipe
            | ErrorKind::InvalidData
            | ErrorKind::TimedOut
    )
}

/// Ends a connection after its handshake.
#[derive(Debug)]
struct HangUp;

/// The handshake was done.
#[derive(Debug)]
struct Spoken;

impl std::fmt::Display for Spoken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the handshake was done")
    }
}

impl std::error::Error for Spoken {}

impl<In: Transport> Connector<In> for HangUp {
    type Out = In;

    fn connect(&self, _: &ConnectionDetails, _: Option<In>) -> Result<Option<In>, Error> {
        Err(Error::Other(Box::new(Spoken)))
    }
}
