//! A proxy before a registry that holds back one request until it is let go.

use std::io::{BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::thread;

use crate::push::proxy::read_head;

pub(super) struct Gate {
    pub(super) address: String,
    held: Receiver<()>,
    go: Sender<()>,
}

impl Gate {
    /// Holds back every request with a line that begins with `method` and ends with `path`.
    pub(super) fn before(upstream: &str, method: &'static str, path: String) -> Gate {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let ((is_held, held), (go, may_go)) = (channel(), channel::<()>());
        let (upstream, may_go) = (upstream.to_owned(), Arc::new(Mutex::new(may_go)));
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (upstream, path, may_go) =
                    (upstream.clone(), path.clone(), Arc::clone(&may_go));
                let is_held = is_held.clone();
                thread::spawn(move || {
                    pass(&client, &upstream, |line| {
                        if line.starts_with(method) && line.ends_with(&path) {
                            let _ = is_held.send(());
                            let _ = may_go.lock().unwrap_or_else(PoisonError::into_inner).recv();
                        }
                    })
                });
            }
        });
        Gate { address, held, go }
    }

    /// Waits until a request is held back.
    pub(super) fn holds(&self) {
        self.held.recv().unwrap();
    }

    pub(super) fn lets_go(&self) {
        self.go.send(()).unwrap();
    }
}

/// Passes one request on once `wait` has seen its method and path, and its answer back.
fn pass(mut client: &TcpStream, upstream: &str, wait: impl FnOnce(&str)) -> Option<()> {
    let mut reader = BufReader::new(client.try_clone().ok()?);
    let (mut head, length) = read_head(client, &mut reader)?;
    head.extend(b"Connection: close\r\n\r\n");
    let line = String::from_utf8_lossy(&head);
    wait(line.split(" HTTP/").next()?);
    let mut server = TcpStream::connect(upstream).ok()?;
    server.write_all(&head).ok()?;
    std::io::copy(&mut (&mut reader).take(length), &mut server).ok()?;
    let mut answer = Vec::new();
    server.read_to_end(&mut answer).ok()?;
    client.write_all(&answer).ok()?;
    client.shutdown(Shutdown::Both).ok()
}
