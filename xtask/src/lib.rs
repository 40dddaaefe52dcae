//! `cargo xtask`: builds the agent image and everything around it.
//!
//! One file per command; the foreign worlds stand alone in `git.rs`, `docker.rs`, `exec.rs` and `registry.rs`.
//! A library for one reason: `crates/verify` is a program of its own and takes from here what both need.

mod attested;
mod audit;
pub mod base;
pub mod blob_folders;
pub mod build_step;
pub mod ca_bundle;
pub mod claude_lock;
pub mod completions;
pub mod ctx;
pub mod day;
pub mod docker;
mod doctor;
pub mod exec;
pub mod files;
pub mod git;
pub mod github;
mod image;
mod image_tree;
pub mod last_build;
mod npm;
pub mod oci;
mod packages;
pub mod platform;
pub mod preflight;
pub mod printable;
pub mod proof;
mod proven;
mod prune;
pub mod published;
mod records;
pub mod reference;
pub mod referrers;
pub mod refusal;
pub mod registry;
mod release;
pub mod report;
pub mod retry;
pub mod say;
pub mod scanner;
pub mod settings;
pub mod stop;
mod store;
mod tag_kind;
mod tags;
mod test;
pub mod testbed;
pub mod threads;
pub mod unpack;
mod update;
pub mod verify;
pub mod version;
mod write_access;

use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use clap::{FromArgMatches as _, Parser, Subcommand};

use crate::ctx::{Ctx, Global};

const EXIT_CODES: &str = "\
Exit codes:
  0    done
  1    something failed
  2    wrong usage
  3    refused by policy: nothing was changed, the text says what to type next
  4    `update --check`: something is behind
  130  interrupted (143: terminated)";

/// Build, prove and ship the agent container image.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version, after_help = EXIT_CODES)]
pub struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// The commands, each with its own options.
#[derive(Subcommand)]
pub enum Command {
    Image(image::Args),
    Tags(tags::Args),
    Verify(verify::Args),
    Release(release::Args),
    Audit(audit::Args),
    Prune(prune::Args),
    Update(update::Args),
    Doctor(doctor::Args),
    Testbed(testbed::command::Args),
    Test(test::Args),
    Completions(completions::Args),
    #[command(hide = true)]
    Tied(exec::tied::Args),
}

/// Runs the command of a command line as `run` has it, and says what went wrong.
pub fn main(
    command_line: clap::Command,
    run: impl FnOnce(Command, &Ctx) -> anyhow::Result<()>,
) -> ExitCode {
    let cli = match parse(command_line) {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    match prepare(cli.global, &cli.command).and_then(|ctx| run(cli.command, &ctx)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let red = Style::new().bold().fg_color(Some(AnsiColor::Red.into()));
            say::error(&format_args!("{red}error:{red:#}"), &error);
            stop::exit_code(&error)
        }
    }
}

/// The help, or what is wrong with the arguments, is printed here: it quotes them, and a job's may be what
/// somebody has typed into a form.
fn parse(command_line: clap::Command) -> Result<Cli, ExitCode> {
    let matches = command_line.try_get_matches();
    let parsed = matches.and_then(|matches| Cli::from_arg_matches(&matches));
    parsed.map_err(|error| {
        let text = error.render().ansi().to_string();
        if error.use_stderr() {
            say::styled_err(&text);
        } else {
            say::styled_out(&text);
        }
        ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(1))
    })
}

fn prepare(global: Global, command: &Command) -> anyhow::Result<Ctx> {
    exec::forward_signals()?;
    let ctx = Ctx::new(global)?;
    if !matches!(command, Command::Release(_) | Command::Audit(_)) {
        ctx.only_one_repository()?;
    }
    Ok(ctx)
}

/// Runs every command but those whose program is `crates/verify`: this process becomes it.
pub fn run(command: Command, ctx: &Ctx) -> anyhow::Result<()> {
    match command {
        Command::Image(args) => args.run(ctx),
        Command::Tags(args) => args.run(ctx),
        Command::Release(args) => args.run(ctx),
        Command::Audit(args) => args.run(ctx),
        Command::Prune(args) => args.run(ctx),
        Command::Update(args) => args.run(ctx),
        Command::Doctor(args) => args.run(ctx),
        Command::Testbed(args) => args.run(ctx),
        Command::Test(args) => args.run(ctx),
        Command::Tied(args) => args.run(&ctx.exec),
        // Completions know the ids of the checks.
        Command::Verify(_) | Command::Completions(_) => verify::become_verify(ctx),
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
