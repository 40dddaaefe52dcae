//! How many queued realtime signals an init forwards a second.
//!
//! The init is stopped while they queue up for it. The command blocks them and lives in a user namespace of
//! its own, so that the kernel counts what has arrived there, and nobody spends time on receiving them.

use std::io;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::contenders::Contender;
use crate::launch::{Place, Run, tool};
use crate::stats::{grouped, median};
use crate::table::Table;
use crate::watch::{self, PATIENCE, until};

const SIGNALS: u64 = 10_000;
const ROUNDS: usize = 7;

/// A realtime signal that neither glibc (32, 33) nor musl (32 to 34) keeps for itself.
const SIGNAL: &str = "36";

const RECEIVER: [&str; 6] = [
    "env",
    "--block-signal=36",
    "unshare",
    "--user",
    "sleep",
    "infinity",
];

/// A shell sends them by its built-in `kill`: $1 how often, $2 which, $3 to whom.
const SENDER: &str =
    r#"i=0; while [ "$i" -lt "$1" ]; do kill "-$2" "$3" || exit; i=$((i + 1)); done"#;

pub fn measure(contenders: &[Contender]) -> Table {
    let title = format!(
        "Forwarding {} queued realtime signals as PID 1, median of {ROUNDS}",
        grouped(SIGNALS.cast_signed())
    );
    let mut table = Table::new(title, &["init", "signals a second"]);
    let mut all: Vec<io::Result<Vec<Duration>>> =
        contenders.iter().map(|_| Ok(Vec::new())).collect();
    for _ in 0..ROUNDS {
        for (contender, times) in contenders.iter().zip(&mut all) {
            // One that does not forward them will not do so in the next round either.
            if let Ok(rounds) = times {
                match forward(contender) {
                    Ok(time) => rounds.push(time),
                    Err(error) => *times = Err(error),
                }
            }
        }
    }
    for (contender, times) in contenders.iter().zip(all) {
        table.row(contender.name, times.map(|times| rate(&times)));
    }
    table
}

fn rate(times: &[Duration]) -> Vec<String> {
    let nanos = median(times).as_nanos().max(1);
    let rate = u128::from(SIGNALS) * 1_000_000_000 / nanos;
    vec![grouped(i64::try_from(rate).unwrap_or(i64::MAX))]
}

/// The time for all signals, from the init's being let go.
fn forward(contender: &Contender) -> io::Result<Duration> {
    let run = Run::start(Place::Pid1, &contender.command(Place::Pid1, &RECEIVER))?;
    let receiver = run.command("sleep")?;
    let init = run.pid()?;
    let arrived = || watch::number(receiver, "status", "SigQ").unwrap_or(0);
    send(init, 1)?;
    let (limit, pause) = (Duration::from_secs(2), Duration::from_micros(50));
    until("the first one", limit, pause, || {
        (arrived() == 1).then_some(())
    })
    .map_err(|_| io::Error::other("does not forward realtime signals"))?;

    watch::stop(init)?;
    send(init, SIGNALS)?;
    let queued = watch::number(init, "status", "SigQ")?;
    if queued < SIGNALS {
        return Err(io::Error::other(format!(
            "only {queued} signals can be queued here; hint: `ulimit -i unlimited`"
        )));
    }
    let start = Instant::now();
    watch::kill(init, Signal::CONT)?;
    until("the last signal", PATIENCE, pause, || {
        (arrived() > SIGNALS).then_some(())
    })?;
    Ok(start.elapsed())
}

fn send(init: u32, count: u64) -> io::Result<()> {
    let (count, init) = (count.to_string(), init.to_string());
    tool(&["sh", "-c", SENDER, "sender", &count, SIGNAL, &init])?;
    Ok(())
}
