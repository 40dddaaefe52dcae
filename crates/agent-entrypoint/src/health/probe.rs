//! The probes: what each asks, and when an answer is a good one.

use core::ffi::CStr;
use core::fmt::{self, Display};

use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, CWD, Mode, OFlags, openat, unlinkat};
use rustix::io::Errno;
use rustix::process::getpid;
use rustix::stdio::{dup2_stderr, dup2_stdin, dup2_stdout};

use crate::child;
use crate::config::{Env, Probes};
use crate::exit;
use crate::say;
use crate::sys::{self, CallerSignals, Start, Word};
use crate::text::{Ids, Text, Why, shown};
use crate::workspace::{self, MountHint};

/// So much of an answer is looked at.
pub type Answer = Text<1024>;

pub struct Verdict {
    pub is_well: bool,
    /// What was answered, or why the probe failed.
    pub text: Answer,
}

impl Verdict {
    pub fn fail(reason: fmt::Arguments<'_>) -> Self {
        Self {
            is_well: false,
            text: Answer::of(reason),
        }
    }
}

#[derive(Clone, Copy)]
pub enum Probe {
    Node,
    Claude,
    Workspace,
    Git,
    Home,
}

impl Probe {
    /// In the order of the report.
    pub const ALL: [Self; 5] = [
        Self::Node,
        Self::Claude,
        Self::Workspace,
        Self::Git,
        Self::Home,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Claude => "claude",
            Self::Workspace => "workspace",
            Self::Git => "git",
            Self::Home => "home",
        }
    }

    /// Returns true if the probe is left out unless it is asked for.
    pub const fn is_deep(self) -> bool {
        matches!(self, Self::Git | Self::Home)
    }

    /// The program that answers, and its arguments; none where this program looks for itself.
    fn command(self, is_deep: bool) -> Option<[Option<Word<'static>>; 4]> {
        let (program, flag, value) = match self {
            // V8 itself, not only the reading of a flag.
            Self::Node if is_deep => (c"node", c"--print", Some(c"process.version")),
            Self::Node => (c"node", c"--version", None),
            Self::Claude => (c"claude", c"--version", None),
            Self::Git => (c"git", c"--version", None),
            Self::Workspace | Self::Home => return None,
        };
        Some([Some(program), Some(flag), value, None].map(|word| word.map(Word::new)))
    }

    /// The life of the probe's process: the answer goes to the pipe, the exit code is returned.
    pub fn run(
        self,
        asked: &Probes<'_>,
        start: &Start<'_>,
        caller: CallerSignals,
        pipe: &OwnedFd,
    ) -> u8 {
        let _ = dup2_stdout(pipe);
        if let Some(command) = self.command(asked.deep) {
            let flags = OFlags::RDWR | OFlags::CLOEXEC;
            if let Ok(null) = openat(CWD, c"/dev/null", flags, Mode::empty()) {
                let _ = dup2_stdin(&null);
                let _ = dup2_stderr(&null);
            }
            sys::give_back(caller);
            let refusal = child::run(&command, start.environment);
            return say::data(Answer::of(format_args!("{refusal}")).as_bytes()).max(refusal.code());
        }
        match self {
            Self::Home => home(Env(start.environment)),
            _ => workspace(asked, start.user),
        }
    }

    /// A program is well if it ends with 0 and says something; the first line of that is its answer.
    pub fn judge(self, answer: &[u8], status: i32) -> Verdict {
        let name = self.name();
        let answer = answer.trim_ascii();
        let mut first = Answer::new();
        for line in answer.split(|byte| *byte == b'\n').take(1) {
            first.push(line.trim_ascii_end());
        }
        let code = exit::code(status);
        // This program says itself what is wrong, also with one that it cannot start.
        let could_not_start = code == exit::NOT_FOUND || code == exit::NOT_EXECUTABLE;
        let is_ours = could_not_start || self.command(false).is_none();
        match (status & 0x7f, code) {
            (0, exit::OK) if answer.is_empty() => {
                Verdict::fail(format_args!("`{name}` answered nothing"))
            }
            (0, exit::OK) => Verdict {
                is_well: true,
                text: first,
            },
            (0, _) if is_ours && !answer.is_empty() => Verdict {
                is_well: false,
                text: first,
            },
            (0, code) => Verdict::fail(format_args!("`{name}` exited with {code}")),
            (signal, _) => Verdict::fail(format_args!("`{name}` was ended by signal {signal}")),
        }
    }
}

fn fail(reason: impl Display) -> u8 {
    say::data(Answer::of(format_args!("{reason}")).as_bytes()).max(exit::FAILED)
}

fn workspace(asked: &Probes<'_>, me: Ids) -> u8 {
    let workspace = match workspace::look(asked.workspace) {
        Ok(workspace) => workspace,
        Err(refusal) => return fail(refusal),
    };
    let (name, hint) = (shown(workspace.path), MountHint(workspace.path));
    match (workspace.is_mounted, workspace.write_access(me)) {
        (Some(false), _) => fail(format_args!("workspace `{name}` is not mounted; {hint}")),
        (None, _) => fail(format_args!(
            "cannot tell whether workspace `{name}` is mounted; hint: mount /proc"
        )),
        (_, Err(trouble)) => fail(trouble),
        _ if asked.deep => written(workspace.path),
        _ => say::data(workspace.path.to_bytes()),
    }
}

/// Nothing of Claude Code's is kept, and no session resumed, without a home that can be written to.
fn home(env: Env<'_>) -> u8 {
    match env.filled("HOME") {
        Some(home) => written(home),
        None => fail("`HOME` is not set; hint: `-e HOME=/home/agentgate`"),
    }
}

fn written(path: &CStr) -> u8 {
    match write_in(path) {
        Ok(()) => say::data(path.to_bytes()),
        Err(errno) => fail(format_args!(
            "cannot write in `{}`: {}",
            shown(path),
            Why(errno)
        )),
    }
}

/// Writes a file and removes it: a full disk is seen in no other way.
fn write_in(path: &CStr) -> Result<(), Errno> {
    // Other containers may share the folder, and have the same numbers.
    let (own, now) = (getpid().as_raw_pid(), sys::now());
    let name = Text::<64>::of(format_args!(".agent-entrypoint-health-{own}-{now}\0"));
    let name = name.as_c_str().unwrap_or_default();
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let folder = openat(CWD, path, flags, Mode::empty())?;
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let file = openat(&folder, name, flags, Mode::RUSR | Mode::WUSR)?;
    let written = rustix::io::write(&file, b"probe\n");
    unlinkat(&folder, name, AtFlags::empty())?;
    written.map(drop)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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
            let (Ok(text) | Err(text)) = expected;
            assert_eq!(verdict.text.as_bytes(), text.as_bytes());
            assert_eq!(verdict.is_well, expected.is_ok(), "{text}");
        }
        let verdict = Probe::Workspace.judge(b"is full", 1 << 8);
        assert_eq!(verdict.text.as_bytes(), b"is full");
        assert!(!verdict.is_well);
    }

    /// What a `wait` says of an end: a code, or a signal and whether there is a core.
    fn end() -> impl Strategy<Value = i32> {
        const CORE_DUMPED: i32 = 0x80;
        let signal = (1..=64, any::<bool>())
            .prop_map(|(signal, has_core)| signal | if has_core { CORE_DUMPED } else { 0 });
        prop_oneof![any::<u8>().prop_map(|code| i32::from(code) << 8), signal]
    }

    proptest! {
        /// Whatever was answered, and however it ended: one line, never empty, and well only after a 0.
        #[test]
        fn any_answer_is_judged(answer: Vec<u8>, status in end(), which in 0..Probe::ALL.len()) {
            let verdict = Probe::ALL[which].judge(&answer, status);
            prop_assert!(!verdict.is_well || status == 0);
            let text = verdict.text.as_bytes();
            prop_assert!(!text.is_empty() && !text.contains(&b'\n'));
        }
    }
}
