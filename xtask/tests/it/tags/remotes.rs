//! The source's address: as the repository has it, whatever git's settings make of it.

use std::fs;

use crate::tags::{Repo, Set};

/// The source of a repository whose remote is `url`, with these settings of the user.
fn source(url: &str, settings: &str) -> Option<String> {
    let repo = Repo::new();
    repo.git(&["remote", "add", "origin", url]);
    let home = repo.path("tmp");
    fs::write(home.join(".gitconfig"), settings).unwrap();
    let mut tags = repo.command(&repo.root(), &["--json"]);
    let ran = crate::common::Ran::of(tags.env("HOME", &home)).succeeded();
    assert!(!ran.stdout.contains("s3cret"), "{ran:#?}");
    let set = Set::of(&ran);
    let label = set.0["labels"]["org.opencontainers.image.source"].as_str();
    assert_eq!(label, set.text("source"));
    label.map(str::to_owned)
}

/// max-sixty/worktrunk#1546, neoclide/coc-git#205, kunchenguid/no-mistakes#290.
#[test]
fn a_rewritten_address_counts_only_where_the_written_one_is_none() {
    let rewritten = |to: &str, from: &str| format!("[url \"{to}\"]\n\tinsteadOf = {from}\n");
    let github = Some("https://github.com/me/agent");
    for (url, to, from, want) in [
        (
            "https://github.com/me/agent",
            "git@github-work:",
            "https://github.com/",
            github,
        ),
        (
            "git@github.com:me/agent.git",
            "git@github-work:me/",
            "git@github.com:me/",
            github,
        ),
        (
            "https://github.com/me/agent",
            "file:///mirror/",
            "https://github.com/",
            github,
        ),
        (
            "https://github.com/me/agent",
            "https://me:s3cret@github.com/",
            "https://github.com/",
            github,
        ),
        ("gh:me/agent", "https://github.com/", "gh:", github),
        (
            "gh:me/agent",
            "https://me:s3cret@github.com/",
            "gh:",
            github,
        ),
        ("gh:me/agent", "git@github-work:", "gh:", None),
        ("github-work:me/agent", "https://github.com/", "gh:", None),
    ] {
        let found = source(url, &rewritten(to, from));
        assert_eq!(found.as_deref(), want, "{url} {to} {from}");
    }
    let pushed = "[url \"git@elsewhere.example.org:\"]\n\tpushInsteadOf = https://github.com/\n";
    assert_eq!(
        source("https://github.com/me/agent", pushed).as_deref(),
        github
    );
}

#[test]
fn a_secret_in_the_remote_is_in_no_output() {
    for (url, want) in [
        (
            "https://gitlab-ci-token:s3cret@gitlab.example.org/me/agent.git",
            true,
        ),
        ("https://s3cret@gitlab.example.org/me/agent.git", true),
        ("https://me:s3cret/x@gitlab.example.org/me/agent.git", false),
        ("me:s3cret@gitlab.example.org:me/agent.git", false),
    ] {
        let want = want.then(|| "https://gitlab.example.org/me/agent".to_owned());
        assert_eq!(source(url, ""), want, "{url}");
    }
}

/// git fetches from the first address.
#[test]
fn of_several_addresses_the_first_counts() {
    let repo = Repo::new();
    repo.git(&["remote", "add", "origin", "https://github.com/me/agent"]);
    let add = [
        "remote",
        "set-url",
        "--add",
        "origin",
        "https://gitlab.com/me/copy",
    ];
    repo.git(&add);
    assert_eq!(
        repo.set().text("source"),
        Some("https://github.com/me/agent")
    );
}
