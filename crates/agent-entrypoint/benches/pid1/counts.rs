//! What an init adds to `/bin/true` in instructions and system calls: numbers that a busy machine does not change.

use std::fs;
use std::io;
use std::path::Path;
use std::process::Stdio;

use crate::contenders::{Contender, find};
use crate::launch::{Place, Run, program, tool};
use crate::start::TRUE;
use crate::stats::{grouped, median};
use crate::table::{NOTHING, Table};
use crate::watch::{self, eventually};

/// Of so many runs the median counts.
const RUNS: usize = 5;

/// What counts instructions here.
#[derive(Clone, Copy)]
enum Meter {
    /// The processor itself.
    Perf,
    /// A simulated processor that writes down every instruction.
    Lackey,
    Nothing,
}

impl Meter {
    fn find() -> Self {
        let counted = tool(&["perf", "stat", "-x,", "-e", "instructions:u", TRUE]);
        if counted.is_ok_and(|said| instructions(&said).is_some()) {
            return Self::Perf;
        }
        match find("valgrind") {
            Some(_) => Self::Lackey,
            None => Self::Nothing,
        }
    }

    fn note(self) -> &'static str {
        match self {
            Self::Perf => "instructions: in user space, by `perf stat -e instructions:u`",
            Self::Lackey => {
                "instructions: in user space, written down by `valgrind --tool=lackey` (`perf` cannot count \
                 them on this machine), the init's child included until it becomes the command"
            }
            Self::Nothing => {
                "instructions: not supported, `perf` cannot count them on this machine; hint: `apt install valgrind`"
            }
        }
    }
}

/// The table; `folder` is one that everybody may write to.
pub fn measure(contenders: &[Contender], folder: &Path) -> Table {
    let meter = Meter::find();
    let mut header = vec!["init"];
    for place in Place::ALL {
        header.extend(match place {
            Place::Pid1 => ["syscalls, PID 1", "instructions, PID 1"],
            Place::Child => ["syscalls, child", "instructions, child"],
        });
    }
    let mut table = Table::new(format!("What an init adds to `{TRUE}`"), &header);
    let has_strace = find("strace").is_some();
    for contender in contenders {
        table.row(contender.name, row(contender, meter, has_strace, folder));
    }
    if !has_strace {
        table.note("syscalls: not measured; hint: `apt install strace`");
    }
    table.note(meter.note());
    table
}

fn row(
    contender: &Contender,
    meter: Meter,
    has_strace: bool,
    folder: &Path,
) -> io::Result<Vec<String>> {
    let mut cells = Vec::new();
    for place in Place::ALL {
        let command = contender.command(place, &[TRUE]);
        let added = |count: &dyn Fn(&[&str]) -> io::Result<i64>| -> io::Result<String> {
            Ok(grouped(
                typical(&command, count)? - typical(&[TRUE], count)?,
            ))
        };
        cells.push(if has_strace {
            added(&|command| syscalls(place, command, folder))?
        } else {
            NOTHING.to_owned()
        });
        cells.push(match meter {
            Meter::Perf => added(&|command| perf(place, command, folder))?,
            // Only the init is simulated: there is nothing to take off.
            Meter::Lackey => grouped(typical(&command, &|command| {
                lackey(place, command, folder)
            })?),
            Meter::Nothing => NOTHING.to_owned(),
        });
    }
    Ok(cells)
}

fn typical(command: &[&str], count: &dyn Fn(&[&str]) -> io::Result<i64>) -> io::Result<i64> {
    let counts: io::Result<Vec<i64>> = (0..RUNS).map(|_| count(command)).collect();
    Ok(median(&counts?))
}

/// All system calls from the gate on, whose own few are the same for everyone.
fn syscalls(place: Place, command: &[&str], folder: &Path) -> io::Result<i64> {
    let file = folder.join("strace");
    let mut run = Run::prepare(place, &[], command)?;
    let pid = run.pid()?;
    // It watches from outside, so that the init is PID 1 and has no other child.
    let mut tracer = program("strace")
        .args(["-f", "-o"])
        .arg(&file)
        .args(["-p", &pid.to_string()])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let attached = eventually("strace to attach", || {
        (watch::number(pid, "status", "TracerPid").ok()? > 0).then_some(())
    });
    let ended = attached.and_then(|()| {
        run.open_gate()?;
        run.succeed()
    });
    if ended.is_err() {
        tracer.kill()?;
    }
    // It ends with the last process that it traces.
    tracer.wait()?;
    ended?;
    let text = fs::read_to_string(file)?;
    let calls = text.lines().filter(|line| is_call(line));
    i64::try_from(calls.count()).map_err(io::Error::other)
}

/// Returns true for the beginning of a call, but not for its late end, a signal or an exit.
fn is_call(line: &str) -> bool {
    let call = line.trim_start_matches(|c: char| c.is_ascii_digit() || c == ' ');
    call.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
}

fn perf(place: Place, command: &[&str], folder: &Path) -> io::Result<i64> {
    let file = folder.join("perf").display().to_string();
    let watcher = ["perf", "stat", "-x,", "-e", "instructions:u", "-o", &file];
    let mut run = Run::prepare(place, &[&watcher[..], &["--"]].concat(), command)?;
    run.open_gate()?;
    run.succeed()?;
    instructions(&fs::read_to_string(file)?).ok_or_else(|| io::Error::other("perf counted nothing"))
}

/// The number in what `perf stat -x,` says, the sum where a machine has several kinds of processors.
fn instructions(said: &str) -> Option<i64> {
    let counts: Vec<i64> = said
        .lines()
        .filter(|line| line.contains("instructions"))
        .filter_map(|line| line.split(',').next()?.parse().ok())
        .collect();
    (!counts.is_empty()).then(|| counts.iter().sum())
}

fn lackey(place: Place, command: &[&str], folder: &Path) -> io::Result<i64> {
    let logs = folder.join("lackey");
    fs::create_dir_all(&logs)?;
    fs::set_permissions(&logs, fs::metadata(folder)?.permissions())?;
    // One file a process; none of what a process becomes.
    let file = format!("--log-file={}", logs.join("%p").display());
    let simulator = ["valgrind", "--tool=lackey", "--trace-mem=yes", &file];
    let mut run = Run::start(place, &[&simulator, command].concat())?;
    run.succeed()?;
    let mut count = 0;
    for log in fs::read_dir(&logs)? {
        let text = fs::read_to_string(log?.path())?;
        let mut steps: Vec<&str> = text.lines().filter(|line| line.starts_with("I ")).collect();
        // A repeated string instruction is one to a processor, but one for every repetition in here.
        steps.dedup();
        count += steps.len();
    }
    fs::remove_dir_all(logs)?;
    match i64::try_from(count).map_err(io::Error::other)? {
        0 => Err(io::Error::other("valgrind saw no instruction")),
        count => Ok(count),
    }
}
