//! Signals by number, real-time ones included, and which of them concern the command.

/// A signal number as the kernel counts, 1 to 64.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signal(i32);

impl Signal {
    pub const HUP: Self = Self(libc::SIGHUP);
    pub const INT: Self = Self(libc::SIGINT);
    pub const QUIT: Self = Self(libc::SIGQUIT);
    pub const KILL: Self = Self(libc::SIGKILL);
    pub const TERM: Self = Self(libc::SIGTERM);
    pub const CHLD: Self = Self(libc::SIGCHLD);

    pub const fn new(number: i32) -> Self {
        Self(number)
    }

    pub const fn number(self) -> i32 {
        self.0
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_but_chld_and_the_thread_signals_is_forwarded() {
        let kept: Vec<i32> = (1..=64)
            .filter(|number| !Signal::new(*number).is_forwarded())
            .collect();
        assert_eq!(kept, [libc::SIGCHLD, 32, 33]);
    }

    #[test]
    fn four_signals_end_keep_alive() {
        let ending: Vec<i32> = (1..=64)
            .filter(|number| Signal::new(*number).ends_keep_alive())
            .collect();
        assert_eq!(ending, [1, 2, 3, 15]);
    }
}
