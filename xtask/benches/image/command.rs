//! Starting programs, and what they take.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

/// How many of a failed program's last lines are told.
const TOLD: usize = 30;

#[expect(
    clippy::disallowed_methods,
    reason = "the one place where the benchmark starts programs"
)]
pub(crate) fn command(program: &str, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(folder).stdin(Stdio::null());
    command
}

/// Runs a command, which must succeed (a tool that fails early is not fast), and returns its stdout.
pub(crate) fn run(command: &mut Command) -> io::Result<String> {
    // Captured, so that no terminal slows one down and not the other.
    let ended = command.output();
    let failed = |why: String| io::Error::other(format!("{command:?}: {why}"));
    match ended {
        Ok(output) if output.status.success() => {
            Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
        }
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr);
            let lines: Vec<&str> = said.lines().collect();
            let last = lines[lines.len().saturating_sub(TOLD)..].join("\n");
            Err(failed(format!("{}\n{last}", output.status)))
        }
        Err(why) => Err(failed(why.to_string())),
    }
}

pub(crate) fn docker(args: &[&str]) -> io::Result<String> {
    run(command("docker", &workspace()).args(args))
}

/// What `work` makes, and the seconds that it takes.
pub(crate) fn timed<T>(work: impl FnOnce() -> io::Result<T>) -> io::Result<(f64, T)> {
    let start = Instant::now();
    let made = work()?;
    Ok((start.elapsed().as_secs_f64(), made))
}

/// The checkout.
pub(crate) fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}
