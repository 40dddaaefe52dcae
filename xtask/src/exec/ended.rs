//! How a program ended that had a time limit.

use std::process::ExitStatus;

/// What is kept of each output stream, in bytes; a program that prints more is still read to its end.
pub(crate) const KEPT: usize = 16 << 20;

/// What a program printed, and its status.
#[derive(Debug)]
pub struct Ended {
    /// None when it was killed at its limit.
    pub status: Option<ExitStatus>,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
}

impl Ended {
    /// True if it ended by itself, and well.
    pub fn success(&self) -> bool {
        self.status.is_some_and(|status| status.success())
    }
}
