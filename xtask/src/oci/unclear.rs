//! The error for a document that is refused because programs may read it in different ways.

use std::fmt;

/// Why a document is no index, manifest or configuration that every program reads in the same way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unclear(String);

impl Unclear {
    pub(crate) fn new(why: impl fmt::Display) -> Unclear {
        Unclear(why.to_string())
    }
}

impl fmt::Display for Unclear {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unclear {}
