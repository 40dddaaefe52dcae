//! The client against an engine that says what the tests want.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

use super::{Api, Failure, Request};
use crate::exec::Exec;

const AGES: Duration = Duration::from_mins(10);
const SOON: Duration = Duration::from_millis(300);
const PONG: &str = "HTTP/1.1 200 OK\r\nApi-Version: 1.47\r\nContent-Length: 2\r\n\r\nOK";
/// The head of output, as Docker 28 sends it to whoever does not ask for another protocol.
const STREAM: &str =
    "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.multiplexed-stream\r\n\r\n";

/// Programs on a PATH of their own; `docker` is this script.
fn exec(folder: &Path, docker: &str) -> Exec {
    let file = folder.join("docker");
    fs::write(&file, format!("#!/bin/sh\n{docker}\n")).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    let exec = Exec::new(folder, false).unwrap();
    exec.set_var("PATH", &format!("{}:/usr/bin:/bin", folder.display()));
    exec
}

/// An engine that gives each connection its answers, one for each request; after the last it closes, or stays if
/// it `hangs`.
fn engine(
    hangs: bool,
    answers: &'static [&'static [&'static str]],
) -> (TempDir, anyhow::Result<Api>) {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("sock");
    let listener = UnixListener::bind(&socket).unwrap();
    thread::spawn(move || {
        let mut kept = Vec::new();
        for answers in answers {
            let (mut stream, _) = listener.accept().unwrap();
            for answer in *answers {
                read_request(&mut stream);
                let _ = stream.write_all(answer.as_bytes());
            }
            if hangs {
                kept.push(stream);
            }
        }
        if hangs {
            thread::sleep(AGES);
        }
    });
    let docker = format!("echo unix://{}", socket.display());
    let exec = exec(folder.path(), &docker);
    let api = Api::connect(&exec);
    (folder, api)
}

/// Up to the end of its head: the tests' requests have no body.
fn read_request(stream: &mut UnixStream) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap() == 1 {
        head.push(byte[0]);
    }
}

#[test]
fn one_connection_has_many_answers() {
    const REFUSED: &str =
        "HTTP/1.1 404 Not Found\r\nContent-Length: 31\r\n\r\n{\"message\":\"No such container\"}";
    let (_folder, api) = engine(false, &[&[PONG, REFUSED, PONG]]);
    let api = api.unwrap();
    assert_eq!(api.version.to_string(), "1.47");
    let refused = api.call(&Request::get("/containers/x/json"), AGES);
    let refused = refused.unwrap_err();
    assert!(matches!(&refused, Failure::Refused(404, why) if why == "No such container"));
    assert_eq!(api.call(&Request::get("/x"), AGES).unwrap(), b"OK");
}

/// ddev/ddev#8660, fussybeaver/bollard#251: the output of a program that has ended stays open.
#[test]
fn an_engine_that_never_ends_is_left_at_the_limit() {
    let open: &[&str] = &[PONG, "HTTP/1.1 200 OK\r\n\r\n\x01\0\0\0\0\0\0\x02hi"];
    let open: &'static [&'static [&'static str]] = Box::leak(Box::new([open]));
    let (_folder, api) = engine(true, open);
    let output = api.unwrap().send(&Request::post("/exec/x/start"), SOON);
    let failure = output.unwrap().output().unwrap_err();
    assert!(matches!(failure, Failure::TimedOut), "{failure:?}");

    let (_folder, api) = engine(true, &[&[PONG, ""]]);
    let failure = api.unwrap().call(&Request::get("/x"), SOON).unwrap_err();
    assert!(matches!(failure, Failure::TimedOut), "{failure:?}");
}

#[test]
fn output_that_is_cut_off_is_not_taken_for_whole() {
    let cut = format!("{STREAM}\x01\0\0\0\0\0\0\x05hi");
    let answers: &'static [&'static str] = Box::leak(Box::new([PONG, &*cut.leak()]));
    let (_folder, api) = engine(false, Box::leak(Box::new([answers])));
    let answer = api.unwrap().send(&Request::post("/exec/x/start"), AGES);
    let failure = answer.unwrap().output().unwrap_err();
    let expected = "the engine does not answer: its output ends within a frame";
    assert_eq!(failure.to_string(), expected);
}

#[test]
fn an_answer_that_is_cut_off_is_none() {
    let cut = "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{\"StatusCode\":0";
    let answers: &'static [&'static str] = Box::leak(Box::new([PONG, cut]));
    let (_folder, api) = engine(false, Box::leak(Box::new([answers])));
    let failure = api.unwrap().call(&Request::get("/x"), AGES).unwrap_err();
    assert!(matches!(failure, Failure::Gone(_)), "{failure:?}");
}

#[test]
fn an_engine_that_is_too_old_is_named() {
    const OLD: &str = "HTTP/1.1 200 OK\r\nApi-Version: 1.40\r\nContent-Length: 0\r\n\r\n";
    let (_folder, api) = engine(false, &[&[OLD]]);
    let error = api.err().unwrap().to_string();
    assert!(error.contains("Docker 20.10 or later"), "{error}");
}

/// testcontainers/testcontainers-java#11250: an engine that has dropped a version answers 400, and the reason
/// reaches nobody.
#[test]
fn an_engine_that_is_too_new_says_why() {
    const NEW: &str = "HTTP/1.1 400 Bad Request\r\nContent-Length: 40\r\n\r\n{\"message\":\"client version is too old\"} \n";
    let (_folder, api) = engine(false, &[&[PONG, NEW]]);
    let failure = api.unwrap().call(&Request::get("/x"), AGES).unwrap_err();
    assert_eq!(failure.to_string(), "client version is too old");
}

#[test]
fn an_engine_that_is_not_there_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let docker = format!("echo unix://{}/none", folder.path().display());
    let error = Api::connect(&exec(folder.path(), &docker)).err().unwrap();
    let error = error.to_string();
    assert!(
        error.starts_with("the engine does not answer: ") && error.contains("/none`: No such file"),
        "{error}"
    );
}

/// docker/cli#4718: why there is no way to an engine stands on the client's stderr alone.
#[test]
fn what_the_client_says_of_the_way_is_why() {
    let folder = tempfile::tempdir().unwrap();
    let docker = "[ \"$1\" = system ] || { echo ssh://me@host; exit; }\n\
                  echo 'Permission denied (publickey).' >&2; exit 1";
    let error = Api::connect(&exec(folder.path(), docker)).err().unwrap();
    let expected = "the engine does not answer: io: Permission denied (publickey).";
    assert_eq!(error.to_string(), expected);
}

/// testcontainers/testcontainers-go#2607: whatever is no socket leads nowhere.
#[test]
fn another_way_than_a_socket_is_the_clients() {
    let folder = tempfile::tempdir().unwrap();
    let docker = format!(
        "[ \"$1\" = system ] || {{ echo tcp://10.0.0.1:2376; exit; }}\n\
         read -r line; while [ \"$line\" != \"$(printf '\\r')\" ]; do read -r line; done\n\
         printf '{}'; sleep 600",
        PONG.replace("\r\n", "\\r\\n")
    );
    let api = Api::connect(&exec(folder.path(), &docker)).unwrap();
    assert_eq!(api.version.to_string(), "1.47");
}
