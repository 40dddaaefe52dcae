//! The binary started through another program that then becomes it: what a caller can hand down.

use std::ffi::OsStr;
use std::process::Command;

use crate::harness::{As, binary, entrypoint, program, set_up};

/// [`entrypoint`], with the words of a caller (`env --ignore-signal=PIPE`, …) before the binary.
///
/// As PID 1 the caller is inside the namespace, so that `unshare` has no say in what is handed down.
pub fn entrypoint_via(how: As, caller: &[&str], arguments: &[&str]) -> Command {
    let direct = entrypoint(how, arguments);
    let mut words: Vec<&OsStr> = std::iter::once(direct.get_program())
        .chain(direct.get_args())
        .collect();
    let place = words.iter().position(|word| *word == binary()).unwrap();
    words.splice(place..place, caller.iter().map(OsStr::new));
    let mut command = program(words[0]);
    command.args(&words[1..]);
    set_up(&mut command);
    command
}
