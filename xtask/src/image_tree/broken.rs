//! The error for an index whose content is missing or is not what it should be.

use std::fmt;

use crate::oci::Unclear;

/// Why an index is not whole. Its store said so; a store that does not answer is another error.
#[derive(Clone, Debug)]
pub(crate) struct Broken(String);

impl Broken {
    pub(super) fn of(what: impl fmt::Display, why: impl fmt::Display) -> Broken {
        Broken(format!("{what} {why}"))
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Broken {}

pub(super) fn broken(what: impl fmt::Display, why: impl fmt::Display) -> anyhow::Error {
    Broken::of(what, why).into()
}

/// Whether the error says that what is in a registry is not whole, or can be read in two ways.
pub(crate) fn is_broken(error: &anyhow::Error) -> bool {
    error.is::<Broken>() || error.is::<Unclear>()
}
