//! Starting a program that stays, and waiting until it answers.

use std::{
    fs,
    path::PathBuf,
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};

use crate::exec::{Cmd, tail};

/// How many of the log's last lines an error shows.
const TAIL_LINES: usize = 15;

/// The pause between two tries.
const PAUSE: Duration = Duration::from_millis(50);

/// A program to be started in the background.
#[derive(Debug)]
pub(crate) struct Daemon {
    pub(crate) command: Cmd,
    pub(crate) log: PathBuf,
    /// How long it may take to answer.
    pub(crate) limit: Duration,
}

impl Daemon {
    /// Starts it with an empty log and waits until `answers`. Fails, with the log's end, when it ends or stays silent.
    pub(crate) fn start(self, answers: impl Fn() -> Result<()>) -> Result<()> {
        let Self {
            command,
            log,
            limit,
        } = self;
        fs::write(&log, "")
            .with_context(|| format!("failed to write the log `{}`", log.display()))?;
        let shown = command.to_string();
        let mut child = command.daemon(&log)?;
        let begun = Instant::now();
        while let Err(silence) = answers() {
            if let Some(status) = child.try_wait()? {
                bail!(
                    "`{shown}` ended at once ({status}); its log `{}` ends with:\n{}",
                    log.display(),
                    end(&log)
                );
            }
            if begun.elapsed() > limit {
                // A half-started program must not stay behind.
                child.kill()?;
                child.wait()?;
                let seconds = limit.as_secs();
                bail!(
                    "`{shown}` does not answer after {seconds} s ({silence:#}); its log `{}` ends with:\n{}",
                    log.display(),
                    end(&log)
                );
            }
            sleep(PAUSE);
        }
        Ok(())
    }
}

fn end(log: &PathBuf) -> String {
    tail(&fs::read_to_string(log).unwrap_or_default(), TAIL_LINES)
}

/// Tries until it succeeds, or until `limit` is over.
pub(crate) fn ended(limit: Duration, attempt: impl Fn() -> Result<()>) -> Result<()> {
    let begun = Instant::now();
    loop {
        match attempt() {
            Err(_) if begun.elapsed() < limit => sleep(PAUSE),
            result => return result,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn daemon(script: &str, dir: &std::path::Path) -> Daemon {
        let command = Cmd::new("sh").args(["-c", script]);
        Daemon {
            command,
            log: dir.join("log"),
            limit: Duration::from_millis(300),
        }
    }

    #[test]
    fn waits_until_it_answers() {
        let dir = tempfile::tempdir().unwrap();
        let ready = dir.path().join("ready");
        let script = format!("echo up >> '{}'", ready.display());
        let answers = || fs::read(&ready).map(drop).context("not yet");
        let mut daemon = daemon(&format!("{script}; exec sleep 0.2"), dir.path());
        daemon.limit = Duration::from_secs(10);
        daemon.start(answers).unwrap();
    }

    #[test]
    fn one_that_ends_or_stays_silent_is_an_error_with_its_log() {
        let dir = tempfile::tempdir().unwrap();
        let never = || bail!("nobody there");
        let err = daemon("echo old; exit 3", dir.path())
            .start(never)
            .unwrap_err()
            .to_string();
        assert!(
            err.contains("ended at once (exit status: 3)") && err.ends_with("ends with:\nold"),
            "{err}"
        );
        let err = daemon("echo new; exec sleep 1000", dir.path())
            .start(never)
            .unwrap_err()
            .to_string();
        assert!(
            err.contains("(nobody there)") && err.ends_with("ends with:\nnew"),
            "{err}"
        );
    }
}
