//! Requests and answers of HTTP/1, whole and in the open, so that a quirk can change any of it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::Duration;

/// The longest body that is taken, in bytes; images in these tests have less.
const LONGEST: u64 = 32 << 20;

/// Headers in their order.
#[derive(Clone, Debug, Default)]
pub(super) struct Headers(pub(super) Vec<(String, String)>);

impl Headers {
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let mut all = self.0.iter();
        let (_, value) = all.find(|(known, _)| known.eq_ignore_ascii_case(name))?;
        Some(value)
    }

    pub(super) fn remove(&mut self, name: &str) {
        self.0
            .retain(|(known, _)| !known.eq_ignore_ascii_case(name));
    }

    /// Adds a header beside those of its name.
    pub(super) fn add(&mut self, name: &str, value: &str) {
        self.0.push((name.to_owned(), value.to_owned()));
    }

    pub(super) fn set(&mut self, name: &str, value: &str) {
        self.remove(name);
        self.add(name, value);
    }

    fn read(reader: &mut impl BufRead) -> Option<Headers> {
        let mut headers = Headers::default();
        loop {
            let line = line(reader)?;
            if line.is_empty() {
                return Some(headers);
            }
            let (name, value) = line.split_once(':')?;
            headers.add(name, value.trim());
        }
    }

    fn is_chunked(&self) -> bool {
        self.get("transfer-encoding").is_some()
    }

    fn length(&self) -> Option<u64> {
        self.get("content-length")?.parse().ok()
    }
}

#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) method: String,
    /// Path and query.
    pub(super) target: String,
    pub(super) headers: Headers,
    pub(super) body: Vec<u8>,
}

impl Request {
    /// Reads up to the body; none where the client went, or speaks another protocol.
    pub(super) fn read_head(reader: &mut impl BufRead) -> Option<Request> {
        let line = line(reader)?;
        let mut words = line.split(' ');
        let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
        words.next().filter(|word| word.starts_with("HTTP/1."))?;
        Some(Request {
            method,
            target,
            headers: Headers::read(reader)?,
            body: Vec::new(),
        })
    }

    pub(super) fn read_body(&mut self, reader: &mut impl BufRead) -> Option<()> {
        self.body = match self.headers.length() {
            _ if self.headers.is_chunked() => chunks(reader)?,
            Some(length) => exactly(reader, length)?,
            None => Vec::new(),
        };
        Some(())
    }

    pub(super) fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// A parameter of the query, still encoded.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        let (_, query) = self.target.split_once('?')?;
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs
            .find(|(known, _)| *known == name)
            .map(|(_, value)| value)
    }

    /// Asks the server at `address`.
    pub(super) fn send(&self, address: &str) -> Option<Answer> {
        let address = address.to_socket_addrs().ok()?.next()?;
        let mut server = TcpStream::connect(address).ok()?;
        server
            .set_read_timeout(Some(Duration::from_secs(30)))
            .ok()?;
        let mut headers = self.headers.clone();
        headers.remove("transfer-encoding");
        headers.remove("expect");
        // The registry sees nothing of what the proxy asked for.
        headers.remove("authorization");
        headers.set("Connection", "close");
        headers.set("Content-Length", &self.body.len().to_string());
        let head = format!("{} {} HTTP/1.1\r\n", self.method, self.target);
        server.write_all(head.as_bytes()).ok()?;
        server.write_all(text(&headers, "\r\n").as_bytes()).ok()?;
        server.write_all(&self.body).ok()?;
        Answer::read(&mut BufReader::new(server), &self.method)
    }
}

/// How an answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// With its length.
    Length,
    /// In chunks, without a length.
    Chunked,
    /// As HTTP/1.0 does: up to the end of the connection.
    Close,
    /// With its length, and lines that end with a bare line feed.
    LineFeeds,
}

#[derive(Clone, Debug)]
pub(super) struct Answer {
    /// Such as `200 OK`.
    pub(super) status: String,
    pub(super) headers: Headers,
    pub(super) body: Vec<u8>,
    pub(super) framing: Framing,
    /// Whether the answer says that the connection closes; it does.
    pub(super) says_close: bool,
}

impl Answer {
    pub(super) fn new(status: &str, body: &[u8]) -> Answer {
        Answer {
            status: status.to_owned(),
            headers: Headers::default(),
            body: body.to_vec(),
            framing: Framing::Length,
            says_close: true,
        }
    }

    pub(super) fn with(mut self, name: &str, value: &str) -> Answer {
        self.headers.add(name, value);
        self
    }

    pub(super) fn is_success(&self) -> bool {
        self.status.starts_with('2')
    }

    fn read(reader: &mut impl BufRead, method: &str) -> Option<Answer> {
        let line = line(reader)?;
        let (_, status) = line.split_once(' ')?;
        let mut answer = Answer::new(status, &[]);
        answer.headers = Headers::read(reader)?;
        if method != "HEAD" {
            answer.body = match answer.headers.length() {
                _ if answer.headers.is_chunked() => chunks(reader)?,
                Some(length) => exactly(reader, length)?,
                None => rest(reader)?,
            };
            answer.headers.remove("content-length");
        }
        answer.headers.remove("transfer-encoding");
        answer.headers.remove("connection");
        Some(answer)
    }

    /// Sends the answer to a request of `method`.
    pub(super) fn write(&self, client: &mut impl Write, method: &str) -> Option<()> {
        let mut headers = self.headers.clone();
        let is_head = method == "HEAD";
        match self.framing {
            Framing::Chunked => headers.set("Transfer-Encoding", "chunked"),
            Framing::Close => {}
            // A HEAD has the length of what a GET would have.
            _ if is_head => {}
            _ if self.status.starts_with("204") => {}
            _ => headers.set("Content-Length", &self.body.len().to_string()),
        }
        if self.says_close {
            headers.set("Connection", "close");
        }
        let (version, end) = match self.framing {
            Framing::Close => ("1.0", "\r\n"),
            Framing::LineFeeds => ("1.1", "\n"),
            _ => ("1.1", "\r\n"),
        };
        let head = format!("HTTP/{version} {}{end}", self.status);
        client.write_all(head.as_bytes()).ok()?;
        client.write_all(text(&headers, end).as_bytes()).ok()?;
        if is_head {
            return client.flush().ok();
        }
        if self.framing == Framing::Chunked {
            for part in self.body.chunks(100) {
                write!(client, "{:x}\r\n", part.len()).ok()?;
                client.write_all(part).ok()?;
                client.write_all(b"\r\n").ok()?;
            }
            client.write_all(b"0\r\n\r\n").ok()?;
        } else {
            client.write_all(&self.body).ok()?;
        }
        client.flush().ok()
    }
}

/// Headers with the blank line that ends them.
fn text(headers: &Headers, end: &str) -> String {
    let lines = headers.0.iter();
    let lines: String = lines
        .map(|(name, value)| format!("{name}: {value}{end}"))
        .collect();
    lines + end
}

/// A line without its end; none at the end of the stream.
fn line(reader: &mut impl BufRead) -> Option<String> {
    let mut line = String::new();
    let length = reader.take(64 << 10).read_line(&mut line).ok()?;
    (length > 0).then(|| line.trim_end_matches(['\r', '\n']).to_owned())
}

fn exactly(reader: &mut impl BufRead, length: u64) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    reader
        .take(length.min(LONGEST))
        .read_to_end(&mut body)
        .ok()?;
    (body.len() as u64 == length).then_some(body)
}

fn rest(reader: &mut impl BufRead) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    reader.take(LONGEST).read_to_end(&mut body).ok()?;
    Some(body)
}

fn chunks(reader: &mut impl BufRead) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let size = line(reader)?;
        let size = size.split(';').next().unwrap_or_default().trim();
        let size = u64::from_str_radix(size, 16).ok()?;
        body.extend(exactly(reader, size)?);
        line(reader)?;
        if size == 0 {
            return Some(body);
        }
    }
}
