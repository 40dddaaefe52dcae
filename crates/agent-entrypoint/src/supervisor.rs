//! The life after start-up: a pure [`State::step`] decides, a thin loop watches and acts.
//!
//! Running, signals are passed on until the command ends (or, without a command, until a signal asks
//! for the end). Then whatever else is left gets SIGTERM, [`GRACE`], SIGKILL. Idle costs nothing: only
//! while ending is there a tick, because the end of a process that came by `docker exec` raises no
//! signal here.

use std::process::ExitStatus;
use std::time::{Duration, Instant};

use rustix::process::Pid;

use crate::exit;
use crate::reap;
use crate::say;
use crate::scope::{self, Scope};
use crate::signals::Signal;
use crate::sys;

/// From SIGTERM to SIGKILL: with [`LAST`], well inside the five seconds that `docker stop` is given.
const GRACE: Duration = Duration::from_secs(3);
/// From SIGKILL to giving up on what does not even die of that (then the kernel's turn).
const LAST: Duration = Duration::from_millis(500);
/// How often to look whether everyone is gone, while ending.
const TICK: Duration = Duration::from_millis(20);

#[derive(Debug, PartialEq, Eq)]
enum Event {
    Signal(Signal),
    Reaped(Pid, ExitStatus),
    /// Nobody is left.
    Empty,
    /// Somebody is left, and the time given by [`Action::Allow`] is over.
    TimeUp,
    /// Somebody is left, and there is time.
    Tick,
}

#[derive(Debug, PartialEq, Eq)]
enum Action {
    /// To the command's process group.
    Forward(Pid, Signal),
    /// To everyone in the scope.
    Tell(Signal),
    /// From now on [`Event::Empty`], [`Event::TimeUp`] and [`Event::Tick`] are to be reported.
    Allow(Duration),
    Warn(&'static str),
    Exit(u8),
}

#[derive(Debug)]
struct State {
    child: Option<Pid>,
    phase: Phase,
}

#[derive(Debug)]
enum Phase {
    /// `told`: everyone has had SIGTERM; a second one makes many programs drop their orderly end.
    Running {
        told: bool,
    },
    Ending {
        code: u8,
        killing: bool,
    },
}

impl State {
    fn new(child: Option<Pid>) -> Self {
        let phase = Phase::Running { told: false };
        Self { child, phase }
    }

    fn step(&mut self, event: &Event) -> Vec<Action> {
        match self.phase {
            Phase::Running { told } => self.run(event, told),
            Phase::Ending { code, killing } => self.end(event, code, killing),
        }
    }

    fn run(&mut self, event: &Event, told: bool) -> Vec<Action> {
        match (event, self.child) {
            (Event::Reaped(pid, status), Some(child)) if *pid == child => {
                self.begin_to_end(exit::code(*status), told)
            }
            (Event::Signal(signal), None) if signal.ends_keep_alive() => {
                self.begin_to_end(exit::OK, false)
            }
            (Event::Signal(Signal::TERM), Some(_)) => {
                self.phase = Phase::Running { told: true };
                vec![Action::Tell(Signal::TERM)]
            }
            (Event::Signal(signal), Some(child)) if signal.is_forwarded() => {
                vec![Action::Forward(child, *signal)]
            }
            _ => vec![],
        }
    }

    fn begin_to_end(&mut self, code: u8, told: bool) -> Vec<Action> {
        let killing = false;
        self.phase = Phase::Ending { code, killing };
        if told {
            return vec![Action::Allow(GRACE)];
        }
        vec![Action::Tell(Signal::TERM), Action::Allow(GRACE)]
    }

    fn end(&mut self, event: &Event, code: u8, killing: bool) -> Vec<Action> {
        match (event, killing) {
            (Event::Empty, _) | (Event::TimeUp, true) => vec![Action::Exit(code)],
            (Event::TimeUp, false) => {
                let killing = true;
                self.phase = Phase::Ending { code, killing };
                vec![
                    Action::Warn("what outlived SIGTERM by 3 s is killed"),
                    Action::Tell(Signal::KILL),
                    Action::Allow(LAST),
                ]
            }
            // Again and again: outside PID 1 a process can fork while the list of them is read.
            (Event::Tick, true) => vec![Action::Tell(Signal::KILL)],
            _ => vec![],
        }
    }
}

/// Looks after the command, if any, and everyone else in the scope; returns this process's exit code.
///
/// All signals must be blocked, and the command started, before.
pub fn supervise(child: Option<Pid>, scope: Scope) -> u8 {
    let mut state = State::new(child);
    let mut deadline = None;
    loop {
        for event in watch(scope, deadline) {
            for action in state.step(&event) {
                match action {
                    Action::Forward(child, signal) => scope::forward(child, signal),
                    Action::Tell(signal) => scope.tell(signal, child),
                    Action::Allow(time) => deadline = Some(Instant::now() + time),
                    Action::Warn(text) => say::warning(text),
                    Action::Exit(code) => return code,
                }
            }
        }
    }
}

/// What happens next. Sleeps until there is something, at most a tick while ending.
fn watch(scope: Scope, deadline: Option<Instant>) -> Vec<Event> {
    if let Some(deadline) = deadline {
        if scope.is_empty() {
            return vec![Event::Empty];
        }
        if Instant::now() >= deadline {
            return vec![Event::TimeUp];
        }
    }
    match sys::wait_signal(deadline.map(|_| TICK)) {
        Some(Signal::CHLD) => reap::ended()
            .map(|(pid, status)| Event::Reaped(pid, status))
            .collect(),
        Some(signal) => vec![Event::Signal(signal)],
        None => vec![Event::Tick],
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    fn pid(number: i32) -> Pid {
        Pid::from_raw(number).unwrap()
    }

    fn ended(number: i32, code: i32) -> Event {
        Event::Reaped(pid(number), ExitStatus::from_raw(code << 8))
    }

    /// Feeds the events in turn and compares what each leads to.
    fn tell(child: Option<i32>, story: Vec<(Event, Vec<Action>)>) {
        let mut state = State::new(child.map(pid));
        for (event, actions) in story {
            assert_eq!(state.step(&event), actions, "{event:?}");
        }
    }

    #[test]
    fn a_command_that_ends_ends_everything() {
        let int = Signal::INT;
        let realtime = Signal::new(40);
        tell(
            Some(7),
            vec![
                (Event::Signal(int), vec![Action::Forward(pid(7), int)]),
                (
                    Event::Signal(realtime),
                    vec![Action::Forward(pid(7), realtime)],
                ),
                (Event::Signal(Signal::CHLD), vec![]),
                (ended(8, 1), vec![]),
                (
                    ended(7, 3),
                    vec![Action::Tell(Signal::TERM), Action::Allow(GRACE)],
                ),
                (Event::Tick, vec![]),
                (Event::Signal(int), vec![]),
                (ended(9, 1), vec![]),
                (Event::Empty, vec![Action::Exit(3)]),
            ],
        );
    }

    #[test]
    fn term_is_told_to_everyone_and_only_once() {
        tell(
            Some(7),
            vec![
                (
                    Event::Signal(Signal::TERM),
                    vec![Action::Tell(Signal::TERM)],
                ),
                (ended(7, 0), vec![Action::Allow(GRACE)]),
                (Event::Signal(Signal::TERM), vec![]),
                (Event::Empty, vec![Action::Exit(0)]),
            ],
        );
    }

    #[test]
    fn keep_alive_ends_when_asked_and_kills_the_stubborn() {
        for signal in [Signal::HUP, Signal::INT, Signal::QUIT, Signal::TERM] {
            tell(
                None,
                vec![
                    (Event::Signal(Signal::new(libc::SIGUSR1)), vec![]),
                    (ended(8, 1), vec![]),
                    (
                        Event::Signal(signal),
                        vec![Action::Tell(Signal::TERM), Action::Allow(GRACE)],
                    ),
                    (Event::Tick, vec![]),
                    (
                        Event::TimeUp,
                        vec![
                            Action::Warn("what outlived SIGTERM by 3 s is killed"),
                            Action::Tell(Signal::KILL),
                            Action::Allow(LAST),
                        ],
                    ),
                    (Event::Tick, vec![Action::Tell(Signal::KILL)]),
                    (Event::TimeUp, vec![Action::Exit(0)]),
                ],
            );
        }
    }
}
