//! Watches processes through `/proc`, waits for what shows there, and ends processes.

use std::fs;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};

use crate::harness::program;

/// Longer than anything here may take, on a busy machine too.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Sends a signal by number, real-time ones included.
pub fn kill(pid: u32, signal: i32) {
    let status = program("kill")
        .args([format!("-{signal}"), pid.to_string()])
        .status()
        .unwrap();
    assert!(status.success(), "kill -{signal} {pid}");
}

/// Calls `check` until it returns something; panics when it never does.
pub fn eventually<T>(what: &str, mut check: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(seen) = check() {
            return seen;
        }
        assert!(start.elapsed() < PATIENCE, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

pub fn children(pid: u32) -> Vec<u32> {
    fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))
        .unwrap_or_default()
        .split_whitespace()
        .map(|pid| pid.parse().unwrap())
        .collect()
}

/// A signal mask of `/proc/PID/status`.
pub fn mask(pid: u32, name: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with(name))?;
    u64::from_str_radix(line.split_whitespace().last()?, 16).ok()
}

/// The letter of a process's state: S asleep, Z ended but not collected by its parent, …
pub fn state(pid: u32) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}

/// Returns true if no such process runs any more.
pub fn is_over(pid: u32) -> bool {
    matches!(state(pid), None | Some('Z'))
}

/// Kills a process and, before it, all that it started; what is gone already is fine.
pub fn end_tree(pid: u32) {
    for child in children(pid) {
        end_tree(child);
    }
    if let Some(pid) = Pid::from_raw(pid.cast_signed()) {
        let _ = rustix::process::kill_process(pid, Signal::KILL);
    }
}
