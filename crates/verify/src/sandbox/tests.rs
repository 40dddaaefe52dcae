//! Containers of an engine that says what the tests want.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;

use tempfile::TempDir;
use xtask::exec::Exec;
use xtask::platform::Platform;

use super::{Candidate, Sandbox, Trouble, VerifyRun};
use crate::checks::fixture;
use crate::limits::Pace;

/// An engine that answers each request with the next answer to a path that ends so.
struct Engine {
    folder: TempDir,
    asked: Arc<Mutex<Vec<String>>>,
}

/// The end of a path, the status, and the body. `-` for a status is output, which ends with its connection.
type Answer = (&'static str, &'static str, &'static str);

impl Engine {
    fn of(answers: &[Answer]) -> Engine {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("sock");
        let listener = UnixListener::bind(&socket).unwrap();
        let script = format!("#!/bin/sh\necho unix://{}\n", socket.display());
        let docker = folder.path().join("docker");
        fs::write(&docker, script).unwrap();
        fs::set_permissions(&docker, fs::Permissions::from_mode(0o755)).unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let engine = Engine {
            folder,
            asked: Arc::clone(&asked),
        };
        let answers = Arc::new(Mutex::new(answers.to_vec()));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (answers, asked) = (Arc::clone(&answers), Arc::clone(&asked));
                thread::spawn(move || serve(stream.unwrap(), &answers, &asked));
            }
        });
        engine
    }

    fn with<T>(&self, test: impl FnOnce(&Sandbox) -> T) -> T {
        let folder = self.folder.path();
        let exec = Exec::new(folder, false).unwrap();
        exec.set_var("PATH", &format!("{}:/usr/bin:/bin", folder.display()));
        let candidate = Candidate {
            run: VerifyRun::named(folder, "test"),
            image: "sha256:00".to_owned(),
            platform: Platform::LinuxAmd64,
            is_emulated: false,
            expected: fixture::good().expected,
            shared: "shared".to_owned(),
            used: OnceLock::new(),
            pace: Mutex::new(Pace::QUIET),
        };
        test(&Sandbox::new(exec, &candidate, "check"))
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

fn serve(mut stream: UnixStream, answers: &Mutex<Vec<Answer>>, asked: &Mutex<Vec<String>>) {
    while let Some((method, path)) = read_request(&mut stream) {
        if path == "/_ping" {
            let pong = "HTTP/1.1 200 OK\r\nApi-Version: 1.51\r\nContent-Length: 0\r\n\r\n";
            stream.write_all(pong.as_bytes()).unwrap();
            continue;
        }
        asked.lock().unwrap().push(format!("{method} {path}"));
        let plain = path.split('?').next().unwrap();
        let answer = {
            let mut answers = answers.lock().unwrap();
            let at = answers.iter().position(|(end, ..)| plain.ends_with(end));
            at.map(|at| answers.remove(at))
        };
        match answer {
            Some((_, "-", output)) => {
                let head = "HTTP/1.1 200 OK\r\n\r\n";
                stream
                    .write_all([head, output].concat().as_bytes())
                    .unwrap();
                return;
            }
            Some((_, status, body)) => {
                let length = body.len();
                let answer =
                    format!("HTTP/1.1 {status} X\r\nContent-Length: {length}\r\n\r\n{body}");
                stream.write_all(answer.as_bytes()).unwrap();
            }
            // It dies.
            None => return,
        }
    }
}

/// The method and the path of a request, whose body is read and dropped; none at the end.
fn read_request(stream: &mut UnixStream) -> Option<(String, String)> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte).ok()? == 0 {
            return None;
        }
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap().to_lowercase();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    stream.read_exact(&mut body).unwrap();
    let mut words = head.split(' ');
    Some((words.next()?.to_uppercase(), words.next()?.to_owned()))
}

const EXEC: Answer = ("/exec", "201", r#"{"Id":"e1"}"#);
const PRINTS: Answer = (
    "/exec/e1/start",
    "-",
    "\x01\0\0\0\0\0\0\x02a\n\x02\0\0\0\0\0\0\x01b",
);
const CREATED: Answer = ("/create", "201", r#"{"Id":"c1","Warnings":[]}"#);

fn said(error: &anyhow::Error) -> (bool, String) {
    let is_trouble = error.downcast_ref::<Trouble>().is_some();
    (is_trouble, format!("{error:#}"))
}

/// socktainer/socktainer#305, spotify/docker-client#679: at the end of its output a program may still run, and its
/// exit code be null, which passes for 0.
#[test]
fn the_exit_code_of_an_exec_is_waited_for() {
    let engine = Engine::of(&[
        EXEC,
        PRINTS,
        (
            "/exec/e1/json",
            "200",
            r#"{"Running":true,"ExitCode":null}"#,
        ),
        (
            "/exec/e1/json",
            "200",
            r#"{"Running":false,"ExitCode":null}"#,
        ),
        ("/exec/e1/json", "200", r#"{"Running":false,"ExitCode":42}"#),
    ]);
    let ran = engine
        .with(|sandbox| sandbox.shared().exec(&["false"]))
        .unwrap();
    assert_eq!((ran.code, &*ran.stdout, &*ran.stderr), (42, "a\n", "b"));
}

#[test]
fn an_exec_in_a_container_that_has_ended_is_the_images_fault() {
    for status in ["404", "409"] {
        let engine = Engine::of(&[(
            "/exec",
            status,
            r#"{"message":"container x is not running"}"#,
        )]);
        let error = engine
            .with(|sandbox| sandbox.shared().exec(&["id"]))
            .unwrap_err();
        let expected = "the container has ended: container x is not running".to_owned();
        assert_eq!(said(&error), (true, expected));
    }
}

/// An engine that goes away at any moment proves nothing.
#[test]
fn an_engine_that_dies_is_not_the_images_fault() {
    let all = [
        EXEC,
        PRINTS,
        ("/exec/e1/json", "200", r#"{"Running":false,"ExitCode":0}"#),
    ];
    for answered in 0..all.len() {
        let engine = Engine::of(&all[..answered]);
        let error = engine
            .with(|sandbox| sandbox.shared().exec(&["id"]))
            .unwrap_err();
        let (is_trouble, text) = said(&error);
        assert!(
            !is_trouble && text.starts_with("the engine does not answer: "),
            "{text}"
        );
    }
    let all = [
        CREATED,
        ("/attach", "-", ""),
        ("/wait", "200", r#"{"StatusCode":0}"#),
        ("/start", "204", ""),
    ];
    for answered in 0..all.len() {
        let engine = Engine::of(&all[..answered]);
        let ran = engine.with(|sandbox| sandbox.plain().command(&["id"]).run());
        let (is_trouble, text) = said(&ran.unwrap_err());
        assert!(
            !is_trouble && text.starts_with("the engine does not answer: "),
            "{text}"
        );
    }
}

/// docker-java/docker-java#1483: of a container that is attached to after its start the first lines are lost;
/// docker/docker-py#3247: one that removes itself leaves neither output nor an exit code.
#[test]
fn a_container_is_listened_to_before_it_starts() {
    let engine = Engine::of(&[
        CREATED,
        ("/attach", "-", "\x01\0\0\0\0\0\0\x01a"),
        ("/wait", "200", r#"{"StatusCode":7,"Error":null}"#),
        ("/start", "204", ""),
    ]);
    let ran = engine
        .with(|sandbox| sandbox.plain().command(&["id"]).run())
        .unwrap();
    assert_eq!((ran.code, &*ran.stdout, &*ran.stderr), (7, "a", ""));
    let asked = engine.asked();
    let [create, rest @ ..] = asked.as_slice() else {
        panic!("{asked:?}");
    };
    let named = "POST /v1.51/containers/create?name=agentgate-verify-test-check-";
    assert!(
        create.starts_with(named) && create.ends_with("&platform=linux%2famd64"),
        "{create}"
    );
    let expected = [
        "POST /v1.51/containers/c1/attach?stream=1&stdout=1&stderr=1",
        "POST /v1.51/containers/c1/wait?condition=removed",
        "POST /v1.51/containers/c1/start",
    ];
    assert_eq!(rest, expected);
}

#[test]
fn a_container_that_does_not_start_is_the_images_fault_and_is_removed() {
    let engine = Engine::of(&[
        CREATED,
        ("/start", "400", r#"{"message":"exec: \"x\": not found"}"#),
    ]);
    let started = engine.with(|sandbox| sandbox.plain().start().map(drop));
    let expected = "the container did not start: exec: \"x\": not found".to_owned();
    assert_eq!(said(&started.unwrap_err()), (true, expected));
    let asked = engine.asked();
    let last = asked.last().unwrap();
    assert!(
        last.starts_with("DELETE ") && last.ends_with("?force=1&v=1"),
        "{last}"
    );
}
