//! A program whose stdin and stdout are one connection of ours.

use std::io::{self, Read as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::process::{ChildStderr, Command, Stdio};

use rustix::process::Signal;

use super::running::{self, Running};
use super::{Exec, quoted};

/// The longest last words that are read, in bytes.
const LONGEST: u64 = 4096;

/// The program behind a connection. It is killed when this is dropped, and when a signal asks us to end.
pub(crate) struct Dialled {
    program: Option<Running>,
    stderr: Option<ChildStderr>,
}

impl Exec {
    /// Starts a program, and returns the other end of its stdin and stdout.
    pub(crate) fn dial(
        &self,
        program: &str,
        args: &[impl AsRef<str>],
    ) -> io::Result<(UnixStream, Dialled)> {
        self.echo(&quoted(program, args));
        let (ours, theirs) = UnixStream::pair()?;
        let mut command = Command::from(self.cmd(program, args));
        command
            .stdin(Stdio::from(OwnedFd::from(theirs.try_clone()?)))
            .stdout(Stdio::from(OwnedFd::from(theirs)))
            .stderr(Stdio::piped())
            .process_group(0);
        let mut program = Running::expendable(&mut command)?;
        // The command holds the connection open as long as it lives.
        drop(command);
        let stderr = program.0.stderr.take();
        let program = Some(program);
        Ok((ours, Dialled { program, stderr }))
    }
}

impl Dialled {
    /// What a program that has closed the connection says on its stderr. It is killed if it does not end.
    pub(crate) fn said(&mut self) -> String {
        let mut said = Vec::new();
        if let Some(stderr) = self.stderr.take() {
            self.kill();
            let _ = stderr.take(LONGEST).read_to_end(&mut said);
        }
        match String::from_utf8_lossy(&said).trim() {
            "" => "the connection was closed".to_owned(),
            said => said.to_owned(),
        }
    }

    fn kill(&mut self) {
        if let Some(program) = self.program.take() {
            running::end(program.pid(), Signal::KILL);
            let _ = program.wait();
        }
    }
}

impl Drop for Dialled {
    fn drop(&mut self) {
        self.kill();
    }
}
