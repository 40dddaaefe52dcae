//! Messages, a line each on stderr, and data on stdout; a closed or full stream is not an error.

use core::fmt::Display;

use rustix::fd::BorrowedFd;
use rustix::io::{Errno, retry_on_intr};

use crate::exit;
use crate::signals::Signals;
use crate::sys;
use crate::text::Text;

pub fn error(text: impl Display) {
    line("error", &text);
}

pub fn warning(text: impl Display) {
    line("warning", &text);
}

pub fn note(text: impl Display) {
    line("note", &text);
}

/// Prints data; returns the exit code that says whether it could be written.
pub fn data(bytes: &[u8]) -> u8 {
    let written = write(sys::STDOUT, bytes);
    written.map_or(exit::FAILED, |()| exit::OK)
}

/// One write per line, so that lines of several processes on one stream do not mix.
#[inline(never)]
fn line(level: &str, text: &dyn Display) {
    let mut line = Text::<6144>::of(format_args!("agent-entrypoint: {level}: {text}"));
    line.end_line();
    // A failure cannot be reported anywhere.
    let _ = write(sys::STDERR, line.as_bytes());
}

fn write(stream: BorrowedFd<'_>, mut bytes: &[u8]) -> Result<(), Errno> {
    while !bytes.is_empty() {
        match retry_on_intr(|| rustix::io::write(stream, bytes)) {
            Ok(0) => return Err(Errno::IO),
            Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
            Err(errno) => {
                // The kernel has raised a signal for this write. Taken here, it is not forwarded to the
                // command.
                if matches!(errno, Errno::PIPE | Errno::FBIG) {
                    sys::wait_signal(Signals::OF_WRITING, Some(0));
                }
                return Err(errno);
            }
        }
    }
    Ok(())
}
