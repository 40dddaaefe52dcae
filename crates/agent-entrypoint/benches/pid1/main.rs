//! `cargo bench --package agent-entrypoint --bench pid1`: our PID 1 against Debian's tini, catatonit and dumb-init.
//!
//! One run measures all of them in turn, as PID 1 of a PID namespace and as an ordinary child: time, instructions
//! and system calls of a start, memory and wake-ups while idle, orphans, signals, and our health check. It all
//! happens in namespaces of its own, so no process and no mount outlives it, however it ends. Takes about five minutes.
//!
//!     cargo bench --package agent-entrypoint --bench pid1 -- [--rounds N] [PART…]
//!
//! Parts: files, start, counts, idle, orphans, signals, health (together the default), and `container`, by
//! itself: whole container starts against the shell script, which takes an engine and `cargo xtask image`.

mod container;
mod contenders;
mod counts;
mod health;
mod idle;
mod inside;
mod launch;
mod orphans;
mod signals;
mod start;
mod stats;
mod table;
mod watch;

use std::env;
use std::io;
use std::process::{Child, ExitCode};
use std::time::Duration;

use crate::launch::{STAGE, program, wait_end};

/// What one run may take in all.
const LIMIT: Duration = Duration::from_mins(30);

/// The word with which the benchmark starts itself in its namespaces.
const INSIDE: &str = "inside";

const PARTS: [&str; 7] = [
    "files", "start", "counts", "idle", "orphans", "signals", "health",
];

fn main() -> ExitCode {
    // Cargo adds `--bench`.
    let words: Vec<String> = env::args()
        .skip(1)
        .filter(|word| word != "--bench")
        .collect();
    let done = match words.split_first() {
        Some((first, [ours, rest @ ..])) if first == INSIDE => {
            Asked::parse(rest).and_then(|asked| inside::run(ours, &asked))
        }
        _ => Asked::parse(&words).and_then(|asked| {
            if asked.parts[..] == ["container"] {
                container::run(asked.rounds)
            } else {
                outside(&words)
            }
        }),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// What the command line asks for.
struct Asked {
    rounds: Option<usize>,
    parts: Vec<String>,
}

impl Asked {
    fn parse(words: &[String]) -> io::Result<Self> {
        let (mut rounds, mut parts) = (None, Vec::new());
        let mut words = words.iter();
        while let Some(word) = words.next() {
            if word == "--rounds" {
                let number = words.next().and_then(|number| number.parse().ok());
                rounds = number.filter(|number| *number > 0);
                if rounds.is_none() {
                    return Err(io::Error::other("`--rounds` takes a number above 0"));
                }
            } else if PARTS.contains(&word.as_str()) || word == "container" {
                parts.push(word.clone());
            } else {
                let parts = PARTS.join(", ");
                return Err(io::Error::other(format!(
                    "`{word}` is not a part; hint: {parts}, container"
                )));
            }
        }
        if parts.len() > 1 && parts.iter().any(|part| part == "container") {
            return Err(io::Error::other("`container` is a part by itself"));
        }
        Ok(Self { rounds, parts })
    }

    fn wants(&self, part: &str) -> bool {
        self.parts.is_empty() || self.parts.iter().any(|one| one == part)
    }
}

/// Builds the program under test and starts the benchmark again in namespaces that end with it.
fn outside(words: &[String]) -> io::Result<()> {
    eprintln!("building the program under test as it is shipped");
    let ours = contenders::build()?;
    let stage = tempfile::tempdir()?;
    let mut command = program("setpriv");
    command.args(["--pdeathsig", "KILL", "unshare"]);
    if !rustix::process::geteuid().is_root() {
        command.args(["--user", "--map-root-user"]);
    }
    command
        .args(["--mount", "--pid", "--fork", "--kill-child", "--mount-proc"])
        .arg(env::current_exe()?)
        .args([INSIDE, &ours])
        .args(words)
        .env(STAGE, stage.path());
    let mut inside = Guarded(command.spawn()?);
    wait_end(inside.0.id(), LIMIT)?;
    if inside.0.wait()?.success() {
        Ok(())
    } else {
        Err(io::Error::other("not everything was measured"))
    }
}

/// A process that ends with this value.
struct Guarded(Child);

impl Drop for Guarded {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
