//! Supervision after start-up: a pure [`State::step`] decides, a thin loop waits for events and acts.
//!
//! Signals are forwarded until the command ends or, without a command, until a signal asks for the end.
//! SIGTERM and the end of the command start a clock; processes that outlive it are killed. The loop polls
//! only while the clock runs, because the end of a process that came by `docker exec` raises no signal
//! here. Otherwise it sleeps and costs nothing.

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

/// Milliseconds from SIGKILL to the exit, which leaves to the kernel what SIGKILL has not ended.
const LAST: u64 = 500;
/// The signals that ask for an orderly end. A stopped process must continue to obey.
const ORDERLY_END: [Signal; 2] = [Signal::TERM, Signal::CONT];
/// Milliseconds between two checks for processes, while the clock runs.
const TICK: u64 = 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    Signal(Received),
    /// A process has ended and was collected, with its raw status.
    Reaped(Pid, i32),
    /// A child has stopped; only reported where the command has a terminal.
    Stopped(Pid),
    /// No process is left.
    Empty,
    /// Processes are left, and the clock has run out.
    TimeUp,
    /// Processes are left, and the clock has time.
    Tick,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Forward a signal to the command.
    Forward(Pid, Signal),
    /// Send a signal to every process in the scope.
    SignalAll(Signal),
    /// Start the clock: [`Event::Empty`], [`Event::TimeUp`] and [`Event::Tick`] are reported from now on.
    AllowGrace,
    /// Start the clock for processes that were killed.
    AllowLast,
    /// Warn that processes did not end in time.
    Warn,
    /// Note that a signal of this sender does not end the container.
    Decline(Received),
    /// Continue a process if it holds the terminal.
    Resume(Pid),
    Exit(u8),
}

/// The actions for one event, in order.
pub type Actions = [Option<Action>; 3];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Clock {
    Off,
    Grace,
    Last,
}

/// The state between two events.
#[derive(Debug)]
pub struct State {
    /// The command, until it has ended.
    child: Option<Pid>,
    /// The exit code for when no process is left; none while there is something to wait for.
    code: Option<u8>,
    clock: Clock,
    /// Every process has had SIGTERM. A second one makes many programs give up their orderly end.
    all_signalled: bool,
    to_group: bool,
    scope: Scope,
    /// The note about a signal from inside was printed. It appears once.
    has_declined: bool,
}

impl State {
    pub fn new(child: Option<Pid>, scope: Scope, to_group: bool) -> Self {
        Self {
            child,
            code: None,
            clock: Clock::Off,
            all_signalled: false,
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
            // Repeated: a process that is not PID 1's child can fork while the list of processes is read.
            (Event::Tick, _) if self.clock == Clock::Last => {
                [Some(Action::SignalAll(Signal::KILL)), None, None]
            }
            _ => [None; 3],
        }
    }

    /// Handles a signal in command mode.
    fn pass_on(&mut self, child: Pid, signal: Signal) -> Actions {
        if signal == Signal::TERM {
            return self.term(child);
        }
        let forward = Action::Forward(child, signal);
        [signal.is_forwarded().then_some(forward), None, None]
    }

    /// Handles a signal in keep-alive mode. As PID 1, it obeys only a sender outside: an agent's `pkill
    /// -u agentgate` sends SIGTERM to PID 1, too. A sender that cannot be known counts as inside, since the
    /// engine's SIGKILL ends a real stop.
    fn keep_alive(&mut self, Received { signal, sender }: Received) -> Actions {
        match sender {
            _ if !signal.ends_keep_alive() => [None; 3],
            Sender::Inside(_) | Sender::Unknown if self.scope == Scope::Namespace => {
                let is_first = !core::mem::replace(&mut self.has_declined, true);
                let decline = Action::Decline(Received { signal, sender });
                [is_first.then_some(decline), None, None]
            }
            _ => self.end(exit::OK),
        }
    }

    /// Ends: only the other processes are left to wait for.
    fn end(&mut self, code: u8) -> Actions {
        self.code = Some(code);
        let is_signalled = self.all_signalled || self.clock == Clock::Last;
        self.all_signalled = true;
        let send = |signal| (!is_signalled).then_some(Action::SignalAll(signal));
        let [term, go_on] = ORDERLY_END.map(send);
        [term, go_on, self.start_clock()]
    }

    /// Handles SIGTERM, as of `docker stop`.
    fn term(&mut self, child: Pid) -> Actions {
        let send = |signal| {
            Some(if self.to_group {
                Action::SignalAll(signal)
            } else {
                Action::Forward(child, signal)
            })
        };
        let [term, go_on] = ORDERLY_END.map(send);
        self.all_signalled |= self.to_group;
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
        let kill = Action::SignalAll(Signal::KILL);
        [Some(Action::Warn), Some(kill), Some(Action::AllowLast)]
    }
}

/// Supervises the command, if any, and every other process in the scope; returns the exit code.
///
/// The caller has blocked all signals and started the command.
pub fn supervise(child: Option<Child>, scope: Scope, run: &Run<'_>) -> u8 {
    let has_terminal = child.is_some_and(|child| child.has_terminal);
    let child = child.map(|child| child.pid);
    let mut state = State::new(child, scope, run.to_group);
    let mut watch = Watch::new(scope, has_terminal);
    watch.doubts = child.is_none() && scope == Scope::Namespace;
    loop {
        for action in state.step(watch.next()).into_iter().flatten() {
            match action {
                Action::Forward(child, signal) => scope::forward(child, run.to_group, signal),
                Action::SignalAll(_) if watch.is_empty => {}
                Action::SignalAll(signal) => watch.is_empty = !scope.signal_all(signal, child),
                Action::AllowGrace => watch.clock = Timer::Set(u64::from(run.grace_seconds) * 1000),
                Action::AllowLast => watch.clock = Timer::Set(LAST),
                Action::Warn => say::warning(format_args!(
                    "killing the processes that did not end within {} s of SIGTERM",
                    run.grace_seconds
                )),
                Action::Decline(_) if run.quiet => {}
                Action::Decline(received) => decline(received),
                Action::Resume(pid) => scope::resume(pid),
                Action::Exit(code) => return code,
            }
        }
    }
}

#[inline(never)]
fn decline(Received { signal, sender }: Received) {
    let number = signal.as_usize();
    say::note(format_args!(
        "ignored signal {number} of {sender}: only SIGTERM or SIGINT from outside the container ends it; hint: `docker stop`"
    ));
}

/// The clock of the thin loop.
#[derive(Clone, Copy)]
enum Timer {
    Off,
    /// Runs for this many milliseconds from the next check on.
    Set(u64),
    Until(u64),
}

/// Where events come from.
struct Watch {
    scope: Scope,
    clock: Timer,
    /// Known without a check.
    is_empty: bool,
    /// A child has ended or stopped. SIGCHLD is not queued, one may stand for many.
    has_ended: bool,
    /// The changes of children to wait for.
    options: WaitOptions,
    /// A signal that asks for the end needs a known sender.
    doubts: bool,
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
            // The program that became this one may have left a child that has ended.
            has_ended: true,
            doubts: false,
        }
    }

    /// Waits for the next event, while the clock runs for a tick at most.
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

#[cfg(test)]
mod tests;
