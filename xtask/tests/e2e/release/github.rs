//! `release --github-release`, with a `gh` of our own on PATH that records what it is asked for.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use serde_json::{Value, json};

use super::Releases;
use crate::common::Ran;
use crate::push::refused;
use crate::world::before;

/// Knows the releases whose answers are files beside it. `create` keeps the notes and answers with
/// what is in `create`.
const GH: &str = r#"#!/bin/sh
here=$(dirname "$0")
echo "$*" >>"$here/calls"
case "$1 $2" in
"release view") cat "$here/$3" 2>/dev/null || { echo "release not found" >&2; exit 1; } ;;
"release create")
    cp "${10}" "$here/notes"
    . "$here/create"
    echo "{\"isDraft\":false,\"tagName\":\"$3\"}" >"$here/$3" ;;
*) exit 99 ;;
esac
"#;

impl Releases {
    fn gh(&self, name: &str) -> std::path::PathBuf {
        self.workspace.path(&format!("target/gh/{name}"))
    }

    /// A release on GitHub, whose `gh` creates with `create`.
    fn on_github(&self, create: &str, more: &[&str]) -> Command {
        fs::create_dir_all(self.gh("")).unwrap();
        fs::write(self.gh("gh"), GH).unwrap();
        fs::write(self.gh("create"), create).unwrap();
        fs::set_permissions(self.gh("gh"), fs::Permissions::from_mode(0o755)).unwrap();
        let mut command = self.command(&[&["--github-release"], more].concat());
        before(&self.gh(""), &mut command);
        command
            .env("GITHUB_ACTIONS", "true")
            .env("GITHUB_SERVER_URL", "https://github.com")
            .env("GITHUB_REPOSITORY", "me/agent");
        command
    }

    fn github(&self, create: &str, more: &[&str]) -> Ran {
        Ran::of(&mut self.on_github(create, more))
    }

    /// What `gh` was asked to create.
    fn created(&self) -> Vec<String> {
        let calls = fs::read_to_string(self.gh("calls")).unwrap_or_default();
        let created = calls
            .lines()
            .filter(|call| call.starts_with("release create"));
        created.map(str::to_owned).collect()
    }
}

/// What `gh` is asked for a version, but for its last flags.
fn create(releases: &Releases, tag: &str) -> String {
    let notes = releases
        .workspace
        .path(&format!("target/xtask/release-notes/{tag}.md"));
    let notes = notes.canonicalize().unwrap_or(notes);
    format!(
        "release create {tag} --repo github.com/me/agent --verify-tag --title {tag} --notes-file {}",
        notes.display()
    )
}

#[test]
fn a_version_gets_its_page_once_with_notes() {
    let releases = Releases::new();
    releases.release("1.0.0");
    releases
        .workspace
        .commit("Mend it | thanks @octocat\n\nnot this");
    let digest = releases.prepare("1.1.0");
    let dry = releases.github("", &["--dry-run"]).succeeded();
    let plan: Value = serde_json::from_str(&dry.stdout).unwrap();
    let planned = &plan["github_release"];
    assert_eq!(plan["version"], "1.1.0");
    assert_eq!(planned["command"][2], "v1.1.0");
    assert_eq!(
        (releases.created(), releases.digest("v1.1.0")),
        (vec![], None)
    );
    let ran = releases.github("", &[]).succeeded();
    assert!(
        ran.stderr
            .contains("made the GitHub Release `v1.1.0` in `github.com/me/agent`"),
        "{ran:#?}"
    );
    let first = format!("{} --latest=true", create(&releases, "v1.1.0"));
    assert_eq!(releases.created(), std::slice::from_ref(&first));
    let notes = fs::read_to_string(releases.gh("notes")).unwrap();
    assert_eq!(planned["notes"], *notes);
    let repository = releases.workspace.repository();
    for part in [
        &format!("`{repository}:v1.1.0` is `{digest}`"),
        "| linux/arm64 | `sha256:",
        "## Changes since v1.0.0\n\n- 1.1.0 (`",
        "- Mend it \\| thanks @&#8203;octocat (`",
    ] {
        assert!(notes.contains(part), "`{part}` is not in {notes}");
    }
    assert!(!notes.contains("not this"), "{notes}");
    // goreleaser/goreleaser#856: notes that somebody has edited since are not overwritten.
    let again = releases.github("", &[]).succeeded();
    assert!(
        again.stderr.contains("is there already: it stays as it is"),
        "{again:#?}"
    );
    assert_eq!(releases.created(), [first]);
    // A prerelease, and a draft of somebody's.
    releases.prepare("1.2.0-rc.1");
    releases.github("", &[]).succeeded();
    let end = format!(
        "{} --prerelease --latest=false",
        create(&releases, "v1.2.0-rc.1")
    );
    assert_eq!(releases.created()[1..], [end]);
    releases.prepare("1.2.0");
    fs::write(
        releases.gh("v1.2.0"),
        json!({"isDraft": true, "tagName": "v1.2.0"}).to_string(),
    )
    .unwrap();
    let draft = releases.github("", &[]).succeeded();
    assert!(
        draft.stderr.contains("--draft=false` publishes it"),
        "{draft:#?}"
    );
    assert_eq!(releases.created().len(), 2);
}

#[test]
fn what_fails_on_github_is_finished_by_another_run() {
    let releases = Releases::new();
    let digest = releases.prepare("1.0.0");
    let fails = "echo 'HTTP 422: Validation Failed' >&2; exit 1";
    let failed = releases.github(fails, &[]);
    assert_eq!(failed.code, Some(1), "{failed:#?}");
    for part in [
        "the version is published",
        "HTTP 422: Validation Failed",
        "hint: run this again",
    ] {
        assert!(failed.stderr.contains(part), "{failed:#?}");
    }
    assert_eq!(releases.digest("v1.0.0"), Some(digest));
    // Nobody is asked where nothing but the page is missing, so `--yes` is needed for it, too.
    let mut bare = releases.on_github("", &[]);
    let args: Vec<_> = bare.get_args().map(ToOwned::to_owned).collect();
    let args: Vec<&str> = args
        .iter()
        .filter_map(|arg| arg.to_str())
        .filter(|arg| *arg != "--yes")
        .collect();
    let mut asks = releases.xtask(&args);
    for (name, value) in bare
        .get_envs()
        .filter_map(|(name, value)| Some((name, value?)))
    {
        asks.env(name, value);
    }
    refused(&Ran::of(&mut asks), &["this is not a terminal"]);
    Ran::of(&mut bare).succeeded();
    assert_eq!(releases.created().len(), 2);
}

#[test]
fn without_gh_or_a_place_on_github_nothing_is_written() {
    let releases = Releases::new();
    releases.prepare("1.0.0");
    let without = |change: &dyn Fn(&mut Command)| {
        let mut command = releases.on_github("", &[]);
        change(&mut command);
        Ran::of(&mut command)
    };
    let path = crate::world::path_without("gh");
    let ran = without(&|command| {
        command.env("PATH", &path);
        before(&releases.workspace.path("target/cosign"), command);
    });
    refused(&ran, &["`gh` is not on PATH", "without `--github-release`"]);
    let ran = without(&|command| {
        command.env("GITHUB_REPOSITORY", "--web");
    });
    refused(&ran, &["is not a repository on GitHub"]);
    let ran = without(&|command| {
        command.env_remove("GITHUB_ACTIONS");
    });
    refused(&ran, &["git knows no repository on GitHub"]);
    fs::write(releases.gh("v1.0.0"), "nonsense").unwrap();
    refused(
        &releases.github("", &[]),
        &["`gh` cannot read the releases"],
    );
    assert_eq!(
        (releases.digest("v1.0.0"), releases.digest("latest")),
        (None, None)
    );
    let usage = releases.github("", &["--rollback", "--reason", "x"]);
    assert_eq!(usage.code, Some(2), "{usage:#?}");
}
