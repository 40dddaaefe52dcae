//! Signals by number, real-time ones included: how this program treats each, and who sent it.

use core::fmt::{self, Display, Formatter};

/// The number of a signal, 1 to 64.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signal(u8);

/// A signal that came, and who sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    pub signal: Signal,
    pub sender: Sender,
}

/// Who sent a signal, as PID 1 of a PID namespace sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender {
    /// The kernel itself: a terminal's Ctrl-C.
    Kernel,
    /// A process outside the namespace (the engine's `docker stop`), unless [`Sender::with_queue`] doubts it.
    Outside,
    /// A process of the namespace, by its PID; the PID is only a claim where `sigqueue` sent the signal.
    Inside(i32),
    /// The kernel may have dropped the record of the sender.
    Unknown,
}

impl Sender {
    /// `SI_USER` and `SI_KERNEL` of the kernel's `siginfo_t`.
    const BY_KILL: i32 = 0;
    const BY_KERNEL: i32 = 0x80;

    /// Reads the `si_code` and `si_pid` of a signal.
    ///
    /// The kernel sets `si_pid` of a `kill` to 0 when the sender is in a parent PID namespace
    /// (`send_signal_locked` in `kernel/signal.c`). A process of this namespace can write any `si_pid`
    /// with `rt_sigqueueinfo`, but no `si_code` of 0 or above; what `F_SETSIG` sends has the codes 1 to 6.
    /// It can make the kernel drop the record, which then reads as from outside: see [`Sender::with_queue`].
    pub fn of(code: i32, pid: i32) -> Self {
        match (code, pid) {
            (Self::BY_KERNEL, _) => Self::Kernel,
            (Self::BY_KILL, 0) => Self::Outside,
            _ => Self::Inside(pid),
        }
    }

    /// Doubts a signal from outside when the kernel has no room to queue a signal for this process.
    ///
    /// A `tgkill` or `rt_sigqueueinfo` from inside then arrives without its record, with the `si_code` and
    /// `si_pid` of one from outside. The agent has the same UID: it can lower `RLIMIT_SIGPENDING` of PID 1,
    /// and fill the queue. A `kill` keeps its record whatever the limit.
    #[must_use]
    pub fn with_queue(self, has_room: impl FnOnce() -> bool) -> Self {
        if self == Self::Outside && !has_room() {
            return Self::Unknown;
        }
        self
    }
}

impl Display for Sender {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inside(pid) => write!(f, "process {pid}"),
            Self::Unknown => f.write_str("an unknown sender (no room to queue signals)"),
            Self::Kernel | Self::Outside => f.write_str("a sender outside"),
        }
    }
}

/// A set of signals as the kernel has it: bit n-1 for signal n.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct Signals(u64);

impl Signal {
    pub const INT: Self = Self(2);
    pub const KILL: Self = Self(9);
    pub const TERM: Self = Self(15);
    pub const CHLD: Self = Self(17);
    pub const CONT: Self = Self(18);
    /// The last real-time signal.
    pub const LAST: Self = Self(64);

    pub fn from_usize(number: usize) -> Option<Self> {
        let number = u8::try_from(number).ok()?;
        (1..=64).contains(&number).then_some(Self(number))
    }

    pub fn as_usize(self) -> usize {
        usize::from(self.0)
    }

    /// Returns true if the signal is forwarded to the command.
    ///
    /// KILL and STOP never arrive here; CHLD is for this program's own children; 32 and 33 belong to the C
    /// library's threads. Numbers of faults (SEGV, ILL, …) are forwarded: a fault of this program itself
    /// never arrives here, because the kernel kills for it even while it is blocked.
    pub fn is_forwarded(self) -> bool {
        self != Self::CHLD && matches!(self.0, 1..=31 | 34..=64)
    }

    /// Returns true if the signal ends keep-alive mode: `docker stop` and Ctrl-C.
    pub fn ends_keep_alive(self) -> bool {
        [Self::INT, Self::TERM].contains(&self)
    }
}

impl Signals {
    pub const NONE: Self = Self(0);
    pub const ALL: Self = Self(u64::MAX);
    pub const CHLD: Self = Self(1 << (Signal::CHLD.0 - 1));
    pub const LAST: Self = Self(1 << (Signal::LAST.0 - 1));
    /// What the kernel raises for a write that fails: SIGPIPE or SIGXFSZ.
    pub const OF_WRITING: Self = Self(1 << (13 - 1) | 1 << (25 - 1));

    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> impl Iterator<Item = Signal> {
        (1..=64).map(|number| Signal::from_usize(number).unwrap())
    }

    #[test]
    fn signals_have_the_numbers_1_to_64() {
        assert_eq!(all().count(), 64);
        for wrong in [0, 65, 256 + 15, usize::MAX] {
            assert_eq!(Signal::from_usize(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn everything_but_chld_and_the_thread_signals_is_forwarded() {
        let kept: Vec<_> = all().filter(|signal| !signal.is_forwarded()).collect();
        assert_eq!(kept, [Signal::CHLD, Signal(32), Signal(33)]);
    }

    #[test]
    fn two_signals_end_keep_alive() {
        let ending: Vec<_> = all().filter(|signal| signal.ends_keep_alive()).collect();
        assert_eq!(ending, [Signal::INT, Signal::TERM]);
    }

    #[test]
    fn only_the_kernel_and_a_parent_namespace_are_outside() {
        for (what, code, pid, expected) in [
            ("kill, from a parent namespace", 0, 0, Sender::Outside),
            ("kill, from this namespace", 0, 42, Sender::Inside(42)),
            ("a terminal's Ctrl-C", 0x80, 0, Sender::Kernel),
            ("sigqueue, honest", -1, 42, Sender::Inside(42)),
            ("sigqueue, forged", -1, 0, Sender::Inside(0)),
            ("tkill", -6, 42, Sender::Inside(42)),
            ("F_SETSIG", 1, 0, Sender::Inside(0)),
        ] {
            assert_eq!(Sender::of(code, pid), expected, "{what}");
        }
    }

    #[test]
    fn without_room_in_the_queue_only_a_sender_outside_is_doubted() {
        for (sender, doubted) in [
            (Sender::Outside, Sender::Unknown),
            (Sender::Unknown, Sender::Unknown),
            (Sender::Kernel, Sender::Kernel),
            (Sender::Inside(0), Sender::Inside(0)),
            (Sender::Inside(42), Sender::Inside(42)),
        ] {
            assert_eq!(sender.with_queue(|| true), sender);
            assert_eq!(sender.with_queue(|| false), doubted);
        }
    }
}
