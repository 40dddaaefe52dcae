//! The vulnerability scanners that `verify --scan` can use.

use std::path::PathBuf;

use clap::ValueEnum;
use serde::Serialize;

use crate::exec::Exec;

/// A vulnerability scanner, with a database of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Scanner {
    Trivy,
    Grype,
}

impl Scanner {
    /// The one that is preferred first.
    pub const ALL: [Scanner; 2] = [Scanner::Trivy, Scanner::Grype];

    /// Its program.
    pub fn name(self) -> &'static str {
        match self {
            Scanner::Trivy => "trivy",
            Scanner::Grype => "grype",
        }
    }

    /// Where its program is on PATH; none when it is not there.
    pub(crate) fn path(self, exec: &Exec) -> Option<PathBuf> {
        exec.find(self.name())
    }

    /// The scanner that is `asked` for, or else the first one on PATH; none when it is not there.
    pub fn choose(asked: Option<Scanner>, exec: &Exec) -> Option<Scanner> {
        let is_here = |one: &Scanner| one.path(exec).is_some();
        match asked {
            Some(one) => Some(one).filter(is_here),
            None => Scanner::ALL.into_iter().find(is_here),
        }
    }
}
