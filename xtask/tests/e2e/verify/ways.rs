//! The ways to the engine: its socket, and what docker's client alone knows of.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;
use std::thread;

use super::relay::{engine, pass_on};
use crate::common::Ran;
use crate::world::{before, docker, image, xtask};

/// One check of each kind that asks the engine for something.
const CHECKS: &str = "seed-3-node,contract-starts,contract-user,contract-exit-127,contract-stop-obey,\
    pid1-signals,pid1-exit-code,health-healthy,claude-writes";

/// Verifies the good image with what `set` changes.
fn verify(set: impl FnOnce(&mut Command)) -> Ran {
    let folder = tempfile::tempdir().unwrap();
    let mut verify = xtask(&["verify", image(), "--verbose", "--only", CHECKS]);
    verify.arg("--receipt-dir").arg(folder.path());
    set(&mut verify);
    Ran::of(&mut verify)
}

fn dials(ran: &Ran) -> usize {
    ran.stderr.matches("$ docker system dial-stdio").count()
}

#[test]
fn a_socket_is_asked_itself() {
    let ran = verify(|_| {}).succeeded();
    assert_eq!(dials(&ran), 0, "{ran:#?}");
}

/// testcontainers/testcontainers-java#5837, testcontainers-go#2607, testcontainers-python#1069: the context in use is
/// not looked at.
#[test]
fn a_context_is_followed() {
    let folder = tempfile::tempdir().unwrap();
    let create = format!("host=unix://{}", engine().display());
    let config = folder.path().to_str().unwrap();
    let name = "agentgate-test";
    let mut ran = docker(&[
        "--config", config, "context", "create", name, "--docker", &create,
    ]);
    ran = ran.succeeded();
    assert!(ran.stderr.contains("Successfully created"), "{ran:#?}");
    let contexts = folder.path().join("contexts");
    let ran = verify(|verify| {
        verify.env_remove("DOCKER_HOST").env("DOCKER_CONTEXT", name);
        verify.env("DOCKER_CONFIG", with_plugins(folder.path(), &contexts));
    });
    assert_eq!(dials(&ran.succeeded()), 0);
}

/// A folder for `DOCKER_CONFIG` that holds docker's own plugins, too.
fn with_plugins(folder: &Path, contexts: &Path) -> String {
    assert!(contexts.is_dir());
    let own = std::env::var("DOCKER_CONFIG").unwrap();
    let plugins = Path::new(&own).join("cli-plugins");
    std::os::unix::fs::symlink(plugins, folder.join("cli-plugins")).unwrap();
    folder.to_str().unwrap().to_owned()
}

#[test]
fn an_engine_behind_tcp_is_asked_through_the_client() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = format!("tcp://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for client in listener.incoming() {
            let (client, engine) = (client.unwrap(), UnixStream::connect(engine()).unwrap());
            let (to_engine, end) = (engine.try_clone().unwrap(), engine.try_clone().unwrap());
            pass_on(client.try_clone().unwrap(), to_engine, end);
            pass_on(engine, client.try_clone().unwrap(), client);
        }
    });
    let ran = verify(|verify| {
        verify.env("DOCKER_HOST", host);
    });
    assert!(dials(&ran.succeeded()) > 3);
}

/// docker starts `ssh … docker system dial-stdio`; here the other host is this one.
#[test]
fn an_engine_behind_ssh_is_asked_through_the_client() {
    let folder = tempfile::tempdir().unwrap();
    let ssh = folder.path().join("ssh");
    let script = format!(
        "#!/bin/sh\nexec env DOCKER_HOST=unix://{} docker system dial-stdio\n",
        engine().display()
    );
    fs::write(&ssh, script).unwrap();
    fs::set_permissions(&ssh, fs::Permissions::from_mode(0o755)).unwrap();
    let ran = verify(|verify| {
        before(folder.path(), verify);
        verify.env("DOCKER_HOST", "ssh://somebody@elsewhere.invalid");
    });
    assert!(dials(&ran.succeeded()) > 3);
}
