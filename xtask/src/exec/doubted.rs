//! Programs that may wait for ever for what is gone: somebody else looks whether it is.

use std::time::Duration;

use rustix::process::Signal;

use super::running::{self, check};
use super::{Exec, ended, succeeded};

/// How long a program may take to end when it is told to; buildx took 3 s.
const PATIENCE: Duration = Duration::from_secs(20);

impl Exec {
    /// [`Exec::watch`] for a program that may wait for ever. After each `pause`, `look` says how long the
    /// next one is; when it says none the program is ended, and the result is false.
    pub(crate) fn watch_unless(
        &self,
        program: &str,
        args: &[impl AsRef<str>],
        mut pause: Duration,
        mut look: impl FnMut() -> Option<Duration> + Send,
    ) -> anyhow::Result<bool> {
        let mut was_lost = false;
        let status = self.watched(program, args, |running| {
            let pid = running.pid();
            let doubt = move |goes_on: &dyn Fn(Duration) -> bool| {
                while goes_on(pause) {
                    let Some(next) = look() else {
                        running::end(pid, Signal::INT);
                        if goes_on(PATIENCE) {
                            running::end(pid, Signal::KILL);
                        }
                        return true;
                    };
                    pause = next;
                }
                false
            };
            let (lost, status) = running::beside(doubt, || running.wait());
            was_lost = lost;
            status
        })?;
        if was_lost && !status.success() {
            check()?;
            return Ok(false);
        }
        succeeded(ended(status)?, program, args)?;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFTEN: Duration = Duration::from_millis(5);

    fn exec() -> Exec {
        Exec::new(&std::env::temp_dir(), false).unwrap()
    }

    #[test]
    fn what_has_lost_its_cause_is_ended() {
        let mut looks = 0;
        let look = || {
            looks += 1;
            (looks < 3).then_some(OFTEN)
        };
        let ended = exec().watch_unless("sh", &["-c", "exec sleep 600"], OFTEN, look);
        assert!(!ended.unwrap());
        assert_eq!(looks, 3);
    }

    #[test]
    fn what_ends_by_itself_has_its_own_end() {
        let ended = |script| exec().watch_unless("sh", &["-c", script], OFTEN, || Some(OFTEN));
        assert!(ended("exit 0").unwrap());
        let error = ended("exit 3").unwrap_err().to_string();
        assert_eq!(error, "`sh` failed (exit status: 3); its output is above");
    }

    #[test]
    fn an_end_that_was_good_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        let ready = folder.path().join("ready");
        let script = "trap 'exit 0' INT; : >\"$0\"; while :; do sleep 0.01; done";
        let args = ["-c", script, ready.to_str().unwrap()];
        let look = || (!ready.exists()).then_some(OFTEN);
        let ended = exec().watch_unless("sh", &args, OFTEN, look);
        assert!(ended.unwrap());
    }
}
