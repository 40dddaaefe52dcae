//! A running container.

use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use xtask::docker::api::Request;

use super::answer::parsed;
use super::check_sandbox::Sandbox;
use super::ran::Ran;
use super::state::{Change, Health, Inspected, State};
use super::trouble::Trouble;
use super::used::Used;
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
        self.sandbox.execute(&self.name, options, command)
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
        let stop = Request::post(self.path("/stop")).query("t", &seconds);
        self.ask(&["stop", "--time", &seconds, &self.name], &stop)?;
        let seconds = start.elapsed().as_secs_f64();
        let code = self.inspect()?.exit_code;
        Ok(Stopped { code, seconds })
    }

    /// `docker kill --signal`.
    pub(crate) fn signal(&self, signal: &str) -> anyhow::Result<()> {
        let kill = Request::post(self.path("/kill")).query("signal", signal);
        self.ask(&["kill", "--signal", signal, &self.name], &kill)?;
        Ok(())
    }

    /// Waits for its end, and returns its exit code.
    pub(crate) fn wait(&self) -> anyhow::Result<i32> {
        self.sandbox.wait(&self.name)
    }

    /// `running`, `exited` and others.
    pub(crate) fn status(&self) -> anyhow::Result<String> {
        Ok(self.inspect()?.status)
    }

    pub(crate) fn health(&self) -> anyhow::Result<Health> {
        Ok(self.inspect()?.health())
    }

    /// The image and the options that the engine has made it with.
    pub(super) fn used(&self) -> anyhow::Result<Used> {
        self.described()
    }

    fn inspect(&self) -> anyhow::Result<State> {
        Ok(self.described::<Inspected>()?.state)
    }

    /// What `docker inspect` says of it.
    fn described<T: DeserializeOwned>(&self) -> anyhow::Result<T> {
        let said = self.ask(&["inspect", &self.name], &Request::get(self.path("/json")))?;
        parsed("a container", &said)
    }

    /// What its processes have printed so far; it has no terminal.
    pub(crate) fn logs(&self) -> anyhow::Result<Ran> {
        self.sandbox.logs(&self.name)
    }

    /// The paths that differ from the image's files, as `docker diff` lists them: `A /x`, `C /y`.
    pub(crate) fn diff(&self) -> anyhow::Result<Vec<String>> {
        let changes = Request::get(self.path("/changes"));
        let changes = self.ask(&["diff", &self.name], &changes)?;
        let changes: Option<Vec<Change>> = parsed("changes", &changes)?;
        Ok(changes.iter().flatten().map(Change::line).collect())
    }

    fn path(&self, what: &str) -> String {
        format!("/containers/{}{what}", self.name)
    }

    /// Asks the engine for what `docker ARGS` asks it for.
    fn ask(&self, args: &[&str], request: &Request) -> anyhow::Result<Vec<u8>> {
        xtask::docker::echo(&self.sandbox.exec, args);
        self.sandbox.ask(args[0], request)
    }

    /// Asks `probe` every tenth of a second until it answers.
    ///
    /// Fails when it fails, and when it has no answer at the limit; `what` is then what did not come.
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

impl Drop for Container<'_> {
    fn drop(&mut self) {
        if self.is_own {
            // What is left, for whatever reason, the run's cleanup removes.
            let remove = Request::delete(self.path(""));
            let remove = remove.query("force", "1").query("v", "1");
            let _ = self.ask(&["rm", "--force", "--volumes", &self.name], &remove);
        }
    }
}
