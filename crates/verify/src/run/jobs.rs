//! The jobs of a run: their order, and how many workers do them.

use std::collections::VecDeque;
use std::iter::repeat_n;
use std::sync::{Mutex, MutexGuard, PoisonError};
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

    fn waits(&self) -> bool {
        matches!(self, Job::Check(check) if waits(check))
    }

    /// The same for some of its checks alone.
    pub(super) fn of(&self, checks: Vec<&'static Check>) -> Job {
        match self {
            Job::Session(_) => Job::Session(checks),
            Job::Check(check) => Job::Check(check),
        }
    }
}

fn waits(check: &Check) -> bool {
    matches!(check.how, How::Waiting(_))
}

/// The jobs in the order of their start: those that start containers, then those that use the shared one.
///
/// Those of Claude Code are the last of the catalogue and take longest. They are begun first, or one of them
/// would end alone.
pub(super) fn jobs(checks: &[&'static Check]) -> VecDeque<Job> {
    let is_session = |check: &&'static Check| matches!(check.how, How::Session(_));
    let (session, rest): (Vec<_>, Vec<_>) = checks.iter().copied().partition(is_session);
    let (waiting, mut busy): (Vec<_>, Vec<_>) = rest.into_iter().partition(|check| waits(check));
    busy.reverse();
    busy.sort_by_key(|check| match check.how {
        How::Alone(_) => 0,
        How::Containers(_) => 1,
        _ => 2,
    });
    let session = (!session.is_empty()).then_some(Job::Session(session));
    let rest = waiting.into_iter().chain(busy).map(Job::Check);
    session.into_iter().chain(rest).collect()
}

/// The jobs that are left, for workers on several threads.
pub(super) struct Queue {
    waiting: Mutex<VecDeque<Job>>,
    busy: Mutex<VecDeque<Job>>,
}

impl Queue {
    pub(super) fn new(jobs: VecDeque<Job>) -> Queue {
        let (waiting, busy) = jobs.into_iter().partition(Job::waits);
        Queue {
            waiting: Mutex::new(waiting),
            busy: Mutex::new(busy),
        }
    }

    pub(super) fn next(&self, worker: Worker) -> Option<Job> {
        let busy = match worker {
            Worker::OfAll => locked(&self.busy).pop_front(),
            Worker::OfWaiting => None,
        };
        busy.or_else(|| locked(&self.waiting).pop_front())
    }

    pub(super) fn clear(&self) {
        locked(&self.busy).clear();
        locked(&self.waiting).clear();
    }
}

/// Which jobs a worker does.
#[derive(Clone, Copy)]
pub(super) enum Worker {
    /// Those that wait: they would keep the others from the CPUs.
    OfWaiting,
    /// Those that wait once no other is left.
    OfAll,
}

/// The workers of a run. Much of what is not waiting is waiting for the engine, unless every instruction is
/// translated.
pub(super) fn workers(is_emulated: bool) -> impl Iterator<Item = Worker> {
    let cores = thread::available_parallelism().map_or(2, usize::from);
    let cores = cores.min(4);
    let of_all = if is_emulated { cores + 1 } else { 2 * cores };
    // Two, three and four were tried on two CPUs. They wait, so more CPUs need no more of them.
    repeat_n(Worker::OfWaiting, 3).chain(repeat_n(Worker::OfAll, of_all))
}

/// What a mutex guards; a thread that panicked leaves it whole.
pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::catalogue;

    fn queue() -> Queue {
        let checks: Vec<&Check> = catalogue().collect();
        Queue::new(jobs(&checks))
    }

    #[test]
    fn what_waits_keeps_no_worker_from_the_rest() {
        let queue = queue();
        let mut busy = Vec::new();
        while !locked(&queue.busy).is_empty() {
            busy.extend(queue.next(Worker::OfAll));
        }
        let waiting: Vec<Job> = std::iter::from_fn(|| queue.next(Worker::OfWaiting)).collect();
        assert!(!busy.is_empty() && !waiting.is_empty());
        assert!(waiting.iter().all(Job::waits) && !busy.iter().any(Job::waits));
        assert!(queue.next(Worker::OfAll).is_none());
    }

    #[test]
    fn who_has_nothing_else_to_do_does_what_waits() {
        let queue = queue();
        let jobs: Vec<Job> = std::iter::from_fn(|| queue.next(Worker::OfAll)).collect();
        assert!(jobs.last().unwrap().waits());
        assert!(queue.next(Worker::OfWaiting).is_none());
    }

    #[test]
    fn after_an_interruption_nothing_is_left() {
        let queue = queue();
        queue.clear();
        assert!(queue.next(Worker::OfAll).is_none());
    }
}
