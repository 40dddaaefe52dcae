//! `cargo xtask testbed`: becomes the test bed's own program.

use std::ffi::OsString;

use super::{args, cargo};
use crate::ctx::Ctx;
use crate::exec;

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
        let mut words = exec::utf8(self.args)?;
        if ctx.json && !words.iter().any(|arg| arg == "--json") {
            words.push("--json".to_owned());
        }
        ctx.exec.become_program(&cargo(), &args(&words))
    }
}
