//! Where HEAD can be, and the folders that `tags` can start from: work trees, bare repositories, branches.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;

use crate::tags::{Repo, Set};

#[test]
fn a_branch_a_detached_head_and_one_without_a_commit() {
    let repo = Repo::empty();
    let root = repo.root().canonicalize().unwrap();
    repo.run(&[]).failed(
        1,
        &format!(
            "the repository `{}` has no commit yet, so an image of it has no revision; \
             hint: `git add --all && git commit`",
            root.display()
        ),
    );
    repo.commit("first");
    let set = repo.set();
    assert_eq!(set.text("branch"), Some("main"));
    assert_eq!(set.text("revision"), Some(&*repo.head()));
    assert_eq!(set.text("created"), Some("2026-01-02T00:02:00Z"));
    assert_eq!(
        set.0["epoch"].to_string(),
        repo.git(&["log", "-1", "--format=%ct"])
    );
    repo.git(&["checkout", "--quiet", "-b", "feature/x"]);
    assert_eq!(repo.set().text("branch"), Some("feature/x"));
    repo.git(&["checkout", "--quiet", "--detach"]);
    let set = repo.set();
    assert_eq!(set.text("branch"), None);
    assert_eq!(set.tags().len(), 2, "{set:?}");
}

#[test]
fn a_new_branch_without_a_commit_has_none_though_others_have() {
    let repo = Repo::new();
    repo.git(&["checkout", "--quiet", "--orphan", "empty"]);
    let ran = repo.run(&[]);
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    assert!(ran.stderr.contains("has no commit yet"), "{ran:#?}");
}

#[test]
fn the_default_branch_is_that_of_origin_or_main_or_master() {
    let repo = Repo::new();
    let default = |repo: &Repo| repo.set().text("default_branch").map(str::to_owned);
    assert_eq!(default(&repo).as_deref(), Some("main"));
    repo.git(&["branch", "--quiet", "master"]);
    assert_eq!(default(&repo).as_deref(), Some("main"));
    repo.git(&["branch", "--quiet", "--move", "main", "other"]);
    assert_eq!(default(&repo).as_deref(), Some("master"));
    repo.git(&["branch", "--quiet", "--delete", "master"]);
    assert_eq!(default(&repo), None);

    let clone = repo.path("clone");
    repo.git_in(&repo.path(""), &["clone", "--quiet", "the repo", "clone"]);
    let set = repo.set_in(&clone);
    assert_eq!(set.text("default_branch"), Some("other"));
    // CI's clones often have no origin/HEAD, and only the branch they build.
    repo.git(&["branch", "main"]);
    repo.git_in(&clone, &["fetch", "--quiet"]);
    repo.git_in(&clone, &["remote", "set-head", "origin", "--delete"]);
    assert_eq!(repo.set_in(&clone).text("default_branch"), Some("main"));
}

#[test]
fn the_setting_in_cargo_toml_names_the_default_branch() {
    let sandbox = crate::sandbox::Sandbox::new();
    sandbox.edit(
        "work/Cargo.toml",
        "default-branch = \"main\"",
        "default-branch = \"trunk\"",
    );
    let set = Set::of(&sandbox.run(&["tags", "--json"]).succeeded());
    assert_eq!(set.text("default_branch"), Some("trunk"));
    sandbox.edit("work/Cargo.toml", "default-branch = \"trunk\"\n", "");
    let set = Set::of(&sandbox.run(&["tags", "--json"]).succeeded());
    assert_eq!(set.text("default_branch"), Some("main"));
}

#[test]
fn a_linked_work_tree_has_its_own_head_and_all_tags() {
    let repo = Repo::new();
    repo.git(&["tag", "v1.0.0"]);
    repo.git(&["tag", "--annotate", "--message", "x", "v1.1.0"]);
    repo.git(&["pack-refs", "--all"]);
    repo.commit("second");
    repo.git(&["tag", "v2.0.0"]);
    let linked = repo.path("linked tree");
    let path = linked.to_str().unwrap();
    repo.git(&["worktree", "add", "--quiet", "-b", "old", path, "v1.0.0"]);
    let set = repo.set_in(&linked);
    assert_eq!(
        (set.text("version"), set.text("branch")),
        (Some("1.1.0"), Some("old"))
    );
    assert_eq!(set.strings("higher_versions"), ["v2.0.0"]);
    assert_eq!(repo.set().text("version"), Some("2.0.0"));
    fs::write(linked.join("new"), "").unwrap();
    assert_eq!(repo.set_in(&linked).strings("dirty"), ["new"]);
    assert_eq!(repo.set().strings("dirty"), [""; 0]);
    // Tags are kept where the first tree is: <https://github.com/romkatv/gitstatus/pull/467>.
    fs::write(repo.root().join(".git/refs/tags/v3.0.0"), "").unwrap();
    let ran = repo.run_in(&linked, &[]);
    assert!(
        ran.stderr.contains("the tag `v3.0.0` is broken"),
        "{ran:#?}"
    );
}

/// `git worktree add --relative-paths`, since git 2.48; libgit2 before 1.9.4 opens no repository
/// that has such a tree: <https://github.com/libgit2/libgit2/issues/7210>.
#[test]
fn a_linked_work_tree_with_a_relative_path() {
    let repo = Repo::new();
    repo.git(&["tag", "v1.0.0"]);
    let linked = repo.path("linked");
    let path = linked.to_str().unwrap();
    repo.git(&["worktree", "add", "--quiet", "-b", "other", path]);
    // As that git writes it; the one here may be older.
    repo.git(&["config", "core.repositoryFormatVersion", "1"]);
    repo.git(&["config", "extensions.relativeWorktrees", "true"]);
    let of_linked = "gitdir: ../the repo/.git/worktrees/linked\n";
    fs::write(linked.join(".git"), of_linked).unwrap();
    let of_repo = repo.root().join(".git/worktrees/linked/gitdir");
    fs::write(of_repo, "../../../../linked/.git\n").unwrap();
    let set = repo.set_in(&linked);
    assert_eq!(
        (set.text("version"), set.text("branch")),
        (Some("1.0.0"), Some("other"))
    );
    assert_eq!(repo.set().text("version"), Some("1.0.0"));
}

#[test]
fn a_bare_repository_has_no_tree_to_be_dirty() {
    let repo = Repo::new();
    repo.git(&["tag", "v1.0.0"]);
    let bare = repo.path("bare.git");
    repo.git_in(
        &repo.path(""),
        &["clone", "--quiet", "--bare", "the repo", "bare.git"],
    );
    for folder in [bare.clone(), bare.join("refs")] {
        let set = repo.set_in(&folder);
        assert_eq!(set.text("revision"), Some(&*repo.head()));
        assert_eq!(set.text("version"), Some("1.0.0"));
        assert!(set.has_note("the repository is bare"), "{set:?}");
    }
}

#[test]
fn a_folder_of_a_repository_and_a_repository_in_it() {
    let repo = Repo::new();
    repo.write("a/b/file", "");
    repo.git(&["add", "--all"]);
    repo.commit("folders");
    repo.write("dirt", "");
    let set = repo.set_in(&repo.root().join("a/b"));
    assert_eq!(
        set.text("revision"),
        Some(&*format!("{}-dirty", repo.head()))
    );
    assert_eq!(set.strings("dirty"), ["dirt"]);
    // The nearest repository counts, not the outer one.
    let inner = repo.root().join("a/b/inner");
    fs::create_dir(&inner).unwrap();
    repo.git_in(&inner, &["init", "--quiet", "--initial-branch", "trunk"]);
    repo.git_in(
        &inner,
        &["commit", "--quiet", "--allow-empty", "--message", "inner"],
    );
    repo.git_in(&inner, &["tag", "v3.0.0"]);
    let set = repo.set_in(&inner);
    assert_eq!(
        (set.text("version"), set.text("branch")),
        (Some("3.0.0"), Some("trunk"))
    );
}

#[test]
fn the_checkout_of_a_submodule_is_a_repository_of_its_own() {
    let repo = Repo::new();
    let library = Repo::new();
    library.git(&["tag", "v5.0.0"]);
    let url = library.root();
    let allow = "protocol.file.allow=always";
    repo.git(&[
        "-c",
        allow,
        "submodule",
        "--quiet",
        "add",
        url.to_str().unwrap(),
        "sub",
    ]);
    repo.commit("submodule");
    let sub = repo.root().join("sub");
    assert!(sub.join(".git").is_file());
    let set = repo.set_in(&sub);
    assert_eq!(set.text("revision"), Some(&*library.head()));
    assert_eq!(set.text("version"), Some("5.0.0"));
    assert_eq!(repo.set().text("version"), None);
}

#[test]
fn a_replaced_commit_counts_as_everyone_else_has_it() {
    let repo = Repo::new();
    repo.write("file", "text");
    repo.git(&["add", "file"]);
    repo.commit("real");
    let epoch = repo.git(&["log", "-1", "--format=%ct"]);
    repo.git(&["tag", "v1.0.0"]);
    let head = repo.head();
    repo.git(&["replace", "HEAD", "HEAD~1"]);
    // git itself shows the other commit's time now.
    assert_ne!(repo.git(&["log", "-1", "--format=%ct"]), epoch);
    let set = repo.set();
    assert_eq!(set.text("revision"), Some(&*head));
    assert_eq!(set.0["epoch"].to_string(), epoch);
    assert_eq!(set.text("version"), Some("1.0.0"));
    assert!(set.has_note("`git replace`"), "{set:?}");
}

#[test]
fn the_source_is_origins_web_address_without_credentials() {
    let repo = Repo::new();
    assert_eq!(repo.set().text("source"), None);
    let origin = "https://me:s3cret@git.example.org/me/agent.git";
    repo.git(&["remote", "add", "origin", origin]);
    let ran = repo.run(&["--json"]).succeeded();
    assert!(!ran.stdout.contains("s3cret"), "{ran:#?}");
    let set = Set::of(&ran);
    assert_eq!(set.text("source"), Some("https://git.example.org/me/agent"));
    let label = &set.0["labels"]["org.opencontainers.image.source"];
    assert_eq!(label, "https://git.example.org/me/agent");
    repo.git(&[
        "remote",
        "set-url",
        "origin",
        "git@git.example.org:me/agent.git",
    ]);
    assert_eq!(
        repo.set().text("source"),
        Some("https://git.example.org/me/agent")
    );
    repo.git(&["remote", "set-url", "origin", "../elsewhere"]);
    assert_eq!(repo.set().text("source"), None);
}

#[test]
fn folders_branches_and_tags_whose_names_are_no_utf_8() {
    let repo = Repo::new();
    repo.git(&["tag", "v1.0.0"]);
    let folder = repo.path("").join(OsStr::from_bytes(b"caf\xe9 repo"));
    fs::rename(repo.root(), &folder).unwrap();
    let git = |args: &[&[u8]]| {
        let mut git = crate::common::command("git", &folder);
        let args = args.iter().map(|arg| OsStr::from_bytes(arg));
        crate::common::Ran::of(git.args(args)).succeeded();
    };
    git(&[b"tag", b"v1.1.0-caf\xe9"]);
    git(&[b"checkout", b"--quiet", b"-b", b"caf\xe9"]);
    for is_packed in [false, true] {
        if is_packed {
            git(&[b"pack-refs", b"--all"]);
        }
        let set = repo.set_in(&folder);
        assert_eq!(set.text("version"), Some("1.0.0"));
        assert_eq!(set.text("branch"), Some("caf\u{fffd}"));
        assert_eq!(set.strings("git_tags"), ["v1.0.0", "v1.1.0-caf\u{fffd}"]);
        assert_eq!(set.strings("dirty"), [""; 0]);
    }
}
