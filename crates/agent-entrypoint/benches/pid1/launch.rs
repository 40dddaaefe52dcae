//! Starting programs as PID 1 of a PID namespace or as an ordinary child, with a time limit and without leftovers.
//!
//! Every run begins at a gate, a shell that prints that it is ready and waits for a line before it becomes the
//! program. So what is timed is the program, and not the making of its namespace.

use std::env;
use std::ffi::OsStr;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open};

use crate::watch::{self, PATIENCE};

/// The variable with the folder that is the stage, for the benchmark in its namespaces.
pub const STAGE: &str = "PID1_BENCH_STAGE";
/// Whom the runs belong to when root starts the benchmark, as in the image.
pub const USER: u32 = 1000;

/// The environment of every run, as a container has it, but for the workspace and HOME.
pub const ENVIRONMENT: [(&str, &str); 4] = [
    ("PATH", PATH),
    ("USER", "agentgate"),
    ("SHELL", "/bin/bash"),
    ("LANG", "C.UTF-8"),
];
pub const PATH: &str = "/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin";

const GATE: [&str; 4] = ["sh", "-c", "echo; read -r line; exec \"$@\"", "gate"];
const NAMESPACE: [&str; 5] = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Pid1,
    Child,
}

impl Place {
    pub const ALL: [Self; 2] = [Self::Pid1, Self::Child];

    pub fn title(self) -> &'static str {
        match self {
            Self::Pid1 => "PID 1",
            Self::Child => "an ordinary child",
        }
    }
}

/// The folder that holds all that the measurements need.
pub fn stage() -> PathBuf {
    env::var_os(STAGE).unwrap_or_default().into()
}

/// A command with the environment of a container and nothing else.
pub fn contained(name: &str) -> Command {
    let mut command = program(name);
    command.env_clear().envs(ENVIRONMENT);
    command.env("WORKSPACE", stage().join("workspace"));
    command.env("HOME", stage().join("home"));
    command
}

/// The one place of this benchmark that makes a command.
#[expect(
    clippy::disallowed_methods,
    reason = "the benchmark starts the programs that it compares"
)]
pub fn program(program: impl AsRef<OsStr>) -> Command {
    Command::new(program)
}

/// Runs a tool to its end, ten minutes at most; an error shows what it said.
pub fn tool(words: &[&str]) -> io::Result<String> {
    let output = program("timeout")
        .args(["--signal=KILL", "600"])
        .args(words)
        .stdin(Stdio::null())
        .output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        let words = words.join(" ");
        return Err(io::Error::other(format!("`{words}`: {}", said.trim())));
    }
    // Some tools answer on stderr.
    Ok(String::from_utf8_lossy(&output.stdout).into_owned() + &said)
}

/// Waits for something to be readable, or for a process to end when it is its descriptor.
fn wait_readable(fd: impl AsFd, limit: Duration) -> io::Result<()> {
    let limit = Timespec::try_from(limit).map_err(io::Error::other)?;
    let mut fds = [PollFd::new(&fd, PollFlags::IN)];
    match poll(&mut fds, Some(&limit))? {
        0 => Err(io::Error::other("took too long")),
        _ => Ok(()),
    }
}

/// Waits for the end of a process without collecting it.
pub fn wait_end(pid: u32, limit: Duration) -> io::Result<()> {
    wait_readable(handle(pid)?, limit)
}

fn handle(pid: u32) -> io::Result<OwnedFd> {
    let pid = Pid::from_raw(pid.cast_signed()).ok_or(io::ErrorKind::InvalidInput)?;
    Ok(pidfd_open(pid, PidfdFlags::empty())?)
}

/// A run that is at its gate or under way; whatever becomes of the benchmark, it ends with it.
pub struct Run {
    process: Child,
    handle: OwnedFd,
    stdin: Option<ChildStdin>,
    stdout: ChildStdout,
    place: Place,
}

impl Run {
    /// Brings `command` to its gate; `watcher`, if any, is a program that all of it runs under.
    pub fn prepare(place: Place, watcher: &[&str], command: &[&str]) -> io::Result<Self> {
        let mut words = watcher.to_vec();
        if place == Place::Pid1 {
            words.extend(NAMESPACE);
        }
        let ids = [format!("--reuid={USER}"), format!("--regid={USER}")];
        words.extend(["setpriv", "--pdeathsig", "KILL"]);
        if can_change_user() {
            words.extend([&ids[0], &ids[1], "--clear-groups"]);
        }
        words.extend(GATE);
        words.extend(command);
        let mut process = contained(words[0])
            .args(&words[1..])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let missing = || io::Error::other("the pipes are missing");
        let handle = handle(process.id())?;
        let stdin = process.stdin.take();
        let stdout = process.stdout.take().ok_or_else(missing)?;
        let mut run = Self {
            process,
            handle,
            stdin,
            stdout,
            place,
        };
        run.line()
            .map_err(|error| io::Error::other(format!("`{}`: {error}", words.join(" "))))?;
        Ok(run)
    }

    /// Prepares it and opens the gate.
    pub fn start(place: Place, command: &[&str]) -> io::Result<Self> {
        let mut run = Self::prepare(place, &[], command)?;
        run.open_gate()?;
        Ok(run)
    }

    pub fn open_gate(&mut self) -> io::Result<()> {
        match &mut self.stdin {
            Some(stdin) => stdin.write_all(b"\n"),
            None => Ok(()),
        }
    }

    /// Closes stdin: whoever reads it comes to its end.
    pub fn close_stdin(&mut self) {
        self.stdin = None;
    }

    /// Waits for the next line on stdout, and drops it.
    pub fn line(&mut self) -> io::Result<()> {
        let mut byte = [0];
        while byte != *b"\n" {
            wait_readable(&self.stdout, PATIENCE)?;
            if self.stdout.read(&mut byte)? == 0 {
                return Err(io::Error::other("ended early"));
            }
        }
        Ok(())
    }

    /// The PID of the program itself, as it is seen from here.
    pub fn pid(&self) -> io::Result<u32> {
        let top = self.process.id();
        match self.place {
            Place::Child => Ok(top),
            Place::Pid1 => watch::children(top)
                .first()
                .copied()
                .ok_or_else(|| io::Error::other("the PID namespace is empty")),
        }
    }

    /// The program's first child once that runs `name`, so once the program has done its part.
    pub fn command(&self, name: &str) -> io::Result<u32> {
        let init = self.pid()?;
        watch::eventually(&format!("`{name}` to run"), || {
            let child = *watch::children(init).first()?;
            (watch::name(child) == name).then_some(child)
        })
    }

    /// Waits for the end.
    pub fn wait(&mut self) -> io::Result<ExitStatus> {
        wait_readable(&self.handle, PATIENCE)?;
        self.process.wait()
    }

    /// The same; an end that is not a success is an error.
    pub fn succeed(&mut self) -> io::Result<()> {
        let status = self.wait()?;
        if status.success() {
            Ok(())
        } else {
            Err(io::Error::other(format!("failed: {status}")))
        }
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        if let Ok(None) = self.process.try_wait() {
            let ended = match self.place {
                // The namespace ends with its PID 1; one by one would take long with many in it.
                Place::Pid1 => self.pid().and_then(|pid| watch::kill(pid, Signal::KILL)),
                Place::Child => Err(io::ErrorKind::Other.into()),
            };
            if ended.is_err() {
                watch::end_tree(self.process.id());
            }
            let _ = self.wait();
        }
    }
}

/// Returns true if runs can be another user's: for root, but not in a user namespace, which lacks the others.
pub fn can_change_user() -> bool {
    let map = std::fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    rustix::process::geteuid().is_root() && map.split_whitespace().nth(2) != Some("1")
}
