//! The block of lines on a terminal: the latest failures, how far the run is, what it waits for.

use std::collections::VecDeque;
use std::fmt::Write;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anstream::{AutoStream, ColorChoice};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use xtask::platform::Platform;

use crate::check::Status;
use crate::report::{counted, words};
use crate::show::style;

/// Columns for a status in the block.
pub(super) const STATUS: usize = 14;

/// How often the seconds are brought up to date.
const TICK: Duration = Duration::from_millis(200);
/// As many failures as leave room for the rest; the report has them all.
const FAILURES: usize = 8;

const HEAD: &str = "{msg}, {seconds} s";
const RUNNING: &str = "  {msg} {seconds:>4} s";
const FAILURE: &str = "{prefix}{wide_msg}";

pub(super) struct Block {
    total: usize,
    bars: MultiProgress,
    /// The line that counts.
    head: ProgressBar,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The status of every finished check.
    finished: Vec<Status>,
    /// The latest failed and unproven checks.
    failures: VecDeque<ProgressBar>,
    /// What runs, the one that began first at the top.
    running: Vec<(Platform, String, ProgressBar)>,
}

impl Block {
    pub(super) fn new(total: usize, target: ProgressDrawTarget) -> Block {
        let bars = MultiProgress::with_draw_target(target);
        let head = bars.add(bar(HEAD));
        let block = Block {
            total,
            bars,
            head,
            state: Mutex::default(),
        };
        block.head.set_message(block.counts(&[]));
        block.head.enable_steady_tick(TICK);
        block
    }

    /// Adds a line for something that runs.
    pub(super) fn start(&self, platform: Platform, id: &str, text: &str) {
        let running = self.bars.add(bar(RUNNING));
        running.set_message(text.to_owned());
        running.enable_steady_tick(TICK);
        self.state()
            .running
            .push((platform, id.to_owned(), running));
    }

    /// Takes away the line of what no longer runs.
    pub(super) fn end(&self, platform: Platform, id: &str) {
        let is_it = |(of, running, _): &mut (Platform, String, ProgressBar)| {
            (*of, &**running) == (platform, id)
        };
        for (.., ended) in self.state().running.extract_if(.., is_it) {
            self.remove(&ended);
        }
    }

    /// Counts a finished check; `text` stays in sight if it failed or is unproven.
    pub(super) fn count(&self, status: Status, text: String) {
        let mut state = self.state();
        state.finished.push(status);
        if matches!(status, Status::Failed | Status::Unproven) {
            let failure = self.bars.insert_before(&self.head, bar(FAILURE));
            failure.set_prefix(coloured(status));
            failure.set_message(text);
            state.failures.push_back(failure);
            if state.failures.len() > FAILURES
                && let Some(oldest) = state.failures.pop_front()
            {
                self.remove(&oldest);
            }
        }
        self.head.set_message(self.counts(&state.finished));
    }

    /// Prints lines that stay, above the block.
    pub(super) fn note(&self, text: &str) {
        // The run goes on when its terminal is gone.
        let _ = self.bars.println(text);
    }

    fn counts(&self, finished: &[Status]) -> String {
        let counted = counted(finished.iter().copied()).into_iter();
        let counted = counted.map(|(status, count)| format!("{count} {}", words(status)));
        let counted: Vec<String> = counted.collect();
        let colon = if counted.is_empty() { "" } else { ": " };
        let (done, total) = (finished.len(), self.total);
        format!("{done} of {total} checks{colon}{}", counted.join(", "))
    }

    fn remove(&self, line: &ProgressBar) {
        line.finish_and_clear();
        self.bars.remove(line);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        let state = std::mem::take(&mut *self.state());
        let running = state.running.iter().map(|(.., running)| running);
        for line in running.chain(&state.failures).chain([&self.head]) {
            self.remove(line);
        }
        let _ = self.bars.clear();
    }
}

fn bar(text: &str) -> ProgressBar {
    ProgressBar::no_length().with_style(template(text))
}

fn template(text: &str) -> ProgressStyle {
    let seconds = |state: &ProgressState, out: &mut dyn Write| {
        let _ = write!(out, "{}", state.elapsed().as_secs());
    };
    // Only a template that is misspelt fails, and the tests have them all.
    let style = ProgressStyle::with_template(text).unwrap_or_else(|_| ProgressStyle::default_bar());
    style.with_key("seconds", seconds)
}

/// The status in its column, coloured where stderr has colours.
fn coloured(status: Status) -> String {
    let (style, word) = (style(status), status.as_str());
    let gap = " ".repeat((STATUS + 1).saturating_sub(word.len()));
    if AutoStream::choice(&io::stderr()) == ColorChoice::Never {
        format!("{word}{gap}")
    } else {
        format!("{style}{word}{style:#}{gap}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AMD64: Platform = Platform::LinuxAmd64;
    const ARM64: Platform = Platform::LinuxArm64;

    fn block() -> Block {
        Block::new(40, ProgressDrawTarget::hidden())
    }

    #[test]
    fn finished_checks_are_counted() {
        let block = block();
        assert_eq!(block.head.message(), "0 of 40 checks");
        for status in [Status::Passed, Status::Failed, Status::Passed] {
            block.count(status, "x".to_owned());
        }
        let counts = "3 of 40 checks: 1 failed, 2 passed";
        assert_eq!(block.head.message(), counts);
    }

    #[test]
    fn the_latest_failures_stay_in_sight() {
        let block = block();
        for n in 0..20 {
            block.count(Status::Failed, format!("pid1-{n}"));
            block.count(Status::Passed, "seed".to_owned());
        }
        let state = block.state();
        let shown: Vec<String> = state.failures.iter().map(ProgressBar::message).collect();
        let expected: Vec<String> = (12..20).map(|n| format!("pid1-{n}")).collect();
        assert_eq!(shown, expected);
        assert!(state.failures[0].prefix().contains("failed"));
    }

    #[test]
    fn what_has_ended_no_longer_runs() {
        let block = block();
        block.start(AMD64, "health-1", "amd64 health-1");
        block.start(ARM64, "health-1", "arm64 health-1");
        block.end(ARM64, "health-1");
        block.end(AMD64, "health-2");
        let state = block.state();
        let running: Vec<String> = state
            .running
            .iter()
            .map(|(.., bar)| bar.message())
            .collect();
        assert_eq!(running, ["amd64 health-1"]);
    }

    #[test]
    fn every_template_is_valid() {
        for text in [HEAD, RUNNING, FAILURE] {
            assert!(ProgressStyle::with_template(text).is_ok(), "{text}");
        }
    }
}
