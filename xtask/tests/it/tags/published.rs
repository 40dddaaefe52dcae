//! `--published`: the registry is asked for the higher versions, the highest first.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::thread;

use crate::tags::{Repo, Set};

const ABSENT: &str = r#"{"errors":[{"code":"MANIFEST_UNKNOWN"}]}"#;

/// Answers `requests` times, with a digest for the tags that are `published`, and returns what
/// was asked for.
fn registry(
    requests: usize,
    published: &'static [&'static str],
) -> (String, thread::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let server = thread::spawn(move || {
        let serve = |_| {
            let (mut stream, _) = listener.accept().unwrap();
            let lines = BufReader::new(&stream).lines().map(Result::unwrap);
            let request: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
            let request = request[0].trim_end_matches(" HTTP/1.1").to_owned();
            let tag = request.rsplit('/').next().unwrap();
            let answer = if published.contains(&tag) {
                "200 OK\r\nDocker-Content-Digest: sha256:d1\r\nContent-Length: 0\r\n".to_owned()
            } else {
                format!("404 Not Found\r\nContent-Length: {}\r\n", ABSENT.len())
            };
            let is_get = request.starts_with("GET");
            let body = if is_get && !published.contains(&tag) {
                ABSENT
            } else {
                ""
            };
            let answer = format!("HTTP/1.1 {answer}Connection: close\r\n\r\n{body}");
            stream.write_all(answer.as_bytes()).unwrap();
            request
        };
        (0..requests).map(serve).collect()
    });
    (address, server)
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
    let (address, server) = registry(3, &["v1.10.0", "v1.9.0"]);
    let name = format!("{address}/me/agent");
    let set = Set::of(
        &repo
            .run(&["--json", "--published", "--repository", &name])
            .succeeded(),
    );
    let asked = ["HEAD", "GET"].map(|how| format!("{how} /v2/me/agent/manifests/v1.11.0"));
    let last = "HEAD /v2/me/agent/manifests/v1.10.0".to_owned();
    assert_eq!(server.join().unwrap(), [&asked[..], &[last]].concat());
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
    let (address, server) = registry(6, &["v0.9.0", "v2.0.0-rc.1"]);
    let name = format!("{address}/me/agent");
    let ran = repo.run(&["--format", "plain", "--published", "--repository", &name]);
    assert!(
        ran.stdout.ends_with(&format!("{name}:latest\n")),
        "{ran:#?}"
    );
    assert_eq!(server.join().unwrap().len(), 6);
    ran.succeeded();
}

#[test]
fn a_registry_that_does_not_answer_is_an_error_and_no_permission() {
    let repo = repo();
    let (address, server) = registry(0, &[]);
    server.join().unwrap();
    let name = format!("{address}/me/agent");
    let ran = repo.run(&["--published", "--repository", &name]);
    assert_eq!((ran.code, &*ran.stdout), (Some(1), ""), "{ran:#?}");
    let want = format!("error: failed to ask `http://{address}` for `{name}:v1.11.0`; hint: ");
    assert!(ran.stderr.starts_with(&want), "{ran:#?}");
}

#[test]
fn a_prerelease_asks_nobody() {
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
