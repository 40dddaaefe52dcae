//! The test bed is a program of its own, so that xtask stays quick to compile; here it is only
//! started and its environment taken over.

pub(crate) mod command;

use std::collections::BTreeMap;

use anyhow::{Context as _, bail};
use serde::Deserialize;

use crate::ctx::Ctx;
use crate::stop::Stop;

/// Exit code of the test bed's program on a machine that cannot have one.
const REFUSED: i32 = 3;

/// What leads a shell to the test bed.
pub(crate) const ENTER: &str = r#"eval "$(cargo xtask testbed env)""#;

/// Brings the test bed up and lets every later program of `ctx` run on it.
///
/// With `look_only`, as in a dry run, it must be up already: nothing is started.
pub fn enter(ctx: &Ctx, look_only: bool) -> anyhow::Result<()> {
    if !look_only {
        let status = ctx.exec.watch_status(&cargo(), &args(&["up"]))?;
        match status.code() {
            Some(0) => {}
            // The test bed's own word for "not on a machine like this"; it has said why.
            Some(REFUSED) => {
                return Err(Stop::Refused("this machine cannot have the test bed".into()).into());
            }
            _ => bail!(
                "the test bed did not come up; hint: once the cause above is mended, \
                        run the same command again, it goes on where it stopped"
            ),
        }
    }
    let Some(env) = environment(ctx)? else {
        bail!("the test bed is not up; hint: `cargo xtask testbed up`");
    };
    for (name, value) in env {
        ctx.exec.set_var(&name, &value);
    }
    Ok(())
}

/// The variables that lead programs to the test bed; none when it is not up.
pub(crate) fn environment(ctx: &Ctx) -> anyhow::Result<Option<BTreeMap<String, String>>> {
    /// The part of the test bed's status that concerns us.
    #[derive(Deserialize)]
    struct Status {
        running: bool,
        env: BTreeMap<String, String>,
    }
    let output = ctx.exec.output(&cargo(), &args(&["status", "--json"]))?;
    let status: Status = serde_json::from_slice(&output.stdout).with_context(|| {
        let said = String::from_utf8_lossy(&output.stderr);
        format!(
            "`cargo xtask testbed status --json` gave no status: {}",
            said.trim()
        )
    })?;
    Ok(status.running.then_some(status.env))
}

/// The cargo that runs us, so that a toolchain chosen with `cargo +NAME` is kept.
pub(crate) fn cargo() -> String {
    std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned())
}

/// The arguments of cargo that run the test bed's program with `args`.
pub(crate) fn args(args: &[impl AsRef<str>]) -> Vec<&str> {
    let run = ["run", "--quiet", "--package", "testbed", "--"];
    run.into_iter()
        .chain(args.iter().map(AsRef::as_ref))
        .collect()
}
