//! The machine that the engine is on, as a container sees it. It may be another than ours.

use std::time::Instant;

use super::check_sandbox::Sandbox;
use super::trouble::Trouble;
use crate::limits::Pace;
use crate::load::{self, Load};

impl Sandbox<'_> {
    /// Measures the pace of the engine's machine by an `exec` in the shared container that does nothing.
    pub(crate) fn measure_pace(&self) -> anyhow::Result<Pace> {
        let begun = Instant::now();
        // What it says is of no interest: an image may have no `true`.
        let done = self.shared().exec(&["true"]);
        match done.as_ref().err().and_then(|error| error.downcast_ref()) {
            Some(Trouble::TimedOut(..)) => Ok(Pace::SLOWEST),
            _ => done.map(|_| Pace::of(begun.elapsed())),
        }
    }

    /// Reads the load of the engine's machine, in the shared container; unknown where that says nothing.
    pub(crate) fn load(&self) -> Load {
        let said = self.shared().exec(load::READ);
        said.map_or_else(|_| Load::default(), |ran| Load::parse(&ran.stdout))
    }
}
