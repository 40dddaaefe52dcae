//! `agent-entrypoint health`: does Node answer, does Claude, is the workspace mounted and writable?
//!
//! The probes run together, each a process of its own that can be killed: any of them can hang, even a
//! look at a folder whose network file system is gone. It works beside a running PID 1: `HEALTHCHECK`
//! and `docker exec` start it as just another process.

mod probes;
mod report;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{AsFd, OwnedFd};
use rustix::io::Errno;
use rustix::process::{Pid, WaitOptions, waitpid};

use self::probes::Probe;
use crate::config::Probes;
use crate::exit::{self, Refusal};
use crate::say;
use crate::signals::{Signal, Signals};
use crate::sys::{self, CallerSignals, Start, Target};
use crate::text::{Line, Piece, Text, compose};

/// As many probes as there are at most.
pub const MOST: usize = 5;

/// What a probe found.
pub struct Verdict {
    pub is_well: bool,
    /// What was answered, or why it failed.
    pub text: Line,
}

impl Verdict {
    /// The probe failed, for this reason.
    fn fail(reason: impl Piece) -> Self {
        Self {
            is_well: false,
            text: compose!(reason),
        }
    }
}

/// A probe that runs.
struct Running {
    probe: Probe,
    pid: Pid,
    /// Where its answer comes from, until that is over.
    pipe: Option<OwnedFd>,
    answer: Text<512>,
    /// Its raw status, once it has ended.
    status: Option<i32>,
    /// When it ended, in milliseconds after its start.
    time: u64,
}

/// Runs all probes and prints what they found; returns the exit code.
pub fn check(asked: &Probes<'_>, start: &Start, caller: CallerSignals) -> u8 {
    sys::take_child_signal(caller);
    let begin = sys::now();
    let deadline = begin.saturating_add(u64::from(asked.seconds) * 1000);
    let mut running = Probe::ALL.map(|probe| {
        let is_wanted = asked.deep || !probe.is_deep();
        is_wanted.then(|| probe.start(asked, start, caller))
    });
    while is_waiting(&running) && sys::now() < deadline {
        listen(&mut running, deadline);
        collect(&mut running, begin);
    }
    let mut code = exit::OK;
    let mut report = report::Report::new(asked.json);
    for (probe, run) in Probe::ALL.iter().zip(&mut running) {
        let Some(run) = run else { continue };
        let (verdict, time) = match run {
            Ok(run) => (run.finish(asked), run.time),
            Err(errno) => (Verdict::fail(&Refusal::NoProcess(*errno)), 0),
        };
        if !verdict.is_well {
            code = exit::FAILED;
        }
        report.add(probe.name(), &verdict, time);
    }
    say::data(report.finish()).max(code)
}

type Runs = [Option<Result<Running, Errno>>; MOST];

fn each(runs: &mut Runs) -> impl Iterator<Item = &mut Running> {
    runs.iter_mut().flatten().flatten()
}

fn is_waiting(runs: &Runs) -> bool {
    let mut runs = runs.iter().flatten().flatten();
    runs.any(|run| run.status.is_none() || run.pipe.is_some())
}

/// Waits until a pipe has something to say, and reads it; with all pipes at their end, until a child ends.
fn listen(runs: &mut Runs, deadline: u64) {
    let left = deadline.saturating_sub(sys::now());
    let mut polled = [const { None }; MOST];
    for (place, run) in polled.iter_mut().zip(runs.iter()) {
        if let Some(Ok(Running {
            pipe: Some(pipe), ..
        })) = run
        {
            *place = Some(PollFd::from_borrowed_fd(pipe.as_fd(), PollFlags::IN));
        }
    }
    if polled.iter().all(Option::is_none) {
        sys::wait_signal(Signals::CHLD, Some(left));
        return;
    }
    // Nothing is ever to be read from a place that stands for none.
    let mut polled = polled
        .map(|place| place.unwrap_or(PollFd::from_borrowed_fd(sys::STDERR, PollFlags::empty())));
    let time = Timespec {
        tv_sec: i64::try_from(left / 1000).unwrap_or(i64::MAX),
        tv_nsec: i64::from(u32::try_from(left % 1000).unwrap_or_default()) * 1_000_000,
    };
    if poll(&mut polled, Some(&time)).is_err() {
        return;
    }
    let is_ready = polled.map(|place| !place.revents().is_empty());
    for (run, is_ready) in runs.iter_mut().zip(is_ready) {
        if let Some(Ok(run)) = run
            && is_ready
        {
            run.read();
        }
    }
}

/// Collects the children that have ended.
fn collect(runs: &mut Runs, begin: u64) {
    for run in each(runs) {
        if run.status.is_none()
            && let Ok(Some((_, status))) = waitpid(Some(run.pid), WaitOptions::NOHANG)
        {
            run.status = Some(status.as_raw());
            run.time = sys::now().saturating_sub(begin);
        }
    }
}

impl Running {
    /// Takes what there is. A program that never comes to an end is cut off, and fails of that.
    fn read(&mut self) {
        let Some(pipe) = &self.pipe else { return };
        let room = self.answer.room();
        match rustix::io::read(pipe, room) {
            Ok(read @ 1..) => self.answer.grow(read),
            Err(Errno::INTR) => {}
            Ok(_) | Err(_) => self.pipe = None,
        }
    }

    /// Judges what was answered in time. What runs on is killed, with all that it started.
    fn finish(&mut self, asked: &Probes<'_>) -> Verdict {
        match self.status {
            Some(status) if self.pipe.is_none() => self.probe.judge(self.answer.as_bytes(), status),
            _ => {
                // What has just ended by itself needs no killing.
                let _ = sys::send(Target::Group(self.pid), Signal::KILL);
                Verdict::fail(&compose!("no answer within ", asked.seconds, " s"))
            }
        }
    }
}
