//! Every way that git keeps a tag, and everything that a tag can lead to.

use std::fs;

use crate::tags::Repo;

/// Both as files of their own and packed: git moves them from one to the other as it likes.
fn loose_and_packed(repo: &Repo, check: impl Fn(&Repo)) {
    check(repo);
    repo.git(&["pack-refs", "--all"]);
    assert!(!repo.root().join(".git/refs/tags").join("v1.0.0").exists());
    check(repo);
}

#[test]
fn lightweight_annotated_and_nested_tags_lead_to_their_commit() {
    let repo = Repo::new();
    repo.git(&["tag", "v1.0.0"]);
    repo.git(&["tag", "--annotate", "--message", "x", "v1.1.0"]);
    repo.git(&["tag", "--annotate", "--message", "x", "v1.2.0", "v1.1.0"]);
    repo.git(&["tag", "--annotate", "--message", "x", "v1.3.0", "v1.2.0"]);
    repo.git(&["tag", "nightly"]);
    loose_and_packed(&repo, |repo| {
        let set = repo.set();
        assert_eq!(set.text("version"), Some("1.3.0"));
        assert_eq!(
            set.strings("git_tags"),
            ["nightly", "v1.0.0", "v1.1.0", "v1.2.0", "v1.3.0"]
        );
        assert!(set.has_note("`v1.2.0`, `v1.1.0`, `v1.0.0`"), "{set:?}");
    });
}

#[test]
fn a_tag_of_a_tree_or_a_blob_is_ignored_with_a_note() {
    let repo = Repo::new();
    repo.write("file", "text");
    repo.git(&["add", "file"]);
    repo.commit("second");
    repo.git(&["tag", "v1.0.0"]);
    repo.git(&["tag", "v2.0.0", "HEAD^{tree}"]);
    repo.git(&["tag", "--annotate", "--message", "x", "v2.1.0", "HEAD:file"]);
    repo.git(&["tag", "--annotate", "--message", "x", "v2.2.0", "v2.1.0"]);
    repo.git(&["tag", "files", "HEAD^{tree}"]);
    loose_and_packed(&repo, |repo| {
        let set = repo.set();
        assert_eq!(set.text("version"), Some("1.0.0"));
        assert_eq!(set.strings("higher_versions"), [""; 0]);
        for (name, kind) in [
            ("v2.0.0", "tree"),
            ("v2.1.0", "blob"),
            ("v2.2.0", "blob"),
            ("files", "tree"),
        ] {
            let note = format!("the tag `{name}` leads to a {kind}, not to a commit: ignored");
            assert!(set.has_note(&note), "{note}: {set:?}");
        }
    });
}

#[test]
fn a_tag_moved_since_it_was_packed_counts_where_it_is_now() {
    let repo = Repo::new();
    repo.git(&["tag", "v1.0.0"]);
    repo.git(&["pack-refs", "--all"]);
    repo.commit("second");
    assert_eq!(repo.set().text("version"), None);
    repo.git(&["tag", "--force", "v1.0.0"]);
    assert_eq!(repo.set().text("version"), Some("1.0.0"));
    repo.git(&["checkout", "--quiet", "HEAD~1"]);
    assert_eq!(repo.set().text("version"), None);
}

#[test]
fn packed_references_without_a_header_are_followed_to_their_commits() {
    let repo = Repo::new();
    repo.git(&["tag", "--annotate", "--message", "x", "v1.0.0"]);
    repo.git(&["pack-refs", "--all"]);
    let path = repo.root().join(".git/packed-refs");
    let packed = fs::read_to_string(&path).unwrap();
    assert!(packed.starts_with("# pack-refs with: peeled"), "{packed}");
    let bare = packed.lines().filter(|line| !line.starts_with(['#', '^']));
    fs::write(
        &path,
        bare.map(|line| format!("{line}\n")).collect::<String>(),
    )
    .unwrap();
    assert_eq!(repo.set().text("version"), Some("1.0.0"));
}

#[test]
fn tags_in_folders_and_files_that_are_not_tags() {
    let repo = Repo::new();
    repo.git(&["tag", "releases/v9.0.0"]);
    repo.git(&["symbolic-ref", "refs/tags/v1.0.0", "refs/heads/main"]);
    let tags = repo.root().join(".git/refs/tags");
    fs::write(tags.join(".DS_Store"), "x").unwrap();
    fs::write(tags.join("v3.0.0.lock"), "").unwrap();
    fs::create_dir_all(tags.join("v4.0.0/empty")).unwrap();
    let set = repo.set();
    assert_eq!(set.strings("git_tags"), ["releases/v9.0.0", "v1.0.0"]);
    assert_eq!(set.text("version"), Some("1.0.0"));
}

#[test]
fn near_misses_are_listed() {
    let repo = Repo::new();
    for name in ["V1.2.3", "1.2.3", "v1.2", "v01.2.3", "v1.2.3.4", "v1.2.3+b"] {
        repo.commit("next");
        repo.git(&["tag", name]);
    }
    repo.commit("last");
    let set = repo.set();
    let names: Vec<&String> = set.0["near_misses"].as_object().unwrap().keys().collect();
    let want = ["1.2.3", "V1.2.3", "v01.2.3", "v1.2", "v1.2.3+b", "v1.2.3.4"];
    assert_eq!(names, want);
    assert_eq!(set.text("version"), None);
    let table = repo.run(&[]).succeeded().stdout;
    assert!(
        table.contains("  V1.2.3: the `v` must be lower case\n"),
        "{table}"
    );
    assert!(
        table.contains("  … and 1 more (`--json` has all)\n"),
        "{table}"
    );
}

#[test]
fn of_very_many_tags_only_the_relevant_ones_are_resolved() {
    let repo = Repo::new();
    let tags = repo.root().join(".git/refs/tags");
    let head = repo.head();
    for number in 0..1200 {
        fs::write(tags.join(format!("v0.0.{number}")), &head).unwrap();
    }
    repo.commit("second");
    repo.git(&["tag", "v8.0.0"]);
    repo.commit("third");
    repo.git(&["tag", "v1.0.0"]);
    repo.git(&["tag", "v9.0.0", "HEAD^{tree}"]);
    loose_and_packed(&repo, |repo| {
        let set = repo.set();
        assert_eq!(set.text("version"), Some("1.0.0"));
        assert_eq!(set.strings("higher_versions"), ["v8.0.0"]);
        assert!(set.has_note("`v9.0.0` leads to a tree"), "{set:?}");
    });
}
