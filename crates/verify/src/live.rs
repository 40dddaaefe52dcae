//! Progress while checks run, on stderr: on a terminal a block of lines in one place, elsewhere a
//! line for each finished check.

mod block;

use std::io::{self, IsTerminal as _};

use indicatif::ProgressDrawTarget;
use xtask::ctx::Ctx;
use xtask::platform::Platform;

use self::block::Block;
use super::check::{Outcome, Status};
use super::run::Event;
use super::show::{style, text};

/// Columns for a check's id in the block.
const ID: usize = 28;

/// Shows the progress of a run until it is finished or dropped. Any thread may report to it.
pub(crate) struct Live {
    names_platform: bool,
    /// Absent where every finished check gets a line instead.
    block: Option<Block>,
}

impl Live {
    /// `total` checks, over all `platforms`, will finish.
    pub(crate) fn new(ctx: &Ctx, total: usize, platforms: &[Platform]) -> Live {
        let is_terminal = io::stderr().is_terminal();
        let has_block = has_block(is_terminal, ctx.verbose, |name| ctx.exec.var(name));
        let block = has_block.then(|| Block::new(total, ProgressDrawTarget::stderr()));
        Live {
            names_platform: platforms.len() > 1,
            block,
        }
    }

    pub(crate) fn report(&self, platform: Platform, event: Event) {
        match event {
            Event::Started(id) => {
                if let Some(block) = &self.block {
                    block.start(platform, id, &format!("{}{id:ID$}", self.prefix(platform)));
                }
            }
            Event::Finished(outcome) => self.finished(platform, &outcome),
            Event::Ended(id) => self.ended(platform, id),
            Event::Held(id, why) => {
                self.ended(platform, id);
                let prefix = self.prefix(platform);
                self.note(&format!(
                    "note: {prefix}{id}: {why}; it is inspected again at the end"
                ));
            }
        }
    }

    fn ended(&self, platform: Platform, id: &str) {
        if let Some(block) = &self.block {
            block.end(platform, id);
        }
    }

    /// Prints a line that stays, above the block.
    pub(crate) fn note(&self, text: &str) {
        let text = text::block(text, "");
        match &self.block {
            Some(block) => block.note(&text),
            None => xtask::say::errln!("{text}"),
        }
    }

    /// Takes the block away.
    pub(crate) fn finish(self) {
        drop(self);
    }

    /// A check may finish that never started.
    fn finished(&self, platform: Platform, outcome: &Outcome) {
        let prefix = self.prefix(platform);
        match &self.block {
            Some(block) => {
                let text = format!("{prefix}{:ID$}  {}", outcome.id, text::line(&outcome.seen));
                block.end(platform, &outcome.id);
                block.count(outcome.status, text);
            }
            // Whoever leaves a check out needs no line about it.
            None if outcome.status == Status::Skipped => {}
            None => xtask::say::styled_err(&format!("{prefix}{}\n", line(outcome))),
        }
    }

    /// With several platforms, each line says which one it is about.
    fn prefix(&self, platform: Platform) -> String {
        if self.names_platform {
            format!("{platform}  ")
        } else {
            String::new()
        }
    }
}

/// A finished check in a line.
fn line(outcome: &Outcome) -> String {
    let (style, status) = (style(outcome.status), outcome.status.as_str());
    let (id, seen) = (&outcome.id, text::line(&outcome.seen));
    format!(
        "{style}{status}{style:#}  {id}  {seen}  {:.1} s",
        outcome.seconds
    )
}

/// Echoed commands would tear a block apart, and a log keeps every state of it.
fn has_block(is_terminal: bool, verbose: bool, var: impl Fn(&str) -> Option<String>) -> bool {
    let is_dumb = var("TERM").is_none_or(|term| term == "dumb");
    let is_ci = var("CI").is_some_and(|value| value != "false");
    is_terminal && !verbose && !is_dumb && !is_ci
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples::outcome;

    #[test]
    fn a_block_is_drawn_only_where_it_can_be() {
        type Case = (bool, bool, &'static [(&'static str, &'static str)], bool);
        let table: [Case; 8] = [
            (true, false, &[("TERM", "xterm")], true),
            (true, false, &[("TERM", "xterm"), ("NO_COLOR", "1")], true),
            (true, false, &[("TERM", "xterm"), ("CI", "false")], true),
            (true, false, &[("TERM", "xterm"), ("CI", "true")], false),
            (true, false, &[("TERM", "dumb")], false),
            (true, false, &[], false),
            (true, true, &[("TERM", "xterm")], false),
            (false, false, &[("TERM", "xterm")], false),
        ];
        for (is_terminal, verbose, vars, expected) in table {
            let find = |name: &str| vars.iter().find(|(known, _)| *known == name);
            let var = |name: &str| find(name).map(|(_, value)| (*value).to_owned());
            let has_block = has_block(is_terminal, verbose, var);
            assert_eq!(has_block, expected, "{is_terminal} {verbose} {vars:?}");
        }
    }

    #[test]
    fn a_finished_check_has_one_line_without_control_characters() {
        let one = outcome("seed-3-node", Status::Failed, "v20\n\u{1b}[2J");
        let line = anstream::adapter::strip_str(&line(&one)).to_string();
        assert_eq!(line, "failed  seed-3-node  v20 \\u{1b}[2J  0.2 s");
    }
}
