//! Work that is done side by side.

use std::{panic, thread};

/// Does all jobs at once, each on a thread of its own, and waits for all of them; the first error
/// in their order is the result's.
pub(crate) fn all<T, F>(jobs: impl IntoIterator<Item = F>) -> anyhow::Result<Vec<T>>
where
    T: Send,
    F: FnOnce() -> anyhow::Result<T> + Send,
{
    thread::scope(|scope| {
        let threads: Vec<_> = jobs.into_iter().map(|job| scope.spawn(job)).collect();
        let ends: Vec<_> = threads
            .into_iter()
            .map(|thread| match thread.join() {
                Ok(end) => end,
                Err(reason) => panic::resume_unwind(reason),
            })
            .collect();
        ends.into_iter().collect()
    })
}

/// Does `job` on a thread of its own while `work` is done on this one, and waits for both.
pub(crate) fn beside<T: Send, U>(
    job: impl FnOnce() -> T + Send,
    work: impl FnOnce() -> U,
) -> (T, U) {
    thread::scope(|scope| {
        let job = scope.spawn(job);
        let done = work();
        match job.join() {
            Ok(end) => (end, done),
            Err(reason) => panic::resume_unwind(reason),
        }
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::*;

    #[test]
    fn jobs_run_at_once_and_keep_their_order() {
        let barrier = Barrier::new(3);
        let job = |number: u32| {
            let barrier = &barrier;
            move || {
                barrier.wait();
                Ok(number)
            }
        };
        assert_eq!(all([0, 1, 2].map(job)).unwrap(), [0, 1, 2]);
    }

    #[test]
    fn a_job_runs_beside_the_work() {
        let barrier = Barrier::new(2);
        let ends = beside(|| barrier.wait().is_leader(), || barrier.wait().is_leader());
        assert!(ends.0 != ends.1);
    }

    #[test]
    fn the_first_error_counts_once_all_have_ended() {
        let job = |number: u32| {
            move || {
                anyhow::ensure!(number == 0, "job {number}");
                Ok(number)
            }
        };
        let error = all([0, 1, 2].map(job)).unwrap_err();
        assert_eq!(error.to_string(), "job 1");
    }
}
