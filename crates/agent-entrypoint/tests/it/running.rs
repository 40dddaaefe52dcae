//! A program under way: its streams, its processes and its end. It never outlives its test.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};

use crate::watch::{PATIENCE, children, end_tree, eventually, mask, state};

/// The program's name, cut as the kernel cuts it.
const NAME: &str = "agent-entrypoin";

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
        // Its `/proc/PID/exe` is for root alone. Of two the first is meant: until it becomes the command, its child
        // has the name as well, and blocks signals.
        let is_named = |pid: &u32| {
            let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
            name.trim_end() == NAME
        };
        // While it waits for a signal the kernel shows an empty mask; before, it never sleeps unmasked.
        let is_up = |pid: &u32| {
            let is_masked = mask(*pid, "SigBlk").is_some_and(|mask| mask & (1 << 14) != 0);
            is_masked || state(*pid) == Some('S')
        };
        eventually("the entrypoint to be up", || {
            let pid = self.pid();
            let mut all = std::iter::once(pid).chain(children(pid));
            all.find(is_named).filter(is_up)
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
