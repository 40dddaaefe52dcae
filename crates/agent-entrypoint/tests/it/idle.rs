//! Idle costs nothing: a thousand waiting containers must not wake the machine.

use std::fs;
use std::time::Duration;

use crate::harness::{As, entrypoint};
use crate::running::{Outcome, Running};
use crate::watch::{children, eventually, kill, state};

/// That something does not happen cannot be waited for: only a time without it can be watched. A timer
/// slower than this would cost nothing worth a word.
const WINDOW: Duration = Duration::from_secs(1);

/// How often a process has gone to sleep, once for each time that it was woken.
fn sleeps(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
    line.unwrap().trim().parse().unwrap()
}

#[test]
fn nothing_wakes_it_while_nothing_happens() {
    // All at the same time, for one window.
    let modes = [
        &[][..],
        &["sleep", "1000000"],
        &["--child", "sleep", "1000000"],
    ];
    let ways = As::every();
    let ways = ways.iter().flat_map(|how| modes.map(|mode| (*how, mode)));
    let runs: Vec<_> = ways
        .map(|(how, mode)| {
            let running = Running::start(&mut entrypoint(how, mode));
            let init = running.init();
            // In command mode it works on after the command is there: asleep for good is what counts.
            eventually("the entrypoint to be asleep", || {
                let is_up = mode.is_empty() || !children(init).is_empty();
                (is_up && state(init) == Some('S')).then_some(())
            });
            (running, init, how, mode)
        })
        .collect();
    let before: Vec<_> = runs.iter().map(|(_, init, ..)| sleeps(*init)).collect();
    std::thread::sleep(WINDOW);
    let after: Vec<_> = runs.iter().map(|(_, init, ..)| sleeps(*init)).collect();
    for ((running, init, how, mode), (before, after)) in
        runs.into_iter().zip(before.into_iter().zip(after))
    {
        assert_eq!(before, after, "{how:?} {mode:?}");
        kill(init, libc::SIGTERM);
        let code = if mode.is_empty() { 0 } else { 143 };
        assert_eq!(running.wait(), Outcome::new(code, "", ""));
    }
}
