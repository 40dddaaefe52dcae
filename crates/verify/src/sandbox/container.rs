//! A running container.

use std::time::{Duration, Instant};

use super::candidate::LIMIT;
use super::docker::Sandbox;
use super::ran::Ran;
use super::trouble::Trouble;
use crate::limits::STOP;

/// A container of the run. One that a check started is removed when this is dropped.
pub(crate) struct Container<'a> {
    sandbox: &'a Sandbox<'a>,
    name: String,
    is_own: bool,
}

/// How a container ended that was asked to stop.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Stopped {
    pub(crate) code: i32,
    /// Wall clock, from the order to the end; docker's own time is in it, so that no check judges it.
    pub(crate) seconds: f64,
}

impl Sandbox<'_> {
    /// The contract container that checks share. Nobody stops it or changes what others rely on.
    pub(crate) fn shared(&self) -> Container<'_> {
        Container {
            sandbox: self,
            name: self.candidate.shared.clone(),
            is_own: false,
        }
    }
}

impl<'a> Container<'a> {
    pub(super) fn own(sandbox: &'a Sandbox<'a>, name: &str) -> Container<'a> {
        Container {
            sandbox,
            name: name.to_owned(),
            is_own: true,
        }
    }

    /// Leaves it to the end of the run.
    pub(super) fn keep(mut self) {
        self.is_own = false;
    }

    /// Runs a command in it as the server does: without stdin and without a terminal.
    pub(crate) fn exec(&self, command: &[&str]) -> anyhow::Result<Ran> {
        self.exec_with(&[], command)
    }

    /// The same with options of `docker exec`.
    pub(crate) fn exec_with(&self, options: &[&str], command: &[&str]) -> anyhow::Result<Ran> {
        let name = [self.name.as_str()];
        let words = ["exec"].iter().chain(options).chain(&name).chain(command);
        let args: Vec<String> = words.map(|&word| word.to_owned()).collect();
        self.sandbox.program(&command.join(" "), &args)
    }

    /// `docker stop` as the server does it: the image's stop signal, five seconds, SIGKILL.
    pub(crate) fn stop(&self) -> anyhow::Result<Stopped> {
        self.stop_within(STOP)
    }

    /// The same with all the time that a busy machine may need: what is killed then does not obey.
    pub(crate) fn stop_patiently(&self) -> anyhow::Result<Stopped> {
        self.stop_within(self.sandbox.limits().patient_stop())
    }

    fn stop_within(&self, limit: Duration) -> anyhow::Result<Stopped> {
        let start = Instant::now();
        let seconds = limit.as_secs().to_string();
        self.sandbox
            .docker(&["stop", "--time", &seconds, &self.name])?;
        let seconds = start.elapsed().as_secs_f64();
        let code = self.state("ExitCode")?;
        let code = code.parse().map_err(|_| unexpected("exit code", &code))?;
        Ok(Stopped { code, seconds })
    }

    /// `docker kill --signal`.
    pub(crate) fn signal(&self, signal: &str) -> anyhow::Result<()> {
        self.sandbox
            .docker(&["kill", "--signal", signal, &self.name])?;
        Ok(())
    }

    /// Waits for its end, and returns its exit code.
    pub(crate) fn wait(&self) -> anyhow::Result<i32> {
        let args = ["wait", &self.name].map(str::to_owned);
        let ran = self.sandbox.program("docker wait CONTAINER", &args)?;
        let code = ran.stdout.trim();
        code.parse().map_err(|_| unexpected("exit code", code))
    }

    /// A field of its state: `Status`, `ExitCode`, `Health.Status`.
    pub(crate) fn state(&self, field: &str) -> anyhow::Result<String> {
        self.inspect(&format!("{{{{.State.{field}}}}}"))
    }

    /// What `docker inspect --format` says of it.
    pub(crate) fn inspect(&self, format: &str) -> anyhow::Result<String> {
        let ran = self
            .sandbox
            .docker(&["inspect", "--format", format, &self.name])?;
        Ok(ran.stdout.trim().to_owned())
    }

    /// What its processes have printed so far.
    pub(crate) fn logs(&self) -> anyhow::Result<Ran> {
        self.sandbox.docker(&["logs", &self.name])
    }

    /// The paths that differ from the image's files, as `docker diff` lists them: `A /x`, `C /y`.
    pub(crate) fn diff(&self) -> anyhow::Result<Vec<String>> {
        let ran = self.sandbox.docker(&["diff", &self.name])?;
        Ok(ran.stdout.lines().map(str::to_owned).collect())
    }

    /// Asks `probe` again and again until it answers; none when it has not at the limit.
    pub(crate) fn until<T>(
        &self,
        what: &str,
        probe: impl Fn(&Container) -> anyhow::Result<Option<T>>,
    ) -> anyhow::Result<T> {
        let limit = self.sandbox.candidate.limit();
        let start = Instant::now();
        loop {
            if let Some(answer) = probe(self)? {
                return Ok(answer);
            }
            if start.elapsed() > limit {
                return Err(Trouble::TimedOut(what.to_owned(), limit).into());
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

fn unexpected(what: &str, text: &str) -> anyhow::Error {
    anyhow::anyhow!("docker gave `{text}` as the {what}")
}

impl Drop for Container<'_> {
    fn drop(&mut self) {
        if self.is_own {
            // What is left, for whatever reason, the run's cleanup removes.
            let args = ["rm", "--force", "--volumes", &self.name];
            let limit = LIMIT;
            let _ = xtask::docker::within(&self.sandbox.exec, &args, limit);
        }
    }
}
