//! Starting the command: its process group, its terminal, its environment, and why it did not start.

use std::ffi::{OsStr, OsString};
use std::io::{self, ErrorKind, IsTerminal};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use rustix::process::Pid;

use crate::config::CommandLine;
use crate::exit::{self, Refusal};
use crate::sys::{self, CallerSignals};

/// A program to start: the one place that makes one.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the file of this crate that starts programs"
)]
pub fn command(program: &OsStr) -> Command {
    Command::new(program)
}

/// Starts the command as the leader of a new process group; the group has the child's number.
///
/// When this returns the program is running: `exec` has succeeded.
pub fn spawn(
    line: &CommandLine,
    environment: &[(&str, OsString)],
    caller: CallerSignals,
) -> Result<Pid, Refusal> {
    let mut command = command(&line.program);
    command
        .args(&line.arguments)
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .process_group(0);
    sys::before_exec(&mut command, caller, io::stdin().is_terminal());
    match command.spawn() {
        // Dropped, the handle neither waits nor kills: ends are collected for all children alike.
        Ok(child) => Ok(Pid::from_child(&child)),
        Err(err) => Err(why_not(&line.program, &err)),
    }
}

/// Returns true if a failed start means that there is no such program.
///
/// The C library says "permission denied" when some folder of PATH may not be searched, even if the
/// program is in none of them; shells say "not found" then, and so do we.
pub fn is_missing(program: &OsStr, err: &io::Error) -> bool {
    match err.kind() {
        ErrorKind::NotFound => true,
        ErrorKind::PermissionDenied => !is_path(program) && !is_on_path(program),
        _ => false,
    }
}

fn is_path(program: &OsStr) -> bool {
    program.as_encoded_bytes().contains(&b'/')
}

fn is_on_path(program: &OsStr) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).exists())
}

/// Turns a failed start into what shells report: 127 when it is not there, 126 when it is but does not run.
fn why_not(program: &OsStr, err: &io::Error) -> Refusal {
    let path = Path::new(program);
    let name = path.display();
    if is_missing(program, err) {
        let text = if is_path(program) && path.exists() {
            format!(
                "cannot execute `{name}`: its interpreter or dynamic loader is not in this image"
            )
        } else {
            format!("command not found: `{name}`")
        };
        let code = exit::NOT_FOUND;
        return Refusal { code, text };
    }
    let hint = match err.kind() {
        ErrorKind::WouldBlock => "; hint: raise `--pids-limit`",
        _ => "",
    };
    let text = format!("cannot execute `{name}`: {err}{hint}");
    let code = exit::NOT_EXECUTABLE;
    Refusal { code, text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_to_start_are_told_apart() {
        const ENOENT: i32 = 2;
        const EAGAIN: i32 = 11;
        const EACCES: i32 = 13;
        for (program, errno, code, text) in [
            ("nope", ENOENT, 127, "command not found: `nope`"),
            ("/no/pe", ENOENT, 127, "command not found: `/no/pe`"),
            (
                "/etc/passwd",
                ENOENT,
                127,
                "cannot execute `/etc/passwd`: its interpreter or dynamic loader is not in this image",
            ),
            ("nope", EACCES, 127, "command not found: `nope`"),
            (
                "/etc",
                EACCES,
                126,
                "cannot execute `/etc`: Permission denied (os error 13)",
            ),
            (
                "true",
                EAGAIN,
                126,
                "cannot execute `true`: Resource temporarily unavailable (os error 11); hint: raise `--pids-limit`",
            ),
        ] {
            let text = text.to_owned();
            let refusal = why_not(OsStr::new(program), &io::Error::from_raw_os_error(errno));
            assert_eq!(refusal, Refusal { code, text });
        }
    }
}
