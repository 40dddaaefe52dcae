//! The two ways to the image, each in a copy of its own that can be changed.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::claude::{self, Claude};
use crate::command::{command, docker, run, workspace};

const PLATFORMS: &str = "linux/amd64,linux/arm64";
const NAIVE_FILES: [&str; 2] = ["Dockerfile", "agent-entrypoint.sh"];
const CLAUDE_LINE: &str = "ARG CLAUDE_VERSION=";

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Naive,
    Ours,
}

/// What somebody changes between two pushes.
#[derive(Clone, Copy)]
pub(crate) enum Change<'a> {
    /// A file that is not part of the image.
    Elsewhere,
    Entrypoint,
    Claude(&'a Claude),
}

/// One way to the image, with what it is built from.
pub(crate) struct Side {
    kind: Kind,
    folder: TempDir,
    /// How often it was changed.
    changes: usize,
}

impl Side {
    /// A copy of what is committed.
    pub(crate) fn new(kind: Kind) -> io::Result<Side> {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
        let changes = 0;
        let side = Side {
            kind,
            folder,
            changes,
        };
        match kind {
            Kind::Naive => {
                for file in NAIVE_FILES {
                    let from = workspace().join("xtask/benches/naive").join(file);
                    fs::copy(from, side.path(file))?;
                }
                side.pin_naive(&claude::pinned()?)?;
            }
            Kind::Ours => {
                let from = workspace().canonicalize()?;
                let mut clone = side.git(&["clone", "--quiet"]);
                run(clone.arg(from).arg("."))?;
                // The one branch that moves `dev`, which is part of a push.
                run(&mut side.git(&["checkout", "--quiet", "-B", "main"]))?;
            }
        }
        Ok(side)
    }

    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    pub(crate) fn name(&self) -> &'static str {
        match self.kind {
            Kind::Naive => "naive",
            Kind::Ours => "ours",
        }
    }

    /// Builds for both platforms, pushes, and says how the image is called.
    ///
    /// Forced, it fetches Claude Code again, where that can have failed unseen.
    pub(crate) fn push(&self, repository: &str, is_forced: bool) -> io::Result<String> {
        if self.kind == Kind::Naive {
            let reference = format!("{repository}:{}", self.changes);
            let mut build = command("docker", self.folder.path());
            build.args(["buildx", "build", "--push", "--platform", PLATFORMS]);
            build.args(["--tag", &reference]);
            if is_forced {
                build.args(["--no-cache-filter", "builder"]);
            }
            if let Some(bundle) = ca_bundle() {
                build.args(["--secret", &format!("id=ca-bundle,src={bundle}")]);
            }
            run(build.arg("."))?;
            return Ok(reference);
        }
        let image = ["image", "--push", "--json", "--repository", repository];
        let built: serde_json::Value = serde_json::from_str(&run(self.xtask().args(image))?)?;
        let reference = built["references"][0].as_str();
        let none = || io::Error::other("`cargo xtask image --push --json` named no reference");
        reference.map(str::to_owned).ok_or_else(none)
    }

    /// Changes the files; for ours, that is a commit.
    pub(crate) fn change(&mut self, change: Change) -> io::Result<()> {
        self.changes += 1;
        let line = format!("# change {}\n", self.changes);
        match (self.kind, change) {
            (Kind::Naive, Change::Elsewhere) => {}
            (Kind::Naive, Change::Entrypoint) => append(&self.path("agent-entrypoint.sh"), &line)?,
            (Kind::Naive, Change::Claude(claude)) => {
                self.pin_naive(&claude.version)?;
            }
            (Kind::Ours, Change::Elsewhere) => append(&self.path("README.md"), &line)?,
            // The text of `--help`, so that the program is another one.
            (Kind::Ours, Change::Entrypoint) => {
                append(&self.path("crates/agent-entrypoint/src/help.txt"), &line)?;
            }
            (Kind::Ours, Change::Claude(claude)) => claude.pin(self.folder.path())?,
        }
        if self.kind == Kind::Ours {
            run(&mut self.git(&["commit", "--quiet", "--all", "--message", &line]))?;
        }
        Ok(())
    }

    fn pin_naive(&self, version: &str) -> io::Result<()> {
        let path = self.path("Dockerfile");
        let lines = fs::read_to_string(&path)?;
        let lines = lines.lines().map(|line| {
            if line.starts_with(CLAUDE_LINE) {
                format!("{CLAUDE_LINE}{version}\n")
            } else {
                format!("{line}\n")
            }
        });
        fs::write(path, lines.collect::<String>())
    }

    /// `cargo xtask` in the clone, without cargo.
    pub(crate) fn xtask(&self) -> Command {
        self.without_ci(env!("CARGO_BIN_EXE_xtask"))
    }

    /// `cargo xtask` in the clone, as the alias of the checkout has it.
    pub(crate) fn cargo_xtask(&self) -> Command {
        let mut cargo = self.without_ci(env!("CARGO"));
        cargo.args(["run", "--locked", "--package", "xtask", "--manifest-path"]);
        cargo.arg(workspace().join("Cargo.toml")).arg("--");
        cargo
    }

    fn without_ci(&self, program: &str) -> Command {
        let mut command = command(program, self.folder.path());
        // The clone is no checkout of CI's.
        for name in [
            "CI",
            "GITHUB_ACTIONS",
            "GITHUB_OUTPUT",
            "GITHUB_STEP_SUMMARY",
        ] {
            command.env_remove(name);
        }
        command
    }

    /// A line of the shell in the clone.
    pub(crate) fn shell(&self, line: &str) -> Command {
        let mut command = command("sh", self.folder.path());
        command.args(["-c", line]);
        command
    }

    fn git(&self, args: &[&str]) -> Command {
        let mut command = command("git", self.folder.path());
        command.env("GIT_CONFIG_GLOBAL", "/dev/null");
        for role in ["AUTHOR", "COMMITTER"] {
            command.env(format!("GIT_{role}_NAME"), "bench");
            command.env(format!("GIT_{role}_EMAIL"), "bench@example.org");
        }
        command.args(args);
        command
    }

    fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }
}

/// As `cargo xtask image` finds it.
fn ca_bundle() -> Option<String> {
    let names = ["SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS"].into_iter();
    let mut files = names.filter_map(|name| std::env::var(name).ok());
    files.find(|file| Path::new(file).is_file())
}

fn append(path: &Path, line: &str) -> io::Result<()> {
    let text = fs::read_to_string(path)?;
    fs::write(path, text + line)
}

/// Leaves the engine no image and the builder no cache: both keep layers.
pub(crate) fn prune() -> io::Result<()> {
    docker(&["image", "prune", "--all", "--force"])?;
    docker(&["buildx", "prune", "--all", "--force"])?;
    Ok(())
}
