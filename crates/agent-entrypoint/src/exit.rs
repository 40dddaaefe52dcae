//! Exit codes: this program's own, and the code for the end of a process.

use core::ffi::CStr;
use core::fmt::{self, Display, Formatter};

use rustix::io::Errno;

use crate::mounts::MountHint;
use crate::text::{Why, shown};
use crate::user::AGENT;

pub const OK: u8 = 0;
/// `health` found a failure, or the text that was asked for could not be written.
pub const FAILED: u8 = 1;
/// The command line or an environment variable is wrong.
pub const USAGE: u8 = 2;
/// Root's privileges could not be dropped (`EX_NOPERM` of sysexits).
pub const NO_PERMISSION: u8 = 77;
/// The workspace is missing (`EX_CONFIG` of sysexits). Commands rarely end with this code.
pub const NO_WORKSPACE: u8 = 78;
pub const NOT_EXECUTABLE: u8 = 126;
pub const NOT_FOUND: u8 = 127;
/// A shell's code for a command that SIGKILL ended.
pub const KILLED: u8 = 128 + 9;

/// Why nothing was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal<'a> {
    UnknownOption(&'a CStr),
    UnknownHealthArgument(&'a CStr),
    BadValue {
        name: &'static str,
        value: &'a CStr,
        /// What to set it to.
        hint: &'static str,
    },
    NoWorkspace(&'a CStr, Errno),
    /// Root cannot become [`AGENT`]: the call that failed.
    StaysRoot(&'static str, Errno),
    NoMemory(Errno),
    NoProcess(Errno),
    NotFound(&'a CStr),
    NoInterpreter(&'a CStr),
    NotExecutable(&'a CStr, Errno),
}

impl Refusal<'_> {
    /// The code to exit with.
    pub fn code(&self) -> u8 {
        match self {
            Self::UnknownOption(_) | Self::UnknownHealthArgument(_) | Self::BadValue { .. } => {
                USAGE
            }
            Self::NoWorkspace(..) => NO_WORKSPACE,
            Self::StaysRoot(..) => NO_PERMISSION,
            Self::NoMemory(_) | Self::NoProcess(_) | Self::NotExecutable(..) => NOT_EXECUTABLE,
            Self::NotFound(_) | Self::NoInterpreter(_) => NOT_FOUND,
        }
    }
}

/// Each names the thing, the reason and the remedy.
impl Display for Refusal<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match *self {
            Self::UnknownOption(option) => {
                let hint = "`agent-entrypoint --help` lists them, and `--` goes before a command that starts with a dash";
                write!(f, "unknown option: `{}`; hint: {hint}", shown(option))
            }
            Self::UnknownHealthArgument(argument) => {
                let hint = "`health [--json] [--deep]`, or `agent-entrypoint -- health …` for a program of that name";
                let argument = shown(argument);
                write!(
                    f,
                    "unknown argument of `health`: `{argument}`; hint: {hint}"
                )
            }
            Self::BadValue { name, value, hint } => {
                let value = shown(value);
                write!(
                    f,
                    "bad value of `{name}`: `{value}`; hint: set it to {hint}"
                )
            }
            Self::NoWorkspace(path, errno) => {
                write!(f, "workspace `{}` ", shown(path))?;
                match errno {
                    Errno::NOENT => f.write_str("does not exist")?,
                    Errno::NOTDIR => f.write_str("is not a directory")?,
                    errno => write!(f, "cannot be inspected: {}", Why(errno))?,
                }
                write!(f, "; {}", MountHint(path))
            }
            Self::StaysRoot(call, errno) => {
                let hint =
                    "`--user agentgate`, or leave root the capabilities CHOWN, SETUID and SETGID";
                let why = Why(errno);
                write!(
                    f,
                    "started as root, and cannot become {AGENT}: {call}: {why}; hint: {hint}"
                )
            }
            Self::NoMemory(errno) => write!(f, "no memory: {}; hint: raise `--memory`", Why(errno)),
            Self::NoProcess(errno) => {
                let hint = match errno {
                    Errno::AGAIN => "; hint: raise `--pids-limit`",
                    Errno::NOMEM => "; hint: raise `--memory`",
                    _ => "",
                };
                write!(f, "cannot start a process: {}{hint}", Why(errno))
            }
            Self::NotFound(program) => write!(f, "command not found: `{}`", shown(program)),
            Self::NoInterpreter(program) => {
                let why = "its interpreter or dynamic loader is not in this image";
                write!(f, "cannot execute `{}`: {why}", shown(program))
            }
            Self::NotExecutable(program, errno) => {
                let hint = match errno {
                    Errno::NOEXEC => {
                        "; hint: a script begins with `#!`, a program is for this architecture"
                    }
                    _ => "",
                };
                write!(
                    f,
                    "cannot execute `{}`: {}{hint}",
                    shown(program),
                    Why(errno)
                )
            }
        }
    }
}

/// The code a shell would report: the status itself, or 128+n when signal n ended the process.
///
/// `status` is the raw one of a `wait` that reports ends only. Real-time signals (34 to 64) count, too;
/// some libraries fail to decode them.
pub fn code(status: i32) -> u8 {
    let [low, high, ..] = status.to_le_bytes();
    match low & 0x7f {
        0 => high,
        signal => 128 | signal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_has_its_code_and_names_the_cure() {
        let (it, errno) = (c"it", Errno::ACCESS);
        let hint = "`1`";
        let bad = Refusal::BadValue {
            name: "N",
            value: it,
            hint,
        };
        for (refusal, code, text) in [
            (bad, 2, "bad value of `N`: `it`; hint: set it to `1`"),
            (
                Refusal::NoWorkspace(it, errno),
                78,
                "workspace `it` cannot be inspected: Permission denied (errno 13); hint: docker run -v \"$PWD:it\" …",
            ),
            (
                Refusal::StaysRoot("setgroups", Errno::PERM),
                77,
                "started as root, and cannot become 1000:1000: setgroups: Operation not permitted (errno 1); hint: `--user agentgate`, or leave root the capabilities CHOWN, SETUID and SETGID",
            ),
            (
                Refusal::NoMemory(Errno::NOMEM),
                126,
                "no memory: Cannot allocate memory (errno 12); hint: raise `--memory`",
            ),
            (
                Refusal::NoProcess(Errno::AGAIN),
                126,
                "cannot start a process: Resource temporarily unavailable (errno 11); hint: raise `--pids-limit`",
            ),
            (
                Refusal::NoProcess(Errno::NOMEM),
                126,
                "cannot start a process: Cannot allocate memory (errno 12); hint: raise `--memory`",
            ),
            (Refusal::NotFound(it), 127, "command not found: `it`"),
            (
                Refusal::NoInterpreter(it),
                127,
                "cannot execute `it`: its interpreter or dynamic loader is not in this image",
            ),
            (
                Refusal::NotExecutable(it, errno),
                126,
                "cannot execute `it`: Permission denied (errno 13)",
            ),
            (
                Refusal::NotExecutable(it, Errno::NOEXEC),
                126,
                "cannot execute `it`: Exec format error (errno 8); hint: a script begins with `#!`, a program is for this architecture",
            ),
        ] {
            assert_eq!(refusal.to_string(), text);
            assert_eq!(refusal.code(), code, "{text}");
        }
    }

    #[test]
    fn raw_wait_statuses_become_shell_codes() {
        const CORE_DUMPED: i32 = 0x80;
        for status in 0..=255 {
            assert_eq!(i32::from(code(status << 8)), status);
        }
        for signal in 1..=64 {
            for raw in [signal, signal | CORE_DUMPED] {
                assert_eq!(i32::from(code(raw)), 128 + signal, "{raw:#x}");
            }
        }
    }
}
