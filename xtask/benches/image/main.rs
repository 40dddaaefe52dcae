//! `cargo bench --package xtask --bench image`: `cargo xtask image` against the Dockerfile that
//! does what the specification says line by line (xtask/benches/naive), in the same run.
//!
//! Needs the test bed (`eval "$(cargo xtask testbed env)"`), npm for another Claude Code, and half an
//! hour; what is measured is what is committed. **It empties the builder's cache and removes the
//! engine's images**, again and again. Pushes go through a counter of the bytes sent, which stands
//! before the bed's registry. The tables and plots of all measures go to docs/performance.md.
//!
//! `-- cold`, `warm`, `push`, `size` and `pull` choose measures, `--rounds N` how often.

mod claude;
mod command;
mod counter;
#[path = "../measure/mod.rs"]
mod measure;
mod measures;
mod registry;
mod sides;
mod tables;

use std::cell::Cell;
use std::io;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::command::docker;
use crate::counter::Counter;
use crate::measures::Bench;
use crate::tables::Tables;

type Measure = fn(&Bench) -> io::Result<()>;

const MEASURES: [(&str, Measure); 5] = [
    ("cold", Bench::cold),
    ("warm", Bench::warm),
    ("push", Bench::push_changes),
    ("size", Bench::size),
    ("pull", Bench::pull),
];
const ROUNDS: usize = 3;

fn main() -> io::Result<ExitCode> {
    let Some((measures, rounds)) = parse(std::env::args().skip(1)) else {
        let names = MEASURES.map(|(name, _)| name).join(", ");
        eprintln!("error: expected measures ({names}) and `--rounds N`");
        return Ok(ExitCode::FAILURE);
    };
    let Ok(registry) = std::env::var("TESTBED_REGISTRY") else {
        eprintln!(
            "error: this empties the engine that it runs on, so it takes the test bed's alone; \
             hint: `cargo xtask testbed up && eval \"$(cargo xtask testbed env)\"`"
        );
        return Ok(ExitCode::FAILURE);
    };
    let engine = docker(&["version", "--format", "{{.Server.Version}}"])?;
    let cpus = std::thread::available_parallelism()?;
    let warm = measures::WARM;
    println!("Docker Engine {engine}, {cpus} CPUs; {rounds} rounds, {warm} of warm\n");
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.map_err(io::Error::other)?.as_secs();
    let bench = Bench {
        counter: Counter::before(&registry)?,
        namespace: format!("bench-{now}"),
        rounds,
        tables: Tables::new(),
        broken: Default::default(),
    };
    let is_whole = measures.len() == MEASURES.len();
    for measure in measures {
        measure(&bench)?;
    }
    bench.tables.finish(is_whole)?;
    let [naive, ours] = bench.broken.each_ref().map(Cell::get);
    println!("\nPublished without Claude Code, and not counted: naive {naive}, ours {ours}");
    Ok(ExitCode::SUCCESS)
}

/// The measures that are asked for, all without any; and the rounds.
fn parse(args: impl Iterator<Item = String>) -> Option<(Vec<Measure>, usize)> {
    let (mut measures, mut rounds) = (Vec::new(), ROUNDS);
    let mut args = args;
    while let Some(arg) = args.next() {
        match arg.as_str() {
            // Cargo says this to every benchmark.
            "--bench" => {}
            "--rounds" => rounds = args.next()?.parse().ok().filter(|rounds| *rounds > 0)?,
            name => measures.push(MEASURES.iter().find(|(known, _)| *known == name)?.1),
        }
    }
    if measures.is_empty() {
        measures.extend(MEASURES.map(|(_, measure)| measure));
    }
    Some((measures, rounds))
}
