//! Exit codes: our own, and what a process's end means as one.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

pub const OK: u8 = 0;
/// `health` found something that is not well, or asked-for text could not be written.
pub const FAILED: u8 = 1;
/// The command line or an environment variable is wrong.
pub const USAGE: u8 = 2;
/// There is no workspace (`EX_CONFIG` of sysexits): a code that commands hardly use themselves.
pub const NO_WORKSPACE: u8 = 78;
pub const NOT_EXECUTABLE: u8 = 126;
pub const NOT_FOUND: u8 = 127;

/// Why nothing was started: what to say, and the code to exit with.
#[derive(Debug, PartialEq, Eq)]
pub struct Refusal {
    pub code: u8,
    pub text: String,
}

/// The code a shell would report: the status itself, or 128+n when signal n ended the process.
///
/// `status` comes from a wait that reports ends only; real-time signals (34 to 64) count too.
pub fn code(status: ExitStatus) -> u8 {
    let code = status
        .code()
        .or_else(|| status.signal().map(|signal| 128 + signal))
        .unwrap_or(i32::from(FAILED));
    u8::try_from(code).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn raw_wait_statuses_become_shell_codes() {
        const CORE_DUMPED: i32 = 0x80;
        for status in 0..=255 {
            let raw = ExitStatus::from_raw(status << 8);
            assert_eq!(i32::from(code(raw)), status);
        }
        for signal in 1..=64 {
            let killed = ExitStatus::from_raw(signal);
            assert_eq!(i32::from(code(killed)), 128 + signal, "signal {signal}");
            let dumped = ExitStatus::from_raw(signal | CORE_DUMPED);
            assert_eq!(i32::from(code(dumped)), 128 + signal, "signal {signal}");
        }
    }
}
