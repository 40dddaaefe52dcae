//! Runs the program with a state folder of its own, and leaves nothing behind.

use std::{
    fmt, fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

/// A user who may do nothing.
const NOBODY: &str = "65534";

/// A test bed that is gone with its last use.
pub struct Bed {
    dir: tempfile::TempDir,
    pub state: PathBuf,
    env: Vec<(String, String)>,
    pub started: bool,
}

impl Bed {
    pub fn new() -> Self {
        let dir = tempfile::Builder::new()
            .prefix("testbed-")
            .tempdir()
            .unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let state = dir.path().join("state");
        Self {
            dir,
            state,
            env: Vec::new(),
            started: false,
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn set(&mut self, key: &str, value: impl fmt::Display) {
        self.env.retain(|(old, _)| old != key);
        self.env.push((key.to_owned(), value.to_string()));
    }

    pub fn run(&self, args: &[&str]) -> Ran {
        self.run_by(&[], Path::new(env!("CARGO_BIN_EXE_testbed")), args)
    }

    /// Runs as a user who is not root, whoever runs the test.
    pub fn run_as_nobody(&self, args: &[&str]) -> Ran {
        // The build's own folder may be closed to others.
        let copy = self.path("testbed");
        if !copy.exists() {
            // By another process: what another test starts meanwhile would inherit our open file until its `exec`,
            // and the kernel executes nothing that is open for writing (Text file busy).
            let mut cp = command("cp");
            let copied = cp.arg(env!("CARGO_BIN_EXE_testbed")).arg(&copy).status();
            assert!(copied.unwrap().success());
        }
        let drop = [
            "setpriv",
            "--reuid",
            NOBODY,
            "--regid",
            NOBODY,
            "--clear-groups",
        ];
        self.run_by(if is_root() { &drop } else { &[] }, &copy, args)
    }

    /// Runs as a root who may not mount.
    pub fn run_confined(&self, args: &[&str]) -> Ran {
        let drop = [
            "setpriv",
            "--bounding-set",
            "-sys_admin",
            "--inh-caps",
            "-sys_admin",
        ];
        self.run_by(&drop, Path::new(env!("CARGO_BIN_EXE_testbed")), args)
    }

    fn run_by(&self, before: &[&str], program: &Path, args: &[&str]) -> Ran {
        let mut words = before.to_vec();
        words.push(program.to_str().unwrap());
        let mut command = command(words[0]);
        command
            .args(&words[1..])
            .arg("--state-dir")
            .arg(&self.state)
            .args(args);
        command
            .env("HOME", self.dir.path())
            .env_remove("RUST_BACKTRACE");
        command.envs(self.env.iter().map(|(key, value)| (key, value)));
        Ran::new(&command.stdin(Stdio::null()).output().unwrap())
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        if self.started {
            self.run(&["down", "--purge"]);
        }
    }
}

/// What a run came to; shown whole when an assertion about it fails.
#[derive(Debug)]
pub struct Ran {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    fn new(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        Self {
            code: output.status.code(),
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
        }
    }

    /// Asserts the exit code and everything that was printed.
    #[track_caller]
    pub fn is(&self, code: i32, stdout: &str, stderr: &str) {
        let seen = (self.code, self.stdout.as_str(), self.stderr.as_str());
        assert_eq!(seen, (Some(code), stdout, stderr), "{self}");
    }
}

impl fmt::Display for Ran {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "code {:?}\n--- stdout\n{}\n--- stderr\n{}",
            self.code, self.stdout, self.stderr
        )
    }
}

/// Runs a program of the machine; it must succeed.
#[track_caller]
pub fn sh(script: &str) -> String {
    let ran = Ran::new(&command("bash").args(["-euc", script]).output().unwrap());
    assert_eq!(ran.code, Some(0), "`{script}`: {ran}");
    ran.stdout.trim_end().to_owned()
}

/// Runs a program of the machine, whatever comes of it.
pub fn run(program: &str, args: &[&str]) {
    if let Err(err) = command(program).args(args).status() {
        eprintln!("failed to run `{program}`: {err}");
    }
}

pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[expect(
    clippy::disallowed_methods,
    reason = "the tests' one place that starts programs"
)]
fn command(program: &str) -> Command {
    Command::new(program)
}
