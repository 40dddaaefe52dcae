//! A program that is killed when we are.
//!
//! Nothing tells a program that whoever started it has got SIGKILL (docker/cli#4332). On Linux it can ask the
//! kernel for a signal at that moment, but only for itself: so we start ourselves, ask, and become it.

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, ensure};

use super::{Exec, quoted, succeeded, utf8};

/// What this program is on Linux, even if another file has its name by now.
const ITSELF: &str = "/proc/self/exe";

impl Exec {
    /// [`Exec::watch`] for a program that gets SIGKILL when we have ended, however we did. On Linux alone:
    /// elsewhere it goes on.
    pub(crate) fn watch_tied(&self, program: &str, args: &[impl AsRef<str>]) -> anyhow::Result<()> {
        if cfg!(not(target_os = "linux")) || !Path::new(ITSELF).exists() {
            return self.watch(program, args);
        }
        let own = std::process::id().to_string();
        let line = ["tied", &own, program].into_iter();
        let line: Vec<&str> = line.chain(args.iter().map(AsRef::as_ref)).collect();
        let command = Command::from(self.cmd(ITSELF, &line));
        let status = self.attend(command, &quoted(program, args))?;
        succeeded(status, program, args)
    }
}

/// Become a program that is killed when the process PARENT has ended
#[derive(clap::Args)]
pub struct Args {
    parent: u32,
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
    line: Vec<OsString>,
}

impl Args {
    pub(crate) fn run(self, exec: &Exec) -> anyhow::Result<()> {
        let line = utf8(self.line)?;
        let (program, args) = line.split_first().context("no program")?;
        die_with(self.parent).with_context(|| format!("failed to start `{program}`"))?;
        exec.become_program(program, args)
    }
}

/// From now on this process, whatever it becomes, gets SIGKILL at the end of the thread that has started it.
#[cfg(target_os = "linux")]
fn die_with(parent: u32) -> anyhow::Result<()> {
    use rustix::process::{Signal, set_parent_process_death_signal};

    set_parent_process_death_signal(Some(Signal::KILL)).context("the kernel does not watch")?;
    // It may have ended before.
    ensure!(
        std::os::unix::process::parent_id() == parent,
        "its parent has ended"
    );
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn die_with(_parent: u32) -> anyhow::Result<()> {
    anyhow::bail!("only Linux kills a program with its parent")
}
