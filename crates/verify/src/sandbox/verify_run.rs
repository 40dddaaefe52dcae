//! One run of verify, and the marks of what it leaves.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// The label that every container of a run carries; its value is the run's id.
const LABEL: &str = "io.agentgate.verify";

/// One run of `cargo xtask verify`: what it leaves on the engine and on the disk bears its id.
#[derive(Clone, Debug)]
pub(crate) struct VerifyRun {
    pub(crate) id: String,
    /// The folder for what containers are given to mount.
    pub(super) folder: PathBuf,
}

impl VerifyRun {
    /// A run that no other is, with a folder among the records.
    pub(crate) fn new(records: &Path) -> VerifyRun {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.unwrap_or_default().as_millis();
        VerifyRun::named(records, &format!("{now:x}-{:x}", std::process::id()))
    }

    pub(crate) fn named(records: &Path, id: &str) -> VerifyRun {
        VerifyRun {
            id: id.to_owned(),
            folder: records.join("verify").join(id),
        }
    }

    /// What marks the run's containers.
    pub(crate) fn label(&self) -> String {
        format!("{LABEL}={}", self.id)
    }
}
