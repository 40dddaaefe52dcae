//! Reaping: collects every child that has ended, our own and adopted ones.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use rustix::io::Errno;
use rustix::process::{Pid, WaitId, WaitIdOptions, WaitOptions, wait, waitid};

/// The children that have ended and were not collected before, until none is left.
///
/// SIGCHLD is not queued, one may stand for many ends: never stop at the first.
pub fn ended() -> impl Iterator<Item = (Pid, ExitStatus)> {
    std::iter::from_fn(|| match wait(WaitOptions::NOHANG) {
        Ok(Some((pid, status))) => Some((pid, ExitStatus::from_raw(status.as_raw()))),
        Ok(None) | Err(_) => None,
    })
}

/// Returns true if this process has no child, running or ended.
pub fn childless() -> bool {
    let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    matches!(waitid(WaitId::All, look), Err(Errno::CHILD))
}
