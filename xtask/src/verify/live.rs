//! What is told while checks run, on stderr: on a terminal a block of lines that is drawn anew in
//! its place, elsewhere a line for each finished check.

mod frame;
mod state;

use std::io::{self, IsTerminal as _, Write as _};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anstream::{AutoStream, ColorChoice};

use self::frame::{Size, frame};
use self::state::State;
use super::check::Outcome;
use super::run::Event;
use super::show::text;
use crate::ctx::Ctx;
use crate::platform::Platform;

/// How often the block is drawn anew, at most.
const REDRAW: Duration = Duration::from_millis(100);

/// Tells of a run's progress until it is finished or dropped. Any thread may tell it what
/// happens.
pub(crate) struct Live {
    events: Option<Sender<Told>>,
    drawer: Option<JoinHandle<()>>,
}

/// What it is told.
enum Told {
    Started(Platform, String),
    Finished(Platform, Outcome),
    Ended(Platform, &'static str),
    Note(String),
}

impl Live {
    /// `total` checks, over all `platforms`, will finish.
    pub(crate) fn new(ctx: &Ctx, total: usize, platforms: &[Platform]) -> Live {
        let is_terminal = io::stderr().is_terminal();
        let mode = mode(is_terminal, ctx.verbose, |name| ctx.exec.var(name));
        Live::on(mode, State::new(total, platforms), Stderr)
    }

    fn on(mode: Mode, state: State, screen: impl Screen) -> Live {
        let (send, events) = channel();
        let drawer = thread::spawn(move || match mode {
            Mode::Block => draw(&events, state, screen),
            Mode::Lines => print(&events, state, screen),
        });
        Live {
            events: Some(send),
            drawer: Some(drawer),
        }
    }

    pub(crate) fn started(&self, platform: Platform, id: &str) {
        self.send(Told::Started(platform, id.to_owned()));
    }

    /// A check that was never started may finish, too.
    pub(crate) fn finished(&self, platform: Platform, outcome: &Outcome) {
        self.send(Told::Finished(platform, outcome.clone()));
    }

    /// A line that stays, above the block.
    pub(crate) fn note(&self, text: &str) {
        self.send(Told::Note(text.to_owned()));
    }

    pub(crate) fn tell(&self, platform: Platform, event: Event) {
        match event {
            Event::Started(id) => self.started(platform, id),
            Event::Finished(outcome) => self.finished(platform, &outcome),
            Event::Ended(id) => self.send(Told::Ended(platform, id)),
        }
    }

    /// Takes the block away; what is printed from here on stands where it stood.
    pub(crate) fn finish(self) {
        drop(self);
    }

    fn send(&self, told: Told) {
        if let Some(events) = &self.events {
            // Nobody is told when nobody listens any more.
            let _ = events.send(told);
        }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.events = None;
        if let Some(drawer) = self.drawer.take() {
            let _ = drawer.join();
        }
    }
}

/// How progress is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// In one place, on a terminal.
    Block,
    /// A line for each finished check.
    Lines,
}

/// Where commands are echoed a block would be torn, and a log keeps every state of it.
fn mode(is_terminal: bool, verbose: bool, var: impl Fn(&str) -> Option<String>) -> Mode {
    let is_dumb = var("TERM").is_none_or(|term| term == "dumb");
    let is_ci = var("CI").is_some_and(|value| value != "false");
    if is_terminal && !verbose && !is_dumb && !is_ci {
        Mode::Block
    } else {
        Mode::Lines
    }
}

/// Where progress is shown. One that is gone is no reason to end.
trait Screen: Send + 'static {
    fn size(&self) -> Size;
    /// Whether it is to have colours.
    fn has_colours(&self) -> bool;
    fn put(&mut self, text: &str);
}

struct Stderr;

impl Screen for Stderr {
    fn size(&self) -> Size {
        rustix::termios::tcgetwinsize(io::stderr()).map_or_else(
            |_| Size::default(),
            |size| Size::of(usize::from(size.ws_row), usize::from(size.ws_col)),
        )
    }

    fn has_colours(&self) -> bool {
        AutoStream::choice(&io::stderr()) != ColorChoice::Never
    }

    /// Past anstream: without colours it takes what moves the cursor away as well.
    fn put(&mut self, text: &str) {
        let mut stderr = io::stderr().lock();
        let _ = stderr
            .write_all(text.as_bytes())
            .and_then(|()| stderr.flush());
    }
}

/// The text as the screen is to have it.
fn dressed(screen: &impl Screen, text: String) -> String {
    if screen.has_colours() {
        text
    } else {
        anstream::adapter::strip_str(&text).to_string()
    }
}

/// A line for each finished check.
fn print(events: &Receiver<Told>, mut state: State, mut screen: impl Screen) {
    for told in events {
        let line = match told {
            Told::Started(..) | Told::Ended(..) => None,
            Told::Finished(platform, outcome) => state.finished(platform, &outcome),
            Told::Note(text) => Some(text::block(&text, "")),
        };
        if let Some(line) = line {
            let line = dressed(&screen, format!("{line}\n"));
            screen.put(&line);
        }
    }
}

/// The block, in its place until there are no more events.
fn draw(events: &Receiver<Told>, mut state: State, mut screen: impl Screen) {
    let mut drawn = 0;
    let mut notes = String::new();
    let mut due = Instant::now() + REDRAW;
    loop {
        let left = due.saturating_duration_since(Instant::now());
        match events.recv_timeout(left) {
            Ok(Told::Started(platform, id)) => state.started(platform, &id, Instant::now()),
            Ok(Told::Ended(platform, id)) => state.ended(platform, id),
            Ok(Told::Finished(platform, outcome)) => {
                state.finished(platform, &outcome);
            }
            Ok(Told::Note(text)) => {
                notes.push_str(&text::block(&text, ""));
                notes.push('\n');
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        if Instant::now() >= due {
            let size = screen.size();
            let lines = state.block(Instant::now(), size);
            let lines = lines.into_iter().map(|line| dressed(&screen, line));
            let lines: Vec<String> = lines.collect();
            screen.put(&frame(drawn, &notes, &lines));
            notes.clear();
            drawn = lines.len();
            due = Instant::now() + REDRAW;
        }
    }
    if drawn > 0 || !notes.is_empty() {
        screen.put(&frame(drawn, &notes, &[]));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::frame::tests::Terminal;
    use super::*;
    use crate::verify::check::Status;
    use crate::verify::report::samples::outcome;

    /// A terminal that the test and the drawer both have.
    #[derive(Clone)]
    struct Shared(Arc<Mutex<Terminal>>);

    impl Shared {
        fn new() -> Shared {
            Shared(Arc::new(Mutex::new(Terminal::new(Size::of(6, 60)))))
        }

        fn shown(&self) -> String {
            self.0.lock().unwrap().shown()
        }

        /// Waits until the terminal shows `text`.
        fn wait_for(&self, text: &str) {
            while !self.shown().contains(text) {
                thread::sleep(Duration::from_millis(1));
            }
        }
    }

    impl Screen for Shared {
        fn size(&self) -> Size {
            self.0.lock().unwrap().size
        }

        fn has_colours(&self) -> bool {
            false
        }

        fn put(&mut self, text: &str) {
            self.0.lock().unwrap().put(text);
        }
    }

    #[test]
    fn a_block_is_drawn_only_where_it_can_be() {
        type Case = (bool, bool, &'static [(&'static str, &'static str)], Mode);
        let table: [Case; 8] = [
            (true, false, &[("TERM", "xterm")], Mode::Block),
            (
                true,
                false,
                &[("TERM", "xterm"), ("NO_COLOR", "1")],
                Mode::Block,
            ),
            (
                true,
                false,
                &[("TERM", "xterm"), ("CI", "false")],
                Mode::Block,
            ),
            (
                true,
                false,
                &[("TERM", "xterm"), ("CI", "true")],
                Mode::Lines,
            ),
            (true, false, &[("TERM", "dumb")], Mode::Lines),
            (true, false, &[], Mode::Lines),
            (true, true, &[("TERM", "xterm")], Mode::Lines),
            (false, false, &[("TERM", "xterm")], Mode::Lines),
        ];
        for (is_terminal, verbose, vars, expected) in table {
            let find = |name: &str| vars.iter().find(|(known, _)| *known == name);
            let var = |name: &str| find(name).map(|(_, value)| (*value).to_owned());
            let mode = mode(is_terminal, verbose, var);
            assert_eq!(mode, expected, "{is_terminal} {verbose} {vars:?}");
        }
    }

    #[test]
    fn a_block_comes_and_goes_and_leaves_the_notes() {
        let screen = Shared::new();
        let platform = Platform::LinuxAmd64;
        let live = Live::on(Mode::Block, State::new(3, &[platform]), screen.clone());
        live.note("before");
        live.started(platform, "seed-3-node");
        screen.wait_for("before\n0 of 3 checks");
        screen.wait_for("  seed-3-node");
        live.finished(platform, &outcome("seed-3-node", Status::Failed, "v18"));
        screen.wait_for("failed         seed-3-node");
        screen.wait_for("1 of 3 checks: 1 failed");
        live.note("after");
        screen.wait_for("before\nafter\nfailed");
        live.finish();
        assert_eq!(screen.shown(), "before\nafter\n");
    }

    #[test]
    fn lines_are_printed_from_any_thread() {
        let screen = Shared::new();
        let platforms = [Platform::LinuxAmd64, Platform::LinuxArm64];
        let live = Live::on(Mode::Lines, State::new(2, &platforms), screen.clone());
        thread::scope(|scope| {
            let live = &live;
            for platform in platforms {
                scope.spawn(move || {
                    live.started(platform, "a-b");
                    live.finished(platform, &outcome("a-b", Status::Passed, "x"));
                });
            }
        });
        drop(live);
        let shown = screen.shown();
        for platform in platforms {
            let told = format!("{platform}  passed  a-b  x  0.2 s\n");
            assert!(shown.contains(&told), "{shown}");
        }
        assert_eq!(shown.lines().count(), 2, "{shown}");
    }

    #[test]
    fn a_run_of_no_time_shows_nothing() {
        let screen = Shared::new();
        let live = Live::on(Mode::Block, State::new(0, &[]), screen.clone());
        live.finish();
        assert_eq!(screen.0.lock().unwrap().received, "");
    }
}
