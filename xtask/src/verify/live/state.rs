//! What has happened in a run so far, and the lines that tell of it.

use std::time::Instant;

use super::frame::Size;
use crate::platform::Platform;
use crate::verify::check::{Outcome, Status};
use crate::verify::report::{counted, words};
use crate::verify::show::style;
use crate::verify::show::text::{cut, line};

/// Columns for a status, and for an id in the block.
const STATUS: usize = 14;
const ID: usize = 28;

pub(super) struct State {
    total: usize,
    names_platform: bool,
    /// The status of every finished check.
    finished: Vec<Status>,
    /// The failed and the unproven, which stay in sight.
    bad: Vec<(Status, String)>,
    /// The one that runs longest first.
    running: Vec<Running>,
    begun: Instant,
}

struct Running {
    platform: Platform,
    id: String,
    since: Instant,
}

impl State {
    pub(super) fn new(total: usize, platforms: &[Platform]) -> State {
        State {
            total,
            names_platform: platforms.len() > 1,
            finished: Vec::new(),
            bad: Vec::new(),
            running: Vec::new(),
            begun: Instant::now(),
        }
    }

    pub(super) fn started(&mut self, platform: Platform, id: &str, since: Instant) {
        let id = id.to_owned();
        self.running.push(Running {
            platform,
            id,
            since,
        });
    }

    /// It was no check: nothing is counted.
    pub(super) fn ended(&mut self, platform: Platform, id: &str) {
        self.running
            .retain(|running| (running.platform, &*running.id) != (platform, id));
    }

    /// The line of the check; none for one that was left out, as was asked for.
    pub(super) fn finished(&mut self, platform: Platform, one: &Outcome) -> Option<String> {
        self.ended(platform, &one.id);
        self.finished.push(one.status);
        let (platform, seen) = (self.prefix(platform), line(&one.seen));
        if matches!(one.status, Status::Failed | Status::Unproven) {
            let told = format!(
                "{:STATUS$} {platform}{:ID$}  {seen}",
                one.status.as_str(),
                one.id
            );
            self.bad.push((one.status, told));
        }
        let style = style(one.status);
        let status = one.status.as_str();
        (one.status != Status::Skipped).then(|| {
            format!(
                "{platform}{style}{status}{style:#}  {}  {seen}  {:.1} s",
                one.id, one.seconds
            )
        })
    }

    /// Where there are several platforms, each line says which one it is about.
    fn prefix(&self, platform: Platform) -> String {
        if self.names_platform {
            format!("{platform}  ")
        } else {
            String::new()
        }
    }

    /// What has gone wrong, how far the run is, and what it waits for; as many lines, and as much
    /// of each, as the terminal has room for.
    pub(super) fn block(&self, now: Instant, size: Size) -> Vec<String> {
        let room = size.lines() - 1;
        let bad = self.bad.len().min(room - self.running.len().min(room / 2));
        let room = room - bad;
        let mut lines: Vec<String> = self.bad[self.bad.len() - bad..]
            .iter()
            .map(|(status, text)| {
                let (text, style) = (cut(text, size.columns), style(*status));
                let end = status.as_str().len().min(text.len());
                match text.split_at_checked(end) {
                    Some((word, rest)) => format!("{style}{word}{style:#}{rest}"),
                    None => text,
                }
            })
            .collect();
        lines.push(cut(&self.head(now), size.columns));
        let hidden = self.running.len().saturating_sub(room);
        // The line that says how many are hidden takes the place of one more.
        let shown = if hidden > 0 {
            room.saturating_sub(1)
        } else {
            self.running.len()
        };
        for running in self.running.iter().take(shown) {
            let seconds = now.saturating_duration_since(running.since).as_secs();
            let platform = self.prefix(running.platform);
            let text = format!("  {platform}{:ID$} {seconds:>4} s", running.id);
            lines.push(cut(&text, size.columns));
        }
        let hidden = self.running.len() - shown;
        if hidden > 0 && room > 0 {
            lines.push(cut(&format!("  … and {hidden} more"), size.columns));
        }
        lines
    }

    fn head(&self, now: Instant) -> String {
        let done = self.finished.len();
        let counted = counted(self.finished.iter().copied()).into_iter();
        let counted = counted.map(|(status, count)| format!("{count} {}", words(status)));
        let counted: Vec<String> = counted.collect();
        let colon = if done > 0 { ": " } else { "" };
        format!(
            "{done} of {} checks{colon}{}, {} s",
            self.total,
            counted.join(", "),
            now.saturating_duration_since(self.begun).as_secs()
        )
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::verify::report::samples::outcome;

    const AMD64: Platform = Platform::LinuxAmd64;

    fn plain(lines: &[String]) -> Vec<String> {
        let plain = |line: &String| anstream::adapter::strip_str(line).to_string();
        lines.iter().map(plain).collect()
    }

    /// A run of 40 checks that began 20 seconds ago, with so many running, failed and passed.
    fn state(running: usize, failed: usize, passed: usize) -> (State, Instant) {
        let mut state = State::new(40, &[AMD64]);
        for n in 0..failed {
            let id = format!("pid1-{n}");
            state.finished(AMD64, &outcome(&id, Status::Failed, "it hangs"));
        }
        for n in 0..passed {
            state.finished(AMD64, &outcome(&format!("seed-{n}"), Status::Passed, "ok"));
        }
        for n in 0..running {
            state.started(AMD64, &format!("health-{n}"), state.begun);
        }
        let now = state.begun + Duration::from_secs(20);
        (state, now)
    }

    #[test]
    fn a_finished_check_has_a_line() {
        for (platforms, status, expected) in [
            (
                &[AMD64][..],
                Status::Passed,
                "passed  seed-3-node  v20  0.2 s",
            ),
            (&[AMD64], Status::Failed, "failed  seed-3-node  v20  0.2 s"),
            (
                &[AMD64, Platform::LinuxArm64],
                Status::Unproven,
                "linux/amd64  unproven  seed-3-node  v20  0.2 s",
            ),
        ] {
            let mut state = State::new(1, platforms);
            let line = state.finished(AMD64, &outcome("seed-3-node", status, "v20"));
            assert_eq!(plain(&[line.unwrap()]), [expected]);
        }
        let mut state = State::new(1, &[]);
        let left_out = outcome("seed-3-node", Status::Skipped, "left out");
        assert_eq!(state.finished(AMD64, &left_out), None);
        assert_eq!(state.finished.len(), 1);
    }

    #[test]
    fn the_block_counts_and_names() {
        let (state, now) = state(2, 1, 3);
        let expected = [
            "failed         pid1-0                        it hangs",
            "4 of 40 checks: 1 failed, 3 passed, 20 s",
            "  health-0                       20 s",
            "  health-1                       20 s",
        ];
        assert_eq!(plain(&state.block(now, Size::default())), expected);
    }

    #[test]
    fn what_has_finished_runs_no_more() {
        let (mut state, now) = state(2, 0, 0);
        assert_eq!(state.head(now), "0 of 40 checks, 20 s");
        // The same check of another platform is another check.
        state.finished(
            Platform::LinuxArm64,
            &outcome("health-1", Status::Passed, ""),
        );
        assert_eq!(state.running.len(), 2);
        state.finished(AMD64, &outcome("health-1", Status::Passed, ""));
        assert_eq!(state.running.len(), 1);
    }

    #[test]
    fn the_block_fits_whatever_the_terminal() {
        for rows in 1..12 {
            for columns in [1, 2, 20, 80] {
                for (running, failed) in [(0, 0), (1, 0), (0, 20), (20, 0), (20, 20), (3, 2)] {
                    let (state, now) = state(running, failed, 5);
                    let size = Size::of(rows, columns);
                    let block = plain(&state.block(now, size));
                    let case = format!("{rows}x{columns} {running} {failed}: {block:?}");
                    assert!(block.len() <= size.lines(), "{case}");
                    assert!(block.iter().all(|l| l.chars().count() <= columns), "{case}");
                    if columns == 80 {
                        assert!(block.iter().any(|line| line.contains(" of 40 ")), "{case}");
                    }
                }
            }
        }
        let (state, now) = state(20, 20, 5);
        let block = plain(&state.block(now, Size::of(8, 80)));
        assert_eq!(block.len(), 7, "{block:?}");
        assert!(block[2].starts_with("failed         pid1-19"), "{block:?}");
        assert_eq!(block[6], "  … and 18 more", "{block:?}");
    }
}
