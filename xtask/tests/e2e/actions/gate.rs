//! A registry behind a gate that asks who writes: the token of a job may do what its permissions say.

use std::io::{BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::push::proxy::{read_head, respond};

/// Each request: the user, the method and the path.
type Requests = Arc<Mutex<Vec<String>>>;

pub(super) struct Gate {
    pub(super) address: String,
    requests: Requests,
    is_public: Arc<AtomicBool>,
}

impl Gate {
    /// Listens until the test's process ends.
    pub(super) fn before(upstream: &str) -> Gate {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let gate = Gate {
            address: listener.local_addr().unwrap().to_string(),
            requests: Requests::default(),
            is_public: Arc::default(),
        };
        let (requests, upstream) = (Arc::clone(&gate.requests), upstream.to_owned());
        let is_public = Arc::clone(&gate.is_public);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (requests, upstream) = (Arc::clone(&requests), upstream.clone());
                let is_public = is_public.load(Ordering::Relaxed);
                thread::spawn(move || serve(&client, &upstream, &requests, is_public));
            }
        });
        gate
    }

    /// Lets everybody read, as the packages of a public repository may be.
    pub(super) fn make_public(&self) {
        self.is_public.store(true, Ordering::Relaxed);
    }

    /// The requests since the last call.
    pub(super) fn requests(&self) -> Vec<String> {
        std::mem::take(&mut *self.requests.lock().unwrap())
    }
}

/// The answer to who may not do it, if any.
fn refusal(user: &str, method: &str, is_public: bool) -> Option<(&'static str, &'static str)> {
    let reads = matches!(method, "GET" | "HEAD");
    match user {
        "write" => None,
        "read" if reads => None,
        _ if reads && is_public => None,
        "read" => Some(("403 Forbidden", "")),
        _ => Some((
            "401 Unauthorized",
            "WWW-Authenticate: Basic realm=\"gate\"\r\n",
        )),
    }
}

/// The name in an `Authorization` header; the password is no secret here.
fn user(head: &str) -> Option<String> {
    let mut lines = head.lines().filter_map(|line| line.split_once(':'));
    let (_, value) = lines.find(|(name, _)| name.eq_ignore_ascii_case("authorization"))?;
    let basic = STANDARD.decode(value.trim().strip_prefix("Basic ")?).ok()?;
    let basic = String::from_utf8(basic).ok()?;
    basic.split(':').next().map(str::to_owned)
}

/// Passes a request on, or refuses it; a connection that breaks is somebody else's doing.
fn serve(client: &TcpStream, upstream: &str, requests: &Requests, is_public: bool) -> Option<()> {
    let mut reader = BufReader::new(client.try_clone().ok()?);
    let (mut head, length) = read_head(client, &mut reader)?;
    let text = String::from_utf8_lossy(&head).into_owned();
    let mut words = text.split(' ');
    let (method, path) = (words.next()?, words.next()?);
    let user = user(&text).unwrap_or_else(|| "nobody".to_owned());
    requests
        .lock()
        .unwrap()
        .push(format!("{user} {method} {path}"));
    let mut body = (&mut reader).take(length);
    if let Some((status, headers)) = refusal(&user, method, is_public) {
        std::io::copy(&mut body, &mut std::io::sink()).ok()?;
        return respond(client, status, headers, &[]);
    }
    head.extend(b"Connection: close\r\n\r\n");
    let mut server = TcpStream::connect(upstream).ok()?;
    server.write_all(&head).ok()?;
    std::io::copy(&mut body, &mut server).ok()?;
    let mut client = client;
    std::io::copy(&mut server, &mut client).ok()?;
    client.shutdown(Shutdown::Both).ok()
}
