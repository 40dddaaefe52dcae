//! `cargo xtask`: builds the agent image and everything around it.
//!
//! One file per command; the foreign worlds stand alone in `git.rs`, `docker.rs`, `exec.rs` and `registry.rs`.

mod audit;
mod build_step;
mod ca_bundle;
mod claude_lock;
mod completions;
mod ctx;
mod docker;
mod doctor;
mod exec;
mod git;
mod github;
mod image;
mod image_tree;
mod journal;
mod last_build;
mod oci;
mod platform;
mod preflight;
mod published;
mod reference;
mod refusal;
mod registry;
mod release;
mod report;
mod retry;
mod settings;
mod stop;
mod store;
mod tags;
mod test;
mod testbed;
mod threads;
mod unpack;
mod verify;
mod version;

use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use clap::{Parser, Subcommand};

use crate::ctx::{Ctx, Global};

const EXIT_CODES: &str = "\
Exit codes:
  0    done
  1    something failed
  2    wrong usage
  3    refused by policy: nothing was changed, the text says what to type next
  130  interrupted (143: terminated)";

/// Build, prove and ship the agent container image.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version, after_help = EXIT_CODES)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Image(image::Args),
    Tags(tags::Args),
    Verify(verify::Args),
    Release(release::Args),
    Audit(audit::Args),
    Doctor(doctor::Args),
    Testbed(testbed::command::Args),
    Test(test::Args),
    Completions(completions::Args),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let red = Style::new().bold().fg_color(Some(AnsiColor::Red.into()));
            anstream::eprintln!("{red}error:{red:#} {error:#}");
            stop::exit_code(&error)
        }
    }
}

fn run(cli: Cli) -> anyhow::Result<()> {
    exec::forward_signals()?;
    let ctx = Ctx::new(cli.global)?;
    if !matches!(cli.command, Command::Release(_) | Command::Audit(_)) {
        ctx.only_one_repository()?;
    }
    match cli.command {
        Command::Image(args) => args.run(&ctx),
        Command::Tags(args) => args.run(&ctx),
        Command::Verify(args) => args.run(&ctx),
        Command::Release(args) => args.run(&ctx),
        Command::Audit(args) => args.run(&ctx),
        Command::Doctor(args) => args.run(&ctx),
        Command::Testbed(args) => args.run(&ctx),
        Command::Test(args) => args.run(&ctx),
        Command::Completions(args) => {
            args.run();
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        super::Cli::command().debug_assert();
    }
}
