//! update.yml: what a night offers, and what it leaves alone.

use std::fs;

use serde_json::json;

use super::github::Github;
use super::run::{Run, TOKEN};
use crate::world::root;

/// As `npm view` and `npm install` would: the locks pin 1.0.0, and 1.0.1 is out, later 1.0.3; 1.0.2 is deprecated, with
/// a text of its author's.
const NPM: &str = r#"#!/usr/bin/env bash
set -euo pipefail
echo "$GITHUB_JOB: npm $1" >> "$STAND_INS_KEEP/log"
hash="sha512-$(printf 'A%.0s' {1..85})g=="
if [ "$1" = view ]; then
    version() {
        echo "{\"version\":\"$1\",\"dist\":{\"integrity\":\"$hash\",\"unpackedSize\":7},\"deprecated\":\"$2\",
            \"dist-tags\":{\"latest\":\"1.0.3\"},\"time\":{\"$1\":\"2020-01-01T00:00:00Z\"}}"
    }
    newer=$(if [ -e "$HOME/later" ]; then echo ",$(version 1.0.3 '')"; fi)
    echo "[$(version 1.0.0 ''),$(version 1.0.1 ''),$(version 1.0.2 '$(touch stolen) | @octocat')$newer]"
    exit
fi
for last; do :; done
case $last in *x64*) arch=amd64 ;; *) arch=arm64 ;; esac
for name in package.json package-lock.json; do
    sed -E "s/1\.0\.0/${last##*@}/; s|sha512-[^\"]*|$hash|" "docker/claude/$arch/$name" > "$3/made"
    mv "$3/made" "$3/$name"
done
"#;

impl Github {
    /// Pins Claude Code 1.0.0, of which npm has a newer version.
    fn pin(&self) {
        for arch in ["amd64", "arm64"] {
            for name in ["package.json", "package-lock.json"] {
                let path = format!("docker/claude/{arch}/{name}");
                let text = fs::read_to_string(root().join(&path)).unwrap();
                let start = text.find("-musl\": \"").unwrap() + "-musl\": \"".len();
                let end = start + text[start..].find('"').unwrap();
                let pinned = &text[start..end];
                self.workspace.write(&path, &text.replace(pinned, "1.0.0"));
            }
        }
        self.workspace.commit("pin");
        self.push("main");
        self.program("npm", NPM);
    }

    fn night(&self) -> Run<'_> {
        let payload = json!({"schedule": "23 4 * * *"});
        self.run("update.yml", "schedule", "main", payload)
    }

    /// The states that a commit was given on GitHub, the oldest first.
    fn statuses(&self, commit: &str) -> Vec<String> {
        let kept = self.kept();
        let all = kept["statuses"][commit].as_array().unwrap().iter();
        all.map(|status| status["state"].as_str().unwrap().to_owned())
            .collect()
    }

    /// What git says of the commit at a branch on GitHub.
    fn at(&self, branch: &str, format: &str) -> String {
        let folder = format!("--git-dir={}", self.remote().display());
        let format = format!("--format={format}");
        self.workspace
            .git(&[&folder, "log", "--max-count=1", &format, branch, "--"])
    }

    /// The move to `version` stands in one pull request, proven by jobs that saw no token.
    fn offers(&self, run: &Run, main: &str, version: &str) {
        assert_eq!(self.at("main", "%H"), main, "nothing is merged");
        let commit = self.at("update", "%H");
        assert_eq!(
            self.at("update", "%P %s"),
            format!("{main} Move Claude Code from 1.0.0 to {version}")
        );
        assert_eq!(self.statuses(&commit), ["pending", "success"]);
        let kept = self.kept();
        let pulls = kept["pulls"].as_array().unwrap();
        assert_eq!(pulls.len(), 1, "{pulls:#?}");
        assert_eq!(
            (&pulls[0]["head"]["sha"], &pulls[0]["state"]),
            (&json!(commit), &json!("open"))
        );
        let log = run.read("log");
        for (line, count) in [
            ("build: cargo xtask image\n", 2),
            ("build: cargo xtask verify\n", 2),
            ("test: cargo xtask test\n", 1),
            ("propose: npm", 0),
            ("--all", 0),
        ] {
            assert_eq!(log.matches(line).count(), count, "{line}: {log}");
        }
        assert_eq!(run.read("head").trim(), commit);
        // What is compiled, and what is new, sees no token.
        for job in ["compile", "build", "test"] {
            let seen = run.read(&format!("env-{job}"));
            for secret in [TOKEN, "extraheader", "GH_TOKEN"] {
                assert!(!seen.contains(secret), "{job}: `{secret}`: {seen}");
            }
        }
        assert_eq!(self.gate.requests(), [""; 0]);
    }

    /// What npm's registry says is text in the pull request.
    fn body_is_text(&self) {
        let body = self.kept()["pulls"][0]["body"].to_string();
        for part in [
            "| Claude Code | `1.0.0` | **`1.0.1`** |",
            "unpacked: amd64 7 B → 7 B",
            r"1.0.2 is passed over: npm marks it as deprecated: \\$(touch stolen) \\| @&#8203;octocat",
        ] {
            assert!(body.contains(part), "{part}: {body}");
        }
    }
}

/// A night offers what is newer, and CI builds, verifies and tests it.
#[test]
fn a_night_offers_newer_pins_and_proves_them() {
    let github = Github::new();
    github.pin();
    let main = github.workspace.revision();
    let run = github.night();
    run.succeeds();
    github.offers(&run, &main, "1.0.1");
    github.body_is_text();
}

/// The first night offers a version that does not verify, the next a newer one that does, in the same pull request. What
/// else a night may find is in the tests of `update --propose`.
#[test]
#[ignore = "two nights: `cargo xtask test --all`"]
fn a_night_says_what_does_not_verify_and_the_next_offers_what_is_newer() {
    let github = Github::new();
    github.pin();
    let main = github.workspace.revision();
    let run = github.night();
    let ran = run.start(&["CARGO_XTASK_FAILS=verify"]);
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    let first = github.at("update", "%H");
    assert_eq!(
        github.at("update", "%P %cn %s"),
        format!("{main} github-actions[bot] Move Claude Code from 1.0.0 to 1.0.1")
    );
    assert_eq!(github.statuses(&first), ["pending", "failure"]);
    github.body_is_text();

    github.program("../home/later", "");
    let run = github.night();
    run.succeeds();
    github.offers(&run, &main, "1.0.3");
}
