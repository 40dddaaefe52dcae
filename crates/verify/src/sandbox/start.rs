//! How a container is started.

use std::path::{Path, PathBuf};

use xtask::docker::api::Request;

use super::answer::parsed;
use super::check_sandbox::Sandbox;
use super::container::Container;
use super::ran::{Ran, Session};
use super::state::Listed;
use super::trouble::{self, Trouble};

/// What both ways of the contract have in common, but for user, workspace and command.
const COMMON: [&str; 25] = [
    "--workdir",
    "/workspace",
    "--cap-drop",
    "ALL",
    "--security-opt",
    "no-new-privileges",
    "--pids-limit",
    "256",
    "--cpus",
    "2",
    "--tmpfs",
    "/tmp:rw,noexec,nosuid,size=512m",
    "--env",
    "NODE_ENV=production",
    "--env",
    "HOME=/home/agentgate",
    "--env",
    "USER=agentgate",
    "--env",
    "WORKSPACE=/workspace",
    "--env",
    "NO_COLOR=1",
    "--env",
    "FORCE_COLOR=0",
    "--stop-timeout=5",
];
/// How AgentGate's server starts the image (contract, "How the container is created").
const FIRST_WAY: [&str; 7] = [
    "--network",
    "none",
    "--read-only",
    "--memory",
    "2g",
    "--tmpfs",
    "/home/agentgate:rw,noexec,nosuid,size=256m",
];
/// The same where the server finds Claude Code on its own host (contract, "The second way").
const SECOND_WAY: [&str; 4] = ["--network", "bridge", "--memory", "4g"];
/// Where the server mounts the host's Claude Code.
const HOST_CLAUDE: &str = "/home/agentgate/.local/bin/claude";
/// Where it mounts the host's `~/.claude`.
const HOST_SETTINGS: &str = "/home/agentgate/.claude";

/// What is mounted at `/workspace`.
enum Workspace {
    /// A new folder of its own.
    New,
    /// This folder, and how (`rw`, `ro`).
    Folder(PathBuf, &'static str),
    None,
}

/// A container that is yet to be started.
pub(crate) struct Start<'a> {
    sandbox: &'a Sandbox<'a>,
    name: String,
    options: Vec<String>,
    user: Option<String>,
    workspace: Workspace,
    has_health_check: bool,
    command: Vec<String>,
}

impl Sandbox<'_> {
    /// A container as AgentGate's server starts it (the contract): hardened, without network, its
    /// own new workspace mounted, `sleep infinity` as its command.
    pub(crate) fn contract(&self) -> Start<'_> {
        Start::common(self).options(&FIRST_WAY)
    }

    /// The same where the server finds Claude Code on its own host: that is mounted into HOME, the root
    /// file system is writable, and there is a network (the contract's second way). A script and an empty
    /// folder that everyone may write to stand for what is mounted.
    pub(crate) fn mounted(&self) -> anyhow::Result<Start<'_>> {
        let settings = self.workspace()?;
        let volume = format!("{}:{HOST_SETTINGS}:rw", settings.display());
        let start = Start::common(self).options(&SECOND_WAY);
        start.options(&["--volume", &volume]).with_host_claude()
    }

    /// A container as `docker run IMAGE` starts it: no options, no command.
    pub(crate) fn plain(&self) -> Start<'_> {
        Start::plain(self)
    }

    /// Starts the container that checks share.
    pub(crate) fn start_shared(&self) -> anyhow::Result<()> {
        let start = self.contract().named(&self.candidate.shared);
        let container = start.with_health_check().start()?;
        let _ = self.candidate.used.set(container.used()?);
        container.keep();
        Ok(())
    }
}

impl<'a> Start<'a> {
    fn common(sandbox: &'a Sandbox<'a>) -> Start<'a> {
        Start {
            user: Some("agentgate".to_owned()),
            workspace: Workspace::New,
            ..Start::plain(sandbox)
        }
        .options(&COMMON)
        .command(&["sleep", "infinity"])
    }

    pub(super) fn plain(sandbox: &'a Sandbox<'a>) -> Start<'a> {
        let run = &sandbox.candidate.run;
        Start {
            name: format!("agentgate-verify-{}-{}", run.id, sandbox.new_name()),
            sandbox,
            options: Vec::new(),
            user: None,
            workspace: Workspace::None,
            has_health_check: false,
            command: Vec::new(),
        }
    }

    pub(super) fn named(self, name: &str) -> Start<'a> {
        Start {
            name: name.to_owned(),
            ..self
        }
    }

    /// Further options of `docker run`; a later one wins over an earlier one.
    pub(crate) fn options<T: AsRef<str>>(mut self, options: &[T]) -> Start<'a> {
        let options = options.iter().map(|option| option.as_ref().to_owned());
        self.options.extend(options);
        self
    }

    /// Lets the engine run the image's HEALTHCHECK. Without this it does not: in every container that lives for a
    /// second it would start Node.js and Claude Code, an eighth of what a run costs where they are emulated.
    pub(crate) fn with_health_check(self) -> Start<'a> {
        Start {
            has_health_check: true,
            ..self
        }
    }

    /// Another user than the image's (plain) or `agentgate` (contract).
    pub(crate) fn user(self, user: &str) -> Start<'a> {
        Start {
            user: Some(user.to_owned()),
            ..self
        }
    }

    /// Mounts this folder at `/workspace`, `rw` or `ro`.
    pub(crate) fn workspace(self, folder: &Path, how: &'static str) -> Start<'a> {
        Start {
            workspace: Workspace::Folder(folder.to_owned(), how),
            ..self
        }
    }

    pub(crate) fn without_workspace(self) -> Start<'a> {
        Start {
            workspace: Workspace::None,
            ..self
        }
    }

    /// Mounts a file or folder of the host at `target`, read-only.
    pub(crate) fn mount(self, source: &Path, target: &str) -> Start<'a> {
        let volume = format!("{}:{target}:ro", source.display());
        self.options(&["--volume", &volume])
    }

    /// Mounts a stand-in for the host's `claude` where the server does; it prints `the host`.
    pub(crate) fn with_host_claude(self) -> anyhow::Result<Start<'a>> {
        let fake = self.sandbox.file("#!/bin/sh\necho the host\n", 0o755)?;
        Ok(self.mount(&fake, HOST_CLAUDE))
    }

    /// What follows the image's name.
    pub(crate) fn command(self, command: &[&str]) -> Start<'a> {
        Start {
            command: command.iter().map(|&word| word.to_owned()).collect(),
            ..self
        }
    }

    /// Starts it and waits for its end, with stdin closed and without a terminal.
    pub(crate) fn run(self) -> anyhow::Result<Ran> {
        let what = match self.command.join(" ") {
            command if command.is_empty() => "docker run IMAGE".to_owned(),
            command => command,
        };
        let args = self.args(&["--rm"])?;
        let result = self.sandbox.run_to_its_end(&what, &args);
        if result.is_err() {
            // It may be there still.
            Container::own(self.sandbox, &self.name);
        }
        result
    }

    /// Starts it in the background; it is removed when the result is dropped.
    pub(crate) fn start(self) -> anyhow::Result<Container<'a>> {
        let args = self.args(&["--detach"])?;
        let container = Container::own(self.sandbox, &self.name);
        self.sandbox.start_detached(&args)?;
        Ok(container)
    }

    /// Starts it on a terminal, types `input`, and waits for its end.
    pub(crate) fn typed(self, input: &str) -> anyhow::Result<Session> {
        let args = self.args(&["--rm", "--interactive", "--tty"])?;
        let sandbox = self.sandbox;
        let limit = sandbox.candidate.limits().session();
        let ended = xtask::docker::typed(&sandbox.exec, &args, input, limit)?;
        let Some(ran) = Ran::of(&ended) else {
            Container::own(sandbox, &self.name);
            let what = self.command.join(" ");
            return Err(Trouble::TimedOut(what, limit).into());
        };
        // On a terminal, docker's words stand among the program's.
        let said = Ran {
            stderr: ran.stdout.clone(),
            ..ran.clone()
        };
        trouble::of_program(&said)?;
        let filter = serde_json::json!({"name": [self.name]});
        let list = Request::get("/containers/json").query("all", "1");
        let listed = sandbox.ask("ps", &list.query("filters", filter.to_string()))?;
        let listed: Vec<Listed> = parsed("containers", &listed)?;
        let left = listed.iter().map(Listed::line).collect();
        Ok(Session { ran, left })
    }

    fn args(&self, how: &[&str]) -> anyhow::Result<Vec<String>> {
        let candidate = self.sandbox.candidate;
        let mut args: Vec<String> = vec!["run".to_owned()];
        let mut push = |words: &[&str]| args.extend(words.iter().map(|&word| word.to_owned()));
        push(how);
        push(&["--pull", "never", "--platform", candidate.platform.as_str()]);
        push(&["--name", &self.name, "--label", &candidate.run.label()]);
        if let Some(user) = &self.user {
            push(&["--user", user]);
        }
        if !self.has_health_check {
            push(&["--no-healthcheck"]);
        }
        let volume = match &self.workspace {
            Workspace::None => None,
            Workspace::Folder(folder, how) => Some((folder.clone(), *how)),
            Workspace::New => Some((self.sandbox.workspace()?, "rw")),
        };
        if let Some((folder, how)) = volume {
            push(&[
                "--volume",
                &format!("{}:/workspace:{how}", folder.display()),
            ]);
        }
        args.extend(self.options.iter().cloned());
        args.push(candidate.image.clone());
        args.extend(self.command.iter().cloned());
        Ok(args)
    }
}
