//! The jobs of a run: their order, and how many workers do them.

use std::collections::VecDeque;
use std::thread;

use crate::check::{Check, How};

/// What one worker does at a time.
pub(super) enum Job {
    /// Everything that is judged by the one session.
    Session(Vec<&'static Check>),
    Check(&'static Check),
}

impl Job {
    pub(super) fn checks(&self) -> &[&'static Check] {
        match self {
            Job::Session(checks) => checks,
            Job::Check(check) => std::slice::from_ref(check),
        }
    }

    /// The same for some of its checks alone.
    pub(super) fn of(&self, checks: Vec<&'static Check>) -> Job {
        match self {
            Job::Session(_) => Job::Session(checks),
            Job::Check(check) => Job::Check(check),
        }
    }
}

/// The jobs in the order of their start: those that wait, then those that start containers, then
/// those that use the shared one.
pub(super) fn jobs(checks: &[&'static Check]) -> VecDeque<Job> {
    let is_session = |check: &&'static Check| matches!(check.how, How::Session(_));
    let (session, rest): (Vec<_>, Vec<_>) = checks.iter().copied().partition(is_session);
    let mut rest = rest;
    rest.sort_by_key(|check| match check.how {
        How::Alone(_) => 0,
        How::Waiting(_) => 1,
        How::Containers(_) => 2,
        How::Exec(..) | How::Session(_) | How::Files(_) => 3,
    });
    let mut jobs: VecDeque<Job> = rest.into_iter().map(Job::Check).collect();
    if !session.is_empty() {
        jobs.push_front(Job::Session(session));
    }
    jobs
}

/// Most of a job is waiting for the engine, unless every instruction is translated.
pub(super) fn workers(is_emulated: bool) -> usize {
    let cores = thread::available_parallelism().map_or(2, usize::from);
    let cores = cores.min(4);
    if is_emulated { cores } else { 2 * cores }
}
