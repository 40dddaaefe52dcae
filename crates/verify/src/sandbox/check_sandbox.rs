//! The sandbox of one check: what it is for, and the files that it mounts.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::Context as _;
use xtask::exec::Exec;

use super::candidate::Candidate;
use crate::facts::Expected;
use crate::limits::Limits;

/// The sandbox of one check: an image, and the means to start it.
pub(crate) struct Sandbox<'a> {
    pub(super) exec: Exec,
    pub(super) candidate: &'a Candidate,
    /// The check that works here; containers bear its name.
    pub(super) check: &'static str,
}

impl<'a> Sandbox<'a> {
    pub(crate) fn new(exec: Exec, candidate: &'a Candidate, check: &'static str) -> Sandbox<'a> {
        Sandbox {
            exec,
            candidate,
            check,
        }
    }

    pub(crate) fn expected(&self) -> &Expected {
        &self.candidate.expected
    }

    pub(crate) fn limits(&self) -> Limits {
        self.candidate.limits()
    }

    /// Whether every instruction is translated: times then say nothing.
    pub(crate) fn is_emulated(&self) -> bool {
        self.candidate.is_emulated
    }

    /// A new empty folder that every user may write to, as the server prepares one.
    pub(crate) fn workspace(&self) -> anyhow::Result<PathBuf> {
        let folder = self.new_path();
        fs::create_dir_all(&folder)
            .and_then(|()| fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)))
            .with_context(|| format!("failed to create `{}`", folder.display()))?;
        Ok(folder)
    }

    /// A new file with that content and mode, to be mounted.
    pub(crate) fn file(&self, content: &str, mode: u32) -> anyhow::Result<PathBuf> {
        let file = self.new_path();
        fs::create_dir_all(&self.candidate.run.folder)
            .and_then(|()| fs::write(&file, content))
            .and_then(|()| fs::set_permissions(&file, fs::Permissions::from_mode(mode)))
            .with_context(|| format!("failed to write `{}`", file.display()))?;
        Ok(file)
    }

    fn new_path(&self) -> PathBuf {
        self.candidate.run.folder.join(self.new_name())
    }

    pub(super) fn new_name(&self) -> String {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        format!("{}-{count}", self.check)
    }
}
