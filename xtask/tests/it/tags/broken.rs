//! What is broken or cannot be read is named, with a remedy that works.

use std::fs;
use std::path::Path;

use crate::common::Ran;
use crate::sandbox::Sandbox;
use crate::tags::Repo;

/// The repository's path, as it is printed.
pub(super) fn shown(repo: &Repo) -> String {
    repo.root().canonicalize().unwrap().display().to_string()
}

/// Types `remedy` into a shell in the repository.
pub(super) fn type_in(repo: &Repo, remedy: &str, home: &Path) {
    let mut shell = crate::common::command("sh", &repo.root());
    shell.args(["-ec", remedy]).env("HOME", home);
    Ran::of(&mut shell).succeeded();
}

/// The part of an error between the first backticks after `hint:`.
pub(super) fn remedy(ran: &Ran) -> &str {
    let (_, hint) = ran.stderr.split_once("hint: ").unwrap();
    hint.split('`').nth(1).unwrap()
}

#[test]
fn a_repository_with_sha_256() {
    let repo = Repo::empty();
    fs::remove_dir_all(repo.root().join(".git")).unwrap();
    repo.git(&[
        "init",
        "--quiet",
        "--initial-branch",
        "main",
        "--object-format=sha256",
    ]);
    repo.commit("first");
    repo.git(&["tag", "v1.0.0"]);
    let ran = repo.run(&[]);
    assert_eq!((ran.code, &*ran.stdout), (Some(1), ""), "{ran:#?}");
    let what = format!("failed to open the git repository at `{}`", shown(&repo));
    let want = format!("error: {what}: its object ids are SHA-256, which libgit2 cannot read; ");
    assert!(ran.stderr.starts_with(&want), "{ran:#?}");
    type_in(&repo, remedy(&ran), &repo.path("tmp"));
    let set = repo.set_in(&repo.path("copy"));
    assert_eq!(set.text("version"), Some("1.0.0"));
}

#[test]
fn a_repository_with_a_reftable() {
    let repo = Repo::empty();
    fs::remove_dir_all(repo.root().join(".git")).unwrap();
    let mut init = crate::common::command("git", &repo.root());
    init.args(["init", "--quiet", "--initial-branch", "main"]);
    if Ran::of(init.arg("--ref-format=reftable")).code != Some(0) {
        eprintln!("NOT RUN: this git is older than 2.45 and knows no reftable");
        return;
    }
    repo.commit("first");
    repo.git(&["tag", "v1.0.0"]);
    let ran = repo.run(&[]);
    assert_eq!((ran.code, &*ran.stdout), (Some(1), ""), "{ran:#?}");
    assert!(ran.stderr.contains("kept as a reftable"), "{ran:#?}");
    type_in(&repo, remedy(&ran), &repo.path("tmp"));
    let set = repo.set_in(&repo.path("copy"));
    assert_eq!(set.text("version"), Some("1.0.0"));
}

#[test]
fn a_broken_head() {
    let repo = Repo::new();
    let head = repo.root().join(".git/HEAD");
    let branch = repo.root().join(".git/refs/heads/main");
    let (good_head, good_branch) = (fs::read(&head).unwrap(), fs::read(&branch).unwrap());
    let nothing = "1234567890123456789012345678901234567890\n";
    for (file, text) in [
        (&head, ""),
        (&head, "garbage\n"),
        (&head, nothing),
        (&branch, ""),
        (&branch, "garbage\n"),
        (&branch, nothing),
    ] {
        fs::write(file, text).unwrap();
        let ran = repo.run(&[]);
        assert_eq!((ran.code, &*ran.stdout), (Some(1), ""), "{text}: {ran:#?}");
        assert!(ran.stderr.contains("error: git's HEAD"), "{text}: {ran:#?}");
        assert!(ran.stderr.contains("; hint: `git "), "{text}: {ran:#?}");
        fs::write(&head, &good_head).unwrap();
        fs::write(&branch, &good_branch).unwrap();
    }
    repo.set();
}

#[test]
fn a_broken_index_and_a_broken_configuration() {
    let repo = Repo::new();
    let index = repo.root().join(".git/index");
    fs::write(&index, "garbage").unwrap();
    let ran = repo.run(&[]);
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    assert!(
        ran.stderr.contains("failed to compare the tree with HEAD"),
        "{ran:#?}"
    );
    type_in(
        &repo,
        "rm .git/index && git reset --quiet",
        &repo.path("tmp"),
    );
    repo.set();
    fs::write(repo.root().join(".git/config"), "[core\n").unwrap();
    let ran = repo.run(&[]);
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    assert!(ran.stderr.contains(".git/config"), "{ran:#?}");
    assert!(ran.stderr.contains("hint: `git config --list`"), "{ran:#?}");
}

#[test]
fn history_that_is_missing_does_not_matter() {
    let repo = Repo::new();
    repo.git(&["tag", "v1.0.0"]);
    for message in ["second", "third", "fourth"] {
        repo.commit(message);
    }
    let lost = repo.git(&["rev-parse", "HEAD~2"]);
    let (folder, file) = lost.split_at(2);
    let path = repo.root().join(".git/objects").join(folder).join(file);
    fs::remove_file(path).unwrap();
    assert_eq!(repo.set().text("version"), None);
}

#[test]
fn a_folder_without_a_repository_and_a_missing_folder() {
    let sandbox = Sandbox::new();
    let folder = sandbox.path("tmp").canonicalize().unwrap();
    sandbox
        .run(&["tags", "-C", folder.to_str().unwrap()])
        .failed(
            1,
            &format!(
                "`{}` is not in a git repository, and an image is named after its commit; hint: \
             build in a `git clone`, or `git init && git add --all && git commit` here",
                folder.display()
            ),
        );
    sandbox.run(&["tags", "-C", "/nowhere"]).failed(
        1,
        "failed to find the folder `/nowhere` (`-C`): No such file or directory (os error 2)",
    );
}
