//! Supervision after start-up: a pure [`State::step`] decides, a thin loop waits for events and acts.
//!
//! Signals are forwarded until the command ends or, without a command, until a signal asks for the end.
//! SIGTERM and the end of the command start a clock; processes that outlive it are killed. The loop polls
//! only while the clock runs, because the end of a process that came by `docker exec` raises no signal
//! here. Otherwise it sleeps and costs nothing.

pub mod state;
mod watch;

use self::state::{Action, State};
use self::watch::{Timer, Watch};
use crate::child::Child;
use crate::config::Run;
use crate::say;
use crate::scope::{self, Scope};
use crate::signals::Received;

/// Milliseconds from SIGKILL to the exit, which leaves to the kernel what SIGKILL has not ended.
const LAST: u64 = 500;

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
