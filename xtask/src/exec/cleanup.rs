//! A second process of ours that cleans up after the first, however that one ends.

use std::env;
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStdin, Command, Stdio};

use anyhow::Context as _;

use super::{Exec, quoted};

/// It waits for its stdin to end, which happens when we do: by a return, by a panic, by SIGKILL.
/// It is out of the terminal's reach, so Ctrl-C does not end it.
pub struct Cleanup {
    child: Child,
    ours: ChildStdin,
}

impl Exec {
    /// Starts `cargo xtask ARGS` as a cleanup.
    pub fn cleanup(&self, args: &[impl AsRef<str>]) -> anyhow::Result<Cleanup> {
        let program = env::current_exe().context("failed to find this program's own file")?;
        let program = program.display().to_string();
        let line = quoted(&program, args);
        self.echo(&line);
        let mut command = Command::from(self.cmd(&program, args));
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .process_group(0);
        let started = command.spawn();
        let mut child = started.with_context(|| format!("failed to run `{line}`"))?;
        let ours = child.stdin.take().context("the cleanup has no stdin")?;
        Ok(Cleanup { child, ours })
    }
}

impl Cleanup {
    /// Lets it clean up, and waits for it. What it could not do it has said on stderr. `in_order`
    /// tells it, by a line, that nothing of ours is still on its way.
    pub fn finish(self, in_order: bool) -> anyhow::Result<()> {
        let Cleanup {
            mut child,
            mut ours,
        } = self;
        if in_order {
            // One that has died says so by its status.
            let _ = ours.write_all(b"done\n");
        }
        drop(ours);
        let status = child.wait().context("failed to wait for the cleanup")?;
        anyhow::ensure!(status.success(), "cleaning up failed; why is above");
        Ok(())
    }
}
