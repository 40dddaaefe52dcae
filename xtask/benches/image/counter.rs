//! A counter of the bytes that are sent to a registry: it stands before it and passes all on.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

const BUFFER: usize = 1 << 18;

/// Counts until the benchmark ends.
pub(crate) struct Counter {
    /// Where clients find the registry; on loopback, where docker does without TLS.
    pub(crate) address: String,
    sent: Arc<AtomicU64>,
}

impl Counter {
    pub(crate) fn before(registry: &str) -> io::Result<Counter> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?.to_string();
        let sent = Arc::new(AtomicU64::new(0));
        let (count, registry) = (Arc::clone(&sent), registry.to_owned());
        thread::spawn(move || {
            for client in listener.incoming() {
                // A client whose connection breaks tries again, or fails and is told of.
                let _ = client.and_then(|client| connect(client, &registry, &count));
            }
        });
        Ok(Counter { address, sent })
    }

    /// Bytes that clients have sent so far: headers, manifests and blobs.
    pub(crate) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }
}

/// Passes both directions on, each in a thread of its own.
fn connect(client: TcpStream, registry: &str, count: &Arc<AtomicU64>) -> io::Result<()> {
    let registry = TcpStream::connect(registry)?;
    for stream in [&client, &registry] {
        stream.set_nodelay(true)?;
    }
    let back = (registry.try_clone()?, client.try_clone()?);
    let count = Arc::clone(count);
    thread::spawn(move || pass(client, registry, &count));
    thread::spawn(move || pass(back.0, back.1, &AtomicU64::new(0)));
    Ok(())
}

fn pass(mut from: TcpStream, mut to: TcpStream, count: &AtomicU64) {
    let mut buffer = vec![0; BUFFER];
    loop {
        let passed = match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => {
                count.fetch_add(read as u64, Ordering::Relaxed);
                to.write_all(&buffer[..read])
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => Err(error),
        };
        if passed.is_err() {
            break;
        }
    }
    // The other end may have gone first.
    let _ = to.shutdown(Shutdown::Write);
    let _ = from.shutdown(Shutdown::Read);
}
