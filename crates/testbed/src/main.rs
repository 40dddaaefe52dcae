//! A private Docker world for a bare machine: engine, registry, arm64, and stand-in base images.

mod apt;
mod bases;
mod binfmt;
mod buildkit;
mod cgroup;
mod daemon;
mod down;
mod engine;
mod exec;
mod fetch;
mod host;
mod http;
mod layout;
mod mounts;
mod net;
mod process;
mod registry;
mod report;
mod sources;
mod state;
mod status;
mod tools;
mod up;

use std::{path::PathBuf, process::ExitCode};

use anyhow::Result;
use clap::{Parser, Subcommand};

use layout::Layout;

const EXAMPLES: &str = "\
Examples:
  cargo xtask testbed up                      bring it up; again: check it, and repair what is wrong
  eval \"$(cargo xtask testbed env)\"           let docker, compose and crane of this shell work on it
  cargo xtask testbed status --json           what runs, as data
  cargo xtask testbed down                    end everything it started; keep the images
  cargo xtask testbed down --purge            and remove the images too

Its folders are `target/testbed`, `/run/agentgate-testbed`, and `agentgate-testbed` in the user's cache folder. Outside
them it installs the few Debian packages that it names when they are missing. While it is up there are a bridge, five
firewall rules marked `agentgate-testbed` and an entry in binfmt_misc. It turns IP forwarding on, which stays on.
TESTBED_DEBIAN_MIRROR names another mirror of Debian than the one in apt's sources.

Exit codes: 0 done; 1 something failed, or `status` and `env` when it is not running; 2 wrong usage; 3 not on a
machine like this.";

/// A private Docker Engine and registry with stand-in base images, for machines that have neither
#[derive(Debug, Parser)]
#[command(name = "testbed", bin_name = "cargo xtask testbed", version, after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Command,

    /// Where this test bed keeps its data [default: `target/testbed` of the workspace]
    #[arg(long, global = true, value_name = "DIR")]
    state_dir: Option<PathBuf>,

    /// Print the status as JSON (`status`, and `up` when it is done)
    #[arg(long, global = true)]
    json: bool,

    /// Echo every command that is run
    #[arg(short, long, global = true)]
    verbose: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Bring it up, or go on where an earlier run stopped
    Up,
    /// End exactly what `up` started
    Down(down::Args),
    /// Show what runs; the exit code is 1 when it is not running
    Status,
    /// Print shell exports that point docker at it
    Env,
}

/// The exit code for a machine that cannot have a test bed.
const REFUSED: u8 = 3;

fn main() -> ExitCode {
    let result = match buildkit::run() {
        Some(result) => result.map(|()| ExitCode::SUCCESS),
        None => Cli::parse().run(),
    };
    match result {
        Ok(code) => code,
        Err(err) => {
            eprintln!("error: {err:#}");
            ExitCode::FAILURE
        }
    }
}

impl Cli {
    fn run(self) -> Result<ExitCode> {
        exec::set_verbose(self.verbose);
        let layout = Layout::new(self.state_dir)?;
        match self.command {
            Command::Down(_) if !layout.state.exists() && !layout.run.exists() => {
                eprintln!("the test bed is not up");
            }
            Command::Up | Command::Down(_) if !host::refusals().is_empty() => return Ok(refuse()),
            Command::Up => {
                up::run(&layout)?;
                if self.json {
                    status::observe(&layout)?.print(true)?;
                }
            }
            Command::Down(args) => args.run(&layout)?,
            Command::Status => {
                let status = status::observe(&layout)?;
                status.print(self.json)?;
                return Ok(ExitCode::from(u8::from(!status.running)));
            }
            Command::Env => print!("{}", status::observe(&layout)?.exports()?),
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn refuse() -> ExitCode {
    eprintln!("error: this machine cannot have the test bed");
    for reason in host::refusals() {
        eprintln!("  - {reason}");
    }
    eprintln!("hint: with a Docker Engine at hand, run the same command without the test bed");
    ExitCode::from(REFUSED)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_sound() {
        super::Cli::command().debug_assert();
    }
}
