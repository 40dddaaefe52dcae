//! `cargo xtask tags` on repositories made by the real `git` command, in every state that a
//! repository can be in.

mod broken;
mod broken_tags;
mod clones;
mod github;
mod output;
mod owner;
mod places;
mod published;
mod refs;
mod remotes;
mod tree;

use std::cell::Cell;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::common::Ran;
use crate::sandbox::{Sandbox, git_in};

/// A repository beside the workspace, in a folder with a space in its name; it has one commit on
/// `main` and no Cargo.toml.
struct Repo {
    sandbox: Sandbox,
    /// Minutes that the commits' clock has run.
    clock: Cell<u32>,
}

impl Repo {
    fn new() -> Repo {
        let repo = Repo::empty();
        repo.commit("first");
        repo
    }

    /// Without a commit.
    fn empty() -> Repo {
        let repo = Repo {
            sandbox: Sandbox::new(),
            clock: Cell::new(0),
        };
        fs::create_dir(repo.path("the repo")).unwrap();
        repo.git(&["init", "--quiet", "--initial-branch", "main"]);
        repo
    }

    fn path(&self, name: &str) -> PathBuf {
        self.sandbox.path(name)
    }

    fn root(&self) -> PathBuf {
        self.path("the repo")
    }

    fn git(&self, args: &[&str]) -> String {
        self.git_in(&self.root(), args)
    }

    /// Runs git a minute after the last time, so that commits and tags have an order.
    fn git_in(&self, folder: &Path, args: &[&str]) -> String {
        self.clock.set(self.clock.get() + 1);
        let (hour, minute) = (self.clock.get() / 60, self.clock.get() % 60);
        let date = format!("2026-01-02T{hour:02}:{minute:02}:00Z");
        git_in(folder, args, &date).trim_end().to_owned()
    }

    fn commit(&self, message: &str) {
        self.git(&["commit", "--quiet", "--allow-empty", "--message", message]);
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.root().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn head(&self) -> String {
        self.git(&["rev-parse", "HEAD"])
    }

    /// `cargo xtask tags ARGS -C FOLDER`.
    fn run_in(&self, folder: &Path, args: &[&str]) -> Ran {
        Ran::of(&mut self.command(folder, args))
    }

    fn command(&self, folder: &Path, args: &[&str]) -> std::process::Command {
        let mut command = self.sandbox.xtask(&["tags"]);
        command.args(args).arg("-C").arg(folder);
        command
    }

    fn run(&self, args: &[&str]) -> Ran {
        self.run_in(&self.root(), args)
    }

    /// The tag set of the repository that `folder` is in.
    fn set_in(&self, folder: &Path) -> Set {
        Set::of(&self.run_in(folder, &["--json"]).succeeded())
    }

    fn set(&self) -> Set {
        self.set_in(&self.root())
    }
}

/// What `--json` prints.
#[derive(Debug)]
struct Set(Value);

impl Set {
    fn of(ran: &Ran) -> Set {
        Set(serde_json::from_str(&ran.stdout).unwrap())
    }

    fn text(&self, field: &str) -> Option<&str> {
        self.0[field].as_str()
    }

    fn names(&self, field: &str, name: &str) -> Vec<&str> {
        let all = self.0[field].as_array().unwrap();
        all.iter()
            .map(|each| each[name].as_str().unwrap())
            .collect()
    }

    fn strings(&self, field: &str) -> Vec<&str> {
        let all = self.0[field].as_array().unwrap();
        all.iter().map(|each| each.as_str().unwrap()).collect()
    }

    fn tags(&self) -> Vec<&str> {
        self.names("tags", "name")
    }

    fn has_note(&self, part: &str) -> bool {
        self.strings("notes").iter().any(|note| note.contains(part))
    }
}
