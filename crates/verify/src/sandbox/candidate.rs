//! The image that is verified, and how long its programs may take.

use std::sync::OnceLock;
use std::time::Duration;

use xtask::platform::Platform;

use super::used::Used;
use super::verify_run::VerifyRun;
use crate::facts::Expected;

/// How long a program in a container may take.
pub(super) const LIMIT: Duration = Duration::from_secs(30);
/// The same where every instruction is translated.
const EMULATED_LIMIT: Duration = Duration::from_mins(3);

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
}

impl Candidate {
    /// How long a program in a container may take.
    pub(crate) fn limit(&self) -> Duration {
        if self.is_emulated {
            EMULATED_LIMIT
        } else {
            LIMIT
        }
    }
}
