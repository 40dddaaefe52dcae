//! The CPU time of one `agent-entrypoint health` with programs that answer at once: its own, and its children's.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use crate::contenders::Contender;
use crate::launch::{PATH, USER, can_change_user, contained, wait_end};
use crate::start::TRUE;
use crate::stats::{median, micros};
use crate::table::Table;
use crate::watch::{self, PATIENCE};

const RUNS: u32 = 200;

/// The tick in which the kernel shows times that it keeps in nanoseconds: `USER_HZ`, always 100.
const TICK: Duration = Duration::from_millis(10);

/// The table; the programs that answer come into `folder`.
pub fn measure(ours: &Contender, folder: &Path) -> io::Result<Table> {
    for (name, answer) in [("node", "v20.20.2"), ("claude", "2.1.330 (Claude Code)")] {
        let file = folder.join(name);
        fs::write(&file, format!("#!/bin/sh\necho '{answer}'\n"))?;
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755))?;
    }
    let title = format!("CPU time of one run, {RUNS} runs");
    let mut table = Table::new(title, &["command", "own µs, median", "children's µs, mean"]);
    let health = format!("{} health", ours.name);
    table.row(TRUE, times(&[TRUE], folder));
    table.row(&health, times(&[&ours.path, "health"], folder));
    table.note("`node` and `claude` are shell scripts of one `echo` here; the children's time is mostly theirs");
    Ok(table)
}

fn times(command: &[&str], folder: &Path) -> io::Result<Vec<String>> {
    let mut own = Vec::new();
    let before = collected()?;
    for _ in 0..RUNS {
        own.push(once(command, folder)?);
    }
    let all = collected()?.saturating_sub(before);
    let children = all.saturating_sub(own.iter().sum()) / RUNS;
    Ok(vec![
        format!("{:.0}", micros(median(&own))),
        format!("{:.0}", micros(children)),
    ])
}

/// One run's own CPU time, read between its end and its collection.
fn once(command: &[&str], folder: &Path) -> io::Result<Duration> {
    let mut run = contained(command[0]);
    run.args(&command[1..]);
    run.env("PATH", format!("{}:{PATH}", folder.display()));
    run.stdin(Stdio::null()).stdout(Stdio::null());
    if can_change_user() {
        run.uid(USER).gid(USER);
    }
    let mut process = run.spawn()?;
    let cpu = wait_end(process.id(), PATIENCE).and_then(|()| watch::cpu(process.id()));
    if cpu.is_err() {
        watch::end_tree(process.id());
    }
    let status = process.wait()?;
    if status.success() {
        cpu
    } else {
        Err(io::Error::other(format!("failed: {status}")))
    }
}

/// The CPU time of all processes that this one has collected, theirs included.
fn collected() -> io::Result<Duration> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let (_, fields) = stat.rsplit_once(") ").unwrap_or_default();
    // `cutime` and `cstime` are the fields 16 and 17 of the line; the first after the name is the third.
    let ticks = fields.split_whitespace().skip(13).take(2);
    let ticks: Option<u32> = ticks.map(|field| field.parse::<u32>().ok()).sum();
    ticks
        .map(|ticks| TICK * ticks)
        .ok_or_else(|| io::Error::other("`/proc/self/stat` has no times"))
}
