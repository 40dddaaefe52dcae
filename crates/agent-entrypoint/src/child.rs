//! Starts the command: its process group, terminal and environment, and the reason when it does not start.

use core::ffi::CStr;

use rustix::fs::{AtFlags, CWD, statat};
use rustix::io::Errno;
use rustix::process::{Pid, getpid, setpgid};

use crate::env::Env;
use crate::environment;
use crate::exit::Refusal;
use crate::say;
use crate::sys::{self, CallerSignals, Side, Words, each};
use crate::text::Text;

const LONGEST_PATH: usize = 4096;

/// A command that was started.
#[derive(Clone, Copy)]
pub struct Child {
    pub pid: Pid,
    /// Its stdin is a terminal, whose foreground it was given.
    pub has_terminal: bool,
}

/// Starts the command as the leader of a new process group; the group has the child's number.
///
/// If the program cannot run, the child prints the reason and exits with 126 or 127.
pub fn spawn(
    command: &Words<'_>,
    environment: &Words<'_>,
    caller: CallerSignals,
) -> Result<Child, Errno> {
    let has_terminal = rustix::termios::isatty(sys::STDIN);
    match sys::fork()? {
        Side::Parent(pid) => Ok(Child { pid, has_terminal }),
        Side::Child => become_command(command, environment, caller, has_terminal),
    }
}

fn become_command(
    command: &Words<'_>,
    environment: &Words<'_>,
    caller: CallerSignals,
    has_terminal: bool,
) -> ! {
    let _ = setpgid(None, None);
    if has_terminal {
        // In the child, not in the parent: a shell could otherwise find itself in the background and stop
        // for ever. The call raises SIGTTOU in a background process, but all signals are still blocked.
        // Other failures (no controlling terminal, another session's) do no harm.
        let _ = rustix::termios::tcsetpgrp(sys::STDIN, getpid());
    }
    sys::give_back(caller);
    let refusal = run(command, environment);
    // A closed stderr must not end this process by a signal: its exit code counts.
    sys::take_signals();
    say::error(refusal);
    sys::exit(refusal.code())
}

/// Becomes the program, found in PATH as a shell finds it; returns only on failure.
#[inline(never)]
pub fn run<'a>(command: &Words<'a>, environment: &Words<'_>) -> Refusal<'a> {
    let program = each(command).next().unwrap_or_default();
    if program.to_bytes().contains(&b'/') {
        let errno = sys::exec(program, command, environment);
        return why_not(program, errno, exists(program));
    }
    let path = Env(environment).filled("PATH");
    let path = path.map_or(environment::PATH.as_bytes(), CStr::to_bytes);
    let mut failure = (Errno::NOENT, false);
    for folder in path.split(|byte| *byte == b':') {
        let mut file = Text::<LONGEST_PATH>::new();
        let folder = if folder.is_empty() { b"." } else { folder };
        file.push(folder)
            .push(b"/")
            .push(program.to_bytes_with_nul());
        let Some(file) = file.as_c_str().filter(|_| !program.is_empty()) else {
            continue;
        };
        let errno = sys::exec(file, command, environment);
        let is_there = exists(file);
        match errno {
            // A folder that may not be searched denies access even to a program that is not in it.
            Errno::NOENT | Errno::NOTDIR | Errno::ACCESS if !is_there => {}
            Errno::ACCESS => failure = (errno, true),
            errno => return why_not(program, errno, is_there),
        }
    }
    let (errno, is_there) = failure;
    why_not(program, errno, is_there)
}

fn exists(path: &CStr) -> bool {
    statat(CWD, path, AtFlags::empty()).is_ok()
}

/// Returns what shells report of a failed start: 127 if the program is missing, 126 if it does not run.
fn why_not(program: &CStr, errno: Errno, is_there: bool) -> Refusal<'_> {
    match errno {
        Errno::NOENT if is_there => Refusal::NoInterpreter(program),
        Errno::NOENT | Errno::NOTDIR => Refusal::NotFound(program),
        errno => Refusal::NotExecutable(program, errno),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_to_start_are_distinguished() {
        let it = c"it";
        for (errno, is_there, refusal) in [
            (Errno::NOENT, false, Refusal::NotFound(it)),
            (Errno::NOTDIR, false, Refusal::NotFound(it)),
            (Errno::NOENT, true, Refusal::NoInterpreter(it)),
            (
                Errno::ACCESS,
                true,
                Refusal::NotExecutable(it, Errno::ACCESS),
            ),
            (
                Errno::NOEXEC,
                true,
                Refusal::NotExecutable(it, Errno::NOEXEC),
            ),
        ] {
            assert_eq!(why_not(it, errno, is_there), refusal);
        }
    }
}
