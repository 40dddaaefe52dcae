//! A relay to the engine, which hears what it is asked for, and can be cut.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::world::docker;

type Heard = Arc<Mutex<Vec<Vec<u8>>>>;

/// A relay to the engine, until it is cut.
pub(super) struct Relay {
    socket: PathBuf,
    is_cut: Arc<AtomicBool>,
    open: Arc<Mutex<Vec<UnixStream>>>,
    heard: Heard,
}

/// Keeps what is written, in the place of its connection.
struct Ear(Heard, usize, UnixStream);

impl Write for Ear {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.2.write(bytes)?;
        self.0.lock().unwrap()[self.1].extend_from_slice(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Relay {
    pub(super) fn new(folder: &Path) -> Relay {
        let socket = folder.join("engine.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        let relay = Relay {
            socket,
            is_cut: Arc::default(),
            open: Arc::default(),
            heard: Arc::default(),
        };
        let (is_cut, open) = (Arc::clone(&relay.is_cut), Arc::clone(&relay.open));
        let heard = Arc::clone(&relay.heard);
        let engine = engine();
        thread::spawn(move || {
            for client in listener.incoming() {
                if is_cut.load(Ordering::SeqCst) {
                    return;
                }
                let (client, engine) = (client.unwrap(), UnixStream::connect(&engine).unwrap());
                let ear = {
                    let mut all = heard.lock().unwrap();
                    all.push(Vec::new());
                    let engine = engine.try_clone().unwrap();
                    Ear(Arc::clone(&heard), all.len() - 1, engine)
                };
                let mut open = open.lock().unwrap();
                open.extend([client.try_clone().unwrap(), engine.try_clone().unwrap()]);
                pass_on(
                    client.try_clone().unwrap(),
                    ear,
                    engine.try_clone().unwrap(),
                );
                pass_on(engine, client.try_clone().unwrap(), client);
            }
        });
        relay
    }

    /// As `DOCKER_HOST` has it.
    pub(super) fn host(&self) -> String {
        format!("unix://{}", self.socket.display())
    }

    /// What each connection was asked for so far.
    pub(super) fn heard(&self) -> Vec<Vec<u8>> {
        self.heard.lock().unwrap().clone()
    }

    pub(super) fn cut(&self) {
        self.is_cut.store(true, Ordering::SeqCst);
        std::fs::remove_file(&self.socket).unwrap();
        for stream in self.open.lock().unwrap().iter() {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

/// Copies until `from` ends, and then ends the socket `end`, of whichever family, for writing.
pub(super) fn pass_on(
    mut from: impl Read + Send + 'static,
    mut to: impl Write + Send + 'static,
    end: impl Into<OwnedFd>,
) {
    let end = UnixStream::from(end.into());
    thread::spawn(move || {
        let _ = io::copy(&mut from, &mut to);
        let _ = end.shutdown(Shutdown::Write);
    });
}

/// The socket of the engine that the tests use.
pub(super) fn engine() -> PathBuf {
    let ran = docker(&[
        "context",
        "inspect",
        "--format",
        "{{.Endpoints.docker.Host}}",
    ]);
    let named = std::env::var("DOCKER_HOST");
    let host = named.unwrap_or_else(|_| ran.succeeded().stdout);
    PathBuf::from(host.trim().strip_prefix("unix://").unwrap())
}
