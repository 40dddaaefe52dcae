//! The processes that this one supervises: as PID 1 the whole container, otherwise its descendants.

use rustix::io::Errno;
use rustix::process::{Pid, WaitId, WaitIdOptions, getpgid, getpid, set_child_subreaper, waitid};
use rustix::termios::tcgetpgrp;

use crate::descendants;
use crate::say;
use crate::signals::Signal;
use crate::sys::{self, Target};
use crate::text::Why;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    Namespace,
    Descendants,
}

impl Scope {
    /// Returns the scope of this process. If it is not PID 1 it becomes a subreaper, so that it gets the
    /// orphans among its descendants, and a note says so.
    pub fn take(quiet: bool) -> Self {
        let own = getpid();
        if own.is_init() {
            return Self::Namespace;
        }
        match set_child_subreaper(Some(own)) {
            Ok(()) if quiet => {}
            Ok(()) => say::note("this is not PID 1: only its own descendants are reaped and ended"),
            Err(errno) => say::warning(format_args!(
                "this is not PID 1 and cannot reap orphans: {}; hint: run it as the container's entrypoint, without `--init`",
                Why(errno)
            )),
        }
        Self::Descendants
    }

    /// Sends a signal to every process; returns false if there is none.
    ///
    /// Only the group of `child`, the command, gets it when `/proc` cannot be read.
    pub fn signal_all(self, signal: Signal, child: Option<Pid>) -> bool {
        if self == Self::Namespace {
            return send(Target::Namespace, signal);
        }
        if is_childless() {
            return false;
        }
        let listed = descendants::each(|pid| {
            send(Target::Process(pid), signal);
        });
        if let (Err(_), Some(child)) = (listed, child) {
            send(Target::Group(child), signal);
        }
        true
    }

    /// Returns true if no process is left, zombies included.
    ///
    /// A process that came by `docker exec` is not a child of PID 1, so the two scopes need two ways.
    pub fn is_empty(self) -> bool {
        match self {
            Self::Namespace => !sys::exists(Target::Namespace),
            Self::Descendants => is_childless(),
        }
    }
}

/// Sends a signal to the command's group, or to the command alone when it has no group of its own (yet).
pub fn forward(child: Pid, to_group: bool, signal: Signal) {
    if !to_group || !send(Target::Group(child), signal) {
        send(Target::Process(child), signal);
    }
}

/// Continues a stopped process if its group is in the foreground of the terminal.
///
/// A shell with job control takes the terminal back when its job stops. If the stopped group still has
/// the terminal, nobody can type `fg`, and the terminal would be dead.
pub fn resume(pid: Pid) {
    if let (Ok(group), Ok(foreground)) = (getpgid(Some(pid)), tcgetpgrp(sys::STDIN))
        && group == foreground
    {
        send(Target::Group(group), Signal::CONT);
    }
}

/// Sends a signal; returns false if no process gets it. Warns when the kernel refuses it.
fn send(target: Target, signal: Signal) -> bool {
    match sys::send(target, signal) {
        Ok(()) => true,
        Err(Errno::SRCH) => false,
        // These follow SIGTERM, which gave the warning.
        Err(_) if [Signal::CONT, Signal::KILL].contains(&signal) => true,
        Err(errno) => {
            let (target, number, why) = (target.as_raw(), signal.as_usize(), Why(errno));
            say::warning(format_args!(
                "cannot send signal {number} to {target}: {why}"
            ));
            true
        }
    }
}

/// Returns true if this process has no child, running or ended.
fn is_childless() -> bool {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    match waitid(WaitId::All, options) {
        Err(Errno::CHILD) => true,
        // A sandbox that lacks this call.
        Err(Errno::NOSYS | Errno::PERM) => {
            let mut is_childless = true;
            descendants::each(|_| is_childless = false).is_ok() && is_childless
        }
        _ => false,
    }
}
