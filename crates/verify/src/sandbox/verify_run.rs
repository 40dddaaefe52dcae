//! One run of verify: the marks of what it leaves, and its connections to the engine.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::{SystemTime, UNIX_EPOCH};

use xtask::docker::api::Api;
use xtask::exec::Exec;

/// The label that every container of a run carries; its value is the run's id.
const LABEL: &str = "io.agentgate.verify";

/// One run of `cargo xtask verify`: what it leaves on the engine and on the disk bears its id.
#[derive(Clone)]
pub(crate) struct VerifyRun {
    pub(crate) id: String,
    /// The folder for what containers are given to mount.
    pub(super) folder: PathBuf,
    api: Arc<OnceLock<Api>>,
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
            api: Arc::default(),
        }
    }

    /// What marks the run's containers.
    pub(crate) fn label(&self) -> String {
        format!("{LABEL}={}", self.id)
    }

    /// The engine's API. The first check that needs it makes the connection.
    pub(super) fn api(&self, exec: &Exec) -> anyhow::Result<&Api> {
        if let Some(api) = self.api.get() {
            return Ok(api);
        }
        let api = Api::connect(exec)?;
        Ok(self.api.get_or_init(|| api))
    }
}
