//! What makes a tree dirty, by the same paths as `git status` lists.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::time::{Duration, SystemTime};

use crate::common::Ran;
use crate::tags::Repo;

/// A repository with a few committed files and what is to be ignored.
fn with_files() -> Repo {
    let repo = Repo::new();
    for name in ["tracked", "to delete", "folder/inner"] {
        repo.write(name, "text");
    }
    repo.write(".gitignore", "/target\n*.log\n");
    repo.git(&["add", "--all"]);
    repo.commit("files");
    repo
}

/// The tree differs in `paths`, as git says too; and it is `dev`, nothing else.
#[track_caller]
fn dirty(repo: &Repo, paths: &[&str]) {
    let status = repo.git(&["status", "--porcelain", "-z"]);
    let listed: Vec<&str> = status
        .split_terminator('\0')
        .map(|line| line.split_at(2).1.trim_start())
        .collect();
    assert_eq!(listed, paths, "git itself");
    let set = repo.set();
    assert_eq!(set.strings("dirty"), paths);
    let revision = repo.head();
    if paths.is_empty() {
        assert_eq!(set.text("revision"), Some(&*revision));
        assert_eq!(set.tags(), [&*format!("sha-{}", &revision[..7]), "dev"]);
    } else {
        assert_eq!(set.text("revision"), Some(&*format!("{revision}-dirty")));
        assert_eq!(set.tags(), ["dev"]);
    }
}

#[test]
fn each_way_to_differ_from_the_commit() {
    let repo = with_files();
    dirty(&repo, &[]);
    repo.write("tracked", "other text");
    dirty(&repo, &["tracked"]);
    repo.git(&["add", "tracked"]);
    dirty(&repo, &["tracked"]);
    // Staged one way and changed back: the index differs still.
    repo.write("tracked", "text");
    dirty(&repo, &["tracked"]);
    repo.git(&["add", "tracked"]);
    dirty(&repo, &[]);
    fs::remove_file(repo.root().join("to delete")).unwrap();
    dirty(&repo, &["to delete"]);
    repo.git(&["checkout", "--", "."]);
    repo.write("new file", "");
    dirty(&repo, &["new file"]);
    repo.git(&["add", "--intent-to-add", "new file"]);
    dirty(&repo, &["new file"]);
    repo.git(&["rm", "--quiet", "--force", "--cached", "new file"]);
    fs::remove_file(repo.root().join("new file")).unwrap();
    dirty(&repo, &[]);
}

#[test]
fn ignored_files_and_empty_folders_do_not_count() {
    let repo = with_files();
    repo.write("target/debug/x", "");
    repo.write("folder/y.log", "");
    fs::create_dir_all(repo.root().join("empty/of all")).unwrap();
    dirty(&repo, &[]);
    repo.write(".git/info/exclude", "*.tmp\n");
    repo.write("z.tmp", "");
    dirty(&repo, &[]);
    // A folder that holds something besides the ignored.
    repo.write("empty/of all/but one", "");
    repo.write("empty/w.log", "");
    dirty(&repo, &["empty/"]);
}

#[test]
fn a_file_made_executable_or_a_link_differs() {
    use std::os::unix::fs::PermissionsExt as _;

    let repo = with_files();
    let path = repo.root().join("tracked");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    dirty(&repo, &["tracked"]);
    repo.git(&["config", "core.fileMode", "false"]);
    dirty(&repo, &[]);
    fs::remove_file(&path).unwrap();
    std::os::unix::fs::symlink("to delete", &path).unwrap();
    dirty(&repo, &["tracked"]);
}

#[test]
fn a_file_with_new_times_alone_does_not_differ() {
    let repo = with_files();
    // Another inode with other times, and the same content.
    fs::remove_file(repo.root().join("tracked")).unwrap();
    repo.write("tracked", "text");
    let set = repo.set();
    assert_eq!(set.strings("dirty"), [""; 0]);
}

#[test]
fn names_with_spaces_control_characters_and_no_utf_8() {
    let repo = with_files();
    for name in [&b"a b"[..], b"caf\xe9", b"two\nlines", b"\x1b[31mred"] {
        fs::write(repo.root().join(OsStr::from_bytes(name)), "").unwrap();
    }
    let set = repo.set();
    let mut paths = set.strings("dirty");
    paths.sort_unstable();
    assert_eq!(
        paths,
        ["\\u{1b}[31mred", "a b", "caf\u{fffd}", "two\\nlines"]
    );
    let table = repo.run(&[]).succeeded().stdout;
    assert!(!table.contains('\x1b'), "{table:?}");
    repo.git(&["add", "--all"]);
    repo.commit("odd names");
    dirty(&repo, &[]);
    fs::remove_file(repo.root().join(OsStr::from_bytes(b"caf\xe9"))).unwrap();
    assert_eq!(repo.set().strings("dirty"), ["caf\u{fffd}"]);
}

#[test]
fn a_repository_inside_is_a_difference_until_it_is_ignored() {
    let repo = with_files();
    let inner = repo.root().join("inner repo");
    fs::create_dir(&inner).unwrap();
    repo.git_in(&inner, &["init", "--quiet"]);
    repo.git_in(
        &inner,
        &["commit", "--quiet", "--allow-empty", "--message", "x"],
    );
    dirty(&repo, &["inner repo/"]);
    repo.write(".git/info/exclude", "/inner repo\n");
    dirty(&repo, &[]);
    // Deeper, beside nothing but what is ignored.
    repo.write("deep/x.log", "");
    fs::create_dir(repo.root().join("deep/down")).unwrap();
    dirty(&repo, &[]);
    fs::rename(inner, repo.root().join("deep/down/repo")).unwrap();
    dirty(&repo, &["deep/"]);
}

#[test]
fn a_submodule_is_dirty_as_a_part_of_the_tree() {
    let repo = with_files();
    let library = repo.path("library");
    fs::create_dir(&library).unwrap();
    repo.git_in(&library, &["init", "--quiet", "--initial-branch", "main"]);
    fs::write(library.join("file"), "text").unwrap();
    repo.git_in(&library, &["add", "--all"]);
    repo.git_in(&library, &["commit", "--quiet", "--message", "x"]);
    let library = library.to_str().unwrap();
    let allow = "protocol.file.allow=always";
    repo.git(&["-c", allow, "submodule", "--quiet", "add", library, "sub"]);
    dirty(&repo, &[".gitmodules", "sub"]);
    repo.commit("submodule");
    dirty(&repo, &[]);
    let sub = repo.root().join("sub");

    fs::write(sub.join("file"), "changed").unwrap();
    dirty(&repo, &["sub"]);
    repo.git_in(&sub, &["add", "file"]);
    dirty(&repo, &["sub"]);
    repo.git_in(&sub, &["reset", "--quiet", "--hard"]);
    fs::write(sub.join("untracked"), "").unwrap();
    dirty(&repo, &["sub"]);
    fs::remove_file(sub.join("untracked")).unwrap();
    dirty(&repo, &[]);
    repo.git_in(
        &sub,
        &["commit", "--quiet", "--allow-empty", "--message", "ahead"],
    );
    dirty(&repo, &["sub"]);
    repo.git(&["submodule", "--quiet", "update", "--force"]);
    dirty(&repo, &[]);
    // A clone that has not fetched it.
    repo.git(&["submodule", "--quiet", "deinit", "--all", "--force"]);
    dirty(&repo, &[]);
}

#[test]
fn what_a_sparse_checkout_leaves_out_is_not_missing() {
    let repo = with_files();
    repo.git(&["sparse-checkout", "set", "--no-cone", "tracked"]);
    assert!(!repo.root().join("folder/inner").exists());
    dirty(&repo, &[]);
    // Files that are here all the same: one unchanged, one changed.
    repo.write("folder/inner", "text");
    assert_eq!(repo.set().strings("dirty"), [""; 0]);
    repo.write("folder/inner", "other text");
    assert_eq!(repo.set().strings("dirty"), ["folder/inner"]);
    dirty(&repo, &["folder/inner"]);
    repo.git(&["checkout", "--", "folder/inner"]);
    repo.git(&["sparse-checkout", "reapply"]);
    dirty(&repo, &[]);
    fs::remove_file(repo.root().join("tracked")).unwrap();
    dirty(&repo, &["tracked"]);
    repo.git(&["checkout", "--", "tracked"]);
    repo.git(&["rm", "--quiet", "--sparse", "--cached", "to delete"]);
    dirty(&repo, &["to delete"]);
}

#[test]
fn forms_of_the_index_that_cannot_be_read_say_how_to_change_them() {
    let forms: [(&str, &[&str], &[&str]); 2] = [
        (
            "a sparse index",
            &[
                "sparse-checkout",
                "set",
                "--cone",
                "--sparse-index",
                "no such folder",
            ],
            &["sparse-checkout", "reapply", "--no-sparse-index"],
        ),
        (
            "a split index",
            &["update-index", "--split-index"],
            &["update-index", "--no-split-index"],
        ),
    ];
    for (name, make, remedy) in forms {
        let repo = with_files();
        repo.git(make);
        let ran = repo.run(&[]);
        assert_eq!((ran.code, &*ran.stdout), (Some(1), ""), "{ran:#?}");
        let hint = format!(
            "hint: libgit2 cannot read {name}; `git {}`",
            remedy.join(" ")
        );
        assert!(ran.stderr.contains(&hint), "{ran:#?}");
        repo.git(remedy);
        dirty(&repo, &[]);
    }
}

#[test]
fn a_file_that_only_git_can_compare_differs_until_git_has_compared_it() {
    let repo = with_files();
    repo.write(".gitattributes", "big filter=big\n");
    repo.git(&["config", "filter.big.clean", "tr a-z A-Z"]);
    repo.git(&["config", "filter.big.smudge", "tr A-Z a-z"]);
    repo.write("big", "text");
    repo.git(&["add", "--all"]);
    repo.commit("filter");
    // Of another time than the index has; long ago, or the index would not count on it.
    let big = fs::File::options()
        .write(true)
        .open(repo.root().join("big"));
    big.unwrap()
        .set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000))
        .unwrap();
    let set = repo.set();
    assert_eq!(set.strings("dirty"), ["big"]);
    assert!(set.has_note("`big` may be unchanged"), "{set:?}");
    // The helper runs `git status` first, which is the remedy.
    dirty(&repo, &[]);
    repo.write("tracked", "other text");
    repo.write("new", "");
    let set = repo.set();
    assert!(!set.has_note("may be unchanged"), "{set:?}");
}

/// CVE-2021-42574, and what GitHub's runner takes for a command.
#[test]
fn a_files_name_is_shown_and_not_obeyed() {
    let repo = with_files();
    repo.write("\u{1b}[2J\r\n::add-mask::x\u{202e}##[add-mask]y", "x");
    for json in [&["--json"][..], &[]] {
        let mut command = repo.command(&repo.root(), json);
        let summary = repo.path("summary");
        command.env("GITHUB_STEP_SUMMARY", &summary);
        let ran = Ran::of(&mut command).succeeded();
        let summary = fs::read_to_string(summary).unwrap_or_default();
        for text in [&ran.stdout, &ran.stderr, &summary] {
            let is_obeyed = |c: char| c != '\n' && (c.is_control() || c == '\u{202e}');
            assert!(!text.contains(is_obeyed), "{text:?}");
            assert!(!text.contains("##["), "{text}");
            let mut lines = text.lines();
            assert!(
                !lines.any(|line| line.trim_start().starts_with("::")),
                "{text}"
            );
        }
        let all = format!("{}{}", ran.stdout, ran.stderr);
        assert!(all.contains("add-mask"), "{all}");
    }
}
