//! What a probe is asked, its answer, and programs that answer for it.

use core::ffi::CStr;
use core::fmt::{self, Display};

use rustix::fd::OwnedFd;
use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::process::chdir;
use rustix::stdio::{dup2_stderr, dup2_stdin};

use crate::child;
use crate::config::Probes;
use crate::exit;
use crate::say;
use crate::sys::{self, CallerSignals, Word, Words};
use crate::text::Text;
use crate::user::Ids;

/// The beginning of an answer; the rest is ignored.
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

/// The options of the probes, and the user they run as.
pub struct Asked<'a> {
    pub probes: &'a Probes<'a>,
    pub environment: &'a Words<'a>,
    /// The user that this process is.
    pub me: Ids,
}

pub const VERSION: &CStr = c"--version";

/// The words of a command as `execve` takes them.
fn ended<'a>(words: &[&'a CStr]) -> [Option<Word<'a>>; 16] {
    let mut ended = [None; 16];
    for (place, word) in ended.iter_mut().zip(words) {
        *place = Some(Word::new(word));
    }
    ended
}

/// Becomes the program; returns an exit code if that fails.
///
/// It starts in `/`: programs read settings from their working directory, some of which execute a
/// program, and nothing in the workspace may be executed.
///
/// Its stderr goes to `errors`, or nowhere.
pub fn run_program(
    words: &[&CStr],
    environment: &Words<'_>,
    caller: CallerSignals,
    errors: Option<&OwnedFd>,
) -> u8 {
    let _ = chdir(c"/");
    let flags = OFlags::RDWR | OFlags::CLOEXEC;
    if let Ok(null) = openat(CWD, c"/dev/null", flags, Mode::empty()) {
        let _ = dup2_stdin(&null);
        let _ = dup2_stderr(errors.unwrap_or(&null));
    }
    sys::give_back(caller);
    let words = ended(words);
    let refusal = child::run(&words, environment);
    fail(&refusal).max(refusal.code())
}

/// Answers why the probe has failed.
pub fn fail(reason: &dyn Display) -> u8 {
    say::data(Answer::of(format_args!("{reason}")).as_bytes()).max(exit::FAILED)
}
