//! Why the engine did not do what it was asked for.

use std::{fmt, io};

use serde::Deserialize;

use crate::exec;
use crate::printable::short;
use crate::stop::Stop;

/// Why a request has no good answer. What is quoted of the engine is fit to be printed.
#[derive(Debug)]
pub enum Failure {
    /// The engine says no: HTTP's status, and why.
    Refused(u16, String),
    /// It had not answered, or not to the end, at the limit.
    TimedOut,
    /// It cannot be reached, or it broke off, or its answer is none.
    Gone(String),
    /// We are asked to end.
    Stopped(Stop),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Refused(_, why) => f.write_str(why),
            Failure::TimedOut => f.write_str("the engine does not answer in time"),
            Failure::Gone(why) => write!(f, "the engine does not answer: {why}"),
            Failure::Stopped(stop) => stop.fmt(f),
        }
    }
}

impl std::error::Error for Failure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Failure::Stopped(stop) => Some(stop),
            _ => None,
        }
    }
}

impl From<Stop> for Failure {
    fn from(stop: Stop) -> Failure {
        Failure::Stopped(stop)
    }
}

/// The body of an answer that is not well.
#[derive(Deserialize)]
struct Message {
    message: String,
}

impl Failure {
    pub(super) fn of(error: ureq::Error) -> Failure {
        if let Err(stop) = exec::check() {
            return Failure::Stopped(stop);
        }
        match error {
            ureq::Error::Timeout(_) => Failure::TimedOut,
            error => Failure::Gone(short(&error.to_string())),
        }
    }

    pub(super) fn of_reading(error: io::Error) -> Failure {
        Failure::of(ureq::Error::from(error))
    }

    /// The engine answers in another way than the API's description says.
    pub(super) fn odd(what: &str) -> Failure {
        Failure::Gone(what.to_owned())
    }

    /// `body` is JSON that says why; a proxy before an engine may say something else.
    pub(super) fn refused(status: u16, body: &[u8]) -> Failure {
        let why = match serde_json::from_slice::<Message>(body) {
            Ok(said) => said.message,
            Err(_) => String::from_utf8_lossy(body).into_owned(),
        };
        let why = match short(why.trim()) {
            empty if empty.is_empty() => format!("HTTP status {status}"),
            why => why,
        };
        Failure::Refused(status, why)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn why_the_engine_refuses_is_its_message() {
        for (body, expected) in [
            (
                r#"{"message":"No such container: a"}"#,
                "No such container: a",
            ),
            ("bad gateway\n", "bad gateway"),
            ("", "HTTP status 502"),
            (r#"{"message":"\u001b[2Jx"}"#, r"\u{1b}[2Jx"),
        ] {
            let failure = Failure::refused(502, body.as_bytes());
            assert_eq!(failure.to_string(), expected);
        }
    }
}
