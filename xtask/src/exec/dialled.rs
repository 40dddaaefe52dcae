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

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader};

    use rustix::process::{Pid, test_kill_process};

    use super::*;

    fn dial(script: &str) -> (UnixStream, Dialled) {
        let exec = Exec::new(&std::env::temp_dir(), false).unwrap();
        exec.dial("sh", &["-c", script]).unwrap()
    }

    /// docker/for-mac#6834: programs that are left behind pile up.
    #[test]
    fn a_program_ends_with_its_connection() {
        let (stream, program) = dial("echo $$; exec sleep 600");
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).unwrap();
        let pid = Pid::from_raw(line.trim().parse().unwrap()).unwrap();
        assert!(test_kill_process(pid).is_ok());
        drop(program);
        assert!(test_kill_process(pid).is_err());
    }

    #[test]
    fn what_is_written_is_read_and_last_words_are_kept() {
        use std::io::Write as _;
        let (mut stream, mut program) = dial("read -r line; echo \"got $line\"; echo gone >&2");
        stream.write_all(b"it\n").unwrap();
        let mut said = String::new();
        stream.read_to_string(&mut said).unwrap();
        assert_eq!((&*said, &*program.said()), ("got it\n", "gone"));
        let (mut stream, mut program) = dial("exit 1");
        stream.read_to_string(&mut said).unwrap();
        assert_eq!(program.said(), "the connection was closed");
    }
}
