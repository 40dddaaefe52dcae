//! What both kinds of tests use: a workspace's manifest, and programs with how they ended.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// The manifest of a workspace whose settings are good.
pub(crate) const WORKSPACE: &str = include_str!("workspace.toml");

/// A command in `folder`, without stdin.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place where these tests start programs"
)]
pub(crate) fn command(program: impl AsRef<OsStr>, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(folder).stdin(Stdio::null());
    command
}

/// Gives git an author of its own, whoever runs the tests.
pub(crate) fn set_author(git: &mut Command) {
    for (name, value) in [("NAME", "Ada"), ("EMAIL", "ada@example.org")] {
        git.env(format!("GIT_AUTHOR_{name}"), value);
        git.env(format!("GIT_COMMITTER_{name}"), value);
    }
}

/// How a command ended. Printed whole when an assertion on it fails.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    pub(crate) fn of(command: &mut Command) -> Ran {
        Ran::from(command.output().unwrap())
    }

    #[track_caller]
    pub(crate) fn succeeded(self) -> Ran {
        assert_eq!(self.code, Some(0), "{self:#?}");
        self
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Ran {
        Ran {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}
