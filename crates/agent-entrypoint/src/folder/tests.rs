//! Which folders are full or closed, and the remedy for each.

use super::*;

#[test]
fn full_is_what_has_a_limit_and_nothing_left() {
    const NONE: (bool, bool) = (false, false);
    const FREE: (bool, bool) = (true, true);
    const GONE: (bool, bool) = (true, false);
    for (blocks, inodes, expected) in [
        (FREE, FREE, Ok(())),
        (GONE, FREE, Err(Full::Space)),
        (GONE, GONE, Err(Full::Space)),
        (FREE, GONE, Err(Full::Inodes)),
        (FREE, NONE, Ok(())),
        (GONE, NONE, Err(Full::Space)),
        (NONE, FREE, Ok(())),
        (NONE, NONE, Ok(())),
    ] {
        assert_eq!(
            judge_space(blocks, inodes),
            expected,
            "{blocks:?} {inodes:?}"
        );
    }
}

#[test]
fn each_trouble_has_its_remedy() {
    let exec = "docker exec --privileged --user root CONTAINER chown 1000:1000 /f";
    let host = "it belongs to 1001:1001, mode 0700, and this is 1000:1000; hint: on the host: `sudo chown -R 1000:1000 ~/.claude`, or run the container with `--user 1001:1001`";
    for (role, errno, owner, is_mount, expected) in [
        (
            Role::Tmp,
            Errno::ROFS,
            0,
            false,
            "temporary folder `/f` is read-only; hint: docker run --tmpfs /f …",
        ),
        (
            Role::Home,
            Errno::NOENT,
            0,
            false,
            "home `/f` does not exist; hint: docker run --tmpfs /f …",
        ),
        (
            Role::Home,
            Errno::ACCESS,
            0,
            true,
            "home `/f` is not writable: it belongs to 0:0, mode 0700, and this is 1000:1000; hint: docker run --tmpfs /f …",
        ),
        (
            Role::Tmp,
            Errno::IO,
            0,
            true,
            "temporary folder `/f` is not writable: Input/output error (errno 5)",
        ),
        (
            Role::Claude,
            Errno::ACCESS,
            1001,
            true,
            &format!("Claude Code's folder `/f` is not writable: {host}"),
        ),
        (
            Role::Claude,
            Errno::ACCESS,
            1000,
            true,
            "Claude Code's folder `/f` is not writable: mode 0700; hint: on the host: `chmod u+rwx ~/.claude`",
        ),
        (
            Role::Claude,
            Errno::ROFS,
            1000,
            true,
            "Claude Code's folder `/f` is read-only; hint: mount it without `:ro`",
        ),
        (
            Role::InHome,
            Errno::ACCESS,
            0,
            false,
            &format!(
                "folder `/f` is not writable: it belongs to 0:0, mode 0700, and this is 1000:1000; hint: {exec}"
            ),
        ),
    ] {
        let fault = Fault::Denied {
            errno,
            owner: ids(owner),
            mode: 0o700,
            is_mount,
        };
        assert_eq!(text(role, fault), expected);
    }
    let hint = "hint: remove files there, or raise the `size=` of its `--tmpfs`";
    for (full, why) in [
        (Full::Space, "no space is left (`df`)"),
        (Full::Inodes, "no inodes are left (`df -i`)"),
    ] {
        let expected = format!("temporary folder `/f` is full: {why}; {hint}");
        assert_eq!(text(Role::Tmp, Fault::Full(full)), expected);
    }
}

fn ids(id: u32) -> Ids {
    Ids { uid: id, gid: id }
}

fn text(role: Role, fault: Fault) -> String {
    let folder = Folder { role, path: c"/f" };
    let me = ids(1000);
    Trouble { folder, fault, me }.to_string()
}
