//! The probes: what each asks, and when an answer is a good one.

use core::ffi::CStr;

use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, CWD, Mode, OFlags, openat, unlinkat};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{getpid, setpgid};
use rustix::stdio::{dup2_stderr, dup2_stdin, dup2_stdout};

use super::{Running, Verdict};
use crate::child;
use crate::config::{Env, Probes};
use crate::exit::{self, Refusal};
use crate::mounts;
use crate::say;
use crate::sys::{self, CallerSignals, Side, Start, Word};
use crate::text::{Ids, Piece, Shown, Sink, Text, compose, put};
use crate::workspace::{self, MountHint, Trouble};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probe {
    Node,
    Claude,
    Git,
    Workspace,
    Home,
}

impl Probe {
    /// In the order of the report.
    pub const ALL: [Self; super::MOST] = [
        Self::Node,
        Self::Claude,
        Self::Git,
        Self::Workspace,
        Self::Home,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Claude => "claude",
            Self::Git => "git",
            Self::Workspace => "workspace",
            Self::Home => "home",
        }
    }

    /// Returns true if the probe is left out unless it is asked for.
    pub const fn is_deep(self) -> bool {
        matches!(self, Self::Git | Self::Home)
    }

    /// The program that answers, and its arguments; none where this program looks for itself.
    fn program(self, deep: bool) -> Option<[Option<Word<'static>>; 4]> {
        let word = |text| Some(Word::new(text));
        match self {
            // V8 itself, not only the reading of a flag.
            Self::Node if deep => Some([
                word(c"node"),
                word(c"--print"),
                word(c"process.version"),
                None,
            ]),
            Self::Node => Some([word(c"node"), word(c"--version"), None, None]),
            Self::Claude => Some([word(c"claude"), word(c"--version"), None, None]),
            Self::Git => Some([word(c"git"), word(c"--version"), None, None]),
            Self::Workspace | Self::Home => None,
        }
    }

    /// Starts the probe in a process group of its own, so that all of it can be ended.
    pub fn start(
        self,
        asked: &Probes<'_>,
        start: &Start,
        caller: CallerSignals,
    ) -> Result<Running, Errno> {
        let (read, write) = pipe_with(PipeFlags::CLOEXEC)?;
        match sys::fork()? {
            Side::Child => {
                drop(read);
                let _ = setpgid(None, None);
                sys::exit(self.run(asked, start, caller, write))
            }
            Side::Parent(pid) => Ok(Running {
                probe: self,
                pid,
                pipe: Some(read),
                answer: Text::new(),
                status: None,
                time: 0,
            }),
        }
    }

    /// The life of the probe's process; its answer goes to the pipe.
    fn run(self, asked: &Probes<'_>, start: &Start, caller: CallerSignals, pipe: OwnedFd) -> u8 {
        let _ = dup2_stdout(&pipe);
        drop(pipe);
        if let Some(program) = self.program(asked.deep) {
            if let Ok(null) = openat(
                CWD,
                c"/dev/null",
                OFlags::RDWR | OFlags::CLOEXEC,
                Mode::empty(),
            ) {
                let _ = dup2_stdin(&null);
                let _ = dup2_stderr(&null);
            }
            sys::give_back(caller);
            let refusal = child::run(&program, start.environment);
            return say::data(compose!(&refusal).as_bytes()).max(refusal.code());
        }
        let answer = match self {
            Self::Home => home(Env(start.environment)),
            _ => workspace(asked, start.user),
        };
        match answer {
            Ok(path) => say::data(path.to_bytes()),
            Err(reason) => say::data(compose!(&reason).as_bytes()).max(exit::FAILED),
        }
    }

    /// A program is well if it ends with 0 and says something; the first line of that is its answer.
    pub fn judge(self, answer: &[u8], status: i32) -> Verdict {
        let name = self.name();
        let answer = answer.trim_ascii();
        let first = answer.split(|byte| *byte == b'\n').next();
        let first = compose!(Shown(first.unwrap_or_default().trim_ascii_end()));
        let code = exit::code(status);
        // Those who say themselves what is wrong: this program, and its stand-in for one not started.
        let is_ours = self.program(false).is_none()
            || code == exit::NOT_FOUND
            || code == exit::NOT_EXECUTABLE;
        match status & 0x7f {
            0 if code == exit::OK && answer.is_empty() => {
                Verdict::fail(&compose!("`", name, "` answered nothing"))
            }
            0 if code == exit::OK => Verdict {
                is_well: true,
                text: first,
            },
            0 if is_ours && !answer.is_empty() => Verdict::fail(&first),
            0 => Verdict::fail(&compose!("`", name, "` exited with ", u32::from(code))),
            signal => {
                let signal = signal.unsigned_abs();
                Verdict::fail(&compose!("`", name, "` was ended by signal ", signal))
            }
        }
    }
}

/// What this program finds out by itself.
enum Reason<'a> {
    NoWorkspace(Refusal<'a>),
    NotMounted(&'a CStr),
    CannotTell(&'a CStr),
    NotWritable(Trouble<'a>),
    NoHome,
    CannotWrite(&'a CStr, Errno),
}

impl Piece for &Reason<'_> {
    fn put(self, out: &mut Sink<'_>) {
        match self {
            Reason::NoWorkspace(refusal) => refusal.put(out),
            Reason::NotMounted(path) => {
                put!(
                    out,
                    "workspace `",
                    *path,
                    "` is not mounted",
                    MountHint(path)
                );
            }
            Reason::CannotTell(path) => put!(
                out,
                "cannot tell whether workspace `",
                *path,
                "` is mounted; hint: is `",
                mounts::MOUNTINFO,
                "` there?"
            ),
            Reason::NotWritable(trouble) => trouble.put(out),
            Reason::NoHome => put!(out, "`HOME` is not set; hint: `-e HOME=/home/agentgate`"),
            Reason::CannotWrite(path, errno) => {
                put!(out, "cannot write in `", *path, "`: ", *errno);
            }
        }
    }
}

fn workspace<'a>(asked: &Probes<'a>, me: Ids) -> Result<&'a CStr, Reason<'a>> {
    let workspace = workspace::look(asked.workspace).map_err(Reason::NoWorkspace)?;
    let path = workspace.path;
    match workspace.is_mounted {
        Some(true) => {}
        Some(false) => return Err(Reason::NotMounted(path)),
        None => return Err(Reason::CannotTell(path)),
    }
    workspace.write_access(me).map_err(Reason::NotWritable)?;
    if asked.deep {
        write_in(path).map_err(|errno| Reason::CannotWrite(path, errno))?;
    }
    Ok(path)
}

/// Nothing of Claude Code's is kept, and no session resumed, without a home that can be written to.
fn home(env: Env<'_>) -> Result<&CStr, Reason<'_>> {
    let home = env.filled("HOME").ok_or(Reason::NoHome)?;
    write_in(home).map_err(|errno| Reason::CannotWrite(home, errno))?;
    Ok(home)
}

/// Writes a file and removes it: a full disk is seen in no other way.
fn write_in(folder: &CStr) -> Result<(), Errno> {
    let mut name = Text::<64>::new();
    let own = getpid().as_raw_pid().unsigned_abs();
    name.push(".agent-entrypoint-health-").push(own).push("\0");
    let name = name.as_c_str().ok_or(Errno::NAMETOOLONG)?;
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let folder = openat(CWD, folder, flags, Mode::empty())?;
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let file = openat(&folder, name, flags, Mode::RUSR | Mode::WUSR)?;
    let written = rustix::io::write(&file, b"probe\n");
    unlinkat(&folder, name, AtFlags::empty())?;
    written.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_judged() {
        for (text, status, expected) in [
            (&b"v20.20.2\n"[..], 0, Ok("v20.20.2")),
            (
                b"\n 2.1.330 (Claude Code)\r\nmore\n",
                0,
                Ok("2.1.330 (Claude Code)"),
            ),
            (b"\x1b[1mv20\x1b[0m", 0, Ok("?[1mv20?[0m")),
            (b" \n", 0, Err("`node` answered nothing")),
            (b"v20\n", 3 << 8, Err("`node` exited with 3")),
            (b"v20\n", 11, Err("`node` was ended by signal 11")),
            (
                b"command not found: `node`",
                127 << 8,
                Err("command not found: `node`"),
            ),
            (b"", 127 << 8, Err("`node` exited with 127")),
        ] {
            let verdict = Probe::Node.judge(text, status);
            let text = String::from_utf8_lossy(verdict.text.as_bytes()).into_owned();
            let seen = if verdict.is_well { Ok(text) } else { Err(text) };
            assert_eq!(seen, expected.map(str::to_owned).map_err(str::to_owned));
        }
        let verdict = Probe::Workspace.judge(b"is full", 1 << 8);
        assert!(!verdict.is_well);
        assert_eq!(verdict.text.as_bytes(), b"is full");
    }
}
