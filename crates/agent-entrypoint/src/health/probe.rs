//! The probes: what each asks, and when an answer is a good one.

use core::ffi::CStr;

use rustix::fd::OwnedFd;
use rustix::stdio::dup2_stdout;

use super::answer::{Answer, Asked, VERSION, Verdict, run_program};
use super::{folders, git};
use crate::exit;
use crate::sys::CallerSignals;

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Probe {
    Node,
    Claude,
    Workspace,
    Git,
    Home,
    Tmp,
    Credentials,
}

impl Probe {
    /// In the order of the report.
    pub const ALL: [Self; 7] = [
        Self::Node,
        Self::Claude,
        Self::Workspace,
        Self::Git,
        Self::Home,
        Self::Tmp,
        Self::Credentials,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Claude => "claude",
            Self::Workspace => "workspace",
            Self::Git => "git",
            Self::Home => "home",
            Self::Tmp => "tmp",
            Self::Credentials => "credentials",
        }
    }

    /// Runs in the probe's process: writes the answer to the pipe, returns the exit code.
    #[inline(never)]
    pub fn run(self, asked: &Asked<'_>, caller: CallerSignals, pipe: &OwnedFd) -> u8 {
        let _ = dup2_stdout(pipe);
        match self {
            Self::Node => {
                // Runs V8, not only the parsing of a flag.
                let deep: &[&CStr] = &[c"node", c"--print", c"process.version"];
                let cheap: &[&CStr] = &[c"node", VERSION];
                let words = if asked.probes.deep { deep } else { cheap };
                run_program(words, asked.environment, caller, None)
            }
            Self::Claude => run_program(&[c"claude", VERSION], asked.environment, caller, None),
            Self::Git => git::run(asked, caller, pipe),
            Self::Workspace => folders::workspace(asked),
            Self::Home => folders::home(asked),
            Self::Tmp => folders::tmp(asked),
            Self::Credentials => folders::credentials(asked),
        }
    }

    /// A probe passes if it ends with 0 and prints something; the first line is its answer.
    #[inline(never)]
    pub fn judge(self, answer: &[u8], status: i32) -> Verdict {
        let name = self.name();
        let answer = answer.trim_ascii();
        let code = exit::code(status);
        if self == Self::Git
            && let Some(verdict) = git::judge(answer, status)
        {
            return verdict;
        }
        let mut first = Answer::new();
        for line in answer.split(|byte| *byte == b'\n').take(1) {
            first.push(line.trim_ascii_end());
        }
        // This program's own probes print the reason, and so does a program that cannot be started.
        let could_not_start = code == exit::NOT_FOUND || code == exit::NOT_EXECUTABLE;
        let is_ours = could_not_start || !matches!(self, Self::Node | Self::Claude);
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

    /// A raw status of `wait`: a code, or a signal with or without a core.
    fn end() -> impl Strategy<Value = i32> {
        const CORE_DUMPED: i32 = 0x80;
        let signal = (1..=64, any::<bool>())
            .prop_map(|(signal, has_core)| signal | if has_core { CORE_DUMPED } else { 0 });
        prop_oneof![any::<u8>().prop_map(|code| i32::from(code) << 8), signal]
    }

    proptest! {
        /// Any answer and any end give one line that is not empty, and pass only after a 0.
        #[test]
        fn any_answer_is_judged(answer: Vec<u8>, status in end(), which in 0..Probe::ALL.len()) {
            let verdict = Probe::ALL[which].judge(&answer, status);
            prop_assert!(!verdict.is_well || status == 0);
            let text = verdict.text.as_bytes();
            prop_assert!(!text.is_empty() && !text.contains(&b'\n'));
        }
    }
}
