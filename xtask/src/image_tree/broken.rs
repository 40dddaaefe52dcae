//! The error for an index whose content is missing or is not what it should be.

use std::fmt;

/// Why an index is not whole. Its store said so; a store that does not answer is another error.
#[derive(Debug)]
pub(crate) struct Broken(String);

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Broken {}

pub(super) fn broken(what: impl fmt::Display, why: impl fmt::Display) -> anyhow::Error {
    Broken(format!("{what} {why}")).into()
}
