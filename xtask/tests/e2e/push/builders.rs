//! Builders other than the engine's own: one that is reached over the network, and one of two
//! machines. BuildKit is the engine's all the same, behind a bridge of a few lines.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread;

use super::{Workspace, assert_whole};
use crate::common::{Ran, command};
use crate::world::root;

/// The engine's socket.
fn socket() -> String {
    let host = std::env::var("DOCKER_HOST").unwrap_or_default();
    let path = host
        .strip_prefix("unix://")
        .unwrap_or("/var/run/docker.sock");
    path.to_owned()
}

/// Listens for BuildKit's clients and passes them on to the engine's; its address.
fn bridge() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            thread::spawn(move || pass_on(&client));
        }
    });
    address
}

/// A connection to the engine's BuildKit.
fn buildkit() -> Option<UnixStream> {
    let mut engine = UnixStream::connect(socket()).ok()?;
    let upgrade =
        "POST /grpc HTTP/1.1\r\nHost: docker\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n";
    engine.write_all(upgrade.as_bytes()).ok()?;
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        engine.read_exact(&mut byte).ok()?;
        head.extend(byte);
    }
    assert!(head.starts_with(b"HTTP/1.1 101"), "{head:?}");
    Some(engine)
}

/// A connection that breaks is the client's to tell.
fn pass_on(client: &TcpStream) -> Option<()> {
    let engine = buildkit()?;
    thread::scope(|scope| {
        scope.spawn(|| {
            let _ = std::io::copy(&mut &*client, &mut &engine);
            engine.shutdown(Shutdown::Write)
        });
        let _ = std::io::copy(&mut &engine, &mut &*client);
        client.shutdown(Shutdown::Both)
    })
    .ok()
}

/// A builder with a node for each list of platforms, kept in `config`.
fn create(config: &Path, nodes: &[&str]) {
    for (number, platforms) in nodes.iter().enumerate() {
        let node = format!("node{number}");
        let mut create = command("docker", &root());
        create.env("BUILDX_CONFIG", config);
        create.args(["buildx", "create", "--name", "farm", "--node", &node]);
        create.args(["--driver", "remote", "--platform", platforms]);
        create.args((number > 0).then_some("--append"));
        Ran::of(create.arg(format!("tcp://{}", bridge()))).succeeded();
    }
}

/// Pushes with the builder, and returns what it said.
fn push(workspace: &Workspace, config: &Path) -> Ran {
    let args = [
        "image",
        "--push",
        "--builder",
        "farm",
        "--progress",
        "plain",
        // In CI the generator's absence would be an error.
        "--sbom",
        "off",
    ];
    let mut push = workspace.xtask(&args);
    // However many runs of buildx there are, GitHub folds them into one group.
    push.env("BUILDX_CONFIG", config)
        .env("GITHUB_ACTIONS", "true");
    let ran = Ran::of(&mut push).succeeded();
    for line in ["::group::docker buildx build\n", "::endgroup::\n"] {
        assert_eq!(ran.stderr.matches(line).count(), 1, "{ran:#?}");
    }
    let (_, index) = workspace.published(&workspace.sha_tag()).unwrap();
    assert_whole(&index);
    ran
}

#[test]
fn a_builder_elsewhere_pushes_like_the_engines_own() {
    let (workspace, config) = (Workspace::new(), tempfile::tempdir().unwrap());
    create(config.path(), &["linux/amd64,linux/arm64"]);
    push(&workspace, config.path());
}

#[test]
fn each_machine_of_a_builder_builds_its_own_platform() {
    let (workspace, config) = (Workspace::new(), tempfile::tempdir().unwrap());
    create(config.path(), &["linux/amd64", "linux/arm64"]);
    push(&workspace, config.path());
    let folders = std::fs::read_dir(workspace.build_folder()).unwrap();
    let mut folders: Vec<_> = folders.map(|folder| folder.unwrap().file_name()).collect();
    folders.sort();
    assert_eq!(folders, ["linux-amd64", "linux-arm64"]);
    // The other of the two ways comes to the same images.
    let again = workspace.image(&["--push", "--rebuild"]).succeeded();
    assert!(
        again.stderr.contains("the same images are published"),
        "{again:#?}"
    );
}
