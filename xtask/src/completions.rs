//! `cargo xtask completions`: a script for tab completion, on stdout.

use std::io;

use clap_complete::Shell;

const EXAMPLES: &str = "\
The script completes the word `xtask`, for a shell where that stands for `cargo xtask`:
  alias xtask='cargo xtask'
  source <(cargo xtask completions bash)";

/// Print a tab-completion script for `alias xtask='cargo xtask'`
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    shell: Shell,
}

impl Args {
    /// Prints the script for `command`, the whole command line of `cargo xtask`.
    pub fn run(&self, command: clap::Command) {
        let mut command = command.bin_name("xtask");
        clap_complete::generate(self.shell, &mut command, "xtask", &mut io::stdout());
    }
}
