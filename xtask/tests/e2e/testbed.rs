//! Who may write to the test bed's registry: its engine takes what is there for Docker Hub's.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::common::{Ran, command};
use crate::world::{docker, root, unique_name};

/// A user and group with no rights.
const NOBODY: &str = "65534";

/// crane and a layer, in a folder that everybody may read.
struct Crane {
    folder: TempDir,
}

impl Crane {
    fn new() -> Crane {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        fs::copy(which::which("crane").unwrap(), folder.path().join("crane")).unwrap();
        let mut tar = command("tar", &root());
        tar.arg("--create").arg("--file");
        tar.arg(folder.path().join("layer")).arg("Cargo.toml");
        Ran::of(&mut tar).succeeded();
        Crane { folder }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Runs it as root.
    fn run(&self, args: &[&str]) -> Ran {
        self.end(command(self.path().join("crane"), self.path()), args)
    }

    /// Runs it as a user of `group` and of no other but their own.
    fn run_as_nobody(&self, group: &str, args: &[&str]) -> Ran {
        let mut setpriv = command("setpriv", self.path());
        setpriv.args(["--reuid", NOBODY, "--regid", NOBODY, "--groups", group]);
        setpriv.arg(self.path().join("crane"));
        self.end(setpriv, args)
    }

    fn end(&self, mut command: Command, args: &[&str]) -> Ran {
        command.env("HOME", self.path()).env_remove("DOCKER_CONFIG");
        Ran::of(command.args(args))
    }
}

/// The digest that the engine gets for Docker Hub's name.
fn pulled() -> String {
    docker(&["pull", "--quiet", "node:20-alpine"]).succeeded();
    let format = ["--format", "{{.RepoDigests}}", "node:20-alpine"];
    let inspect = [&["image", "inspect"][..], &format].concat();
    docker(&inspect).succeeded().stdout
}

#[test]
fn others_than_root_and_the_engines_users_only_read_the_registry() {
    let Ok(address) = std::env::var("TESTBED_REGISTRY") else {
        eprintln!("not on the test bed: the registry here is another's");
        return;
    };
    if fs::metadata("/proc/self").unwrap().uid() != 0 {
        eprintln!("not root: no other user can be tried");
        return;
    }
    let crane = Crane::new();
    let node = format!("{address}/library/node:20-alpine");
    let before = pulled();
    let digest = crane.run(&["digest", &node]).succeeded().stdout;
    let by_digest = format!("{address}/library/node@{}", digest.trim());
    let append = |reference| {
        [
            "append",
            "--oci-empty-base",
            "--new_layer",
            "layer",
            "--new_tag",
            reference,
        ]
    };

    let read = crane.run_as_nobody(NOBODY, &["digest", &node]);
    assert_eq!(read.succeeded().stdout, digest);
    let writes = [
        &append(&node)[..],
        &["tag", &by_digest, "another"],
        &["delete", &by_digest],
    ];
    for write in writes {
        let ran = crane.run_as_nobody(NOBODY, write);
        assert_ne!(ran.code, Some(0), "{write:?}: {ran:#?}");
        assert!(ran.stderr.contains("405"), "{write:?}: {ran:#?}");
    }
    assert_eq!(crane.run(&["digest", &node]).succeeded().stdout, digest);
    assert_eq!(pulled(), before);

    let own = format!("{address}/push-test/{}:1", unique_name());
    crane.run(&append(&own)).succeeded();
    // Who may use the engine is root by it.
    let host = std::env::var("DOCKER_HOST").unwrap();
    let socket = fs::metadata(host.strip_prefix("unix://").unwrap()).unwrap();
    let group = socket.gid().to_string();
    let tag = ["tag", &own, "2"];
    crane.run_as_nobody(&group, &tag).succeeded();
}
