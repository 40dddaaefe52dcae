//! A tag that cannot be read is an error that names it, never a tag that is missing.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::broken::{remedy, type_in};
use crate::common::Ran;
use crate::tags::Repo;

/// libgit2's own list skips such a file; git warns ("ignoring broken ref") and goes on.
/// An empty file is what a crash leaves: <https://github.com/jonas/tig/issues/1234>.
#[test]
fn a_broken_tag_is_not_skipped() {
    let repo = Repo::new();
    repo.git(&["tag", "v1.0.0"]);
    let path = repo
        .root()
        .canonicalize()
        .unwrap()
        .join(".git/refs/tags/v2.0.0");
    for text in [
        "",
        "garbage\n",
        "0123456\n",
        "ref: refs/heads/nowhere\n",
        "ref: refs/tags/v2.0.0\n",
    ] {
        fs::write(&path, text).unwrap();
        assert_broken(&repo.run(&[]), "v2.0.0", &path);
    }
    fs::remove_file(&path).unwrap();
    symlink("nowhere", &path).unwrap();
    let ran = repo.run(&[]);
    assert_broken(&ran, "v2.0.0", &path);
    // The part of the remedy that needs no remote.
    let remove = remedy(&ran).strip_suffix(" && git fetch --tags").unwrap();
    type_in(&repo, remove, &repo.path("tmp"));
    assert_eq!(repo.set().text("version"), Some("1.0.0"));
}

#[track_caller]
fn assert_broken(ran: &Ran, tag: &str, path: &Path) {
    assert_eq!((ran.code, &*ran.stdout), (Some(1), ""), "{ran:#?}");
    let want = format!(
        "error: the tag `{tag}` is broken: `{0}` names no object; hint: `rm '{0}' && git fetch \
         --tags`",
        path.display()
    );
    assert!(ran.stderr.starts_with(&want), "{ran:#?}");
}

/// libgit2's own list then gives the older value that is packed.
#[test]
fn a_broken_tag_does_not_fall_back_to_what_it_was_when_it_was_packed() {
    let repo = Repo::new();
    repo.git(&["tag", "v1.0.0"]);
    repo.git(&["pack-refs", "--all"]);
    let path = repo.root().canonicalize().unwrap();
    let path = path.join(".git/refs/tags/v1.0.0");
    fs::write(&path, "").unwrap();
    assert_broken(&repo.run(&[]), "v1.0.0", &path);
}

/// Programs that synchronise folders put files into this one:
/// <https://github.com/desktop/desktop/issues/18053> (`desktop.ini`, which could be a tag),
/// <https://github.com/desktop/desktop/issues/18160> (`Icon` and a carriage return, which could
/// not).
#[test]
fn a_file_that_another_program_left_among_the_tags() {
    let repo = Repo::new();
    repo.git(&["tag", "v1.0.0"]);
    let tags = repo.root().canonicalize().unwrap().join(".git/refs/tags");
    for no_tag in ["Icon\r", "v2.0.0 (conflicted copy)", "a..b", ".DS_Store"] {
        fs::write(tags.join(no_tag), "x").unwrap();
    }
    assert_eq!(repo.set().text("version"), Some("1.0.0"));
    let path = tags.join("desktop.ini");
    fs::write(&path, "[.ShellClassInfo]\n").unwrap();
    assert_broken(&repo.run(&[]), "desktop.ini", &path);
}

#[test]
fn a_tag_of_an_object_that_is_not_there() {
    let repo = Repo::new();
    let nothing = "1234567890123456789012345678901234567890";
    fs::write(repo.root().join(".git/refs/tags/v2.0.0"), nothing).unwrap();
    let ran = repo.run(&[]);
    assert_eq!((ran.code, &*ran.stdout), (Some(1), ""), "{ran:#?}");
    let want = format!(
        "error: the tag `v2.0.0` leads to the object `{nothing}`, which is broken or not here; \
         hint: `git tag -d v2.0.0 && git fetch --tags`"
    );
    assert!(ran.stderr.starts_with(&want), "{ran:#?}");
    repo.git(&["tag", "-d", "v2.0.0"]);
    repo.set();
}

/// libgit2 reads all of a tag object, git its first lines. Old tags and those of other programs lack
/// a tagger or a message: <https://github.com/jelmer/dulwich/pull/491>,
/// <https://github.com/TimHeinrich/GitRewrite/issues/2>.
#[test]
fn tag_objects_of_other_programs() {
    let repo = Repo::new();
    let object = format!("object {}\ntype commit\ntag x\n", repo.head());
    let tag = |name: &str, rest: &str| {
        repo.write(".git/tag", &format!("{object}{rest}"));
        let write = ["hash-object", "-t", "tag", "-w", "--literally", ".git/tag"];
        let id = repo.git(&write);
        repo.git(&["update-ref", &format!("refs/tags/{name}"), &id]);
        id
    };
    tag("v1.0.0", "");
    tag("v1.1.0", "\nno tagger\n");
    tag("v1.2.0", "tagger A <a@b> 1 +0000\n");
    assert_eq!(repo.set().text("version"), Some("1.2.0"));
    let id = tag("v1.3.0", "tagger odd\n\nx\n");
    let ran = repo.run(&[]);
    assert_eq!((ran.code, &*ran.stdout), (Some(1), ""), "{ran:#?}");
    let want = format!("error: libgit2 cannot read the tag `v1.3.0` (object `{id}`); hint: `git ");
    assert!(ran.stderr.starts_with(&want), "{ran:#?}");
    type_in(&repo, remedy(&ran), &repo.path("tmp"));
    assert_eq!(repo.set().text("version"), Some("1.3.0"));
}

#[test]
fn broken_packed_references() {
    let repo = Repo::new();
    repo.git(&["tag", "v1.0.0"]);
    repo.git(&["pack-refs", "--all"]);
    let path = repo.root().canonicalize().unwrap().join(".git/packed-refs");
    let good = fs::read_to_string(&path).unwrap();
    let line = good.lines().last().unwrap();
    for bad in [
        line[..30].to_owned(),
        line.replace(' ', "\t"),
        line.replacen(|c: char| c.is_ascii_hexdigit(), "x", 1),
        "nonsense".to_owned(),
        format!("{line}\n^{}", &line[..39]),
        // What a program left that removed a tag's line and not the one that belongs to it:
        // <https://github.com/go-git/go-git/issues/386>.
        format!("{line}\n^{0}\n^{0}", &line[..40]),
    ] {
        fs::write(&path, good.replace(line, &bad)).unwrap();
        let ran = repo.run(&[]);
        assert_eq!((ran.code, &*ran.stdout), (Some(1), ""), "{bad}: {ran:#?}");
        assert!(ran.stderr.contains("packed references"), "{bad}: {ran:#?}");
        assert!(ran.stderr.contains("hint: `git "), "{bad}: {ran:#?}");
    }
    fs::write(&path, good).unwrap();
    repo.set();
}
