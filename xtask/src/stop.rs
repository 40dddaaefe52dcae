//! Ends that mean more than "it failed", and the exit code of each.

use std::fmt;
use std::process::ExitCode;

/// Why a command ended, where the exit code says more than 1.
#[derive(Debug)]
pub enum Stop {
    /// The command line asks for something that cannot be meant (exit 2).
    Usage(String),
    /// A rule forbids it; nothing was changed (exit 3).
    Refused(String),
    /// Something is behind what is newest (exit 4).
    Behind(String),
    /// A signal of this number ended it (exit 128 + n).
    Interrupted(i32),
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stop::Usage(text) | Stop::Refused(text) | Stop::Behind(text) => f.write_str(text),
            Stop::Interrupted(signal_hook::consts::SIGINT) => f.write_str("interrupted"),
            Stop::Interrupted(signal) => write!(f, "ended by signal {signal}"),
        }
    }
}

impl std::error::Error for Stop {}

/// The exit code for `error`: that of the [`Stop`] anywhere in its chain, else 1.
pub(crate) fn exit_code(error: &anyhow::Error) -> ExitCode {
    ExitCode::from(match error.downcast_ref::<Stop>() {
        Some(Stop::Usage(_)) => 2,
        Some(Stop::Refused(_)) => 3,
        Some(Stop::Behind(_)) => 4,
        Some(Stop::Interrupted(signal)) => u8::try_from(128 + signal).unwrap_or(1),
        None => 1,
    })
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::*;

    #[test]
    fn a_stop_keeps_its_exit_code_under_context() {
        let table = [
            (anyhow::anyhow!("plain"), 1),
            (Stop::Usage("u".into()).into(), 2),
            (Stop::Refused("r".into()).into(), 3),
            (Stop::Behind("b".into()).into(), 4),
            (Stop::Interrupted(2).into(), 130),
            (Stop::Interrupted(15).into(), 143),
        ];
        for (error, code) in table {
            let error = Err::<(), _>(error).context("while testing").unwrap_err();
            assert_eq!(exit_code(&error), ExitCode::from(code), "{error:#}");
        }
    }
}
