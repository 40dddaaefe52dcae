//! `agent-entrypoint health`: does Node answer, does Claude, is the workspace mounted?
//!
//! The probes run together, each within the same time limit; one line each on stdout, exit code 0 or 1.
//! It works beside a running PID 1: `HEALTHCHECK` and `docker exec` start it as just another process.

use std::ffi::OsStr;
use std::io::Read;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Instant;

use rustix::process::Pid;

use crate::child;
use crate::config::Probes;
use crate::exit;
use crate::mounts;
use crate::say;
use crate::signals::Signal;
use crate::sys::{self, Target};
use crate::workspace;

/// How much of an answer is read; a program that writes more is cut off, and fails.
const ANSWER_BYTES: u64 = 4096;

/// What a probe found: a word for the line after `ok`, or why it failed.
type Verdict = Result<String, String>;

/// A probe that runs on a thread of its own, since any of them can hang: even a look at a folder whose
/// network file system is gone.
struct Probe {
    name: &'static str,
    verdict: Receiver<Verdict>,
    /// The process group to end when the time is over.
    group: Option<Pid>,
}

/// Runs all probes and prints what they found; returns the exit code.
pub fn check(probes: &Probes) -> u8 {
    let deadline = Instant::now() + probes.limit;
    let path = probes.workspace.clone();
    let started = [
        Probe::program("node"),
        Probe::program("claude"),
        Probe::start("workspace", None, move || mounted(&path)),
    ];
    let mut lines = String::new();
    let mut code = exit::OK;
    for probe in started {
        let name = probe.name;
        let line = match probe.finish(deadline, probes) {
            Ok(answer) => format!("ok {name} {answer}\n"),
            Err(reason) => {
                code = exit::FAILED;
                format!("fail {name}: {reason}\n")
            }
        };
        lines.push_str(&line);
    }
    say::data(&lines).max(code)
}

impl Probe {
    /// Starts `NAME --version`, in a process group of its own so that all of it can be ended.
    fn program(name: &'static str) -> Self {
        let spawned = child::command(OsStr::new(name))
            .arg("--version")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn();
        match spawned {
            Ok(child) => {
                let group = Some(Pid::from_child(&child));
                Self::start(name, group, move || answer(name, child))
            }
            Err(err) if child::is_missing(OsStr::new(name), &err) => {
                Self::start(name, None, || Err("not found on PATH".to_owned()))
            }
            Err(err) => Self::start(name, None, move || Err(format!("cannot be started: {err}"))),
        }
    }

    fn start(
        name: &'static str,
        group: Option<Pid>,
        look: impl FnOnce() -> Verdict + Send + 'static,
    ) -> Self {
        let (sender, verdict) = mpsc::sync_channel(1);
        // Without a thread the sender is dropped, which `finish` sees.
        let _ = thread::Builder::new().spawn(move || sender.send(look()));
        Self {
            name,
            verdict,
            group,
        }
    }

    fn finish(self, deadline: Instant, probes: &Probes) -> Verdict {
        let left = deadline.saturating_duration_since(Instant::now());
        let failure = match self.verdict.recv_timeout(left) {
            Ok(verdict) => return verdict,
            Err(RecvTimeoutError::Timeout) => {
                format!("no answer within {} s", probes.limit.as_secs())
            }
            Err(RecvTimeoutError::Disconnected) => {
                "cannot start a thread; hint: raise `--pids-limit`".to_owned()
            }
        };
        if let Some(group) = self.group {
            // What has just ended by itself needs no killing.
            let _ = sys::send(Target::Group(group), Signal::KILL);
        }
        Err(failure)
    }
}

fn answer(name: &str, mut child: Child) -> Verdict {
    let mut text = Vec::new();
    let read = child.stdout.take().map_or(Ok(0), |stdout| {
        stdout.take(ANSWER_BYTES).read_to_end(&mut text)
    });
    let status = child.wait();
    match (read, status) {
        (Ok(_), Ok(status)) => judge(name, &text, status),
        (Err(err), _) | (_, Err(err)) => Err(format!("cannot read its answer: {err}")),
    }
}

/// A program is well if it ends with 0 and says something; the first line of that is its answer.
fn judge(name: &str, text: &[u8], status: ExitStatus) -> Verdict {
    if let Some(signal) = status.signal() {
        return Err(format!("`{name} --version` was ended by signal {signal}"));
    }
    if !status.success() {
        let code = exit::code(status);
        return Err(format!("`{name} --version` exited with {code}"));
    }
    let text = String::from_utf8_lossy(text);
    let first = text.trim().lines().next().unwrap_or_default();
    match first.replace(char::is_control, "") {
        line if line.is_empty() => Err(format!("`{name} --version` printed nothing")),
        line => Ok(line),
    }
}

fn mounted(path: &Path) -> Verdict {
    let name = path.display();
    let hint = workspace::mount_hint(path);
    match (path.is_dir(), mounts::is_mounted(path)) {
        (false, _) => Err(format!("`{name}` is not a directory; {hint}")),
        (true, Ok(true)) => Ok(name.to_string()),
        (true, Ok(false)) => Err(format!("`{name}` is not mounted; {hint}")),
        (true, Err(err)) => Err(format!(
            "cannot tell whether `{name}` is mounted: {err}; hint: is `{}` there?",
            mounts::MOUNTINFO
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_judged() {
        for (text, raw, expected) in [
            (&b"v20.20.2\n"[..], 0, Ok("v20.20.2")),
            (
                b"\n 2.1.330 (Claude Code)\nmore\n",
                0,
                Ok("2.1.330 (Claude Code)"),
            ),
            (b"\x1b[1mv20\x1b[0m", 0, Ok("[1mv20[0m")),
            (b"\xff", 0, Ok("\u{fffd}")),
            (b" \n", 0, Err("`node --version` printed nothing")),
            (b"v20\n", 3 << 8, Err("`node --version` exited with 3")),
            (b"v20\n", 11, Err("`node --version` was ended by signal 11")),
        ] {
            let expected = expected.map(str::to_owned).map_err(str::to_owned);
            assert_eq!(judge("node", text, ExitStatus::from_raw(raw)), expected);
        }
    }
}
