//! How long `INIT /bin/true` takes, against `/bin/true` started the same way.

use std::io;
use std::time::{Duration, Instant};

use crate::contenders::Contender;
use crate::launch::{Place, Run};
use crate::stats::{median, micros, quantile};
use crate::table::Table;

pub const TRUE: &str = "/bin/true";

/// The table of `rounds` rounds in which each has one turn; who begins rotates.
pub fn measure(contenders: &[Contender], place: Place, rounds: usize) -> io::Result<Table> {
    let mut commands = vec![vec![TRUE]];
    commands.extend(contenders.iter().map(|one| one.command(place, &[TRUE])));
    let mut times = vec![Vec::with_capacity(rounds); commands.len()];
    for round in 0..rounds {
        for turn in 0..commands.len() {
            let who = (round + turn) % commands.len();
            let time = once(place, &commands[who])
                .map_err(|error| io::Error::other(format!("{:?}: {error}", commands[who])))?;
            times[who].push(time);
        }
    }
    let title = format!("`INIT {TRUE}` as {}, {rounds} rounds", place.title());
    let mut table = Table::new(title, &["init", "median µs", "p95 µs", "added µs", "ratio"]);
    let alone = micros(median(&times[0]));
    let names = contenders.iter().map(|one| one.name);
    for (name, times) in std::iter::once("none").chain(names).zip(&times) {
        let time = micros(median(times));
        table.row(
            name,
            Ok(vec![
                format!("{time:.0}"),
                format!("{:.0}", micros(quantile(times, 0.95))),
                format!("{:.0}", time - alone),
                format!("{:.2}", time / alone),
            ]),
        );
    }
    Ok(table)
}

/// From the gate, which waits in its namespace, to the end of the namespace.
fn once(place: Place, command: &[&str]) -> io::Result<Duration> {
    let mut run = Run::prepare(place, &[], command)?;
    let start = Instant::now();
    run.open_gate()?;
    run.succeed()?;
    Ok(start.elapsed())
}
