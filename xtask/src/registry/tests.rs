//! The client against a registry of a few lines, whose answers each test chooses.

use std::cell::RefCell;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::thread::{self, JoinHandle};

use super::*;

mod content;
mod delete;

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
        let answers: Vec<String> = answers
            .iter()
            .map(|answer| answer.replace("ADDRESS", &address))
            .collect();
        let home = tempfile::tempdir().unwrap();
        let exec = Exec::new(home.path(), false).unwrap();
        exec.set_var("DOCKER_CONFIG", home.path().to_str().unwrap());
        exec.set_var("TESTBED_REGISTRY", "");
        let repository = format!("{address}/me/agent").parse().unwrap();
        let mut registry = Registry::new(&exec, &repository);
        registry.retry.random = || 0.0;
        registry.retry.sleep = |time| {
            SLEPT.with_borrow_mut(|slept| slept.push(time.as_secs()));
            Ok(())
        };
        let server = thread::spawn(move || serve(&listener, &answers));
        World {
            registry,
            address,
            server,
            home,
        }
    }

    fn docker_config(&self, text: &str) {
        let text = text.replace("ADDRESS", &self.address);
        std::fs::write(self.home.path().join("config.json"), text).unwrap();
    }

    /// The client's answer, and the requests it took.
    fn digest(self) -> (Result<Option<String>, String>, Vec<String>) {
        let (digest, requests) = self.ask(|registry| registry.digest("v1.0.0"));
        let text = |digest: Option<Digest>| digest.map(String::from);
        (digest.map(text), requests)
    }

    /// What the client makes of the answers, and the requests it took.
    fn ask<T>(
        self,
        question: impl FnOnce(&Registry) -> anyhow::Result<T>,
    ) -> (Result<T, String>, Vec<String>) {
        let digest = question(&self.registry);
        let digest = digest.map_err(|error| format!("{error:#}").replace(&self.address, "ADDRESS"));
        // A connection without a request ends the server, should it have answers left.
        drop(TcpStream::connect(&self.address));
        (digest, self.server.join().unwrap())
    }
}

fn serve(listener: &TcpListener, answers: &[String]) -> Vec<String> {
    let mut requests = Vec::new();
    for answer in answers {
        let (stream, _) = listener.accept().unwrap();
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
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    if request.is_empty() {
        return request;
    }
    let (head, text) = answer.split_once("\r\n\r\n").unwrap_or((answer, ""));
    let size = text.len();
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
    if length > 0 {
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
    asks(
        &["200 OK"],
        Err("`http://ADDRESS` answers for `ADDRESS/me/agent:v1.0.0` without a digest"),
        &[],
    );
    asks(
        &["200 OK\r\nDocker-Content-Digest: sha256:d1"],
        Err(
            "`http://ADDRESS` answers for `ADDRESS/me/agent:v1.0.0` in an unknown form: bad digest \
             `sha256:d1`: expected `sha256:` and 64 lower-case hex digits",
        ),
        &[],
    );
}

#[test]
fn only_a_registrys_own_words_say_that_a_tag_is_absent() {
    let absent = format!("404 Not Found\r\n\r\n{UNKNOWN}");
    asks(&["404 Not Found", &absent], Ok(None), &[]);
    let no_repository = absent.replace("MANIFEST_UNKNOWN", "NAME_UNKNOWN");
    asks(&["404 Not Found", &no_repository], Ok(None), &[]);
    for other in [
        "404 Not Found",
        "404 Not Found\r\n\r\n<html>no such page</html>",
        "404 Not Found\r\n\r\n{\"errors\":[{\"code\":\"DENIED\"}]}",
        "200 OK\r\n\r\n{\"errors\":[{\"code\":\"MANIFEST_UNKNOWN\"}]}",
    ] {
        let status = other.split("\r\n").next().unwrap();
        let want = format!(
            "`http://ADDRESS` does not answer as an image registry does ({status}) when asked \
             for `ADDRESS/me/agent:v1.0.0`; hint: check the repository's name and the proxy \
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
    let long = "429 Too Many Requests\r\nRetry-After: 86400";
    asks(&[wait, long, OK], Ok(Some(D1)), &[7, 30]);
    asks(
        &[wait, busy, busy, wait],
        Err(
            "failed to ask `http://ADDRESS` for `ADDRESS/me/agent:v1.0.0`: it is busy or \
             broken (429 Too Many Requests); hint: try again later",
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
fn a_registry_that_says_nothing_for_too_long_is_an_error() {
    let World { registry, .. } = World::new(&[]);
    let error = registry
        .with_retry("a tag", || Err(ureq::Error::Timeout(ureq::Timeout::Global)))
        .unwrap_err();
    let error = format!("{error:#}");
    assert!(
        error.contains("hint: check the network and try again: timeout"),
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
    assert!(error.contains("Connection refused"), "{error}");
    assert_eq!(SLEPT.take(), [0; 0]);
}

const BEARER: &str = "401 Unauthorized\r\nWWW-Authenticate: Bearer \
    realm=\"http://ADDRESS/token\",service=\"a b\",scope=\"repository:me/agent:pull\"";

#[test]
fn a_token_is_fetched_when_the_registry_wants_one() {
    for token in [
        r#"{"token":"t1","access_token":"t2"}"#,
        r#"{"access_token":"t1"}"#,
    ] {
        let token = format!("200 OK\r\n\r\n{token}");
        let (digest, requests) = World::new(&[BEARER, &token, OK]).digest();
        assert_eq!(digest, Ok(Some(D1.to_owned())));
        assert_eq!(
            requests,
            [
                "HEAD /v2/me/agent/manifests/v1.0.0",
                "GET /token?scope=repository%3Ame%2Fagent%3Apull&service=a%20b",
                "HEAD /v2/me/agent/manifests/v1.0.0 [Bearer t1]",
            ]
        );
    }
}

#[test]
fn dockers_credentials_are_used() {
    let token = "200 OK\r\n\r\n{\"token\":\"t1\"}";
    let world = World::new(&[BEARER, token, OK]);
    // `me:secret`
    world.docker_config(r#"{"auths":{"ADDRESS":{"auth":"bWU6c2VjcmV0"}}}"#);
    let (digest, requests) = world.digest();
    assert_eq!(digest, Ok(Some(D1.to_owned())));
    assert!(
        requests[1].ends_with(" [Basic bWU6c2VjcmV0]"),
        "{requests:?}"
    );

    let world = World::new(&[
        "401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"x\"",
        OK,
    ]);
    world.docker_config(r#"{"auths":{"ADDRESS":{"username":"me","password":"secret"}}}"#);
    let (digest, requests) = world.digest();
    assert_eq!(digest, Ok(Some(D1.to_owned())));
    assert!(
        requests[1].ends_with(" [Basic bWU6c2VjcmV0]"),
        "{requests:?}"
    );

    let world = World::new(&[BEARER, token, OK]);
    world.docker_config(r#"{"auths":{"ADDRESS":{"identitytoken":"i1"}}}"#);
    let (digest, requests) = world.digest();
    assert_eq!(digest, Ok(Some(D1.to_owned())));
    assert!(requests[1].starts_with("POST /token "), "{requests:?}");
    assert!(requests[1].contains("refresh_token=i1"), "{requests:?}");
}

#[test]
fn what_may_not_be_read_says_how_to_log_in() {
    let token = "200 OK\r\n\r\n{\"token\":\"t1\"}";
    for (answers, status) in [
        (vec![BEARER, token, BEARER], "401 Unauthorized"),
        (vec!["403 Forbidden"], "403 Forbidden"),
    ] {
        let want = format!(
            "`http://ADDRESS` does not let us read `ADDRESS/me/agent:v1.0.0` ({status}); some \
             registries answer so for a repository that they do not have; hint: `docker login \
             ADDRESS`"
        );
        asks(&answers, Err(&want), &[]);
    }
    asks(
        &[BEARER, "403 Forbidden"],
        Err(
            "`http://ADDRESS/token` gives no token to read `ADDRESS/me/agent` (403 Forbidden); \
             hint: `docker login ADDRESS`",
        ),
        &[],
    );
}

#[test]
fn credentials_never_go_over_plain_http_to_another_machine() {
    let challenge = "401 Unauthorized\r\nWWW-Authenticate: Bearer realm=\"http://example.org/t\"";
    let world = World::new(&[challenge]);
    world.docker_config(r#"{"auths":{"ADDRESS":{"auth":"bWU6c2VjcmV0"}}}"#);
    let (digest, _) = world.digest();
    let error = digest.unwrap_err();
    assert!(error.contains("credentials over plain HTTP"), "{error}");
}

#[test]
fn a_broken_docker_configuration_is_named() {
    let world = World::new(&[BEARER]);
    world.docker_config("{");
    let path = world.home.path().join("config.json");
    let (digest, _) = world.digest();
    let error = digest.unwrap_err();
    assert!(error.contains(&path.display().to_string()), "{error}");
    assert!(error.contains("hint: `docker login ADDRESS`"), "{error}");
}

#[test]
fn only_loopback_does_without_tls() {
    let exec = Exec::new(Path::new("/"), false).unwrap();
    exec.set_var("TESTBED_REGISTRY", "");
    let base = |name: &str| Registry::new(&exec, &name.parse().unwrap()).base;
    for (name, want) in [
        ("agentgate/agent", "https://registry-1.docker.io"),
        ("ghcr.io/me/agent", "https://ghcr.io"),
        ("10.0.0.1:5000/agent", "https://10.0.0.1:5000"),
        (
            "127.0.0.1.example.org/agent",
            "https://127.0.0.1.example.org",
        ),
        (
            "localhost.example.org/agent",
            "https://localhost.example.org",
        ),
        ("127.0.0.1:5000/agent", "http://127.0.0.1:5000"),
        ("127.9.9.9:5000/agent", "http://127.9.9.9:5000"),
        ("localhost:5000/agent", "http://localhost:5000"),
        ("[::1]:5000/agent", "http://[::1]:5000"),
        ("[::2]:5000/agent", "https://[::2]:5000"),
    ] {
        assert_eq!(base(name), want);
    }
    exec.set_var("TESTBED_REGISTRY", "127.0.0.1:5001");
    let base = |name: &str| Registry::new(&exec, &name.parse().unwrap()).base;
    assert_eq!(base("agentgate/agent"), "http://127.0.0.1:5001");
    assert_eq!(base("ghcr.io/me/agent"), "https://ghcr.io");
}
