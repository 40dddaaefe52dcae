//! Failures that another try may not see.

use std::error::Error;
use std::fmt;

/// The registry was busy or broken, or a connection broke off: whether a write was done is not
/// known.
#[derive(Debug)]
pub(crate) struct Passing {
    text: String,
    /// The seconds that the registry asks to wait.
    pub(crate) asked: Option<u64>,
    cause: Option<ureq::Error>,
}

impl Passing {
    pub(crate) fn new(text: String, asked: Option<u64>) -> Passing {
        Passing {
            text,
            asked,
            cause: None,
        }
    }

    pub(super) fn caused_by(self, cause: ureq::Error) -> Passing {
        Passing {
            cause: Some(cause),
            ..self
        }
    }
}

impl fmt::Display for Passing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Error for Passing {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        let cause = self.cause.as_ref()?;
        Some(cause)
    }
}
