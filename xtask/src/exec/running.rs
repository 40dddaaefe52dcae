//! The programs that are running, and what happens to them when a signal asks us to end.

use std::io;
use std::process::{Child, Command, ExitStatus};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, kill_process, kill_process_group, waitid,
};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::stop::Stop;

/// Who gets the signals that we get.
static RUNNING: Mutex<Vec<(Pid, Notice)>> = Mutex::new(Vec::new());
/// The last signal that we got while, or after, a program was watched.
static SIGNALLED: Mutex<Option<i32>> = Mutex::new(None);
/// Whether a program has been watched: from then on a signal is reported, not died of.
static WATCHING: AtomicBool = AtomicBool::new(false);

/// How a program gets a signal.
#[derive(Clone, Copy)]
enum Notice {
    /// It gets the signal and ends in its own way.
    Signal,
    /// It leads a process group, which is killed: nothing hangs on its end.
    Kill,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The signal that we got, if any.
pub(crate) fn signalled() -> Option<i32> {
    *lock(&SIGNALLED)
}

/// Fails after a signal: whoever asked for the end gets it, nothing more is started.
pub(crate) fn check() -> Result<(), Stop> {
    signalled().map_or(Ok(()), |signal| Err(Stop::Interrupted(signal)))
}

/// Sleeps, but no longer than until a signal comes.
pub(crate) fn sleep(time: Duration) -> Result<(), Stop> {
    const LOOK: Duration = Duration::from_millis(100);
    let until = Instant::now() + time;
    loop {
        check()?;
        match until.saturating_duration_since(Instant::now()) {
            Duration::ZERO => return Ok(()),
            left => thread::sleep(left.min(LOOK)),
        }
    }
}

/// From now on a signal is reported by [`check`], as after the first program that is watched: what is
/// begun elsewhere must be reported, too, if it is half done.
pub(crate) fn report_signals() {
    WATCHING.store(true, Ordering::Relaxed);
}

/// From now on SIGINT, SIGTERM and SIGHUP go to the programs being watched, whose end we then
/// report; before there is one they end us as they would by default.
pub(crate) fn forward_signals() -> anyhow::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).context("failed to catch signals")?;
    thread::spawn(move || {
        for signal in signals.forever() {
            let running = lock(&RUNNING);
            if !WATCHING.load(Ordering::Relaxed) {
                let _ = signal_hook::low_level::emulate_default_handler(signal);
            }
            *lock(&SIGNALLED) = Some(signal);
            for (pid, notice) in running.iter() {
                notify(*pid, *notice, signal);
            }
        }
    });
    Ok(())
}

/// A program that has just ended needs no signal.
fn notify(pid: Pid, notice: Notice, signal: i32) {
    match (notice, Signal::from_named_raw(signal)) {
        (Notice::Kill, _) => {
            let _ = kill_process_group(pid, Signal::KILL);
        }
        // A docker on a terminal leaves it to the terminal to signal its plugins.
        (Notice::Signal, Some(named)) => {
            for pid in children(pid).into_iter().chain([pid]) {
                let _ = kill_process(pid, named);
            }
        }
        (Notice::Signal, None) => {}
    }
}

/// The children of a process, where the kernel lists them (Linux): by the thread that started them,
/// which in docker is any.
fn children(pid: Pid) -> Vec<Pid> {
    let threads = std::fs::read_dir(format!("/proc/{}/task", pid.as_raw_nonzero()));
    let threads = threads.into_iter().flatten().flatten();
    let listed = threads.filter_map(|thread| {
        let listed = std::fs::read_to_string(thread.path().join("children"));
        listed.ok()
    });
    let mut children = Vec::new();
    for listed in listed {
        let pids = listed.split_whitespace();
        children.extend(pids.filter_map(|pid| Pid::from_raw(pid.parse().ok()?)));
    }
    children
}

/// A running program that is registered for our signals.
pub(super) struct Running(pub(super) Child);

impl Running {
    /// A program that gets our signals.
    pub(super) fn foreground(command: &mut Command) -> io::Result<Running> {
        Running::start(command, Notice::Signal)
    }

    /// A program, the leader of its process group, that is killed when a signal asks us to end.
    pub(super) fn expendable(command: &mut Command) -> io::Result<Running> {
        Running::start(command, Notice::Kill)
    }

    /// Starts `command` while signals wait, so that none falls between start and registration.
    fn start(command: &mut Command, notice: Notice) -> io::Result<Running> {
        let mut running = lock(&RUNNING);
        WATCHING.store(true, Ordering::Relaxed);
        let child = command.spawn()?;
        running.push((Pid::from_child(&child), notice));
        Ok(Running(child))
    }

    pub(super) fn pid(&self) -> Pid {
        Pid::from_child(&self.0)
    }

    /// Its number is given up before it can be given to another process.
    pub(super) fn wait(mut self) -> io::Result<ExitStatus> {
        let pid = self.pid();
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        let ended = rustix::io::retry_on_intr(|| waitid(WaitId::Pid(pid), options));
        lock(&RUNNING).retain(|(running, _)| *running != pid);
        ended?;
        self.0.wait()
    }
}

/// Signals a program, as one of ours would, if it is still registered: none that has been waited for.
pub(super) fn end(pid: Pid, signal: Signal) {
    let running = lock(&RUNNING);
    if let Some((_, notice)) = running.iter().find(|(running, _)| *running == pid) {
        notify(pid, *notice, signal.as_raw());
    }
}

/// Does `work`, and `watch` beside it; both results. `watch` is given what waits so long for the end
/// of `work`: true while it goes on.
pub(super) fn beside<T>(
    watch: impl FnOnce(&dyn Fn(Duration) -> bool) -> bool + Send,
    work: impl FnOnce() -> T,
) -> (bool, T) {
    let (done, is_done) = channel::<()>();
    thread::scope(|scope| {
        let goes_on = move |time| is_done.recv_timeout(time) == Err(RecvTimeoutError::Timeout);
        let watcher = scope.spawn(move || watch(&goes_on));
        let result = work();
        drop(done);
        (watcher.join().unwrap_or_default(), result)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exec::Exec;

    #[test]
    fn the_children_of_every_thread_are_listed() {
        let start = || {
            let exec = Exec::new(&std::env::temp_dir(), false).unwrap();
            Command::from(exec.cmd("sleep", &["600"])).spawn().unwrap()
        };
        let own = rustix::process::getpid();
        let mut first = start();
        thread::scope(|scope| {
            scope.spawn(|| {
                let mut second = start();
                let listed = children(own);
                for child in [&mut first, &mut second] {
                    child.kill().unwrap();
                    assert!(listed.contains(&Pid::from_child(child)));
                    child.wait().unwrap();
                }
            });
        });
    }
}
