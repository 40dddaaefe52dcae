//! What this program says: one line each on stderr, data on stdout; a closed or full stream is no error.

use std::io::{self, Write};

use crate::exit;

pub fn error(text: &str) {
    line("error", text);
}

pub fn warning(text: &str) {
    line("warning", text);
}

pub fn note(text: &str) {
    line("note", text);
}

/// Prints what was asked for; returns the exit code that says whether it could be written.
pub fn data(text: &str) -> u8 {
    let mut stdout = io::stdout().lock();
    match stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
    {
        Ok(()) => exit::OK,
        Err(_) => exit::FAILED,
    }
}

/// One write per line, so that lines of several processes on one stream do not mix.
fn line(level: &str, text: &str) {
    let line = format!("agent-entrypoint: {level}: {text}\n");
    // There is nowhere left to complain to, and `eprintln!` would panic.
    let _ = io::stderr().write_all(line.as_bytes());
}
