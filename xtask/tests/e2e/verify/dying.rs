//! An engine that goes away in the middle of a run: the run ends, and reports what it could not prove.

use std::io;
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::Value;

use super::killed::{containers, until};
use crate::common::Ran;
use crate::world::{docker, image, xtask};

/// A relay to the engine, until it is cut.
struct Relay {
    socket: PathBuf,
    is_cut: Arc<AtomicBool>,
    open: Arc<Mutex<Vec<UnixStream>>>,
}

impl Relay {
    fn to(engine: PathBuf, folder: &Path) -> Relay {
        let socket = folder.join("engine.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        let relay = Relay {
            socket,
            is_cut: Arc::default(),
            open: Arc::default(),
        };
        let (is_cut, open) = (Arc::clone(&relay.is_cut), Arc::clone(&relay.open));
        thread::spawn(move || {
            for client in listener.incoming() {
                if is_cut.load(Ordering::SeqCst) {
                    return;
                }
                let (client, engine) = (client.unwrap(), UnixStream::connect(&engine).unwrap());
                let mut open = open.lock().unwrap();
                for (from, to) in [(&client, &engine), (&engine, &client)] {
                    let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                    open.push(from.try_clone().unwrap());
                    thread::spawn(move || {
                        let _ = io::copy(&mut from, &mut to);
                        let _ = to.shutdown(Shutdown::Write);
                    });
                }
            }
        });
        relay
    }

    fn cut(&self) {
        self.is_cut.store(true, Ordering::SeqCst);
        std::fs::remove_file(&self.socket).unwrap();
        for stream in self.open.lock().unwrap().iter() {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

/// The socket of the engine that the tests use.
fn engine() -> PathBuf {
    let ran = docker(&[
        "context",
        "inspect",
        "--format",
        "{{.Endpoints.docker.Host}}",
    ]);
    let named = std::env::var("DOCKER_HOST");
    let host = named.unwrap_or_else(|_| ran.succeeded().stdout);
    PathBuf::from(host.trim().strip_prefix("unix://").unwrap())
}

#[test]
fn what_a_dying_engine_leaves_unknown_is_unproven() {
    let folder = tempfile::tempdir().unwrap();
    let relay = Relay::to(engine(), folder.path());
    // `image()` asks the engine, so before it dies.
    let mut verify = xtask(&["verify", image(), "--json", "--receipt-dir"]);
    verify.arg(folder.path());
    verify.env("DOCKER_HOST", format!("unix://{}", relay.socket.display()));
    let output = std::process::Stdio::piped;
    let child = verify.stdout(output()).stderr(output()).spawn().unwrap();
    let run = child.id();
    until("no containers came up", || containers(run).len() >= 3);
    relay.cut();
    let ran = Ran::from(child.wait_with_output().unwrap());
    for name in containers(run) {
        docker(&["rm", "--force", "--volumes", &name]);
    }
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    assert!(ran.stderr.contains("hint: `docker rm -fv"), "{ran:#?}");
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    let results = report["platforms"][0]["results"].as_array().unwrap();
    let unproven = results.iter().filter(|one| one["status"] == "unproven");
    assert!(unproven.count() > 10, "{ran:#?}");
    // It is not the image that failed.
    let failed: Vec<&Value> = results
        .iter()
        .filter(|one| one["status"] == "failed")
        .collect();
    assert!(failed.is_empty(), "{failed:#?}");
}
