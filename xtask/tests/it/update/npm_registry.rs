//! npm's registry in a few lines: two packages in the versions that a test makes up. It counts requests, and
//! fails at one of them.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::{Map, Value, json};

/// How a request fails.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fault {
    /// The server is broken.
    Status,
    /// The connection ends in the middle of the answer.
    Cut,
    /// No answer comes.
    Silence,
}

#[derive(Default)]
struct State {
    requests: usize,
    /// The number of the request that fails, counted from 1, and all after it.
    fault: Option<(usize, Fault)>,
    /// Connections that are left without an answer.
    silent: Vec<TcpStream>,
}

pub(super) struct NpmRegistry {
    pub(super) address: String,
    state: Arc<Mutex<State>>,
}

/// A hash that no file has, another for each length of a version.
pub(super) fn integrity(version: &str) -> String {
    let letter = char::from(b'A' + u8::try_from(version.len()).unwrap());
    format!("sha512-{}A==", letter.to_string().repeat(85))
}

impl NpmRegistry {
    /// Both packages in `versions`, each with the time of its publication.
    pub(super) fn with(versions: &[(&'static str, &'static str)]) -> NpmRegistry {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", server.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State::default()));
        let (shared, own, versions) = (Arc::clone(&state), address.clone(), versions.to_vec());
        thread::spawn(move || {
            for client in server.incoming() {
                answer(client.unwrap(), &own, &versions, &shared);
            }
        });
        NpmRegistry { address, state }
    }

    pub(super) fn requests(&self) -> usize {
        self.state.lock().unwrap().requests
    }

    /// From the request of this number on, counted anew, all fail.
    pub(super) fn fail_from(&self, number: usize, fault: Fault) {
        let mut state = self.state.lock().unwrap();
        *state = State {
            fault: Some((number, fault)),
            ..State::default()
        };
    }
}

/// Answers one request. A client that went has no need of an answer.
fn answer(client: TcpStream, own: &str, versions: &[(&str, &str)], state: &Mutex<State>) {
    let mut reader = BufReader::new(client.try_clone().unwrap());
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        if line.trim().is_empty() {
            break;
        }
        head.push(line);
    }
    let path = head[0].split(' ').nth(1).unwrap_or_default().to_owned();
    let mut state = state.lock().unwrap();
    state.requests += 1;
    let number = state.requests;
    let fault = state.fault.filter(|(first, _)| number >= *first);
    let name = path.trim_start_matches('/').replace("%2f", "/");
    let body = document(&name, own, versions).to_string();
    let (status, sent) = match fault {
        Some((_, Fault::Silence)) => {
            state.silent.push(client);
            return;
        }
        Some((_, Fault::Status)) => ("503 Service Unavailable", "{}"),
        Some((_, Fault::Cut)) => ("200 OK", &body[..body.len() / 2]),
        None => ("200 OK", &*body),
    };
    let length = if status == "200 OK" { body.len() } else { 2 };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    let _ = (&client).write_all(format!("{head}{sent}").as_bytes());
}

/// What the registry says of a package.
fn document(name: &str, own: &str, versions: &[(&str, &str)]) -> Value {
    let cpu = if name.contains("arm64") {
        "arm64"
    } else {
        "x64"
    };
    let mut all = Map::new();
    let mut time = Map::new();
    for (version, published) in versions {
        let build = json!({
            "name": name, "version": version, "os": ["linux"], "cpu": [cpu], "libc": ["musl"],
            "license": "SEE LICENSE IN LICENSE.md",
            "dist": {
                "integrity": integrity(version), "unpackedSize": 367_000_000, "shasum": "0".repeat(40),
                "tarball": format!("{own}/{name}/-/{version}.tgz"),
            },
        });
        all.insert((*version).to_owned(), build);
        time.insert((*version).to_owned(), (*published).into());
    }
    let latest = versions.last().unwrap().0;
    json!({"name": name, "dist-tags": {"latest": latest}, "versions": all, "time": time})
}
