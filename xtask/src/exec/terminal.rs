//! A program on a terminal of its own, with what is typed there.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::Context as _;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{Mode, OFlags, open};
use rustix::io::{Errno, FdFlags, fcntl_setfd, ioctl_fionbio, read, retry_on_intr, write};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{OptionalActions, Winsize, tcgetattr, tcsetattr, tcsetwinsize};

use super::bounded::bounded;
use super::ended::Ended;
use super::ended::KEPT;
use super::running::{self, Running};
use super::{Exec, quoted};

impl Exec {
    /// Runs a program on a terminal, types `input`, and returns all that stood on the terminal
    /// as its stdout. The terminal is raw: it neither echoes nor reads for line ends.
    pub(crate) fn typed(
        &self,
        program: &str,
        args: &[impl AsRef<str>],
        input: &str,
        limit: Duration,
    ) -> anyhow::Result<Ended> {
        running::check()?;
        let line = quoted(program, args);
        self.echo(&line);
        let command = Command::from(self.cmd(program, args));
        let ended = on_a_terminal(command, input, limit)
            .with_context(|| format!("failed to run `{line}` on a terminal"))?;
        running::check()?;
        Ok(ended)
    }
}

fn on_a_terminal(mut command: Command, input: &str, limit: Duration) -> io::Result<Ended> {
    let (master, terminal) = new_terminal()?;
    command
        .stdin(Stdio::from(terminal.try_clone()?))
        .stdout(Stdio::from(terminal.try_clone()?))
        .stderr(Stdio::from(terminal))
        .process_group(0);
    let running = Running::expendable(&mut command)?;
    // The command holds the terminal open as long as it lives, and would hide the program's end.
    drop(command);
    thread::scope(|scope| {
        let screen = scope.spawn(|| attend(&master, input.as_bytes()));
        let ended = bounded(running, limit)?;
        Ok(Ended {
            stdout: screen.join().unwrap_or_default(),
            ..ended
        })
    })
}

/// Types `input` as fast as it is taken, and reads until the program has left the terminal.
fn attend(terminal: &OwnedFd, mut input: &[u8]) -> Vec<u8> {
    let mut screen = Vec::new();
    let mut bytes = [0; 4096];
    loop {
        let mut wanted = PollFlags::IN;
        wanted.set(PollFlags::OUT, !input.is_empty());
        let mut polled = [PollFd::new(terminal, wanted)];
        if retry_on_intr(|| poll(&mut polled, None)).is_err() {
            return screen;
        }
        let ready = polled[0].revents();
        if ready.contains(PollFlags::OUT) && !input.is_empty() {
            match write(terminal, input) {
                Ok(count) => input = &input[count..],
                Err(Errno::AGAIN | Errno::INTR) => {}
                Err(_) => input = &[],
            }
        }
        if ready.intersects(PollFlags::IN | PollFlags::HUP | PollFlags::ERR) {
            match read(terminal, &mut bytes) {
                Err(Errno::AGAIN | Errno::INTR) => {}
                // Linux says EIO when nobody holds the other end any more.
                Ok(0) | Err(_) => return screen,
                Ok(count) => {
                    screen.extend_from_slice(&bytes[..count]);
                    screen.truncate(KEPT);
                }
            }
        }
    }
}

/// Both ends of a new terminal of 24 lines: ours, and the program's.
fn new_terminal() -> rustix::io::Result<(OwnedFd, OwnedFd)> {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY)?;
    // Not every system can say so while opening.
    fcntl_setfd(&master, FdFlags::CLOEXEC)?;
    grantpt(&master)?;
    unlockpt(&master)?;
    let name = ptsname(&master, Vec::new())?;
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let terminal = open(name, flags, Mode::empty())?;
    let mut attributes = tcgetattr(&terminal)?;
    attributes.make_raw();
    tcsetattr(&terminal, OptionalActions::Now, &attributes)?;
    let size = Winsize {
        ws_row: 24,
        ws_col: 80,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    tcsetwinsize(&terminal, size)?;
    ioctl_fionbio(&master, true)?;
    Ok((master, terminal))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_reads_what_is_typed_and_sees_a_terminal() {
        let exec = Exec::new(&std::env::temp_dir(), false).unwrap();
        let script = "read -r line; test -t 0 && test -t 1 && echo \"got $line\"; exit 5";
        let limit = Duration::from_mins(10);
        let ended = exec.typed("sh", &["-c", script], "hello\n", limit).unwrap();
        assert_eq!(ended.status.unwrap().code(), Some(5));
        assert_eq!(String::from_utf8_lossy(&ended.stdout), "got hello\n");
    }

    #[test]
    fn a_program_that_does_not_read_ends_at_its_limit() {
        let exec = Exec::new(&std::env::temp_dir(), false).unwrap();
        let flood = "x\n".repeat(1 << 20);
        let limit = Duration::from_millis(300);
        let ended = exec.typed("sleep", &["600"], &flood, limit).unwrap();
        assert!(ended.status.is_none());
    }
}
