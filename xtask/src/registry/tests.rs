//! The client against a registry of a few lines, whose answers each test chooses.

use std::cell::RefCell;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::*;
use crate::oci::Digest;

mod access;
mod content;
mod delete;
mod push;
mod tls;

/// What [`OK`] says.
const D1: &str = "sha256:d100000000000000000000000000000000000000000000000000000000000000";
const OK: &str = "200 OK\r\nDocker-Content-Digest: \
    sha256:d100000000000000000000000000000000000000000000000000000000000000";
const UNKNOWN: &str = r#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}"#;

thread_local! {
    /// The seconds that the client slept, or would have.
    static SLEPT: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
}

/// A registry that gives each connection the next answer and then is gone; and the client of it.
/// It does not speak TLS, and hangs up on who does.
struct World {
    registry: Registry,
    address: String,
    server: JoinHandle<Vec<String>>,
    home: tempfile::TempDir,
}

impl World {
    /// `answers` are status lines with headers, a blank line and a body; an empty one hangs up.
    /// `ADDRESS` in them stands for the server's own.
    fn new(answers: &[&str]) -> World {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        World::at(listener, &address, answers)
    }

    /// [`World::new`] whose client knows the server as `host`.
    fn at(listener: TcpListener, host: &str, answers: &[&str]) -> World {
        let address = listener.local_addr().unwrap().to_string();
        let answers: Vec<String> = answers
            .iter()
            .map(|answer| answer.replace("ADDRESS", &address))
            .collect();
        let home = tempfile::tempdir().unwrap();
        let exec = Exec::new(home.path(), false).unwrap();
        exec.set_var("DOCKER_CONFIG", home.path().to_str().unwrap());
        exec.set_var("TESTBED_REGISTRY", "");
        let repository = format!("{host}/me/agent").parse().unwrap();
        let retry = Retry {
            random: || 0.0,
            sleep: |time| {
                SLEPT.with_borrow_mut(|slept| slept.push(time.as_secs()));
                Ok(())
            },
            ..Retry::BRIEFLY
        };
        let limit = Duration::from_secs(30);
        World {
            registry: Registry(Endpoint::with(&exec, &repository, retry, limit)),
            address,
            server: thread::spawn(move || serve(&listener, &answers)),
            home,
        }
    }

    fn docker_config(&self, text: &str) {
        let text = text.replace("ADDRESS", &self.address);
        std::fs::write(self.home.path().join("config.json"), text).unwrap();
    }

    /// `me:secret` is logged in.
    fn logged_in(self) -> World {
        self.docker_config(r#"{"auths":{"ADDRESS":{"auth":"bWU6c2VjcmV0"}}}"#);
        self
    }

    /// The client's answer, and the requests it took.
    fn digest(self) -> (Result<Option<String>, String>, Vec<String>) {
        let (digest, requests) = self.ask(|registry| registry.puller().digest("v1.0.0"));
        let text = |digest: Option<Digest>| digest.map(String::from);
        (digest.map(text), requests)
    }

    /// What the client makes of the answers, and the requests it took.
    fn ask<T>(
        self,
        question: impl FnOnce(&Registry) -> anyhow::Result<T>,
    ) -> (Result<T, String>, Vec<String>) {
        let done = question(&self.registry);
        let done = done.map_err(|error| format!("{error:#}").replace(&self.address, "ADDRESS"));
        // A connection without a request ends the server, should it have answers left.
        drop(TcpStream::connect(&self.address));
        let requests = self.server.join().unwrap().into_iter();
        let requests = requests.map(|request| request.replace(&self.address, "ADDRESS"));
        (done, requests.collect())
    }
}

fn serve(listener: &TcpListener, answers: &[String]) -> Vec<String> {
    let mut requests = Vec::new();
    for answer in answers {
        let stream = loop {
            let (stream, _) = listener.accept().unwrap();
            // The beginning of a TLS handshake.
            let mut first = [0];
            match stream.peek(&mut first) {
                Ok(1) if first == [0x16] => {}
                _ => break stream,
            }
        };
        if answer.is_empty() {
            requests.push(String::new());
            continue;
        }
        match exchange(stream, answer) {
            request if request.is_empty() => break,
            request => requests.push(request),
        }
    }
    requests
}

/// Reads one request, answers it, and returns its first line and what it is authorized by.
fn exchange(mut stream: TcpStream, answer: &str) -> String {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let (mut request, mut length) = (String::new(), 0);
    for (number, line) in reader.by_ref().lines().enumerate() {
        let line = line.unwrap();
        if line.is_empty() {
            break;
        }
        let header = line.split_once(": ").unwrap_or_default();
        if number == 0 {
            request = line.trim_end_matches(" HTTP/1.1").to_owned();
        } else if header.0.eq_ignore_ascii_case("authorization") {
            request = format!("{request} [{}]", header.1);
        } else if header.0.eq_ignore_ascii_case("content-length") {
            length = header.1.parse().unwrap();
        }
    }
    if request.is_empty() {
        return request;
    }
    let (head, text) = answer.split_once("\r\n\r\n").unwrap_or((answer, ""));
    let is_unread = head.contains("413");
    let mut body = vec![0; if is_unread { 0 } else { length }];
    reader.read_exact(&mut body).unwrap();
    let is_cut = head.contains("X-Cut");
    let size = text.len() + usize::from(is_cut);
    let answer = format!("HTTP/1.1 {head}\r\nContent-Length: {size}\r\nConnection: close\r\n\r\n");
    // The answer to a HEAD ends with its headers, whatever length they name.
    let text = if request.starts_with("HEAD") {
        ""
    } else {
        text
    };
    stream
        .write_all(format!("{answer}{text}").as_bytes())
        .unwrap();
    if !body.is_empty() {
        request = format!("{request} {}", String::from_utf8(body).unwrap());
    }
    request
}

#[track_caller]
fn asks(answers: &[&str], want: Result<Option<&str>, &str>, slept: &[u64]) {
    let (digest, requests) = World::new(answers).digest();
    assert_eq!(requests.len(), answers.len(), "{requests:?}");
    let want = want.map(|digest| digest.map(str::to_owned));
    assert_eq!(digest, want.map_err(str::to_owned));
    assert_eq!(SLEPT.take(), slept);
}

#[test]
fn a_tag_that_is_there_has_a_digest() {
    asks(&[OK], Ok(Some(D1)), &[]);
}

#[test]
fn where_a_head_gives_no_digest_the_bytes_do() {
    let bytes = r#"{"manifests":[]}"#;
    let digest = Digest::of(bytes.as_bytes());
    let whole = format!("200 OK\r\n\r\n{bytes}");
    for head in [
        "200 OK",
        "200 OK\r\nDocker-Content-Digest: sha512:d1",
        "200 OK\r\nDocker-Content-Digest: sha256:d1",
        "403 Forbidden",
        "405 Method Not Allowed",
        "400 Bad Request",
        "406 Not Acceptable",
        "501 Not Implemented",
        "404 Not Found",
    ] {
        asks(&[head, &whole], Ok(Some(digest.as_str())), &[]);
    }
    // A login page is no manifest.
    let error = "`http://ADDRESS` answers for `ADDRESS/me/agent:v1.0.0` in an unknown form, which is \
                 no manifest; hint: check the repository's name and the proxy settings";
    for page in ["<html>log in", "{}", "[]", "{\"errors\":[]}"] {
        asks(
            &["200 OK", &format!("200 OK\r\n\r\n{page}")],
            Err(error),
            &[],
        );
    }
}

#[test]
fn only_a_registrys_own_words_say_that_a_tag_is_absent() {
    let absent = format!("404 Not Found\r\n\r\n{UNKNOWN}");
    asks(&["404 Not Found", &absent], Ok(None), &[]);
    let no_repository = absent.replace("MANIFEST_UNKNOWN", "NAME_UNKNOWN");
    asks(&["404 Not Found", &no_repository], Ok(None), &[]);
    for (other, said) in [
        ("404 Not Found", ""),
        ("404 Not Found\r\n\r\n<html>no such page</html>", ""),
        (
            "404 Not Found\r\n\r\n{\"errors\":[{\"code\":\"DENIED\"}]}",
            ": DENIED",
        ),
    ] {
        let status = other.split("\r\n").next().unwrap();
        let want = format!(
            "`http://ADDRESS` does not answer as an image registry does ({status}) when asked \
             for `ADDRESS/me/agent:v1.0.0`{said}; hint: check the repository's name and the proxy \
             settings"
        );
        asks(&["404 Not Found", other], Err(&want), &[]);
    }
}

#[test]
fn a_busy_registry_is_asked_again_a_few_times() {
    let busy = "503 Service Unavailable";
    asks(&[busy, busy, OK], Ok(Some(D1)), &[1, 2]);
    let wait = "429 Too Many Requests\r\nRetry-After: 7";
    let long = "429 Too Many Requests\r\nRetry-After: 100";
    asks(&[wait, long, OK], Ok(Some(D1)), &[7, 30]);
    // Nobody waits for six hours.
    asks(
        &["429 Too Many Requests\r\nRetry-After: 21600"],
        Err(
            "failed to ask `http://ADDRESS` for `ADDRESS/me/agent:v1.0.0`: it is busy or \
             broken (429 Too Many Requests); hint: try again later; `docker login ADDRESS` raises \
             the limit of many registries",
        ),
        &[],
    );
    asks(
        &[wait, busy, busy, wait],
        Err(
            "failed to ask `http://ADDRESS` for `ADDRESS/me/agent:v1.0.0`: it is busy or \
             broken (429 Too Many Requests); hint: try again later; `docker login ADDRESS` raises the \
             limit of many registries",
        ),
        &[7, 2, 4],
    );
}

#[test]
fn a_broken_connection_is_tried_again_and_is_never_an_absent_tag() {
    asks(&["", OK], Ok(Some(D1)), &[1]);
    // The HEAD said 404, but the registry's own words never came.
    let (digest, _) = World::new(&["404 Not Found", "", "", "", ""]).digest();
    let error = digest.unwrap_err();
    assert!(
        error.contains("hint: check the network and try again"),
        "{error}"
    );
    assert_eq!(SLEPT.take(), [1, 2, 4]);
}

#[test]
fn where_nobody_listens_is_no_waiting() {
    let mut world = World::new(&[]);
    // Without an answer to give the server ends, and with it its port closes.
    let server = std::mem::replace(&mut world.server, thread::spawn(Vec::new));
    assert!(server.join().unwrap().is_empty());
    let (digest, _) = world.digest();
    let error = digest.unwrap_err();
    let start = "failed to ask `http://ADDRESS` for `ADDRESS/me/agent:v1.0.0`; hint: check the";
    assert!(error.starts_with(start), "{error}");
    assert_eq!(error.matches("Connection refused").count(), 1, "{error}");
    assert_eq!(SLEPT.take(), [0; 0]);
}
