//! Work that is done side by side.

use std::{panic, thread};

/// How many of many items are asked about at a time.
const AT_ONCE: usize = 8;

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

/// Asks about each item, some at a time; the answers are in the order of the items.
pub fn each<'a, T: Sync, R: Send>(
    items: &'a [T],
    ask: impl Fn(&'a T) -> anyhow::Result<R> + Sync,
) -> anyhow::Result<Vec<R>> {
    let mut answers = Vec::with_capacity(items.len());
    for some in items.chunks(AT_ONCE) {
        let ask = &ask;
        answers.extend(all(some.iter().map(|item| move || ask(item)))?);
    }
    Ok(answers)
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
    fn answers_are_in_the_order_of_more_items_than_are_asked_about_at_a_time() {
        let items: Vec<usize> = (0..=2 * AT_ONCE).collect();
        assert_eq!(each(&items, |item| Ok(*item)).unwrap(), items);
        let error = each(&items, |item| {
            anyhow::ensure!(*item < AT_ONCE, "item {item}");
            Ok(())
        });
        assert_eq!(error.unwrap_err().to_string(), format!("item {AT_ONCE}"));
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
