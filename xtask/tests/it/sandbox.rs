//! A workspace of its own for one test: real git, a fake `docker`, nothing of the machine's.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::common::{Ran, WORKSPACE, command, set_author};

/// The sandbox's base. It is pinned, so that no registry is asked for it.
pub(crate) const BASE: &str = "docker.io/library/node:20-alpine@sha256:ba5e000000000000000000000000000000000000000000000000000000000000";

const INFO: &str = r#"{"ServerVersion":"28.5.2","OSType":"linux","Architecture":"x86_64",
"DriverStatus":[["driver-type","io.containerd.snapshotter.v1"]],
"ClientInfo":{"Plugins":[{"Name":"buildx","Version":"0.29.1"}]}}"#;

const BUILDER: &str =
    "Name:   default\nDriver: docker\n\nNodes:\nPlatforms: linux/amd64, linux/arm64\n";

/// Answers from the files `info` and `builder` beside it, and records each call in `calls`. What
/// makes, starts and removes a builder is in `create`, `start` and `rm`.
const DOCKER: &str = r#"#!/bin/sh
PATH=/usr/bin:/bin
here=$(dirname "$0")
echo "$*" >> "$here/calls"
case "$1 $2" in
"info --format") cat "$here/info" ;;
"buildx inspect")
    [ "$3" = --bootstrap ] && . "$here/start"
    cat "$here/builder" ;;
"buildx create" | "buildx rm") . "$here/$2" ;;
"image inspect") [ "$4" = "{{.Size}}" ] && echo 512345678 || echo linux amd64 ;;
save*) echo "this docker gives no image out" >&2; exit 1 ;;
"pull --quiet" | "compose --profile") ;;
"tag "*) [ ! -e "$here/tag" ] || . "$here/tag" ;;
"buildx build")
    [ "$3" = --check ] && exit
    while [ $# -gt 0 ]; do
        [ "$1" = --metadata-file ] && metadata=$2
        shift
    done
    . "$here/build" ;;
*) echo "fake docker: unexpected: $*" >&2; exit 99 ;;
esac
"#;

/// A digest that begins with `start`.
pub(crate) fn digest(start: &str) -> String {
    format!("sha256:{start:0<64}")
}

const BUILD: &str = r#"echo '{"containerimage.digest":"sha256:d100000000000000000000000000000000000000000000000000000000000000","containerimage.config.digest":"sha256:c000000000000000000000000000000000000000000000000000000000000000"}' > "$metadata""#;

pub(crate) struct Sandbox {
    dir: TempDir,
}

impl Sandbox {
    /// A clean workspace with one commit, and a docker that can do everything.
    pub(crate) fn new() -> Sandbox {
        let sandbox = Sandbox::without_git();
        sandbox.git(&["init", "--quiet", "--initial-branch", "main"]);
        sandbox.git(&["add", "--all"]);
        sandbox.git(&["commit", "--quiet", "--message", "first"]);
        sandbox
    }

    pub(crate) fn without_git() -> Sandbox {
        let sandbox = Sandbox {
            dir: TempDir::new().unwrap(),
        };
        for folder in ["work/docker", "bin", "tmp"] {
            fs::create_dir_all(sandbox.path(folder)).unwrap();
        }
        sandbox.write("work/Cargo.toml", WORKSPACE);
        sandbox.write("work/.gitignore", "/target\n");
        sandbox.write(
            "work/docker/Dockerfile.agent",
            &format!("FROM {BASE} AS agent\n"),
        );
        sandbox.write("bin/docker", DOCKER);
        sandbox.write("bin/info", INFO);
        sandbox.write("bin/builder", BUILDER);
        sandbox.write("bin/build", BUILD);
        fs::set_permissions(
            sandbox.path("bin/docker"),
            fs::Permissions::from_mode(0o755),
        )
        .unwrap();
        sandbox
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// Replaces `from` by `to` in a file; `from` must be there.
    pub(crate) fn edit(&self, name: &str, from: &str, to: &str) {
        let text = self.read(name);
        assert!(text.contains(from), "`{from}` is not in {name}");
        self.write(name, &text.replace(from, to));
    }

    /// The calls that the fake docker got, without the questions that change nothing.
    pub(crate) fn builds(&self) -> Vec<String> {
        let calls = fs::read_to_string(self.path("bin/calls")).unwrap_or_default();
        calls
            .lines()
            .filter(|call| call.starts_with("buildx build"))
            .map(str::to_owned)
            .collect()
    }

    /// HEAD's full commit id, from git itself.
    pub(crate) fn revision(&self) -> String {
        self.git(&["rev-parse", "HEAD"]).trim().to_owned()
    }

    /// Runs git with a fixed author and date, and returns what it prints.
    pub(crate) fn git(&self, args: &[&str]) -> String {
        git_in(&self.path("work"), args, "2026-01-02T03:04:05Z")
    }

    /// `cargo xtask ARGS` in the workspace, with nothing but the fake docker on PATH, and no network.
    pub(crate) fn xtask(&self, args: &[&str]) -> Command {
        let mut command = bare_command(env!("CARGO_BIN_EXE_xtask"), &self.path("work"));
        command
            .args(args)
            .env("PATH", self.path("bin"))
            // No test asks Docker Hub: nobody listens there.
            .env("HTTPS_PROXY", "http://127.0.0.1:9")
            .env("NO_PROXY", "127.0.0.1")
            .env("TMPDIR", self.path("tmp"));
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        Ran::of(&mut self.xtask(args))
    }
}

/// Runs git in `folder` with a fixed author, and returns what it prints.
#[track_caller]
pub(crate) fn git_in(folder: &Path, args: &[&str], date: &str) -> String {
    let mut git = bare_command("git", folder);
    set_author(&mut git);
    git.env("PATH", std::env::var_os("PATH").unwrap())
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_AUTHOR_DATE", date)
        .env("GIT_COMMITTER_DATE", date);
    Ran::of(git.args(args)).succeeded().stdout
}

/// A command without the environment of the person who runs the tests.
fn bare_command(program: &str, folder: &Path) -> Command {
    let mut command = command(program, folder);
    command.env_clear();
    command
}

impl Ran {
    /// It failed with `code`, printed nothing on stdout, and exactly `error` on stderr.
    #[track_caller]
    pub(crate) fn failed(self, code: i32, error: &str) {
        assert_eq!(self.code, Some(code), "{self:#?}");
        assert_eq!(self.stdout, "", "{self:#?}");
        assert_eq!(self.stderr, format!("error: {error}\n"));
    }

    /// [`Ran::failed`] with 1, after `output` of the programs it ran.
    #[track_caller]
    pub(crate) fn failed_after(mut self, output: &str, error: &str) {
        assert!(self.stderr.starts_with(output), "{self:#?}");
        self.stderr.drain(..output.len());
        self.failed(1, error);
    }
}
