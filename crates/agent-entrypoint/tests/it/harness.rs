//! Starting the binary with or without a PID namespace, reading what it says, never leaving it behind.

use std::ffi::OsStr;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::Duration;

use tempfile::TempDir;

use crate::watch::{PATIENCE, children, end_tree, eventually, mask, state};

/// The first message of every run outside a PID namespace.
pub const NOT_PID_1: &str =
    "agent-entrypoint: note: this is not PID 1: only its own descendants are reaped and ended\n";

/// The message of root once it has become the agent's user.
pub const STEPPED_DOWN: &str = "agent-entrypoint: note: started as root, going on as 1000:1000; hint: `docker exec` still comes as root: `docker exec --user agentgate …`\n";

/// The program's name, cut as the kernel cuts it.
const NAME: &str = "agent-entrypoin";

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

/// All that a finished run shows.
#[derive(Debug, PartialEq, Eq)]
pub struct Outcome {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Outcome {
    pub fn new(code: i32, stdout: &str, stderr: &str) -> Self {
        Self {
            code: Some(code),
            stdout: stdout.to_owned(),
            stderr: stderr.to_owned(),
        }
    }
}

/// Runs to the end, with nothing on stdin.
pub fn run(command: &mut Command) -> Outcome {
    Running::start(command).wait()
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

/// A run that is under way; whatever becomes of the test, it ends with it.
pub struct Running {
    process: Child,
    stdout: Receiver<String>,
    stderr: Receiver<String>,
}

impl Running {
    pub fn start(command: &mut Command) -> Self {
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = lines(process.stdout.take().unwrap());
        let stderr = lines(process.stderr.take().unwrap());
        Self {
            process,
            stdout,
            stderr,
        }
    }

    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// The PID of the entrypoint itself, as seen from here, once signals wait for it.
    pub fn init(&self) -> u32 {
        // While it waits for a signal the kernel shows an empty mask; before, it never sleeps unmasked.
        // Its `/proc/PID/exe` is for root alone.
        let own = |pid: &u32| {
            let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
            let is_masked = mask(*pid, "SigBlk").is_some_and(|mask| mask & (1 << 14) != 0);
            name.trim_end() == NAME && (is_masked || state(*pid) == Some('S'))
        };
        eventually("the entrypoint to be up", || {
            let pid = self.pid();
            std::iter::once(pid).chain(children(pid)).find(own)
        })
    }

    /// The command that runs under the entrypoint.
    pub fn child(&self) -> u32 {
        let init = self.init();
        eventually("the command to be up", || children(init).first().copied())
    }

    /// The next line of stdout, which shows how far the command has got.
    pub fn line(&self) -> String {
        self.next_line().expect("a further line")
    }

    /// The next line of stdout; `None` when no further one comes.
    pub fn next_line(&self) -> Option<String> {
        let line = self.stdout.recv_timeout(PATIENCE).ok()?;
        Some(line.trim_end().to_owned())
    }

    pub fn type_in(&mut self, text: &str) {
        let stdin = self.process.stdin.as_mut().unwrap();
        stdin.write_all(text.as_bytes()).unwrap();
        stdin.flush().unwrap();
    }

    /// Closes stdin, waits for the end, and collects what was not read yet.
    ///
    /// The streams end only when every process that holds them has ended.
    pub fn wait(mut self) -> Outcome {
        drop(self.process.stdin.take());
        let status = eventually("the end of the run", || self.process.try_wait().unwrap());
        Outcome {
            code: status.code(),
            stdout: rest_of(&self.stdout),
            stderr: rest_of(&self.stderr),
        }
    }
}

/// The lines of a stream as they come, read by a thread so that waiting for one can be given up.
fn lines(stream: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut stream = BufReader::new(stream);
        loop {
            let mut line = String::new();
            // On a terminal the end of the other side is an error, not an end of file.
            let end = stream.read_line(&mut line).is_err() || line.is_empty();
            if end || sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

fn rest_of(lines: &Receiver<String>) -> String {
    let mut rest = String::new();
    loop {
        match lines.recv_timeout(PATIENCE) {
            Ok(line) => rest += &line,
            Err(RecvTimeoutError::Disconnected) => return rest,
            Err(RecvTimeoutError::Timeout) => panic!("somebody still holds the stream: {rest}"),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Ok(None) = self.process.try_wait() {
            end_tree(self.pid());
            let _ = self.process.wait();
        }
    }
}
