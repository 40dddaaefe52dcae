//! Progress on stderr: a line per step, with what it came to and how long it took.

use std::{
    io::{IsTerminal as _, stderr},
    time::Instant,
};

use anyhow::{Result, anyhow};

/// Runs one step of `up`. Its result is shown; its error says which step failed and that nothing done is lost.
pub(crate) fn step<T>(name: &str, run: impl FnOnce() -> Result<(T, String)>) -> Result<T> {
    let begun = Instant::now();
    let live = stderr().is_terminal();
    if live {
        eprint!("{name:>9}  …\r");
    }
    let (value, outcome) = run().map_err(|err| {
        anyhow!("the step `{name}` failed: {err:#}\nhint: what is done is kept; run the same command again to go on")
    })?;
    eprintln!(
        "{name:>9}  {outcome} ({:.1} s)",
        begun.elapsed().as_secs_f64()
    );
    Ok(value)
}

/// A line about what a step is doing, for those that take long.
pub(crate) fn note(text: &str) {
    eprintln!("{:>9}  {text}", "");
}
