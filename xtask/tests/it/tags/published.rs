//! `--published`: the registry is asked for the higher versions, the highest first.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread;

use crate::tags::{Repo, Set};

const ABSENT: &str = r#"{"errors":[{"code":"MANIFEST_UNKNOWN"}]}"#;

/// A registry of a few lines, which has a digest for the tags that are `published`.
struct Registry {
    address: String,
    server: thread::JoinHandle<Vec<String>>,
}

impl Registry {
    fn with(published: &'static [&'static str]) -> Registry {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let serve = move || {
            // Who asks on this machine tries TLS first, and this registry does not speak it.
            let connections = listener.incoming().map(Result::unwrap);
            let connections = connections.filter(|stream| {
                let mut first = [0];
                stream.peek(&mut first).unwrap() == 0 || first != [0x16]
            });
            let requests = connections.map(|stream| answer(stream, published));
            requests.take_while(|request| !request.is_empty()).collect()
        };
        Registry {
            address,
            server: thread::spawn(serve),
        }
    }

    /// The repository's name.
    fn name(&self) -> String {
        format!("{}/me/agent", self.address)
    }

    /// What was asked for. A connection without a request ends the registry.
    fn asked(self) -> Vec<String> {
        drop(TcpStream::connect(self.address).unwrap());
        self.server.join().unwrap()
    }
}

/// Answers one request, and returns its first line.
fn answer(mut stream: TcpStream, published: &[&str]) -> String {
    let lines = BufReader::new(&stream).lines().map(Result::unwrap);
    let request: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
    let Some(request) = request.first() else {
        return String::new();
    };
    let request = request.trim_end_matches(" HTTP/1.1").to_owned();
    let is_published = published.contains(&request.rsplit('/').next().unwrap());
    let answer = if is_published {
        "200 OK\r\nDocker-Content-Digest: sha256:d100000000000000000000000000000000000000000000000000000000000000\r\nContent-Length: 0\r\n".to_owned()
    } else {
        format!("404 Not Found\r\nContent-Length: {}\r\n", ABSENT.len())
    };
    let has_body = request.starts_with("GET") && !is_published;
    let body = if has_body { ABSENT } else { "" };
    let answer = format!("HTTP/1.1 {answer}Connection: close\r\n\r\n{body}");
    stream.write_all(answer.as_bytes()).unwrap();
    request
}

fn repo() -> Repo {
    let repo = Repo::new();
    repo.git(&["tag", "v1.0.0"]);
    for version in ["v0.9.0", "v1.9.0", "v1.10.0", "v2.0.0-rc.1", "v1.11.0"] {
        repo.commit("next");
        repo.git(&["tag", version]);
    }
    repo.git(&["checkout", "--quiet", "v1.0.0"]);
    repo
}

#[test]
fn a_published_higher_version_keeps_latest_and_no_lower_one_is_asked_for() {
    let repo = repo();
    let registry = Registry::with(&["v1.10.0", "v1.9.0"]);
    let name = registry.name();
    let set = Set::of(
        &repo
            .run(&["--json", "--published", "--repository", &name])
            .succeeded(),
    );
    let asked = ["HEAD", "GET"].map(|how| format!("{how} /v2/me/agent/manifests/v1.11.0"));
    let last = "HEAD /v2/me/agent/manifests/v1.10.0".to_owned();
    assert_eq!(registry.asked(), [&asked[..], &[last]].concat());
    assert_eq!(set.tags().last(), Some(&"v1.0.0"));
    assert_eq!(set.names("withheld", "name"), ["latest"]);
    assert_eq!(
        set.names("withheld", "why"),
        ["the higher version `v1.10.0` is published"]
    );
}

#[test]
fn versions_that_were_never_published_do_not_count() {
    let repo = repo();
    let registry = Registry::with(&["v0.9.0", "v2.0.0-rc.1"]);
    let name = registry.name();
    let ran = repo.run(&["--format", "plain", "--published", "--repository", &name]);
    assert!(
        ran.stdout.ends_with(&format!("{name}:latest\n")),
        "{ran:#?}"
    );
    assert_eq!(registry.asked().len(), 6);
    ran.succeeded();
}

#[test]
fn a_registry_that_does_not_answer_is_an_error_not_a_permission() {
    let repo = repo();
    let registry = Registry::with(&[]);
    let (address, name) = (registry.address.clone(), registry.name());
    registry.asked();
    let ran = repo.run(&["--published", "--repository", &name]);
    assert_eq!((ran.code, &*ran.stdout), (Some(1), ""), "{ran:#?}");
    let want = format!("error: failed to ask `http://{address}` for `{name}:v1.11.0`; hint: ");
    assert!(ran.stderr.starts_with(&want), "{ran:#?}");
}

#[test]
fn for_a_prerelease_no_registry_is_asked() {
    let repo = repo();
    repo.git(&["checkout", "--quiet", "v2.0.0-rc.1"]);
    let name = "127.0.0.1:1/me/agent";
    let set = Set::of(
        &repo
            .run(&["--json", "--published", "--repository", name])
            .succeeded(),
    );
    assert_eq!(set.tags().last(), Some(&"v2.0.0-rc.1"));
}
