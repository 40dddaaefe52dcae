//! `cargo xtask verify`: proves an image. `docs/verify.md` describes all that it prints and writes.
//!
//! xtask becomes this program (`xtask/src/verify.rs`). Its command line is xtask's own.

mod check;
mod check_receipt;
mod check_set;
mod checks;
mod choice;
mod command;
mod expected;
mod facts;
mod gate;
mod junit;
mod limits;
mod live;
mod load;
mod prove;
mod receipt;
mod report;
mod rootfs;
mod run;
mod sandbox;
mod scan;
mod show;
mod sign;
mod target;
#[cfg(test)]
mod tests;

use std::process::ExitCode;

use clap::CommandFactory as _;
use xtask::ctx::Ctx;
use xtask::{Cli, Command};

fn main() -> ExitCode {
    xtask::main(command_line(), run)
}

fn run(command: Command, ctx: &Ctx) -> anyhow::Result<()> {
    match command {
        Command::Verify(args) => command::run(&args, ctx),
        Command::Completions(args) => {
            args.run(command_line());
            Ok(())
        }
        other => xtask::run(other, ctx),
    }
}

/// xtask's command line, with the ids of the checks.
fn command_line() -> clap::Command {
    Cli::command().mut_subcommand("verify", |verify| {
        let verify = verify.mut_arg("only", |only| only.value_parser(choice::Words));
        verify.mut_arg("skip", |skip| skip.value_parser(choice::Words))
    })
}
