//! The arguments of `gh`, and what its answers mean.

use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;

use super::*;

fn release(version: &str) -> GithubRelease {
    GithubRelease {
        gh: Gh::of("github.com/me/agent"),
        version: version.parse().unwrap(),
        notes: PathBuf::from("/notes.md"),
        found: None,
    }
}

/// cli/cli#6963, BerriAI/litellm#30005: a backport took GitHub's mark from the newer version.
#[test]
fn only_what_is_latest_is_githubs_latest() {
    for (version, is_latest, ends) in [
        ("1.2.3", true, &["--latest=true"][..]),
        ("1.2.3", false, &["--latest=false"]),
        ("1.2.3-rc.1", false, &["--prerelease", "--latest=false"]),
        ("1.2.3-rc.1", true, &["--prerelease", "--latest=false"]),
    ] {
        let tag = format!("v{version}");
        let start = [
            "release",
            "create",
            &tag,
            "--repo",
            "github.com/me/agent",
            "--verify-tag",
        ];
        let middle = ["--title", &tag, "--notes-file", "/notes.md"];
        let expected = [&start[..], &middle, ends].concat();
        assert_eq!(release(version).args(is_latest), expected);
    }
}

#[test]
fn a_release_is_absent_only_in_ghs_own_words() {
    let ended = |code: Option<i32>, stdout: &str, stderr: &str| Ended {
        status: code.map(|code| ExitStatus::from_raw(code << 8)),
        stdout: stdout.into(),
        stderr: stderr.into(),
    };
    let found = |is_draft| Found {
        tag_name: "v1.0.0".to_owned(),
        is_draft,
    };
    let json = |draft: bool, tag: &str| format!(r#"{{"isDraft":{draft},"tagName":"{tag}"}}"#);
    for (ended, expected) in [
        (ended(Some(1), "", "release not found\n"), Ok(None)),
        (
            ended(Some(0), &json(false, "v1.0.0"), ""),
            Ok(Some(found(false))),
        ),
        (
            ended(Some(0), &json(true, "v1.0.0"), ""),
            Ok(Some(found(true))),
        ),
    ] {
        assert_eq!(read(&ended, "v1.0.0"), expected);
    }
    for (ended, part) in [
        (
            ended(Some(1), "", "HTTP 404: Not Found (https://api)\nmore"),
            "HTTP 404: Not Found",
        ),
        (
            ended(
                Some(4),
                "",
                "To get started with GitHub CLI, run: gh auth login",
            ),
            "gh auth login",
        ),
        (
            ended(Some(1), "", "\u{1b}[31mx release not found"),
            r"\u{1b}[31mx",
        ),
        (ended(Some(1), "", ""), "no reason"),
        (ended(None, "", "release not found"), "in time"),
        (ended(Some(0), &json(false, "v9.0.0"), ""), "another tag"),
        (ended(Some(0), "", ""), "cannot be read"),
    ] {
        let why = read(&ended, "v1.0.0").unwrap_err();
        assert!(why.contains(part), "{why}");
    }
}
