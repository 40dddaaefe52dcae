//! What the engine is asked to do for a check.

use std::thread;
use std::time::Duration;

use serde::Deserialize;
use xtask::docker;
use xtask::docker::api::{Answer, Api, Failure, Output, Request};

use super::answer::{self, Deadline, parsed};
use super::check_sandbox::Sandbox;
use super::create::{Create, exec_body};
use super::ran::Ran;

/// How often the engine is asked whether a program that has closed its output has ended.
const POLL: Duration = Duration::from_millis(20);

/// What the engine has made.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Made {
    id: String,
}

/// How a container ended.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Waited {
    status_code: i32,
    error: Option<WaitError>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct WaitError {
    #[serde(default)]
    message: String,
}

/// How an exec is, or how it ended.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Executed {
    running: bool,
    exit_code: Option<i32>,
}

impl Sandbox<'_> {
    pub(super) fn api(&self) -> anyhow::Result<&Api> {
        self.candidate.run.api(&self.exec)
    }

    /// Has the engine do something with a container, as `docker VERB` does; its answer.
    ///
    /// Fails when the engine does: nothing is then known of the image.
    pub(super) fn ask(&self, verb: &str, request: &Request) -> anyhow::Result<Vec<u8>> {
        let limit = self.candidate.limits().engine();
        let answer = self.api()?.call(request, limit);
        answer.map_err(|failure| answer::of_docker(verb, failure, limit))
    }

    /// `docker run --detach`.
    pub(super) fn start_detached(&self, args: &[String]) -> anyhow::Result<()> {
        docker::echo(&self.exec, args);
        let deadline = Deadline::after(self.candidate.limit());
        let failed = |failure| answer::of_detached(failure, deadline.limit);
        let id = self.create(args, deadline, failed)?;
        let started = self.api()?.call(&start(&id), deadline.left());
        started.map_err(failed)?;
        Ok(())
    }

    /// `docker run --rm`, without stdin and without a terminal.
    pub(super) fn run_to_its_end(&self, what: &str, args: &[String]) -> anyhow::Result<Ran> {
        docker::echo(&self.exec, args);
        let deadline = Deadline::after(self.candidate.limit());
        let of_start = |failure| answer::of_start(what, failure, deadline.limit);
        let id = self.create(args, deadline, of_start)?;
        let api = self.api()?;
        let of_program = |failure| answer::of_program(what, failure, deadline.limit);
        // Before the start: a container that removes itself leaves no output and no exit code.
        let output = api.send(&attach(&id), deadline.left()).map_err(of_start)?;
        let ended = api.send(&removed(&id), deadline.left()).map_err(of_start)?;
        api.call(&start(&id), deadline.left()).map_err(of_start)?;
        let output = output.output().map_err(of_program)?;
        let ended = ended.bytes().map_err(of_program)?;
        Ok(ran(exit_code(&ended)?, &output))
    }

    /// The id of a new container. `failed` says what it means that there is none.
    fn create(
        &self,
        args: &[String],
        deadline: Deadline,
        failed: impl Fn(Failure) -> anyhow::Error,
    ) -> anyhow::Result<String> {
        let create = Create::of(args)?;
        let request = Request::post("/containers/create")
            .query("name", create.name)
            .query("platform", create.platform)
            .json(create.body);
        let made = self.api()?.call(&request, deadline.left());
        let made = made.map_err(failed)?;
        Ok(parsed::<Made>("a new container", &made)?.id)
    }

    /// `docker exec`, without stdin and without a terminal.
    pub(super) fn execute(
        &self,
        container: &str,
        options: &[&str],
        command: &[&str],
    ) -> anyhow::Result<Ran> {
        let name = [container];
        let line = ["exec"].iter().chain(options).chain(&name).chain(command);
        docker::echo(&self.exec, &line.collect::<Vec<_>>());
        let deadline = Deadline::after(self.candidate.limit());
        let api = self.api()?;
        let what = command.join(" ");
        let failed = |failure| answer::of_program(&what, failure, deadline.limit);
        let request = Request::post(format!("/containers/{container}/exec"));
        let request = request.json(exec_body(options, command)?);
        let made = api.call(&request, deadline.left()).map_err(failed)?;
        let id = parsed::<Made>("an exec", &made)?.id;
        let start = Request::post(format!("/exec/{id}/start"));
        let start = start.json(serde_json::json!({"Detach": false, "Tty": false}));
        let output = api.send(&start, deadline.left()).map_err(failed)?;
        let output = output.output().map_err(failed)?;
        // The engine learns of the end of the output and of the program's end by two ways.
        let inspect = Request::get(format!("/exec/{id}/json"));
        loop {
            let said = api.call(&inspect, deadline.left()).map_err(failed)?;
            match parsed("an exec", &said)? {
                Executed {
                    running: false,
                    exit_code: Some(code),
                } => return Ok(ran(code, &output)),
                _ => thread::sleep(POLL),
            }
        }
    }

    /// `docker logs`, of a container without a terminal.
    pub(super) fn logs(&self, container: &str) -> anyhow::Result<Ran> {
        docker::echo(&self.exec, &["logs", container]);
        let limit = self.candidate.limits().engine();
        let request = Request::get(format!("/containers/{container}/logs"));
        let request = request.query("stdout", "1").query("stderr", "1");
        let output = self.api()?.send(&request, limit);
        let output = output.and_then(Answer::output);
        let output = output.map_err(|failure| answer::of_docker("logs", failure, limit))?;
        Ok(ran(0, &output))
    }

    /// `docker wait`: the exit code of a container.
    pub(super) fn wait(&self, container: &str) -> anyhow::Result<i32> {
        docker::echo(&self.exec, &["wait", container]);
        let limit = self.candidate.limit();
        let request = Request::post(format!("/containers/{container}/wait"));
        let ended = self.api()?.call(&request, limit);
        let of_program =
            |failure: Failure| answer::of_program("docker wait CONTAINER", failure, limit);
        exit_code(&ended.map_err(of_program)?)
    }
}

fn start(id: &str) -> Request {
    Request::post(format!("/containers/{id}/start"))
}

fn attach(id: &str) -> Request {
    let attach = Request::post(format!("/containers/{id}/attach"));
    let attach = attach.query("stream", "1");
    attach.query("stdout", "1").query("stderr", "1")
}

fn removed(id: &str) -> Request {
    let wait = Request::post(format!("/containers/{id}/wait"));
    wait.query("condition", "removed")
}

fn exit_code(answer: &[u8]) -> anyhow::Result<i32> {
    let waited: Waited = parsed("the end of a container", answer)?;
    if let Some(error) = waited.error.filter(|error| !error.message.is_empty()) {
        let why = xtask::printable::short(&error.message);
        anyhow::bail!("`docker wait` failed: {why}");
    }
    Ok(waited.status_code)
}

fn ran(code: i32, output: &Output) -> Ran {
    Ran {
        code,
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}
