//! `cargo xtask testbed`: becomes the test bed's own program.

use std::ffi::OsString;

use super::{args, cargo};
use crate::ctx::Ctx;
use crate::stop::Stop;

/// The test bed: a private engine and registry on a bare Debian machine (`testbed --help`)
#[derive(clap::Args)]
#[command(disable_help_flag = true)]
pub struct Args {
    /// up, down, status, env: see `cargo xtask testbed --help`
    #[arg(
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "ARGS"
    )]
    args: Vec<OsString>,
}

impl Args {
    pub(crate) fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        let mut words: Vec<String> = Vec::new();
        for arg in self.args {
            let text = arg.into_string();
            words.push(
                text.map_err(|arg| Stop::Usage(format!("`{}` is not UTF-8", arg.display())))?,
            );
        }
        if ctx.json && !words.iter().any(|arg| arg == "--json") {
            words.push("--json".to_owned());
        }
        ctx.exec.become_program(&cargo(), &args(&words))
    }
}
