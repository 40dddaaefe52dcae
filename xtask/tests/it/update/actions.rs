//! `update actions`, with a real git and the repositories of actions on this disk.

use std::fs;

use serde_json::Value;

use super::{committed, real_git, update};
use crate::sandbox::{Sandbox, git_in};

/// The name of an action, and its tags in their order: each a commit, annotated where it ends with `!`.
const ACTIONS: [(&str, &[&str]); 2] = [
    ("one/plain", &["v1.0.0", "v1.1.0", "v1.2.0-rc.1", "v2.0.0"]),
    ("two/annotated", &["v3.0.0", "v3.1.0!"]),
];

/// A clean repository whose workflow and page pin the first tag of each action; with the commits of all tags.
fn world() -> (Sandbox, Vec<Vec<String>>) {
    let sandbox = Sandbox::new();
    real_git(&sandbox);
    let mut commits = Vec::new();
    for (name, tags) in ACTIONS {
        let folder = sandbox.path(&format!("github/{name}"));
        fs::create_dir_all(&folder).unwrap();
        let git = |args: &[&str]| git_in(&folder, args, "2026-01-02T03:04:05Z");
        git(&["init", "--quiet"]);
        let made = tags.iter().map(|tag| {
            git(&["commit", "--quiet", "--allow-empty", "--message", tag]);
            match tag.strip_suffix('!') {
                Some(tag) => git(&["tag", "--annotate", "--message", "x", tag]),
                None => git(&["tag", tag]),
            };
            git(&["rev-parse", "HEAD"]).trim().to_owned()
        });
        commits.push(made.collect::<Vec<_>>());
    }
    let github = sandbox.path("github").display().to_string();
    sandbox.git(&[
        "config",
        &format!("url.file://{github}/.insteadOf"),
        "https://github.com/",
    ]);
    let pins = pins(&commits, [0, 0], ["1.0.0", "3.0.0"]);
    for folder in ["work/.github/workflows", "work/docs"] {
        fs::create_dir_all(sandbox.path(folder)).unwrap();
    }
    sandbox.write("work/.github/workflows/ci.yml", &pins);
    sandbox.write("work/docs/example.md", &format!("```yaml\n{pins}```\n"));
    sandbox.git(&["add", "--all"]);
    sandbox.git(&["commit", "--quiet", "--message", "pins"]);
    (sandbox, commits)
}

/// The lines that pin the actions to a commit each.
fn pins(commits: &[Vec<String>], at: [usize; 2], versions: [&str; 2]) -> String {
    let lines = ACTIONS.iter().enumerate().map(|(number, (name, _))| {
        let (commit, version) = (&commits[number][at[number]], versions[number]);
        format!("      - uses: {name}@{commit} # v{version}\n")
    });
    lines.collect()
}

#[test]
fn every_place_of_an_action_goes_to_the_commit_of_its_newest_tag() {
    let (sandbox, commits) = world();
    let ran = update(&sandbox, &["actions", "--check", "--json"]);
    assert_eq!(ran.code, Some(4), "{ran:#?}");
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    let row = |number: usize, field: &str| report["rows"][number][field].clone();
    let seen = [
        row(0, "what"),
        row(0, "pinned"),
        row(0, "newest"),
        row(1, "newest"),
    ];
    assert_eq!(seen, ["action one/plain", "v1.0.0", "v1.1.0", "v3.1.0"]);
    let notes = row(0, "notes").to_string();
    assert!(notes.contains("v2.0.0 is out"), "{notes}");

    update(&sandbox, &["actions", "--commit"]).succeeded();
    let expected = pins(&commits, [1, 1], ["1.1.0", "3.1.0"]);
    assert_eq!(sandbox.read("work/.github/workflows/ci.yml"), expected);
    assert_eq!(
        sandbox.read("work/docs/example.md"),
        format!("```yaml\n{expected}```\n")
    );
    let message = committed(&sandbox);
    assert!(
        message.contains(&format!(
            "action one/plain: v1.0.0 → v1.1.0, commit {}.\n",
            commits[0][1]
        )),
        "{message}"
    );
    let again = update(&sandbox, &["actions", "--check"]).succeeded();
    assert!(
        again.stdout.contains("nothing: it is current"),
        "{again:#?}"
    );
}

#[test]
fn an_action_whose_tag_was_moved_stays_and_one_that_is_silent_moves_nothing() {
    let (sandbox, commits) = world();
    let folder = sandbox.path("github/one/plain");
    git_in(
        &folder,
        &["tag", "--force", "v1.0.0", "HEAD"],
        "2026-01-02T03:04:05Z",
    );
    let ran = update(&sandbox, &["actions", "--check"]);
    assert_eq!(ran.code, Some(4), "{ran:#?}");
    assert!(
        ran.stdout.contains("it stays: its tag v1.0.0 leads to"),
        "{ran:#?}"
    );
    update(&sandbox, &["actions", "--commit"]).succeeded();
    let expected = pins(&commits, [0, 1], ["1.0.0", "3.1.0"]);
    assert_eq!(sandbox.read("work/.github/workflows/ci.yml"), expected);

    fs::remove_dir_all(folder).unwrap();
    let ran = update(&sandbox, &["actions", "--check"]);
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    assert!(
        ran.stderr
            .contains("it is not known whether this is behind"),
        "{ran:#?}"
    );
    let ran = update(&sandbox, &["actions"]);
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    assert!(
        ran.stderr
            .contains("`https://github.com/one/plain` could not be asked"),
        "{ran:#?}"
    );
    assert_eq!(sandbox.git(&["status", "--porcelain"]), "");
}
