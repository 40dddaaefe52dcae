//! The program `cargo xtask`.

use std::process::ExitCode;

use clap::CommandFactory as _;

fn main() -> ExitCode {
    xtask::main(xtask::Cli::command(), xtask::run)
}
