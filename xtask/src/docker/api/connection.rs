//! Connections to the engine, which `ureq` speaks HTTP over.
//!
//! `ureq`'s connectors are not covered by its promise of compatibility. Only this file, registry/wire.rs and its
//! folder use them.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::net::UnixStream;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, LazyBuffers, NextTimeout, Transport,
};
use ureq::{Agent, Error};

use super::endpoint::Endpoint;
use crate::docker::run;
use crate::exec::dialled::Dialled;
use crate::exec::{self, Exec};

/// How many connections are kept that nobody needs: as many as checks run at a time.
const IDLE: usize = 8;
/// How long they are kept: most cost nothing, and one through docker's client a start of it.
const IDLE_FOR: Duration = Duration::from_mins(1);
/// How often a wait for the engine checks for a signal of ours.
const POLL: Duration = Duration::from_millis(100);

/// Speaks HTTP with the engine behind `endpoint`.
pub(super) fn agent(endpoint: Endpoint, exec: &Exec) -> Agent {
    let config = Config::builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .accept_encoding("identity")
        .proxy(None)
        .max_idle_connections(IDLE)
        .max_idle_connections_per_host(IDLE)
        .max_idle_age(IDLE_FOR)
        .user_agent("agentgate-xtask");
    let connector = EngineConnector {
        endpoint,
        exec: Mutex::new(exec.clone()),
    };
    Agent::with_parts(config.build(), connector, Nowhere)
}

/// The engine's name is no host's.
#[derive(Debug)]
struct Nowhere;

impl Resolver for Nowhere {
    fn resolve(&self, _: &Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
        let mut addresses = self.empty();
        addresses.push(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        Ok(addresses)
    }
}

struct EngineConnector {
    endpoint: Endpoint,
    exec: Mutex<Exec>,
}

impl std::fmt::Debug for EngineConnector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("EngineConnector")
            .field(&self.endpoint)
            .finish()
    }
}

impl Connector for EngineConnector {
    type Out = EngineConnection;

    fn connect(
        &self,
        details: &ConnectionDetails,
        _: Option<()>,
    ) -> Result<Option<EngineConnection>, Error> {
        let (stream, client) = match &self.endpoint {
            Endpoint::Socket(path) => {
                let stream = UnixStream::connect(path);
                let stream = stream.map_err(|error| {
                    io::Error::new(error.kind(), format!("`{}`: {error}", path.display()))
                });
                (stream?, None)
            }
            Endpoint::Client => {
                let exec = self.exec.lock().unwrap_or_else(PoisonError::into_inner);
                let (stream, client) = run::dial(&exec, &["system", "dial-stdio"])?;
                (stream, Some(client))
            }
        };
        let config = details.config;
        let (input, output) = (config.input_buffer_size(), config.output_buffer_size());
        Ok(Some(EngineConnection {
            buffers: LazyBuffers::new(input, output),
            stream,
            client,
            is_answered: false,
        }))
    }
}

/// A connection to the engine.
struct EngineConnection {
    buffers: LazyBuffers,
    stream: UnixStream,
    /// The client that has made it.
    client: Option<Dialled>,
    /// Whether the engine has ever answered.
    is_answered: bool,
}

impl std::fmt::Debug for EngineConnection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EngineConnection").finish_non_exhaustive()
    }
}

impl EngineConnection {
    /// Why the engine cannot be heard: a client that finds none ends, and says why on its stderr.
    fn why(&mut self, error: Error) -> Error {
        match &mut self.client {
            Some(client) if !self.is_answered && matches!(error, Error::Io(_)) => {
                Error::Io(io::Error::other(client.said()))
            }
            _ => error,
        }
    }
}

impl Transport for EngineConnection {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        let mut output = &self.buffers.output()[..amount];
        let mut stream = &self.stream;
        while !output.is_empty() {
            let sent = patiently(timeout, |time| {
                stream.set_write_timeout(Some(time))?;
                stream.write(output)
            });
            match sent {
                Ok(sent) => output = &output[sent..],
                Err(error) => return Err(self.why(error)),
            }
        }
        Ok(())
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        let input = self.buffers.input_append_buf();
        let mut stream = &self.stream;
        let read = patiently(timeout, |time| {
            stream.set_read_timeout(Some(time))?;
            stream.read(input)
        });
        match read {
            Ok(0) if self.client.is_some() && !self.is_answered => {
                Err(self.why(Error::Io(ErrorKind::UnexpectedEof.into())))
            }
            Ok(count) => {
                self.buffers.input_appended(count);
                self.is_answered |= count > 0;
                Ok(count > 0)
            }
            Err(error) => Err(self.why(error)),
        }
    }

    fn is_open(&mut self) -> bool {
        let mut byte = [0];
        let probed = self.stream.set_nonblocking(true);
        let read = probed.and_then(|()| (&self.stream).read(&mut byte));
        let is_quiet = matches!(&read, Err(error) if error.kind() == ErrorKind::WouldBlock);
        is_quiet && self.stream.set_nonblocking(false).is_ok()
    }
}

/// Repeats a step that waits at most for the time it is given, until it is done. Fails at the time limit and after
/// a signal of ours.
fn patiently<T>(
    timeout: NextTimeout,
    mut step: impl FnMut(Duration) -> io::Result<T>,
) -> Result<T, Error> {
    let begun = Instant::now();
    loop {
        exec::check().map_err(|stop| Error::Other(Box::new(stop)))?;
        let left = match timeout.not_zero() {
            Some(limit) => limit.saturating_sub(begun.elapsed()),
            None => POLL,
        };
        if left.is_zero() {
            return Err(Error::Timeout(timeout.reason));
        }
        match step(left.min(POLL)) {
            Err(error) if is_early(&error) => {}
            result => return result.map_err(Error::Io),
        }
    }
}

/// Whether a step came to nothing only because its time was short.
fn is_early(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
    )
}
