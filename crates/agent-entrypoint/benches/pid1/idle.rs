//! What an init costs while its container does nothing: memory, and how often it wakes.

use std::io;
use std::thread;
use std::time::Duration;

use crate::contenders::Contender;
use crate::launch::{Place, Run};
use crate::table::Table;
use crate::watch::{self, until};

const WINDOW: Duration = Duration::from_secs(5);

/// The table: each as PID 1 over `sleep infinity`, and ours without a command too, in keep-alive mode.
pub fn measure(contenders: &[Contender]) -> Table {
    let title = format!("Idle as PID 1, over {} s", WINDOW.as_secs());
    let mut table = Table::new(title, &["init", "RSS KiB", "PSS KiB", "wake-ups"]);
    for contender in contenders {
        table.row(contender.name, row(contender, &["sleep", "1000000"]));
        if contender.is_ours() {
            table.row(
                &format!("{}, keep-alive", contender.name),
                row(contender, &[]),
            );
        }
    }
    table
}

/// One at a time: what two runs share would count for half in the PSS of each.
fn row(contender: &Contender, words: &[&str]) -> io::Result<Vec<String>> {
    let run = Run::start(Place::Pid1, &contender.command(Place::Pid1, words))?;
    if let [name, ..] = words {
        run.command(name)?;
    }
    let pid = run.pid()?;
    settle(pid, contender.name)?;
    let memory = ["Rss", "Pss"].map(|key| watch::number(pid, "smaps_rollup", key));
    let before = watch::sleeps(pid)?;
    // No wait for something to happen: this is the window in which nothing should.
    thread::sleep(WINDOW);
    let wakes = watch::sleeps(pid)? - before;
    let [rss, pss] = memory;
    Ok(vec![rss?.to_string(), pss?.to_string(), wakes.to_string()])
}

/// Waits until the gate has become the init and the init sleeps without waking between two checks.
fn settle(pid: u32, name: &str) -> io::Result<()> {
    // The kernel keeps 15 bytes of a program's name.
    let name = &name[..name.len().min(15)];
    let mut last = None;
    let pause = Duration::from_millis(100);
    until("the init to be idle", watch::PATIENCE, pause, || {
        let is_asleep = watch::name(pid) == name && watch::state(pid) == Some('S');
        let now = watch::sleeps(pid).ok().filter(|_| is_asleep);
        let is_same = now.is_some() && now == last;
        last = now;
        is_same.then_some(())
    })
}
