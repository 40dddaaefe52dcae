//! Where verify's program is.

use std::env;
use std::path::Path;
use std::sync::OnceLock;

use anyhow::{Context as _, bail};

use crate::ctx::Ctx;
use crate::testbed;

/// Verify's program: the one beside this one. When cargo started us, cargo builds it first, once.
pub(super) fn program(ctx: &Ctx) -> anyhow::Result<String> {
    static PROGRAM: OnceLock<String> = OnceLock::new();
    if let Some(program) = PROGRAM.get() {
        return Ok(program.clone());
    }
    let program = build(ctx)?;
    Ok(PROGRAM.get_or_init(|| program).clone())
}

fn build(ctx: &Ctx) -> anyhow::Result<String> {
    let own = env::current_exe().context("failed to find this program's own file")?;
    let program = own.with_file_name("verify");
    if env::var_os("CARGO").is_some() {
        if !program.exists() {
            crate::say::errln!("compiling verify, once; this takes about half a minute");
        }
        let folder = own.parent().and_then(Path::file_name).unwrap_or_default();
        let profile = match folder.to_string_lossy() {
            folder if folder == "debug" => "dev".to_owned(),
            folder => folder.into_owned(),
        };
        let build = ["build", "--locked", "--package", "verify"];
        let args: Vec<&str> = build.into_iter().chain(["--profile", &profile]).collect();
        ctx.exec.watch(&testbed::cargo(), &args)?;
    } else if !program.exists() {
        bail!(
            "`{}` is missing; hint: `cargo build --package verify`, or start this by `cargo xtask`",
            program.display()
        );
    }
    Ok(program.display().to_string())
}
