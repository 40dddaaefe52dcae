//! What supervision decides at each event: plain data, without a system call.

use rustix::process::Pid;

use crate::exit;
use crate::scope::Scope;
use crate::signals::{Received, Sender, Signal};

/// The signals that ask for an orderly end. A stopped process must continue to obey.
const ORDERLY_END: [Signal; 2] = [Signal::TERM, Signal::CONT];

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
    /// The exit code for when no process is left; `None` while the command runs or keep-alive mode lasts.
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

#[cfg(test)]
mod tests;
