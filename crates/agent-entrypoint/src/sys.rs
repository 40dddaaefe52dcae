//! The only unsafe code: the signal mask, waiting for and sending any signal, and the hook before `exec`.
//!
//! rustix has no safe interface for these. Each function is a system call or two, wrapped so that no
//! caller can misuse it.
#![expect(
    unsafe_code,
    reason = "signal masks and real-time signals have no safe interface in rustix"
)]

use std::io;
use std::mem::MaybeUninit;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::ptr;
use std::time::Duration;

use rustix::process::Pid;

use crate::signals::Signal;

/// The signal state that this process was started with, to be handed on to the command.
#[derive(Clone, Copy)]
pub struct CallerSignals {
    mask: libc::sigset_t,
    on_child: libc::sighandler_t,
}

/// Whom a signal goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    Process(Pid),
    Group(Pid),
    /// Every process in the PID namespace but PID 1: only PID 1 of a container may ask for it.
    Namespace,
}

impl Target {
    fn as_raw(self) -> libc::pid_t {
        match self {
            Self::Process(pid) => pid.as_raw_pid(),
            Self::Group(pid) => -pid.as_raw_pid(),
            Self::Namespace => -1,
        }
    }
}

/// Blocks every signal, so that each waits until [`wait_signal`] fetches it.
///
/// SIGCHLD gets its default disposition: when the caller ignored it, the kernel would reap our
/// children without telling us their status.
pub fn take_signals() -> CallerSignals {
    let all = every_signal();
    let mut mask = MaybeUninit::<libc::sigset_t>::zeroed();
    // SAFETY: both pointers are to live sets, and a zeroed set is a valid, empty one. The default
    // disposition runs no code of ours.
    unsafe {
        libc::sigprocmask(libc::SIG_SETMASK, &raw const all, mask.as_mut_ptr());
        CallerSignals {
            mask: mask.assume_init(),
            on_child: libc::signal(libc::SIGCHLD, libc::SIG_DFL),
        }
    }
}

/// Restores what [`take_signals`] changed.
pub fn give_back(caller: CallerSignals) {
    // SAFETY: the set is live. The disposition is one that a process can be started with, default or
    // ignored, so it runs no code of ours.
    unsafe {
        libc::signal(libc::SIGCHLD, caller.on_child);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const caller.mask, ptr::null_mut());
    }
}

/// Takes the next signal, sleeping until there is one; `None` when the time is over first.
pub fn wait_signal(limit: Option<Duration>) -> Option<Signal> {
    let all = every_signal();
    let limit = limit.map(|limit| libc::timespec {
        tv_sec: i64::try_from(limit.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(limit.subsec_nanos()),
    });
    let limit = limit.as_ref().map_or(ptr::null(), ptr::from_ref);
    // SAFETY: the set is live, and so is the time when there is one; both null pointers are allowed.
    let number = unsafe { libc::sigtimedwait(&raw const all, ptr::null_mut(), limit) };
    // An interruption (a debugger attached) looks like the end of the time; every caller loops.
    (number > 0).then(|| Signal::new(number))
}

/// Sends a signal.
pub fn send(target: Target, signal: Signal) -> io::Result<()> {
    kill(target, signal.number())
}

/// Returns true if the target has a process in it, one that we may not signal or a zombie included.
pub fn exists(target: Target) -> bool {
    kill(target, 0).map_or_else(|err| err.raw_os_error() == Some(libc::EPERM), |()| true)
}

/// Has the command start with the caller's signal state and, if asked, as the terminal's foreground.
///
/// The terminal is handed over in the child, before `exec`: if the parent did it, a shell could look
/// first, find itself in the background and stop for ever.
pub fn before_exec(command: &mut Command, caller: CallerSignals, take_terminal: bool) {
    let stdin = io::stdin();
    let hook = move || {
        if take_terminal {
            // The child is in the background here, where this call raises SIGTTOU: like all signals it
            // is still blocked, the mask is inherited. Whatever else goes wrong (no controlling terminal,
            // another session's) is survivable.
            let _ = rustix::termios::tcsetpgrp(&stdin, rustix::process::getpid());
        }
        give_back(caller);
        Ok(())
    };
    // SAFETY: the hook makes system calls only; it neither allocates nor takes a lock.
    unsafe { command.pre_exec(hook) };
}

/// Every signal, by bits: `sigfillset` leaves out those that the C library keeps for itself, and for
/// musl 34 is one of them, which is RTMIN to everyone else.
fn every_signal() -> libc::sigset_t {
    let mut set = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: the set is an array of integers, for which every bit pattern is valid.
    unsafe {
        ptr::write_bytes(set.as_mut_ptr(), 0xff, 1);
        set.assume_init()
    }
}

fn kill(target: Target, number: i32) -> io::Result<()> {
    // SAFETY: the call takes two integers and touches no memory.
    match unsafe { libc::kill(target.as_raw(), number) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
