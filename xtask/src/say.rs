//! The one place that prints for people: on stdout what was asked for, on stderr everything else.
//!
//! What it prints may come from an image, a registry or git, so it shows what a terminal or GitHub's runner
//! would obey, and sends none of it. A value that must stay in its line goes through
//! [`crate::printable::line`] before. What a program prints that the user watches (docker's progress) is that
//! program's own and does not come here.

use std::fmt;

use crate::printable;

/// Prints a line on stdout.
#[doc(hidden)]
#[macro_export]
macro_rules! say_outln {
    ($($text:tt)*) => { $crate::say::out(&format!("{}\n", format_args!($($text)*))) };
}

/// Prints on stdout.
#[doc(hidden)]
#[macro_export]
macro_rules! say_out {
    ($($text:tt)*) => { $crate::say::out(&format!($($text)*)) };
}

/// Prints a line on stderr.
#[doc(hidden)]
#[macro_export]
macro_rules! say_errln {
    () => { $crate::say::err("\n") };
    ($($text:tt)*) => { $crate::say::err(&format!("{}\n", format_args!($($text)*))) };
}

/// Prints on stderr.
#[doc(hidden)]
#[macro_export]
macro_rules! say_err {
    ($($text:tt)*) => { $crate::say::err(&format!($($text)*)) };
}

pub use {say_err as err, say_errln as errln, say_out as out, say_outln as outln};

/// Prints on stdout.
pub fn out(text: &str) {
    raw_out(&printable::text(text));
}

/// Prints on stderr.
pub fn err(text: &str) {
    raw_err(&printable::text(text));
}

/// [`out`] for text with our own colours; what it has from outside went through
/// [`crate::printable::line`].
pub fn styled_out(text: &str) {
    raw_out(&printable::styled(text));
}

/// The same on stderr.
pub fn styled_err(text: &str) {
    raw_err(&printable::styled(text));
}

/// Prints JSON on stdout.
pub(crate) fn json(text: &str) {
    raw_out(&format!("{}\n", printable::json(text)));
}

/// Prints a command for GitHub's runner on stderr, such as `group`, with text on one line.
pub(crate) fn workflow_command(command: &str, text: &str) {
    // The runner decodes `%` (actions/runner, `ActionCommand.cs`).
    let text = printable::line(text).replace('%', "%25");
    raw_err(&format!("::{command}::{text}\n"));
}

#[expect(clippy::disallowed_macros, reason = "this is the one place")]
fn raw_out(text: &str) {
    anstream::print!("{text}");
}

#[expect(clippy::disallowed_macros, reason = "this is the one place")]
fn raw_err(text: &str) {
    anstream::eprint!("{text}");
}

/// Prints an error; `prefix` is ours.
pub(crate) fn error(prefix: &dyn fmt::Display, error: &anyhow::Error) {
    let text = printable::text(&format!("{error:#}"));
    raw_err(&format!("{prefix} {text}\n"));
}
