//! Signals by number, real-time ones included, and what each is to this program.

/// The number of a signal, 1 to 64.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signal(u8);

/// A set of signals as the kernel has it: bit n-1 for signal n.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct Signals(u64);

impl Signal {
    pub const HUP: Self = Self(1);
    pub const INT: Self = Self(2);
    pub const QUIT: Self = Self(3);
    pub const KILL: Self = Self(9);
    pub const TERM: Self = Self(15);
    pub const CHLD: Self = Self(17);
    pub const CONT: Self = Self(18);

    pub fn from_usize(number: usize) -> Option<Self> {
        let number = u8::try_from(number).ok()?;
        (1..=64).contains(&number).then_some(Self(number))
    }

    pub fn as_usize(self) -> usize {
        usize::from(self.0)
    }

    /// Returns true if the signal is passed on to the command.
    ///
    /// KILL and STOP never arrive here; CHLD is about our own children; 32 and 33 belong to the C
    /// library's threads. Numbers of faults (SEGV, ILL, …) are passed on: a fault of our own never
    /// gets here, because the kernel kills for it even while it is blocked.
    pub fn is_forwarded(self) -> bool {
        self != Self::CHLD && matches!(self.0, 1..=31 | 34..=64)
    }

    /// Returns true if the signal ends keep-alive mode: the ways in which people end a program.
    ///
    /// HUP is one of them because `docker run` passes it on when the user's terminal goes away, and
    /// there is no configuration that could be read anew.
    pub fn ends_keep_alive(self) -> bool {
        [Self::HUP, Self::INT, Self::QUIT, Self::TERM].contains(&self)
    }
}

impl Signals {
    pub const NONE: Self = Self(0);
    pub const ALL: Self = Self(u64::MAX);
    pub const CHLD: Self = Self(1 << (Signal::CHLD.0 - 1));
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
    fn four_signals_end_keep_alive() {
        let ending: Vec<_> = all().filter(|signal| signal.ends_keep_alive()).collect();
        assert_eq!(
            ending,
            [Signal::HUP, Signal::INT, Signal::QUIT, Signal::TERM]
        );
    }
}
