//! Commands that only keep a container running: `sleep infinity`, which AgentGate sends, and its usual
//! spellings.
//!
//! No process is started for them. A `sleep` that an agent ends (`pkill sleep`) would end the container
//! with everything in it.

use core::ffi::CStr;

use crate::sys::{Words, each};

/// Returns true if the command would do nothing but wait for the container's end.
pub fn is_asked(command: &Words<'_>) -> bool {
    let mut words = each(command).map(CStr::to_bytes);
    let words = [words.next(), words.next(), words.next(), words.next()];
    match words {
        [Some(shell), Some(option), Some(script), None]
            if is_shell(shell) && runs_script(option) =>
        {
            waits(first(script))
        }
        _ => waits(words),
    }
}

/// Returns true for `-c`, alone or with the options that people give beside it (`-lc`, `-ec`).
fn runs_script(option: &[u8]) -> bool {
    matches!(option, b"-c" | b"-lc" | b"-ec" | b"-cl" | b"-ce")
}

/// The first four words of a script, `None` after its end; a leading `exec` is skipped.
fn first(script: &[u8]) -> [Option<&[u8]>; 4] {
    let words = script.split(u8::is_ascii_whitespace);
    let mut words = words.filter(|word| !word.is_empty());
    let mut first = words.next();
    if first == Some(b"exec") {
        first = words.next();
    }
    [first, words.next(), words.next(), words.next()]
}

fn waits(words: [Option<&[u8]>; 4]) -> bool {
    match words {
        [Some(program), Some(time), None, None] => {
            let is_forever = |spelling: &[u8]| time.eq_ignore_ascii_case(spelling);
            is(program, b"sleep") && (is_forever(b"infinity") || is_forever(b"inf"))
        }
        [Some(program), Some(b"-f" | b"-F"), Some(b"/dev/null"), None] => is(program, b"tail"),
        _ => false,
    }
}

fn is_shell(program: &[u8]) -> bool {
    is(program, b"sh") || is(program, b"bash")
}

/// Returns true for a program by its name alone, or in one of the system's folders.
fn is(program: &[u8], name: &[u8]) -> bool {
    let path = program.strip_prefix(b"/usr").unwrap_or(program);
    program == name || path.strip_prefix(b"/bin/") == Some(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::words;

    #[test]
    fn the_usual_spellings_are_recognised_and_nothing_else() {
        for (command, expected) in [
            (&["sleep", "infinity"][..], true),
            (&["sleep", "inf"], true),
            (&["sleep", "Infinity"], true),
            (&["/bin/sleep", "infinity"], true),
            (&["/usr/bin/sleep", "infinity"], true),
            (&["tail", "-f", "/dev/null"], true),
            (&["/usr/bin/tail", "-F", "/dev/null"], true),
            (&["sh", "-c", "sleep infinity"], true),
            (&["/bin/sh", "-c", " exec  sleep infinity\n"], true),
            (&["bash", "-c", "tail -f /dev/null"], true),
            (&["bash", "-lc", "sleep infinity"], true),
            (&["sh", "-ec", "exec sleep infinity"], true),
            (&["sleep"], false),
            (&["sleep", "3600"], false),
            (&["sleep", "infinity", "1"], false),
            (&["sleep", "infinitely"], false),
            (&["./sleep", "infinity"], false),
            (&["/workspace/bin/sleep", "infinity"], false),
            (&["/usr/sleep", "infinity"], false),
            (&["tail", "-f", "/dev/null", "log"], false),
            (&["tail", "-f", "log"], false),
            (&["tail", "/dev/null"], false),
            (&["sh", "-c", "sleep infinity; true"], false),
            (&["sh", "-c", "sleep infinity & wait"], false),
            (&["sh", "-c", "exec exec sleep infinity"], false),
            (&["sh", "-c", "sleep infinity", "sh"], false),
            (&["sh", "-c", ""], false),
            (&["sh", "-n", "sleep infinity"], false),
            (&["sh", "-nc", "sleep infinity"], false),
            (&["node", "-c", "sleep infinity"], false),
            (&["", "infinity"], false),
            (&[], false),
        ] {
            assert_eq!(is_asked(words(command)), expected, "{command:?}");
        }
    }
}
