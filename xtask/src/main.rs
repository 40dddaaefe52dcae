//! The program `cargo xtask`.

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    xtask::main(xtask::Cli::parse(), xtask::run)
}
