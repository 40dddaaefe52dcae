//! `cargo xtask completions`: a script for tab completion, on stdout.

use std::io;

use clap::CommandFactory as _;
use clap_complete::Shell;

const EXAMPLES: &str = "\
The script completes the word `xtask`, for a shell where that stands for `cargo xtask`:
  alias xtask='cargo xtask'
  source <(cargo xtask completions bash)";

/// Print a tab-completion script for `alias xtask='cargo xtask'`
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    shell: Shell,
}

impl Args {
    pub(crate) fn run(&self) {
        let mut command = crate::Cli::command().bin_name("xtask");
        clap_complete::generate(self.shell, &mut command, "xtask", &mut io::stdout());
    }
}
