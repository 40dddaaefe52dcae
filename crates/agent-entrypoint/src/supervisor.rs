//! The life after start-up: a pure [`State::step`] decides, a thin loop watches and acts.
//!
//! Running, signals are passed on until the command ends (or, without a command, until a signal asks
//! for the end). From SIGTERM on, and from the end of the command on, a clock runs; what outlives it is
//! killed. Idle costs nothing: only while the clock runs is there a tick, because the end of a process
//! that came by `docker exec` raises no signal here.

use core::mem::take;

use rustix::io::retry_on_intr;
use rustix::process::{Pid, WaitOptions, wait};

use crate::child::Child;
use crate::config::Run;
use crate::exit;
use crate::say;
use crate::scope::{self, Scope};
use crate::signals::{Received, Sender, Signal, Signals};
use crate::sys;

/// From SIGKILL to giving up on what does not even die of that (then the kernel's turn), in milliseconds.
const LAST: u64 = 500;
/// What asks for an orderly end: whoever is stopped has to go on to obey.
const ORDERLY_END: [Signal; 2] = [Signal::TERM, Signal::CONT];
/// How often to look whether everyone is gone, while the clock runs; in milliseconds.
const TICK: u64 = 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    Signal(Received),
    /// A process has ended and was collected, with its raw status.
    Reaped(Pid, i32),
    /// A child has stopped; only reported where the command has a terminal.
    Stopped(Pid),
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
    /// Say that a signal of this process of the container does not end it.
    Decline(Signal, i32),
    /// Continue a process if it holds the terminal.
    Resume(Pid),
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
    scope: Scope,
    /// It was said that a signal from inside does not end the container. Once is enough.
    has_declined: bool,
}

impl State {
    pub fn new(child: Option<Pid>, scope: Scope, to_group: bool) -> Self {
        Self {
            child,
            code: None,
            clock: Clock::Off,
            all_told: false,
            to_group,
            scope,
            has_declined: false,
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
            (Event::Signal(received), Some(child)) => self.pass_on(child, received.signal),
            (Event::Signal(received), None) if self.code.is_none() => self.keep_alive(received),
            (Event::Stopped(pid), _) => [Some(Action::Resume(pid)), None, None],
            (Event::Empty, None) => [self.code.map(Action::Exit), None, None],
            (Event::TimeUp, _) => self.time_up(),
            // Again and again: outside PID 1 a process can fork while the list of them is read.
            (Event::Tick, _) if self.clock == Clock::Last => {
                [Some(Action::Tell(Signal::KILL)), None, None]
            }
            _ => [None; 3],
        }
    }

    /// Command mode's answer to a signal.
    fn pass_on(&mut self, child: Pid, signal: Signal) -> Actions {
        if signal == Signal::TERM {
            return self.term(child);
        }
        let forward = Action::Forward(child, signal);
        [signal.is_forwarded().then_some(forward), None, None]
    }

    /// Keep-alive mode's answer to a signal. As PID 1 it ends by one from outside alone: `pkill -u
    /// agentgate` in an agent's hands sends SIGTERM to PID 1, too.
    fn keep_alive(&mut self, Received { signal, sender }: Received) -> Actions {
        match sender {
            _ if !signal.ends_keep_alive() => [None; 3],
            Sender::Inside(pid) if self.scope == Scope::Namespace => {
                let is_first = !core::mem::replace(&mut self.has_declined, true);
                [is_first.then_some(Action::Decline(signal, pid)), None, None]
            }
            _ => self.end(exit::OK),
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
pub fn supervise(child: Option<Child>, scope: Scope, run: &Run<'_>) -> u8 {
    let has_terminal = child.is_some_and(|child| child.has_terminal);
    let child = child.map(|child| child.pid);
    let mut state = State::new(child, scope, run.to_group);
    let mut watch = Watch::new(scope, has_terminal);
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
                Action::Decline(..) if run.quiet => {}
                Action::Decline(signal, pid) => decline(signal, pid),
                Action::Resume(pid) => scope::resume(pid),
                Action::Exit(code) => return code,
            }
        }
    }
}

#[inline(never)]
fn decline(signal: Signal, pid: i32) {
    let number = signal.as_usize();
    say::note(format_args!(
        "ignored signal {number} of process {pid}: only SIGTERM or SIGINT from outside the container ends it; hint: `docker stop`"
    ));
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
    /// A child has ended or stopped. SIGCHLD is not queued, one may stand for many.
    has_ended: bool,
    /// What to wait for of the children.
    options: WaitOptions,
}

impl Watch {
    fn new(scope: Scope, has_terminal: bool) -> Self {
        let mut options = WaitOptions::NOHANG;
        options.set(WaitOptions::UNTRACED, has_terminal);
        Self {
            options,
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
                match retry_on_intr(|| wait(self.options)) {
                    Ok(Some((pid, status))) if status.stopped() => return Event::Stopped(pid),
                    Ok(Some((pid, status))) => return Event::Reaped(pid, status.as_raw()),
                    Ok(None) | Err(_) => self.has_ended = false,
                }
            }
            if let Some(event) = self.look() {
                return event;
            }
            let limit = matches!(self.clock, Timer::Until(_)).then_some(TICK);
            match sys::wait_signal(Signals::ALL, limit) {
                Some(received) if received.signal == Signal::CHLD => self.has_ended = true,
                Some(received) => return Event::Signal(received),
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
