//! Clones that lack something: history, or files of it.

use std::path::PathBuf;

use crate::tags::Repo;

/// A repository with `v1.0.0`, `v2.0.0` and a commit after each; and a clone of it, made with
/// `options`.
fn cloned(options: &[&str]) -> (Repo, PathBuf) {
    let repo = Repo::new();
    repo.write("file", "text");
    repo.git(&["add", "file"]);
    repo.commit("file");
    repo.git(&["tag", "v1.0.0"]);
    repo.write("file", "text of no tag");
    repo.git(&["add", "file"]);
    repo.commit("between");
    repo.git(&[
        "tag",
        "--annotate",
        "--message",
        "x",
        "v3.0.0",
        "HEAD~1:file",
    ]);
    repo.write("file", "other text");
    repo.git(&["add", "file"]);
    repo.commit("second");
    repo.git(&["tag", "--annotate", "--message", "x", "v2.0.0"]);
    repo.git(&["config", "uploadpack.allowFilter", "true"]);
    let url = format!("file://{}", repo.root().display());
    let clone = ["clone", "--quiet"]
        .into_iter()
        .chain(options.iter().copied());
    let args: Vec<&str> = clone.chain([&*url, "clone"]).collect();
    repo.git_in(&repo.path(""), &args);
    let path = repo.path("clone");
    (repo, path)
}

#[test]
fn a_shallow_clone_says_what_it_cannot_know() {
    let (repo, clone) = cloned(&["--depth", "1"]);
    // Whatever is printed on stdout: actions/checkout#338.
    for format in [
        &["--json"][..],
        &[],
        &["--format", "plain"],
        &["--format", "json"],
    ] {
        let ran = repo.run_in(&clone, format);
        assert_eq!(ran.code, Some(3), "{ran:#?}");
        assert_eq!(
            ran.stderr,
            "note: the clone is shallow: tags may be missing; hint: `git fetch --unshallow --tags` \
             (`fetch-depth: 0` for actions/checkout)\n\
             error: `latest` is refused: the clone is shallow: the tags of higher versions may be \
             missing; hint: `git fetch --unshallow --tags` (`fetch-depth: 0` for \
             actions/checkout)\n",
            "{format:?}"
        );
    }
    let ran = repo.run_in(&clone, &["--json"]);
    let set = crate::tags::Set::of(&ran);
    assert_eq!(set.0["shallow"], true);
    let sha = format!("sha-{}", &repo.head()[..7]);
    assert_eq!(set.tags(), [&*sha, "dev", "v2.0.0"]);
    // Where nothing is refused, too, and for GitHub's outputs.
    repo.git_in(&clone, &["tag", "--delete", "v2.0.0"]);
    let output = repo.path("tmp/output");
    let mut tags = repo.command(&clone, &["--format", "plain"]);
    tags.env("GITHUB_ACTIONS", "true")
        .env("GITHUB_OUTPUT", &output);
    let ran = crate::common::Ran::of(&mut tags).succeeded();
    assert!(
        ran.stderr.starts_with("note: the clone is shallow"),
        "{ran:#?}"
    );
    assert!(std::fs::read_to_string(&output).unwrap().contains(&sha));
    assert_eq!(repo.run(&[]).succeeded().stderr, "");
    // The remedy works.
    repo.git_in(&clone, &["fetch", "--quiet", "--unshallow", "--tags"]);
    let set = repo.set_in(&clone);
    assert_eq!(
        (&set.0["shallow"], set.tags().last()),
        (&false.into(), Some(&"latest"))
    );
}

#[test]
fn a_partial_clone_needs_none_of_the_files_it_left_out() {
    let (repo, clone) = cloned(&["--filter=blob:none"]);
    let missing = repo.git_in(
        &clone,
        &["rev-list", "--objects", "--all", "--missing=print"],
    );
    assert!(
        missing.lines().any(|line| line.starts_with('?')),
        "{missing}"
    );
    let set = repo.set_in(&clone);
    assert_eq!(set.text("version"), Some("2.0.0"));
    assert_eq!(set.strings("higher_versions"), [""; 0]);
    assert!(set.has_note("`v3.0.0` leads to a blob"), "{set:?}");
    std::fs::write(clone.join("file"), "changed").unwrap();
    assert_eq!(repo.set_in(&clone).strings("dirty"), ["file"]);
    // Nothing was fetched for it.
    let after = repo.git_in(
        &clone,
        &["rev-list", "--objects", "--all", "--missing=print"],
    );
    assert_eq!(after, missing);
}

#[test]
fn a_clone_that_left_out_its_trees() {
    let (repo, clone) = cloned(&["--filter=tree:0"]);
    let set = repo.set_in(&clone);
    assert_eq!(set.text("version"), Some("2.0.0"));
    assert!(set.has_note("`v3.0.0` leads to a blob"), "{set:?}");
}

#[test]
fn a_partial_clone_in_the_old_form_says_how_to_bring_it_into_the_new_one() {
    let (repo, clone) = cloned(&["--filter=blob:none"]);
    let config = |args: &[&str]| repo.git_in(&clone, &[&["config"], args].concat());
    config(&["extensions.partialclone", "origin"]);
    config(&["--unset", "remote.origin.promisor"]);
    let clone_path = clone.canonicalize().unwrap();
    repo.run_in(&clone, &[]).failed(
        1,
        &format!(
            "failed to open the git repository at `{}`: it is a partial clone in the old form, \
             which libgit2 cannot read; hint: `git config remote.origin.promisor true && git \
             config --unset extensions.partialclone`",
            clone_path.display()
        ),
    );
    config(&["remote.origin.promisor", "true"]);
    config(&["--unset", "extensions.partialclone"]);
    assert_eq!(repo.set_in(&clone).text("version"), Some("2.0.0"));
    repo.git_in(&clone, &["log", "--patch"]);
}
