//! What keeps an agent from its work, at the start and in `health`: HOME, the temporary folder, Claude
//! Code's folder, credentials. Real mounts, in mount namespaces of their own.

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::harness::{As, entrypoint_after, folder, needs_root, write_program};
use crate::running::{Outcome, run};

/// What the entrypoint runs as, from the beginning.
const AGENT: &str =
    "exec setpriv --reuid=1000 --regid=1000 --clear-groups --no-new-privs \"$0\" \"$@\"";

const NEW: &str = "mount -t tmpfs -o mode=777 none \"$DIR\"";

/// An empty `$DIR`, prepared by a script for each run, and what answers `health`.
pub struct Stage {
    pub dir: TempDir,
    programs: TempDir,
    script: String,
}

impl Stage {
    pub fn new(script: &str) -> Self {
        let programs = folder();
        for name in ["node", "claude"] {
            write_program(&programs.path().join(name), "#!/bin/sh\necho 1\n");
        }
        Self {
            dir: folder(),
            programs,
            script: script.to_owned(),
        }
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// The program as UID 1000, after the script.
    pub fn entrypoint(&self, how: As, arguments: &[&str]) -> Command {
        let script = format!("set -e; {NEW}; {}; {AGENT}", self.script);
        let mut command = entrypoint_after(&script, how, arguments);
        let path = format!(
            "{}:/usr/local/bin:/usr/bin:/bin",
            self.programs.path().display()
        );
        command.env("DIR", self.path()).env("PATH", path);
        command
    }

    /// The messages of the start, and whether the command runs all the same.
    pub fn start(&self, set: impl Fn(&mut Command)) -> String {
        let mut said = Vec::new();
        for how in As::every() {
            let mut command = self.entrypoint(how, &["echo", "hi"]);
            set(&mut command);
            let outcome = run(&mut command);
            let expected = Outcome::new(0, "hi\n", &outcome.stderr);
            assert_eq!(outcome, expected);
            said.push(outcome.stderr);
        }
        assert!(said.iter().all(|line| line == &said[0]), "{said:?}");
        said.swap_remove(0)
    }

    /// The line of a probe.
    pub fn health(&self, probe: &str, deep: bool, set: impl Fn(&mut Command)) -> String {
        let arguments = if deep {
            &["health", "--deep"][..]
        } else {
            &["health"]
        };
        let mut command = self.entrypoint(As::Ordinary, arguments);
        set(&mut command);
        let outcome = run(&mut command);
        assert_eq!(outcome.stderr, "");
        let of_probe = |line: &&str| {
            let name = line.split([' ', ':']).nth(1);
            name == Some(probe)
        };
        let line = outcome.stdout.lines().find(of_probe);
        line.unwrap_or_else(|| panic!("{outcome:?}")).to_owned()
    }
}

#[test]
fn a_folder_that_cannot_be_written_to_is_reported_at_the_start_and_by_health() {
    if needs_root("a_folder_that_cannot_be_written_to_is_reported_at_the_start_and_by_health") {
        return;
    }
    let room = "hint: remove files there, or raise the `size=` of its `--tmpfs`";
    for (variable, probe, name) in [
        ("TMPDIR", "tmp", "temporary folder"),
        ("HOME", "home", "home"),
    ] {
        for (script, why, hint) in [
            (
                "mount -t tmpfs -o size=4k,mode=1777 none \"$DIR\"; echo full >\"$DIR/file\"",
                "is full: no space is left (`df`)",
                room,
            ),
            (
                // The folder itself is one.
                "mount -t tmpfs -o nr_inodes=2,mode=1777 none \"$DIR\"; : >\"$DIR/file\"",
                "is full: no inodes are left (`df -i`)",
                room,
            ),
            (
                "mount -t tmpfs -o ro,mode=1777 none \"$DIR\"",
                "is read-only",
                "hint: docker run --tmpfs DIR …",
            ),
            (
                "mount -t tmpfs -o mode=755 none \"$DIR\"",
                "is not writable: it belongs to 0:0, mode 0755, and this is 1000:1000",
                "hint: docker run --tmpfs DIR …",
            ),
            (
                "mount -t tmpfs -o uid=1000,gid=1000,mode=555 none \"$DIR\"",
                "is not writable: mode 0555",
                "hint: docker run --tmpfs DIR …",
            ),
        ] {
            let stage = Stage::new(script);
            let dir = stage.path().display().to_string();
            let text = format!("{name} `{dir}` {why}; {}", hint.replace("DIR", &dir));
            let set = |command: &mut Command| {
                command.env(variable, stage.path());
            };
            let said = stage.start(set);
            assert_eq!(
                said,
                format!("agent-entrypoint: warning: {text}\n"),
                "{script}"
            );
            for deep in [false, true] {
                assert_eq!(
                    stage.health(probe, deep, set),
                    format!("fail {probe}: {text}")
                );
            }
        }
    }
}

/// As btrfs counts no inodes, and a tmpfs without a size no blocks.
#[test]
fn a_file_system_without_limits_is_not_full() {
    if needs_root("a_file_system_without_limits_is_not_full") {
        return;
    }
    let script = "mount -t tmpfs -o size=0,nr_inodes=0,mode=1777 none \"$DIR\"; : >\"$DIR/file\"";
    let stage = Stage::new(script);
    let dir = stage.path();
    let set = |command: &mut Command| {
        command.env("TMPDIR", dir).env("HOME", dir);
    };
    assert_eq!(stage.start(set), "");
    for deep in [false, true] {
        let expected = format!("ok tmp {}", dir.display());
        assert_eq!(stage.health("tmp", deep, set), expected);
    }
}

#[test]
fn a_claude_folder_of_another_user_is_reported() {
    if needs_root("a_claude_folder_of_another_user_is_reported") {
        return;
    }
    for (options, why) in [
        (
            "uid=1001,gid=1001,mode=700",
            "is not writable: it belongs to 1001:1001, mode 0700, and this is 1000:1000; hint: on the host: `sudo chown -R 1000:1000 ~/.claude`, or run the container with `--user 1001:1001`",
        ),
        (
            "uid=1001,gid=1001,mode=755",
            "is not writable: it belongs to 1001:1001, mode 0755, and this is 1000:1000; hint: on the host: `sudo chown -R 1000:1000 ~/.claude`, or run the container with `--user 1001:1001`",
        ),
        (
            "mode=700",
            "is not writable: it belongs to 0:0, mode 0700, and this is 1000:1000; hint: on the host: `sudo chown -R 1000:1000 ~/.claude`",
        ),
        (
            "uid=1000,gid=1000,mode=300",
            "is not writable: mode 0300; hint: on the host: `chmod u+rwx ~/.claude`",
        ),
        (
            "uid=1000,gid=1000,mode=700,ro",
            "is read-only; hint: mount it without `:ro`",
        ),
    ] {
        let stage = Stage::new(&format!(
            "mkdir \"$DIR/.claude\"; mount -t tmpfs -o {options} none \"$DIR/.claude\""
        ));
        let text = format!(
            "Claude Code's folder `{}/.claude` {why}",
            stage.path().display()
        );
        let set = |command: &mut Command| {
            command.env("HOME", stage.path());
        };
        let said = stage.start(set);
        assert_eq!(said, format!("agent-entrypoint: warning: {text}\n"));
        assert_eq!(
            stage.health("home", false, set),
            format!("fail home: {text}")
        );
    }
}

/// The engine makes folders on the way to what is mounted in them, for root alone.
#[test]
fn folders_that_the_engine_has_made_in_home_are_seen_by_deep_health() {
    if needs_root("folders_that_the_engine_has_made_in_home_are_seen_by_deep_health") {
        return;
    }
    for (below, name) in [
        (".claude", "Claude Code's folder"),
        (".local", "folder"),
        (".local/bin", "folder"),
        (".cache", "folder"),
    ] {
        let stage = Stage::new(&format!(
            "umask 022; mkdir -p \"$DIR/{below}\"; [ {below} != .local/bin ] || chown 1000:1000 \"$DIR/.local\""
        ));
        let home = stage.path().display();
        let set = |command: &mut Command| {
            command.env("HOME", stage.path());
        };
        // An agent can work with that, and AgentGate's own options cause it.
        assert_eq!(stage.start(set), "", "{below}");
        assert_eq!(stage.health("home", false, set), format!("ok home {home}"));
        let path = format!("{home}/{below}");
        let text = format!(
            "fail home: {name} `{path}` is not writable: it belongs to 0:0, mode 0755, and this is 1000:1000; hint: docker exec --privileged --user root CONTAINER chown 1000:1000 {path}"
        );
        assert_eq!(stage.health("home", true, set), text);
    }
}

/// The file that was replaced is anthropics/claude-code#18443.
#[test]
fn credentials_that_cannot_be_used_are_reported() {
    if needs_root("credentials_that_cannot_be_used_are_reported") {
        return;
    }
    let mounted = "cd \"$DIR\"; echo old >host; chmod 644 host; : >.credentials.json; mount --bind host .credentials.json";
    let cases: [(String, Option<&str>); 6] = [
        (mounted.to_owned(), None),
        // As /dev/null is mounted where there are none.
        (
            "cd \"$DIR\"; : >.credentials.json; mount --bind /dev/null .credentials.json"
                .to_owned(),
            None,
        ),
        (format!("{mounted}; echo new >host"), None),
        // A program replaces a file in this way, so that nobody sees it half written.
        (
            format!("{mounted}; echo new >other; mv other host"),
            Some(
                "were replaced on the host, and the mount keeps the old file; hint: start a new container, or mount the folder and not the file",
            ),
        ),
        (
            "cd \"$DIR\"; mkdir .credentials.json".to_owned(),
            Some(
                "are a folder, which the engine makes if the host has no such file; hint: on the host: remove the folder, log in, and start a new container",
            ),
        ),
        (
            format!("{mounted}; chmod 600 host; chown 1001:1001 host"),
            Some(
                "cannot be read: they belong to 1001:1001, mode 0600, and this is 1000:1000; hint: on the host: `sudo chown 1000:1000 FILE`, or run the container with `--user 1001:1001`",
            ),
        ),
    ];
    for (script, why) in cases {
        let stage = Stage::new(&script);
        let path = format!("{}/.credentials.json", stage.path().display());
        let set = |command: &mut Command| {
            command.env("CLAUDE_CONFIG_DIR", stage.path());
        };
        let (said, line) = match why {
            Some(why) => (
                format!("agent-entrypoint: warning: credentials `{path}` {why}\n"),
                format!("fail credentials: credentials `{path}` {why}"),
            ),
            None => (String::new(), format!("ok credentials {path}")),
        };
        assert_eq!(stage.start(set), said, "{script}");
        for deep in [false, true] {
            assert_eq!(stage.health("credentials", deep, set), line, "{script}");
        }
    }
}
