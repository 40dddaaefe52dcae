//! `update --propose`, with a real git remote and a stand-in for GitHub (xtask/tests/actions/github.py).

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use serde_json::Value;

use super::{program, real_git};
use crate::common::Ran;
use crate::sandbox::Sandbox;

const BOT: &str = "bot@example.org";
const MESSAGE: &str = "Move Claude Code from 1.0.0 to 1.0.1\n\nA rebuild changes its layer.";

/// A lock of one crate, in this version.
fn lock(version: &str) -> String {
    let hash = "0".repeat(64);
    format!(
        "version = 4\n\n[[package]]\nname = \"a\"\nversion = \"{version}\"\nsource = \"x\"\nchecksum = \"{hash}\"\n"
    )
}

/// A clone of a repository on GitHub, whose HEAD is at its main branch.
struct World(Sandbox);

impl World {
    fn new() -> World {
        let world = World(Sandbox::new());
        let sandbox = &world.0;
        let remote = sandbox.path("remote.git").display().to_string();
        sandbox.git(&["init", "--quiet", "--bare", &remote]);
        let url = "https://github.com/me/agent";
        sandbox.git(&["remote", "add", "origin", url]);
        sandbox.git(&["config", &format!("url.file://{remote}.insteadOf"), url]);
        real_git(sandbox);
        let gh = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/actions/gh");
        symlink(gh, sandbox.path("bin/gh")).unwrap();
        for name in ["bash", "python3", "dirname", "readlink"] {
            program(sandbox, name, &format!("exec {name} \"$@\"\n"));
        }
        world.commit("Cargo.lock", "old", "first");
        sandbox.git(&["push", "--quiet", "origin", "main"]);
        world
    }

    /// Commits a file by an author; its id.
    fn commit_by(&self, who: &str, file: &str, text: &str, message: &str) -> String {
        let path = format!("work/{file}");
        fs::create_dir_all(self.0.path(&path).parent().unwrap()).unwrap();
        let text = match file {
            "Cargo.lock" => lock(text),
            _ => text.to_owned(),
        };
        self.0.write(&path, &text);
        let author = format!("x <{who}>");
        self.0.git(&["add", "--all"]);
        self.0.git(&[
            "commit",
            "--quiet",
            "--author",
            &author,
            "--message",
            message,
        ]);
        self.0.revision()
    }

    fn commit(&self, file: &str, text: &str, message: &str) -> String {
        self.commit_by(BOT, file, text, message)
    }

    /// One commit above main at the remote.
    fn offer(&self, text: &str, message: &str) -> String {
        self.0.git(&["fetch", "--quiet", "origin"]);
        self.0
            .git(&["checkout", "--quiet", "--detach", "origin/main"]);
        self.commit("Cargo.lock", text, message)
    }

    fn run(&self, args: &[&str], variables: &[(&str, &str)]) -> Ran {
        let mut command = self.0.xtask(&[&["update", "--propose"], args].concat());
        command
            .env("HOME", self.0.path("tmp"))
            .env("GH_TOKEN", "the-token-of-the-job")
            .envs(variables.iter().copied());
        Ran::of(&mut command)
    }

    /// What a run prints that has to succeed.
    #[track_caller]
    fn propose(&self, args: &[&str]) -> Value {
        let ran = self.run(&[&["--json"], args].concat(), &[]).succeeded();
        serde_json::from_str(&ran.stdout).unwrap()
    }

    /// What is on GitHub.
    fn github(&self) -> Value {
        let text = fs::read_to_string(self.0.path("tmp/github.json")).unwrap_or_default();
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// Changes the only pull request.
    fn edit(&self, change: impl FnOnce(&mut Value)) {
        let mut github = self.github();
        change(&mut github["pulls"][0]);
        self.0.write("tmp/github.json", &github.to_string());
    }

    /// Where the branch is at the remote; empty when it is not there.
    fn tip(&self) -> String {
        let said = self.0.git(&["ls-remote", "origin", "refs/heads/update"]);
        said.split('\t')
            .next()
            .unwrap_or_default()
            .trim()
            .to_owned()
    }
}

#[test]
fn a_move_becomes_one_branch_and_one_pull_request_that_follow_it() {
    let world = World::new();
    let first = world.offer("one", MESSAGE);
    let nothing = serde_json::json!({"pulls": [], "statuses": {}});
    let dry = world.propose(&["--dry-run"]);
    assert_eq!(
        dry["done"],
        "the branch `update` is made; a pull request is opened"
    );
    assert_eq!((world.tip(), world.github()), (String::new(), nothing));

    // What npm or a registry says is no Markdown, no command and no line of a job's output.
    let body = "| Claude Code | $(touch stolen) `id` \"'; |\n";
    world.0.write("tmp/body.md", body);
    let path = world.0.path("tmp/body.md").display().to_string();
    let output = world.0.path("tmp/output").display().to_string();
    let run = [("GITHUB_OUTPUT", &*output), ("GITHUB_RUN_ID", "42")];
    world.run(&["--body", &path], &run).succeeded();
    assert_eq!(world.tip(), first);
    let github = world.github();
    let pull = &github["pulls"][0];
    assert_eq!(pull["title"], "Move Claude Code from 1.0.0 to 1.0.1");
    assert_eq!(
        (&pull["head"]["sha"], &pull["base"]["ref"]),
        (&first.as_str().into(), &"main".into())
    );
    let text = pull["body"].as_str().unwrap();
    assert!(text.starts_with(body.trim_end()), "{text}");
    let status = &github["statuses"][&first][0];
    assert_eq!(
        (&status["state"], &status["context"]),
        (&"pending".into(), &"update".into())
    );
    assert_eq!(
        status["target_url"],
        "https://github.com/me/agent/actions/runs/42"
    );
    let said = world.0.read("tmp/output");
    assert!(
        said.starts_with(&format!("commit<<EOF\n{first}\nEOF\n")),
        "{said}"
    );

    // Nobody has said how it ended, so it is to be verified again; then it is known.
    let again = world.propose(&[]);
    assert_eq!(
        (&again["pushed"], &again["commit"]),
        (&false.into(), &first.as_str().into())
    );
    let mut github = world.github();
    github["statuses"][&first][0]["state"] = "failure".into();
    world.0.write("tmp/github.json", &github.to_string());
    let again = world.propose(&[]);
    assert_eq!(
        (&again["pushed"], &again["commit"]),
        (&false.into(), &Value::Null)
    );
    assert_eq!(again["pull_request"], "https://github.com/me/agent/pull/1");

    // Main has moved, and so have the pins: a push over its own commit, and the same pull request.
    world.0.git(&["checkout", "--quiet", "main"]);
    world.commit("README.md", "x", "work");
    world.0.git(&["push", "--quiet", "origin", "main"]);
    let second = world.offer("two", "Move Claude Code from 1.0.0 to 1.0.2\n\nMore.");
    let moved = world.propose(&[]);
    assert_eq!(
        (&moved["pushed"], &moved["commit"]),
        (&true.into(), &second.as_str().into())
    );
    assert_eq!(world.tip(), second);
    let github = world.github();
    assert_eq!(github["pulls"].as_array().unwrap().len(), 1);
    assert_eq!(
        github["pulls"][0]["title"],
        "Move Claude Code from 1.0.0 to 1.0.2"
    );
}

#[test]
fn what_people_did_is_kept() {
    let world = World::new();
    let first = world.offer("one", MESSAGE);
    world.propose(&[]);
    // Closed: not offered again, also from the same pins on a main that has moved.
    world.edit(|pull| pull["state"] = "closed".into());
    let closed = world.propose(&[]);
    let done = closed["done"].as_str().unwrap();
    assert!(
        done.contains("#1 has offered the same moves and was closed"),
        "{done}"
    );
    assert_eq!(closed["pushed"], false);
    world.edit(|pull| pull["state"] = "open".into());

    // Somebody mends what the new version breaks.
    let fix = world.commit_by("grace@example.org", "src/fix.rs", "x", "Mend the build");
    world
        .0
        .git(&["push", "--quiet", "origin", "HEAD:refs/heads/update"]);
    world.offer("two", "Move Claude Code from 1.0.0 to 1.0.2");
    let kept = world.propose(&[]);
    assert!(
        kept["done"]
            .as_str()
            .unwrap()
            .contains("commits of somebody else"),
        "{kept}"
    );
    assert_eq!((world.tip(), &kept["pushed"]), (fix, &false.into()));
    assert_eq!(
        world.github()["pulls"][0]["title"],
        "Move Claude Code from 1.0.0 to 1.0.1"
    );

    // Merged as one commit, and the branch was left.
    world.0.git(&["checkout", "--quiet", "main"]);
    world.commit(
        "Cargo.lock",
        "one",
        "Move Claude Code from 1.0.0 to 1.0.1 (#1)",
    );
    world.0.git(&["push", "--quiet", "origin", "main"]);
    let tip = world.tip();
    world.edit(|pull| {
        pull["state"] = "closed".into();
        pull["merged_at"] = "2026-11-29T00:00:00Z".into();
        pull["head"]["sha"] = tip.into();
    });
    let second = world.offer("two", "Move Claude Code from 1.0.1 to 1.0.2");
    let next = world.propose(&[]);
    assert_eq!(next["pull_request"], "https://github.com/me/agent/pull/2");
    assert_eq!(world.tip(), second);
    assert_ne!(first, second);
}

/// What another job has packed may be a link, to what this one alone can read.
#[test]
fn a_text_is_a_file_itself() {
    let world = World::new();
    world.offer("one", MESSAGE);
    world.0.write("tmp/secret", "the-secret");
    symlink("secret", world.0.path("tmp/body.md")).unwrap();
    let path = world.0.path("tmp/body.md").display().to_string();
    let ran = world.run(&["--body", &path], &[]);
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    assert!(ran.stderr.contains("is no plain file"), "{ran:#?}");
    assert_eq!((world.tip(), world.github()), (String::new(), Value::Null));
}

/// The commit may come from a job in which somebody else's program ran.
#[test]
fn more_than_pins_is_not_offered() {
    let world = World::new();
    for (file, text) in [
        ("Cargo.lock", "1 0"),
        ("rust-toolchain.toml", "[toolchain]\npath = \"x\"\n"),
        ("docker/etc/profile.sh", "id"),
    ] {
        world.offer("one", MESSAGE);
        world.0.git(&["reset", "--quiet", "--hard", "origin/main"]);
        world.commit(file, text, "Move it");
        let ran = world.run(&[], &[]);
        assert_eq!(ran.code, Some(3), "{file}: {ran:#?}");
        let said = format!("HEAD changes `{file}`");
        assert!(ran.stderr.contains(&said), "{file}: {ran:#?}");
        assert_eq!(world.tip(), "", "{file}");
    }
}

#[test]
fn what_cannot_be_offered_says_what_to_do() {
    let world = World::new();
    world.offer("one", MESSAGE);
    // The setting is off in new repositories (peter-evans/create-pull-request#3979).
    let ran = world.run(&[], &[("GITHUB_REFUSES", "1")]);
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    for said in [
        "the branch `update` is pushed, but no pull request was made",
        "Settings, Actions, General",
        "https://github.com/me/agent/compare/main...update?expand=1",
        "not permitted to create",
    ] {
        assert!(ran.stderr.contains(said), "{said}: {ran:#?}");
    }
    // The next night makes what is missing.
    assert_eq!(world.propose(&[])["pushed"], false);
    assert_eq!(world.github()["pulls"].as_array().unwrap().len(), 1);

    let hook = world.0.path("remote.git/hooks/pre-receive");
    fs::write(
        &hook,
        "#!/bin/sh\necho GH013: Repository rule violations >&2\nexit 1\n",
    )
    .unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(&hook, mode).unwrap();
    world.offer("two", "Move it");
    let ran = world.run(&[], &[]);
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    assert!(
        ran.stderr.contains("GH013") && ran.stderr.contains("hint: where a rule"),
        "{ran:#?}"
    );

    world.commit(".github/workflows/ci.yml", "x", "Move actions");
    let ran = world.run(&[], &[]);
    assert_eq!(ran.code, Some(3), "{ran:#?}");
    assert!(
        ran.stderr.contains("HEAD is 2 commits above `main`"),
        "{ran:#?}"
    );
}
