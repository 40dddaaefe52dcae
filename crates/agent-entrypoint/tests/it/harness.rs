//! The binary with or without a PID namespace, and the folders and users that tests start it with.

use std::ffi::OsStr;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use tempfile::TempDir;

use crate::running::{Outcome, Running};

/// The first message of every run outside a PID namespace.
pub const NOT_PID_1: &str =
    "agent-entrypoint: note: this is not PID 1: only its own descendants are reaped and ended\n";

/// The message of root once it has become the agent's user.
pub const STEPPED_DOWN: &str = "agent-entrypoint: note: started as root, going on as 1000:1000; hint: `docker exec` still comes as root: `docker exec --user agentgate …`\n";

/// The grace after SIGTERM; an end before that was not by SIGKILL.
pub const GRACE: Duration = Duration::from_secs(4);

/// The flags for a PID namespace whose PID 1 dies with the test.
const NAMESPACE: [&str; 4] = ["--pid", "--fork", "--kill-child", "--mount-proc"];

/// How the binary runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum As {
    Pid1,
    Ordinary,
}

impl As {
    /// Both ways, or the ordinary one when this machine allows no PID namespace.
    pub fn every() -> Vec<Self> {
        match namespaces() {
            Some(_) => vec![Self::Ordinary, Self::Pid1],
            None => vec![Self::Ordinary],
        }
    }
}

/// The one place of these tests that makes a command.
#[expect(clippy::disallowed_methods, reason = "tests start the real binary")]
pub fn program(program: impl AsRef<OsStr>) -> Command {
    Command::new(program)
}

pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Returns true, and prints NOT RUN, if the test needs root and this is not root.
pub fn needs_root(test: &str) -> bool {
    if !is_root() {
        eprintln!("NOT RUN: {test}: needs root");
    }
    !is_root()
}

/// `unshare` and the flags that this machine allows; found out once.
fn namespaces() -> Option<&'static [&'static str]> {
    static FLAGS: OnceLock<Option<Vec<&str>>> = OnceLock::new();
    FLAGS
        .get_or_init(|| {
            let mut flags = NAMESPACE.to_vec();
            if !is_root() {
                flags.extend(["--user", "--map-root-user"]);
            }
            let tried = program("unshare").args(&flags).arg("true").output();
            match tried {
                Ok(output) if output.status.success() => Some(flags),
                failed => {
                    eprintln!("NOT RUN: all that needs a PID namespace: {failed:?}");
                    None
                }
            }
        })
        .as_deref()
}

/// The program as it is shipped: `cargo test` itself can build none that aborts on panics.
///
/// It lies where every user may execute it, which a checkout or a build folder need not be.
pub fn binary() -> &'static str {
    static BINARY: OnceLock<String> = OnceLock::new();
    BINARY.get_or_init(|| {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("program");
        let built = program(env!("CARGO"))
            .args([
                "build",
                "--quiet",
                "--release",
                "--locked",
                "--features",
                "program",
            ])
            .args(["--package", "agent-entrypoint", "--bin", "agent-entrypoint"])
            .arg("--target-dir")
            .arg(&target)
            .env_remove("CARGO_BUILD_TARGET")
            .status();
        assert!(built.unwrap().success());
        let binary = public_place().join("agent-entrypoint");
        // Under another name first: the old one may be running in another test.
        let new = binary.with_extension(std::process::id().to_string());
        let copied = program("cp")
            .arg(target.join("release/agent-entrypoint"))
            .arg(&new)
            .status();
        assert!(copied.unwrap().success());
        fs::rename(&new, &binary).unwrap();
        binary.into_os_string().into_string().unwrap()
    })
}

/// A folder of this checkout's tests, outside of it.
fn public_place() -> PathBuf {
    let mut hash = DefaultHasher::new();
    env!("CARGO_TARGET_TMPDIR").hash(&mut hash);
    let name = format!("agent-entrypoint-{:x}", hash.finish());
    let place = Path::new("/tmp").join(name);
    fs::create_dir_all(&place).unwrap();
    place
}

/// A folder that everyone may write to.
pub fn folder() -> TempDir {
    let folder = tempfile::tempdir_in("/tmp").unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
    folder
}

/// A workspace without a reason for a message, except that it is not a mount.
pub fn workspace() -> PathBuf {
    let path = public_place().join("workspace");
    fs::create_dir_all(&path).unwrap();
    if is_root() {
        std::os::unix::fs::chown(&path, Some(1000), Some(1000)).unwrap();
    }
    path
}

/// The program with these arguments, not started yet, without notes.
///
/// Started as root, which tests often are, it steps down to 1000:1000.
pub fn entrypoint(how: As, arguments: &[&str]) -> Command {
    let mut command = match how {
        As::Ordinary => program(binary()),
        As::Pid1 => {
            let mut command = program("unshare");
            command.args(namespaces().unwrap()).arg(binary());
            command
        }
    };
    command.args(arguments);
    set_up(&mut command);
    command
}

/// The program in mount namespaces of its own, where this script of a shell came first. Only root can.
pub fn entrypoint_after(script: &str, how: As, arguments: &[&str]) -> Command {
    let mut command = program("unshare");
    match how {
        As::Ordinary => command.arg("--mount"),
        As::Pid1 => command.args(namespaces().unwrap()),
    };
    let script = format!("{script} && exec \"$0\" \"$@\"");
    command
        .args(["sh", "-c", &script, binary()])
        .args(arguments);
    set_up(&mut command);
    command
}

/// The settings of [`entrypoint`], for a command that starts it in another way.
pub fn set_up(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        if name.as_encoded_bytes().starts_with(b"AGENT_ENTRYPOINT_") {
            command.env_remove(name);
        }
    }
    command
        .env("WORKSPACE", workspace())
        .env("HOME", home())
        .env("AGENT_ENTRYPOINT_QUIET", "1");
}

/// A home that everyone may write to, as the image's is.
pub fn home() -> PathBuf {
    let path = public_place().join("home");
    fs::create_dir_all(&path).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o777)).unwrap();
    path
}

/// The lines of `health` about everything that [`set_up`] leaves in order.
pub fn rest_is_well() -> String {
    let home = home();
    let home = home.display();
    format!("ok git no repository\nok home {home}\nok tmp /tmp\nok credentials none\n")
}

/// The program as another user, as `docker run --user` starts it; only root can.
pub fn entrypoint_as(uid: u32, arguments: &[&str]) -> Command {
    let mut command = program("setpriv");
    command
        .args([format!("--reuid={uid}"), format!("--regid={uid}")])
        .args(["--clear-groups", binary()])
        .args(arguments);
    set_up(&mut command);
    command
}

/// The words before the program with which it begins as the agent's user when the tests run as root. The program
/// itself steps down to that user, too, but with another HOME.
pub const AS_AGENT: &str = "exec setpriv --reuid=1000 --regid=1000 --clear-groups \"$0\" \"$@\"";

/// `health` as the agent's user, with this PATH; the caller's is left for what comes before.
pub fn health(path: &Path, workspace: &Path) -> Command {
    let mut command = program("sh");
    let agent = if is_root() {
        AS_AGENT
    } else {
        "exec \"$0\" \"$@\""
    };
    let path = format!("PATH={}", path.display());
    command.args(["-c", agent, "env", &path, binary(), "health"]);
    set_up(&mut command);
    command.env("WORKSPACE", workspace);
    command
}

/// A mount that everyone may write to, and that is everywhere.
pub const MOUNT: &str = "/dev/shm";

/// Writes a file that can be executed at once.
///
/// Another process does it: if this one held the file open for writing while another test's thread
/// forks, the kernel would refuse to execute it ("text file busy") until that fork is over.
pub fn write_program(path: &Path, text: &str) {
    let script = "cat >\"$0\" && chmod 755 \"$0\"";
    let mut running = Running::start(program("sh").args(["-c", script]).arg(path));
    running.type_in(text);
    assert_eq!(running.wait(), Outcome::new(0, "", ""));
}
