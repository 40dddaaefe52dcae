//! A command of the table: its line, where it runs, and the repositories that it is about.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::row::{Command, Row};
use super::scene::{OLD, Scene, receipts};
use super::stand::Stand;
use crate::common::Ran;
use crate::world::{before, unique_name, xtask_in};

impl Command {
    /// Whether it changes nothing, so that its output is what is judged.
    pub(super) fn reads(self) -> bool {
        use Command::{Audit, AuditAll, Plan, Prune, Status, Tags};
        matches!(self, Tags | Audit | AuditAll | Status | Plan | Prune)
    }

    pub(super) fn needs_engine(self) -> bool {
        matches!(self, Command::Push | Command::Verify)
    }

    fn begins_empty(self) -> bool {
        matches!(self, Command::Copy | Command::Mount | Command::Push)
    }

    fn args(self, folder: &Path, repositories: &[String]) -> Vec<String> {
        let given = receipts(folder);
        let release = |more: &[&str]| {
            let all = ["release", "--version", "2.1.0", "--receipt-dir", &given];
            owned(&[&all[..], &["--sign=cosign.key"], more].concat())
        };
        let mut args = match self {
            Command::Tags => owned(&["tags", "--published"]),
            Command::Audit => owned(&["audit"]),
            Command::AuditAll => owned(&["audit", "--all"]),
            Command::Status => owned(&["release", "--status"]),
            Command::Plan => release(&["--dry-run"]),
            Command::Release | Command::Copy | Command::Mount => {
                release(&["--yes", "--retry-for", "4"])
            }
            Command::Merge => owned(&["image", "--merge"]),
            Command::Push => {
                let platform = ["--platform", "linux/amd64", "--progress", "plain"];
                owned(&[&["image", "--push"], &platform[..]].concat())
            }
            Command::Prune => owned(&["prune"]),
            Command::PruneYes => owned(&["prune", "--yes"]),
            Command::Verify => owned(&["verify", &format!("{}:v2.0.0", repositories[0])]),
        };
        args.push("--json".to_owned());
        for repository in repositories.iter().filter(|_| self != Command::Verify) {
            args.extend(["--repository".to_owned(), repository.clone()]);
        }
        args
    }

    /// The tags that it changes where all is well, in order.
    pub(super) fn changes(self, scene: &Scene) -> Vec<String> {
        match self {
            Command::Release => owned(&["latest", "state-v2.1.0", "v2.1.0"]),
            Command::Copy | Command::Mount => {
                owned(&["latest", &scene.next.0, "state-v2.1.0", "v2.1.0"])
            }
            Command::Merge => owned(&[&scene.head]),
            Command::Push => owned(&[&format!("{}-linux-amd64", scene.head)]),
            Command::PruneYes => owned(&[OLD]),
            _ => Vec::new(),
        }
    }
}

fn owned(args: &[&str]) -> Vec<String> {
    args.iter().map(ToString::to_string).collect()
}

/// A run to be.
pub(super) struct Session<'a> {
    command: Command,
    stand: &'a Stand,
    folder: Folder,
    home: TempDir,
    /// The row's repository in the registry.
    pub(super) path: String,
    /// As the client calls them; a release goes from the first to the others.
    repositories: Vec<String>,
}

/// The workspace: of all, or a copy for who writes there.
enum Folder {
    Shared(PathBuf),
    Own(TempDir),
}

impl<'a> Session<'a> {
    pub(super) fn new(scene: &Scene, command: Command, stand: &'a Stand) -> Session<'a> {
        let is_left_alone = command.reads() || command == Command::Verify;
        let path = if is_left_alone {
            scene.path.clone()
        } else if command.begins_empty() {
            format!("push-test/{}", unique_name())
        } else {
            scene.publish()
        };
        let registry = &stand.names.registry;
        let first = match command {
            Command::Copy => Some(format!("{}/{}", scene.upstream, scene.publish())),
            Command::Mount => Some(format!("{registry}/{}", scene.publish())),
            _ => None,
        };
        let own = format!("{registry}/{path}");
        Session {
            command,
            stand,
            folder: if is_left_alone {
                Folder::Shared(scene.folder())
            } else {
                Folder::Own(scene.copy())
            },
            home: tempfile::tempdir().unwrap(),
            path,
            repositories: first.into_iter().chain([own]).collect(),
        }
    }

    pub(super) fn run(&self, row: &Row) -> Ran {
        let folder = match &self.folder {
            Folder::Shared(path) => path,
            Folder::Own(folder) => folder.path(),
        };
        let args = self.command.args(folder, &self.repositories);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let mut xtask = xtask_in(folder, &args);
        self.stand.prepare(&mut xtask, self.home.path(), row.login);
        before(&folder.join("target/cosign"), &mut xtask);
        xtask.envs(row.env.iter().copied());
        if self.command.needs_engine() {
            share_plugins(self.home.path());
        } else {
            // Nothing but the registry is asked.
            xtask.env("DOCKER_HOST", "unix:///nowhere");
        }
        Ran::of(&mut xtask)
    }

    /// What was said, without the registry's address.
    pub(super) fn neutral(&self, text: &str) -> String {
        text.replace(&self.stand.names.registry, "REGISTRY")
    }
}

/// Lets a docker with another configuration find its plugins.
fn share_plugins(home: &Path) {
    let Some(own) = std::env::var_os("DOCKER_CONFIG") else {
        return;
    };
    for name in ["cli-plugins", "buildx", "contexts"] {
        let from = Path::new(&own).join(name);
        if from.exists() {
            std::os::unix::fs::symlink(from, home.join(name)).unwrap();
        }
    }
}
