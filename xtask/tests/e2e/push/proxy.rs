//! A proxy before a registry that counts requests and lets one of them, or all from one on, fail.

use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// What becomes of a request that is to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// An answer of the proxy's own: a status line, and headers.
    Answer(&'static str),
    /// The connection is closed before an answer.
    Hangup,
    /// The registry gets the request, but its answer is cut in the middle.
    CutAnswer,
    /// The registry never sees the end of the request's body.
    CutBody,
    /// No answer comes, until the client goes away.
    Stall,
    /// The registry's answer, but with another digest in its header and other bytes.
    Lie,
}

/// Which requests fail.
#[derive(Clone, Copy, Debug)]
pub(crate) enum When {
    Never,
    /// The one of this number (from 0) alone.
    Once(usize, Fault),
    /// It and all after it.
    From(usize, Fault),
    /// Those of a method to addresses that end so.
    On(&'static str, &'static str, Fault),
}

struct State {
    when: When,
    /// Method and path of each request.
    requests: Vec<String>,
}

pub(crate) struct Proxy {
    pub(crate) address: String,
    state: Arc<Mutex<State>>,
}

impl Proxy {
    /// Listens until the test's process ends.
    pub(crate) fn before(upstream: &str) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let state = Arc::new(Mutex::new(State {
            when: When::Never,
            requests: Vec::new(),
        }));
        let proxy = Proxy {
            address: listener.local_addr().unwrap().to_string(),
            state: Arc::clone(&state),
        };
        let upstream = upstream.to_owned();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (state, upstream) = (Arc::clone(&state), upstream.clone());
                thread::spawn(move || serve(&client, &upstream, &state));
            }
        });
        proxy
    }

    /// Counts anew, and lets requests fail from here on as `when` says.
    pub(crate) fn reset(&self, when: When) {
        *self.state.lock().unwrap() = State {
            when,
            requests: Vec::new(),
        };
    }

    pub(crate) fn requests(&self) -> Vec<String> {
        self.state.lock().unwrap().requests.clone()
    }
}

/// Passes one request on, and its answer back; a connection that breaks is somebody else's doing.
fn serve(client: &TcpStream, upstream: &str, state: &Mutex<State>) -> Option<()> {
    let mut reader = BufReader::new(client.try_clone().ok()?);
    let (mut head, length) = read_head(client, &mut reader)?;
    head.extend(b"Connection: close\r\n\r\n");
    let line = String::from_utf8_lossy(&head);
    let mut words = line.split(' ');
    let (method, path) = (words.next()?, words.next()?);
    let fault = {
        let mut state = state.lock().unwrap();
        let number = state.requests.len();
        state.requests.push(format!("{method} {path}"));
        match state.when {
            When::Once(at, fault) if at == number => Some(fault),
            When::From(at, fault) if at <= number => Some(fault),
            When::On(of, end, fault) if method == of && path.ends_with(end) => Some(fault),
            _ => None,
        }
    };
    let mut client = client;
    let mut body = (&mut reader).take(length);
    match fault {
        Some(Fault::Stall) => {
            std::io::copy(&mut body, &mut std::io::sink()).ok()?;
            return reader.read(&mut [0]).ok().map(|_| ());
        }
        Some(Fault::Hangup) => return client.shutdown(Shutdown::Both).ok(),
        Some(Fault::Answer(status)) => {
            std::io::copy(&mut body, &mut std::io::sink()).ok()?;
            return respond(client, status, "", &[]);
        }
        _ => {}
    }
    let mut server = TcpStream::connect(upstream).ok()?;
    server.write_all(&head).ok()?;
    if fault == Some(Fault::CutBody) {
        std::io::copy(&mut body.take(length / 2), &mut server).ok()?;
        server.shutdown(Shutdown::Both).ok()?;
        return client.shutdown(Shutdown::Both).ok();
    }
    std::io::copy(&mut body, &mut server).ok()?;
    let mut answer = Vec::new();
    server.read_to_end(&mut answer).ok()?;
    if fault == Some(Fault::CutAnswer) {
        answer.truncate(answer.len() / 2);
    }
    if fault == Some(Fault::Lie) {
        lie(&mut answer);
    }
    client.write_all(&answer).ok()?;
    client.shutdown(Shutdown::Both).ok()
}

/// The head of a request, without its end, and the length of its body; none where the client went.
///
/// A client that tries TLS first gets the answer of a server of plain HTTP, by which it goes on without: after none,
/// Go's clients would wait and try again.
pub(crate) fn read_head(client: &TcpStream, reader: &mut impl BufRead) -> Option<(Vec<u8>, u64)> {
    const HANDSHAKE: u8 = 22;
    if reader.fill_buf().ok()?.first() == Some(&HANDSHAKE) {
        respond(client, "400 Bad Request", "", &[]);
        return None;
    }
    let (mut head, mut length) = (Vec::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let (name, value) = line.split_once(':').unwrap_or_default();
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().ok()?;
        }
        if line == "\r\n" {
            return Some((head, length));
        }
        // Each request has a connection of its own.
        if !name.eq_ignore_ascii_case("connection") {
            head.extend(line.into_bytes());
        }
    }
}

/// Answers a request with a status line's end, headers (each with its line's end) and a body.
pub(crate) fn respond(
    mut client: &TcpStream,
    status: &str,
    headers: &str,
    body: &[u8],
) -> Option<()> {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Length: {length}\r\n{headers}Connection: close\r\n\r\n"
    );
    client.write_all(head.as_bytes()).ok()?;
    client.write_all(body).ok()
}

/// Changes the digest in an answer's header, and the first one in its body.
fn lie(answer: &mut [u8]) {
    let text = String::from_utf8_lossy(answer).to_lowercase();
    let body = text.find("\r\n\r\n").unwrap_or(text.len());
    let (header, digest) = ("docker-content-digest: ", "sha256:");
    let in_header = text[..body].find(header).map(|at| at + header.len());
    let in_body = text[body..].find(digest).map(|at| body + at);
    for at in in_header.into_iter().chain(in_body) {
        let digit = &mut answer[at + digest.len()];
        *digit = if *digit == b'0' { b'1' } else { b'0' };
    }
}
