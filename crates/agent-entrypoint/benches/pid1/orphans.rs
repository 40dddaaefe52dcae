//! How long it takes until 10,000 orphans are reaped: as they end, which is mostly the kernel's own time, and when
//! all had ended before the init could collect one, which is the init's alone.

use std::io;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::contenders::Contender;
use crate::launch::{Place, Run};
use crate::stats::{grouped, median, millis};
use crate::table::Table;
use crate::watch::{self, PATIENCE, eventually, until};

const ORPHANS: u32 = 10_000;
const ROUNDS: usize = 7;

/// Starts the orphans, who wait for the end of our stdin, from a subshell that then ends before them.
const SCRIPT: &str = r#"
exec 9<&0
(
    i=0
    while [ "$i" -lt "$1" ]; do
        read -r line <&9 &
        i=$((i + 1))
    done
) || exit
echo
exec sleep infinity"#;

/// What the init does while the orphans end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Init {
    Runs,
    IsStopped,
}

/// The time until the last orphan is collected, and the init's own CPU time in it.
#[derive(Clone, Copy, Default)]
struct Reaped {
    wall: Duration,
    cpu: Duration,
}

pub fn measure(contenders: &[Contender]) -> Table {
    let title = format!(
        "Reaping {} orphans as PID 1, median of {ROUNDS}",
        grouped(ORPHANS.into())
    );
    let header = ["init", "as they end, ms", "own CPU ms", "all at once, ms"];
    let mut table = Table::new(title, &header);
    let mut batch = ORPHANS;
    let mut all: Vec<io::Result<Vec<[Reaped; 2]>>> =
        contenders.iter().map(|_| Ok(Vec::new())).collect();
    for _ in 0..ROUNDS {
        for (contender, reaped) in contenders.iter().zip(&mut all) {
            if let Ok(rounds) = reaped {
                match both(contender, &mut batch) {
                    Ok(round) => rounds.push(round),
                    Err(error) => *reaped = Err(error),
                }
            }
        }
    }
    for (contender, reaped) in contenders.iter().zip(all) {
        table.row(contender.name, reaped.map(|rounds| cells(&rounds)));
    }
    if batch < ORPHANS {
        table.note(format!(
            "in batches of {batch}: more processes at a time are not to be had here"
        ));
    }
    table
}

fn both(contender: &Contender, batch: &mut u32) -> io::Result<[Reaped; 2]> {
    Ok([
        in_batches(contender, Init::Runs, batch)?,
        in_batches(contender, Init::IsStopped, batch)?,
    ])
}

fn cells(rounds: &[[Reaped; 2]]) -> Vec<String> {
    let columns: [fn(&[Reaped; 2]) -> Duration; 3] = [
        |round| round[0].wall,
        |round| round[0].cpu,
        |round| round[1].wall,
    ];
    let cell = |column: fn(&[Reaped; 2]) -> Duration| {
        let times: Vec<Duration> = rounds.iter().map(column).collect();
        format!("{:.1}", millis(median(&times)))
    };
    columns.map(cell).to_vec()
}

/// All of them at once, or in batches that are halved until one fits into the limits of this machine.
fn in_batches(contender: &Contender, init: Init, batch: &mut u32) -> io::Result<Reaped> {
    let mut sum = Reaped::default();
    let mut left = ORPHANS;
    while left > 0 {
        let count = left.min(*batch);
        if let Some(mut run) = orphans(contender, count)? {
            let reaped = reap(&mut run, init)?;
            sum.wall += reaped.wall;
            sum.cpu += reaped.cpu;
            left -= count;
        } else {
            *batch = count / 2;
            if *batch == 0 {
                return Err(io::Error::other("no process can be started"));
            }
        }
    }
    Ok(sum)
}

/// A run with so many orphans that wait; none if the machine does not allow that many.
fn orphans(contender: &Contender, count: u32) -> io::Result<Option<Run>> {
    let count = count.to_string();
    let words = ["sh", "-c", SCRIPT, "orphans", &count];
    let mut run = Run::start(Place::Pid1, &contender.command(Place::Pid1, &words))?;
    Ok(run.line().is_ok().then_some(run))
}

fn reap(run: &mut Run, while_ending: Init) -> io::Result<Reaped> {
    let init = run.pid()?;
    let parent = run.command("sleep")?;
    let before = watch::cpu(init)?;
    let mut start = Instant::now();
    if while_ending == Init::IsStopped {
        watch::stop(init)?;
        run.close_stdin();
        end_of_all(init, parent)?;
        start = Instant::now();
        watch::kill(init, Signal::CONT)?;
    }
    run.close_stdin();
    let pause = Duration::from_micros(500);
    until("the last orphan to be reaped", PATIENCE, pause, || {
        (watch::children(init) == [parent]).then_some(())
    })?;
    Ok(Reaped {
        wall: start.elapsed(),
        cpu: watch::cpu(init)?.saturating_sub(before),
    })
}

/// Waits until all children of a stopped init but `parent` have ended.
fn end_of_all(init: u32, parent: u32) -> io::Result<()> {
    let mut left = watch::all_children(init)?;
    left.retain(|pid| *pid != parent);
    eventually("the orphans to end", || {
        while left
            .last()
            .is_some_and(|pid| watch::state(*pid) == Some('Z'))
        {
            left.pop();
        }
        left.is_empty().then_some(())
    })
}
