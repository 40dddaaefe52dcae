//! What this program says: one line each on stderr, data on stdout; a closed or full stream is no error.

use rustix::fd::BorrowedFd;
use rustix::io::Errno;

use crate::exit;
use crate::sys;
use crate::text::{Line, Piece, Text, compose};

pub fn error(text: impl Piece) {
    print("error: ", &compose!(text));
}

pub fn warning(text: impl Piece) {
    print("warning: ", &compose!(text));
}

pub fn note(text: impl Piece) {
    print("note: ", &compose!(text));
}

/// For what cannot happen, and then has to be known.
pub fn bug(file: &str, line: u32) {
    error(&compose!("this is a bug, at ", file, ":", line));
}

/// Prints what was asked for; returns the exit code that says whether it could be written.
pub fn data(bytes: &[u8]) -> u8 {
    match write(sys::STDOUT, bytes) {
        Ok(()) => exit::OK,
        Err(_) => exit::FAILED,
    }
}

/// One write per line, so that lines of several processes on one stream do not mix.
fn print(level: &str, text: &Line) {
    let mut line = Text::<1100>::new();
    line.push("agent-entrypoint: ").push(level).push(text);
    if text.is_cut() {
        line.push("…");
    }
    line.push("\n");
    // There is nowhere left to complain to.
    let _ = write(sys::STDERR, line.as_bytes());
}

fn write(stream: BorrowedFd<'_>, mut bytes: &[u8]) -> Result<(), Errno> {
    while !bytes.is_empty() {
        match rustix::io::write(stream, bytes) {
            Ok(0) => return Err(Errno::IO),
            Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}
