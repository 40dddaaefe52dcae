//! Where the events of supervision come from: signals, ended children and the clock.

use core::mem::take;

use rustix::io::retry_on_intr;
use rustix::process::{WaitOptions, wait};

use super::state::Event;
use crate::scope::Scope;
use crate::signals::{Received, Signal, Signals};
use crate::sys;

/// Milliseconds between two checks for processes, while the clock runs.
const TICK: u64 = 10;

/// The clock of the thin loop.
#[derive(Clone, Copy)]
pub(super) enum Timer {
    Off,
    /// Runs for this many milliseconds from the next check on.
    Set(u64),
    Until(u64),
}

/// Where events come from.
pub(super) struct Watch {
    scope: Scope,
    pub(super) clock: Timer,
    /// Known without a check.
    pub(super) is_empty: bool,
    /// A child has ended or stopped. SIGCHLD is not queued, one may stand for many.
    has_ended: bool,
    /// The changes of children to wait for.
    options: WaitOptions,
    /// A signal that asks for the end needs a known sender.
    pub(super) doubts: bool,
}

impl Watch {
    pub(super) fn new(scope: Scope, has_terminal: bool) -> Self {
        let mut options = WaitOptions::NOHANG;
        options.set(WaitOptions::UNTRACED, has_terminal);
        Self {
            options,
            scope,
            clock: Timer::Off,
            is_empty: false,
            // The program that became this one may have left a child that has ended.
            has_ended: true,
            doubts: false,
        }
    }

    /// Waits for the next event, while the clock runs for a tick at most.
    pub(super) fn next(&mut self) -> Event {
        if take(&mut self.is_empty) {
            return Event::Empty;
        }
        loop {
            while self.has_ended {
                match retry_on_intr(|| wait(self.options)) {
                    Ok(Some((pid, status))) if status.stopped() => return Event::Stopped(pid),
                    Ok(Some((pid, status))) => return Event::Reaped(pid, status.as_raw()),
                    Ok(None) | Err(_) => self.has_ended = false,
                }
            }
            if let Some(event) = self.check() {
                return event;
            }
            let limit = matches!(self.clock, Timer::Until(_)).then_some(TICK);
            match sys::wait_signal(Signals::ALL, limit) {
                Some(received) if received.signal == Signal::CHLD => self.has_ended = true,
                Some(received) => return Event::Signal(self.doubt(received)),
                None => return Event::Tick,
            }
        }
    }

    /// Checks at once whether the record of the sender may be lost: the agent can free the queue again.
    fn doubt(&self, Received { signal, sender }: Received) -> Received {
        let is_sure = !self.doubts || !signal.ends_keep_alive();
        let sender = sender.with_queue(|| is_sure || sys::can_queue());
        Received { signal, sender }
    }

    /// While the clock runs, checks for processes and for the time.
    fn check(&mut self) -> Option<Event> {
        let deadline = match self.clock {
            Timer::Off => return None,
            Timer::Set(time) => sys::now().saturating_add(time),
            Timer::Until(deadline) => deadline,
        };
        self.clock = Timer::Until(deadline);
        if self.scope.is_empty() {
            return Some(Event::Empty);
        }
        (sys::now() >= deadline).then_some(Event::TimeUp)
    }
}
