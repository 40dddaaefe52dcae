//! The error for a document that is refused because programs may read it in different ways.

use std::fmt;

use crate::printable;

/// Why a document is not one that every program reads in the same way: some words on one line, fit to be shown
/// whatever the document has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unclear(String);

impl Unclear {
    pub(crate) fn new(why: impl fmt::Display) -> Unclear {
        Unclear(printable::short(&why.to_string()))
    }
}

impl fmt::Display for Unclear {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unclear {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_short_and_harmless_whatever_the_document_has() {
        let why = Unclear::new(format!(
            "it has `\u{1b}[2J\n::add-mask::{}`",
            "x".repeat(1 << 20)
        ));
        let why = why.to_string();
        assert!(
            why.starts_with(r"it has `\u{1b}[2J ::add-mask::xxx"),
            "{why}"
        );
        assert!(why.len() < 400, "{}", why.len());
    }
}
