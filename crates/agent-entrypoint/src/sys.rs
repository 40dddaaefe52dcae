//! The only unsafe code: the system calls for which rustix has no safe function without a C library.
//!
//! Each function here is a call or two, wrapped so that no caller can misuse it.
#![expect(
    unsafe_code,
    reason = "rustix has no safe interface for signal masks, `fork`, `execve` and `kill(-1)`"
)]

mod words;

use core::ffi::CStr;

use rustix::fd::BorrowedFd;
use rustix::io::Errno;
use rustix::process::Pid;
use syscalls::{Sysno, syscall1, syscall2, syscall3, syscall4, syscall5, syscall6};

#[cfg(test)]
pub(crate) use self::words::tests::{words, words_of_bytes};
pub use self::words::{Start, Word, Words, each};
use crate::signals::{Received, Sender, Signal, Signals};

// SAFETY: nothing here closes these three. Where the caller has closed one, or it is another file by
// now, a call on it fails or writes there, as for every program.
pub const STDIN: BorrowedFd<'static> = unsafe { BorrowedFd::borrow_raw(0) };
// SAFETY: as above.
pub const STDOUT: BorrowedFd<'static> = unsafe { BorrowedFd::borrow_raw(1) };
// SAFETY: as above.
pub const STDERR: BorrowedFd<'static> = unsafe { BorrowedFd::borrow_raw(2) };

/// `SIG_SETMASK`.
const SET_MASK: usize = 2;
/// `SIG_DFL` and `SIG_IGN`.
const DEFAULT: usize = 0;
const IGNORED: usize = 1;

/// The signal state that this process was started with, to be handed on to the command.
#[derive(Clone, Copy)]
pub struct CallerSignals {
    mask: Signals,
    on_child: usize,
}

/// The target of a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    Process(Pid),
    Group(Pid),
    /// Every process in the PID namespace but PID 1 and the caller: only PID 1 of a container may ask for it.
    Namespace,
}

impl Target {
    /// As `kill` takes it.
    pub fn as_raw(self) -> i32 {
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
    CallerSignals {
        mask: set_mask(Signals::ALL),
        on_child: set_on_child(DEFAULT),
    }
}

/// Restores the caller's mask, with SIGCHLD alone blocked, for [`wait_signal`].
pub fn take_child_signal(caller: CallerSignals) {
    set_mask(caller.mask.and(Signals::CHLD));
}

/// Restores what [`take_signals`] changed.
pub fn give_back(caller: CallerSignals) {
    if caller.on_child != DEFAULT {
        set_on_child(IGNORED);
    }
    set_mask(caller.mask);
}

/// Sets the mask of blocked signals; returns the one before.
fn set_mask(mask: Signals) -> Signals {
    let mut before = Signals::NONE;
    let (new, old) = ((&raw const mask) as usize, (&raw mut before) as usize);
    // SAFETY: both pointers are to live sets of the kernel's size. With these arguments it cannot fail.
    let _ = unsafe {
        syscall4(
            Sysno::rt_sigprocmask,
            SET_MASK,
            new,
            old,
            size_of::<Signals>(),
        )
    };
    before
}

/// Sets what SIGCHLD does, to the default or to nothing; returns what it did before.
fn set_on_child(handler: usize) -> usize {
    // The kernel's `struct sigaction`: handler, flags, restorer and mask, a word each.
    let action = [handler, 0, 0, 0];
    let mut before = [0; 4];
    let (new, old) = (action.as_ptr() as usize, before.as_mut_ptr() as usize);
    let number = Signal::CHLD.as_usize();
    // SAFETY: both pointers are to live structures, and neither handler runs code of ours.
    let _ = unsafe { syscall4(Sysno::rt_sigaction, number, new, old, size_of::<Signals>()) };
    before[0]
}

/// The kernel's `siginfo_t`: 128 bytes, of which the third word is `si_code` and the fifth `si_pid`.
#[repr(C, align(8))]
struct SignalInfo([i32; 32]);

/// Takes the next of these signals, sleeping until there is one; `None` when the time is over first.
///
/// The signals must be blocked. The time is in milliseconds.
pub fn wait_signal(among: Signals, limit: Option<u64>) -> Option<Received> {
    let time = limit.map(|limit| [limit / 1000, limit % 1000 * 1_000_000]);
    let time = time.as_ref().map_or(0, |time| time.as_ptr() as usize);
    let set = (&raw const among) as usize;
    let mut info = SignalInfo([0; 32]);
    let place = (&raw mut info) as usize;
    let size = size_of::<Signals>();
    // SAFETY: the set and the `siginfo_t` are live, and so is the `timespec` if there is one, which may
    // be a null pointer.
    let number = unsafe { syscall4(Sysno::rt_sigtimedwait, set, place, time, size) };
    // An interruption (by a debugger) reads as the end of the time; every caller loops.
    let signal = number.ok().and_then(Signal::from_usize)?;
    let [_, _, code, _, pid, ..] = info.0;
    let sender = Sender::of(code, pid);
    Some(Received { signal, sender })
}

/// Returns true if the kernel has room to queue a signal for this process: it sends itself one with a
/// record, which no limit is lifted for, and takes it again.
///
/// Every signal must be blocked.
pub fn can_queue() -> bool {
    const BY_QUEUE: i32 = -1;
    let mut info = SignalInfo([0; 32]);
    info.0[2] = BY_QUEUE;
    let own = rustix::process::getpid().as_raw_pid();
    let (place, number) = ((&raw const info) as usize, Signal::LAST.as_usize());
    // SAFETY: the pointer is to a live `siginfo_t`, and the blocked signal runs no code.
    let queued = unsafe {
        syscall3(
            Sysno::rt_sigqueueinfo,
            own.unsigned_abs() as usize,
            number,
            place,
        )
    };
    match queued.map_err(errno) {
        Ok(_) => {
            wait_signal(Signals::LAST, Some(0));
            true
        }
        // A sandbox that lacks the call says nothing about the queue.
        Err(errno) => errno != Errno::AGAIN,
    }
}

/// Milliseconds since some moment in the past; they never decrease.
pub fn now() -> u64 {
    const MONOTONIC: usize = 1;
    let mut time = [0_u64; 2];
    // SAFETY: the pointer is to a live `timespec`.
    let _ = unsafe { syscall2(Sysno::clock_gettime, MONOTONIC, time.as_mut_ptr() as usize) };
    let [seconds, nanoseconds] = time;
    seconds
        .wrapping_mul(1000)
        .wrapping_add(nanoseconds / 1_000_000)
}

/// Sends a signal.
pub fn send(target: Target, signal: Signal) -> Result<(), Errno> {
    kill(target, signal.as_usize())
}

/// Returns true if the target has a process in it, one that we may not signal or a zombie included.
pub fn exists(target: Target) -> bool {
    kill(target, 0) != Err(Errno::SRCH)
}

fn kill(target: Target, number: usize) -> Result<(), Errno> {
    // The kernel reads the lower half only; C extends the sign, too.
    let target = target.as_raw() as isize;
    // SAFETY: the call takes two integers and touches no memory.
    let sent = unsafe { syscall2(Sysno::kill, target.cast_unsigned(), number) };
    sent.map(drop).map_err(errno)
}

/// Which side of a [`fork`] this is.
pub enum Side {
    Child,
    Parent(Pid),
}

/// Makes a copy of this process, in which this function returns [`Side::Child`].
///
/// Unlike in a program with threads or a C library, everything may be done in the copy: there are
/// no locks here that another thread could have held.
pub fn fork() -> Result<Side, Errno> {
    // SAFETY: neither memory nor stack is shared with the copy, and it gets no thread-local storage.
    let forked = unsafe { syscall5(Sysno::clone, Signal::CHLD.as_usize(), 0, 0, 0, 0) };
    let pid = i32::try_from(forked.map_err(errno)?).unwrap_or_default();
    Ok(Pid::from_raw(pid).map_or(Side::Child, Side::Parent))
}

/// Replaces this process's program; returns only if that fails, with the reason.
pub fn exec(path: &CStr, arguments: &Words<'_>, environment: &Words<'_>) -> Errno {
    let is_ended = |words: &Words<'_>| words.last().is_some_and(Option::is_none);
    if !is_ended(arguments) || !is_ended(environment) {
        return Errno::INVAL;
    }
    let path = path.as_ptr() as usize;
    let (arguments, environment) = (arguments.as_ptr() as usize, environment.as_ptr() as usize);
    // SAFETY: the path is a C string, and both arrays are of such, ended by a null pointer.
    let done = unsafe { syscall3(Sysno::execve, path, arguments, environment) };
    done.err().map_or(Errno::INVAL, errno)
}

/// Ends this process at once.
pub fn exit(code: u8) -> ! {
    loop {
        // SAFETY: nothing of ours runs after it.
        let _ = unsafe { syscall1(Sysno::exit_group, usize::from(code)) };
    }
}

/// Closes every descriptor but stdin, stdout and stderr.
///
/// Nothing that is open may be used any more: this is for the moment when nothing of ours is.
pub fn close_inherited() {
    const FIRST: usize = 3;
    // SAFETY: the call takes integers only; by the contract above no descriptor has an owner.
    let closed = unsafe { syscall3(Sysno::close_range, FIRST, u32::MAX as usize, 0) };
    if closed.is_err() {
        // A kernel before 5.9, or a sandbox without the call: the usual limit's worth of them.
        for descriptor in FIRST..1024 {
            // SAFETY: as above.
            let _ = unsafe { syscall1(Sysno::close, descriptor) };
        }
    }
}

/// Keeps words, at most so many, as `execve` takes them; they stay until this process ends.
pub fn keep_words<'a>(
    most: usize,
    words: impl Iterator<Item = Word<'a>>,
) -> Result<&'a Words<'a>, Errno> {
    let kept = allocate_words(most.saturating_add(1))?;
    for (place, word) in kept.iter_mut().take(most).zip(words) {
        *place = Some(word);
    }
    Ok(kept)
}

/// Memory for so many words, all `None`; it stays until this process ends.
fn allocate_words<'a>(count: usize) -> Result<&'a mut Words<'a>, Errno> {
    const READ_AND_WRITE: usize = 3;
    const PRIVATE_AND_ANONYMOUS: usize = 0x22;
    const NO_FILE: usize = usize::MAX;
    let size = count.saturating_mul(size_of::<Option<Word<'_>>>());
    // SAFETY: new memory, at an address that the kernel chooses, overlaps no other.
    let address = unsafe {
        syscall6(
            Sysno::mmap,
            0,
            size,
            READ_AND_WRITE,
            PRIVATE_AND_ANONYMOUS,
            NO_FILE,
            0,
        )
    };
    let words = address.map_err(errno)? as *mut Option<Word<'a>>;
    // SAFETY: the memory is that large, aligned to a page, not shared, and zero, which is `None`.
    Ok(unsafe { core::slice::from_raw_parts_mut(words, count) })
}

fn errno(error: syscalls::Errno) -> Errno {
    Errno::from_raw_os_error(error.into_raw())
}
