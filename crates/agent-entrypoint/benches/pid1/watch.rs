//! Watches processes through `/proc`, and waits for what shows there.

use std::fs::{self, File};
use std::io::{self, Read};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// Longer than any one step may take, on a busy machine too.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Calls `check` every `pause` until it returns something; an error when it never does.
pub fn until<T>(
    what: &str,
    limit: Duration,
    pause: Duration,
    mut check: impl FnMut() -> Option<T>,
) -> io::Result<T> {
    let start = Instant::now();
    loop {
        if let Some(seen) = check() {
            return Ok(seen);
        }
        if start.elapsed() > limit {
            return Err(io::Error::other(format!("waited in vain for {what}")));
        }
        thread::sleep(pause);
    }
}

/// The same, for what is not being timed.
pub fn eventually<T>(what: &str, check: impl FnMut() -> Option<T>) -> io::Result<T> {
    until(what, PATIENCE, Duration::from_millis(2), check)
}

/// The children of a process, the oldest first: a page of them at most, which is cheap to read.
pub fn children(pid: u32) -> Vec<u32> {
    let mut page = [0; 4096];
    let read = File::open(format!("/proc/{pid}/task/{pid}/children"))
        .and_then(|mut file| file.read(&mut page))
        .unwrap_or(0);
    numbers(&String::from_utf8_lossy(&page[..read]))
}

/// All of its children, however many.
pub fn all_children(pid: u32) -> io::Result<Vec<u32>> {
    let text = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))?;
    Ok(numbers(&text))
}

fn numbers(text: &str) -> Vec<u32> {
    text.split_whitespace()
        .filter_map(|number| number.parse().ok())
        .collect()
}

/// The name of the program that a process runs.
pub fn name(pid: u32) -> String {
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    name.trim_end().to_owned()
}

/// The letter of a process's state: S asleep, T stopped, Z ended but not collected by its parent, …
pub fn state(pid: u32) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}

/// A line's first number in `/proc/PID/FILE`, such as `Pss` in `smaps_rollup`.
pub fn number(pid: u32, file: &str, key: &str) -> io::Result<u64> {
    let path = format!("/proc/{pid}/{file}");
    let text = fs::read_to_string(&path)?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
    let digits = line.map(|line| {
        let start = line.trim_start();
        start
            .split(|byte: char| !byte.is_ascii_digit())
            .next()
            .unwrap_or_default()
    });
    digits
        .and_then(|digits| digits.parse().ok())
        .ok_or_else(|| io::Error::other(format!("`{path}` has no `{key}`")))
}

/// How often a process has gone to sleep, so how often something woke it.
pub fn sleeps(pid: u32) -> io::Result<u64> {
    number(pid, "status", "voluntary_ctxt_switches")
}

/// The CPU time that a process of one thread has used itself, its children's left out.
pub fn cpu(pid: u32) -> io::Result<Duration> {
    let path = format!("/proc/{pid}/schedstat");
    let text = fs::read_to_string(&path)?;
    let nanos = text.split_whitespace().next().and_then(|n| n.parse().ok());
    nanos
        .map(Duration::from_nanos)
        .ok_or_else(|| io::Error::other(format!("`{path}` has no time")))
}

/// Sends a signal; an error when the process is gone.
pub fn kill(pid: u32, signal: Signal) -> io::Result<()> {
    let gone = || io::Error::other("the process is gone");
    let pid = Pid::from_raw(pid.cast_signed()).ok_or_else(gone)?;
    Ok(kill_process(pid, signal)?)
}

/// Stops a process, and returns when it has stopped.
pub fn stop(pid: u32) -> io::Result<()> {
    kill(pid, Signal::STOP)?;
    eventually("the process to stop", || {
        (state(pid) == Some('T')).then_some(())
    })
}

/// Kills a process and, after it, all that it had started; what is gone already is fine.
pub fn end_tree(pid: u32) {
    let started = children(pid);
    // When it is the PID 1 of a namespace, this ends everyone in there.
    let _ = kill(pid, Signal::KILL);
    for child in started {
        end_tree(child);
    }
}
