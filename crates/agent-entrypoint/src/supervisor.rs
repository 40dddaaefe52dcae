//! The life after start-up: a pure [`State::step`] decides, a thin loop watches and acts.
//!
//! Running, signals are passed on until the command ends (or, without a command, until a signal asks
//! for the end). From SIGTERM on, and from the end of the command on, a clock runs; what outlives it is
//! killed. Idle costs nothing: only while the clock runs is there a tick, because the end of a process
//! that came by `docker exec` raises no signal here.

use core::mem::take;

use rustix::io::retry_on_intr;
use rustix::process::{Pid, WaitOptions, wait};

use crate::config::Run;
use crate::exit;
use crate::say;
use crate::scope::{self, Scope};
use crate::signals::{Signal, Signals};
use crate::sys;

/// From SIGKILL to giving up on what does not even die of that (then the kernel's turn), in milliseconds.
const LAST: u64 = 500;
/// What asks for an orderly end: whoever is stopped has to go on to obey.
const ORDERLY_END: [Signal; 2] = [Signal::TERM, Signal::CONT];
/// How often to look whether everyone is gone, while the clock runs; in milliseconds.
const TICK: u64 = 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    Signal(Signal),
    /// A process has ended and was collected, with its raw status.
    Reaped(Pid, i32),
    /// Nobody is left.
    Empty,
    /// Somebody is left, and the clock has run out.
    TimeUp,
    /// Somebody is left, and there is time.
    Tick,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Pass a signal on to the command.
    Forward(Pid, Signal),
    /// Send a signal to everyone in the scope.
    Tell(Signal),
    /// Start the clock: from now on [`Event::Empty`], [`Event::TimeUp`] and [`Event::Tick`] are to be reported.
    AllowGrace,
    /// The same, for what was killed.
    AllowLast,
    /// Say that somebody did not end in time.
    Warn,
    Exit(u8),
}

/// What is to be done at one event, in this order.
pub type Actions = [Option<Action>; 3];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Clock {
    Off,
    Grace,
    Last,
}

/// What is known between two events.
#[derive(Debug)]
pub struct State {
    /// The command, until it has ended.
    child: Option<Pid>,
    /// What to exit with once nobody is left; none while there is work to be waited for.
    code: Option<u8>,
    clock: Clock,
    /// Everyone has had SIGTERM. One is enough: a second one makes many programs drop their orderly end.
    all_told: bool,
    to_group: bool,
}

impl State {
    pub fn new(child: Option<Pid>, to_group: bool) -> Self {
        Self {
            child,
            code: None,
            clock: Clock::Off,
            all_told: false,
            to_group,
        }
    }

    pub fn step(&mut self, event: Event) -> Actions {
        match (event, self.child) {
            (Event::Reaped(pid, status), Some(child)) if pid == child => {
                self.child = None;
                self.end(exit::code(status))
            }
            // What is killed needs no further signal.
            (Event::Signal(_), _) if self.clock == Clock::Last => [None; 3],
            (Event::Signal(Signal::TERM), Some(child)) => self.term(child),
            (Event::Signal(signal), Some(child)) if signal.is_forwarded() => {
                [Some(Action::Forward(child, signal)), None, None]
            }
            (Event::Signal(signal), None) if self.code.is_none() && signal.ends_keep_alive() => {
                self.end(exit::OK)
            }
            (Event::Empty, None) => [self.code.map(Action::Exit), None, None],
            (Event::TimeUp, _) => self.time_up(),
            // Again and again: outside PID 1 a process can fork while the list of them is read.
            (Event::Tick, _) if self.clock == Clock::Last => {
                [Some(Action::Tell(Signal::KILL)), None, None]
            }
            _ => [None; 3],
        }
    }

    /// There is nothing more to wait for but the end of everyone else.
    fn end(&mut self, code: u8) -> Actions {
        self.code = Some(code);
        let is_told = self.all_told || self.clock == Clock::Last;
        self.all_told = true;
        let tell = |signal| (!is_told).then_some(Action::Tell(signal));
        let [term, go_on] = ORDERLY_END.map(tell);
        [term, go_on, self.start_clock()]
    }

    /// Somebody wants the container to end: `docker stop`.
    fn term(&mut self, child: Pid) -> Actions {
        let tell = |signal| {
            Some(if self.to_group {
                Action::Tell(signal)
            } else {
                Action::Forward(child, signal)
            })
        };
        let [term, go_on] = ORDERLY_END.map(tell);
        self.all_told |= self.to_group;
        [term, go_on, self.start_clock()]
    }

    fn start_clock(&mut self) -> Option<Action> {
        let is_off = self.clock == Clock::Off;
        is_off.then(|| {
            self.clock = Clock::Grace;
            Action::AllowGrace
        })
    }

    fn time_up(&mut self) -> Actions {
        if self.clock == Clock::Last {
            let code = self.code.unwrap_or(exit::KILLED);
            return [Some(Action::Exit(code)), None, None];
        }
        self.clock = Clock::Last;
        let kill = Action::Tell(Signal::KILL);
        [Some(Action::Warn), Some(kill), Some(Action::AllowLast)]
    }
}

/// Looks after the command, if any, and everyone else in the scope; returns this process's exit code.
///
/// All signals must be blocked, and the command started, before.
pub fn supervise(child: Option<Pid>, scope: Scope, run: &Run<'_>) -> u8 {
    let mut state = State::new(child, run.to_group);
    let mut watch = Watch::new(scope);
    loop {
        for action in state.step(watch.next()).into_iter().flatten() {
            match action {
                Action::Forward(child, signal) => scope::forward(child, run.to_group, signal),
                Action::Tell(_) if watch.is_empty => {}
                Action::Tell(signal) => watch.is_empty = !scope.tell(signal, child),
                Action::AllowGrace => watch.clock = Timer::Set(u64::from(run.grace_seconds) * 1000),
                Action::AllowLast => watch.clock = Timer::Set(LAST),
                Action::Warn => say::warning(format_args!(
                    "what outlived SIGTERM by {} s is killed",
                    run.grace_seconds
                )),
                Action::Exit(code) => return code,
            }
        }
    }
}

/// The clock of the thin loop.
#[derive(Clone, Copy)]
enum Timer {
    Off,
    /// To run for so many milliseconds from the next look on: nobody looks if nobody is left.
    Set(u64),
    Until(u64),
}

/// Where events come from.
struct Watch {
    scope: Scope,
    clock: Timer,
    /// Known before anybody looked.
    is_empty: bool,
    /// A child has ended. SIGCHLD is not queued, one may stand for many ends.
    has_ended: bool,
}

impl Watch {
    fn new(scope: Scope) -> Self {
        Self {
            scope,
            clock: Timer::Off,
            is_empty: false,
            // Whoever became this program may have left one that had ended before.
            has_ended: true,
        }
    }

    /// What happens next. Sleeps until there is something, at most a tick while the clock runs.
    fn next(&mut self) -> Event {
        if take(&mut self.is_empty) {
            return Event::Empty;
        }
        loop {
            while self.has_ended {
                match retry_on_intr(|| wait(WaitOptions::NOHANG)) {
                    Ok(Some((pid, status))) => return Event::Reaped(pid, status.as_raw()),
                    Ok(None) | Err(_) => self.has_ended = false,
                }
            }
            if let Some(event) = self.look() {
                return event;
            }
            let limit = matches!(self.clock, Timer::Until(_)).then_some(TICK);
            match sys::wait_signal(Signals::ALL, limit) {
                Some(Signal::CHLD) => self.has_ended = true,
                Some(signal) => return Event::Signal(signal),
                None => return Event::Tick,
            }
        }
    }

    /// While the clock runs: is anybody left, and is there time?
    fn look(&mut self) -> Option<Event> {
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

#[cfg(test)]
mod tests;
