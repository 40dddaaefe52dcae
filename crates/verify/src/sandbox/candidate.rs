//! The image that is verified, and how long its programs may take.

use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use xtask::platform::Platform;

use super::used::Used;
use super::verify_run::VerifyRun;
use crate::facts::Expected;
use crate::limits::{Limits, Pace};

/// One platform of the image that is verified.
pub(crate) struct Candidate {
    pub(crate) run: VerifyRun,
    /// What `docker run` is given: a digest.
    pub(crate) image: String,
    pub(crate) platform: Platform,
    pub(crate) is_emulated: bool,
    pub(crate) expected: Expected,
    /// The name of the one container, started as the contract has it, that checks share.
    pub(crate) shared: String,
    /// What the engine has made that container of, once it is started.
    pub(crate) used: OnceLock<Used>,
    /// The pace of the engine's machine, as it was last measured.
    pub(crate) pace: Mutex<Pace>,
}

impl Candidate {
    /// How long a program in a container may take.
    pub(crate) fn limit(&self) -> Duration {
        self.limits().program()
    }

    pub(crate) fn limits(&self) -> Limits {
        Limits {
            is_emulated: self.is_emulated,
            pace: *self.pace.lock().unwrap_or_else(PoisonError::into_inner),
        }
    }

    pub(crate) fn set_pace(&self, pace: Pace) {
        *self.pace.lock().unwrap_or_else(PoisonError::into_inner) = pace;
    }
}
