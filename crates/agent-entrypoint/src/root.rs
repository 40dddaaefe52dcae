//! Started as root: the workspace gets its owner, then root's privileges go, for good.
//!
//! Root of a user namespace (rootless Docker or Podman) is left alone: it is an ordinary user of the
//! host, may well own the folder there, and would lose it to a subordinate UID.

use core::ffi::CStr;
use core::mem::MaybeUninit;

use rustix::fd::{AsFd, BorrowedFd};
use rustix::fs::{
    AtFlags, CWD, FileType, Gid, Mode, OFlags, RawDir, ResolveFlags, Uid, chownat, openat2,
};
use rustix::io::Errno;
use rustix::thread::{
    CapabilitySet, CapabilitySets, set_capabilities, set_no_new_privs, set_thread_groups,
    set_thread_res_gid, set_thread_res_uid,
};

use crate::config::Run;
use crate::exit::Refusal;
use crate::say;
use crate::text::{Text, Why, shown};
use crate::user::{AGENT, Ids};
use crate::workspace::Workspace;

/// Deeper folders are not looked into: nobody nests so, and the stack has an end.
const DEEPEST: u32 = 256;

/// Returns true if this is root of the machine, by the map of a process that is in no user namespace
/// but the first. Where nobody can tell, root is root.
pub fn is_real(me: Ids) -> bool {
    let map = || Text::<256>::read(CWD, c"/proc/self/uid_map");
    me.uid == 0 && map().map_or(true, |map| is_whole(map.as_bytes()))
}

/// Returns true if every UID is mapped to itself.
fn is_whole(map: &[u8]) -> bool {
    let words = map.split(u8::is_ascii_whitespace);
    let mut words = words.filter(|word| !word.is_empty());
    let expected = [&b"0"[..], b"0", b"4294967295"];
    expected.iter().all(|word| words.next() == Some(word)) && words.next().is_none()
}

/// Gives the workspace to the agent's user if it is somebody else's.
#[inline(never)]
pub fn give_workspace(workspace: &mut Workspace<'_>, run: &Run<'_>) {
    if workspace.owner != AGENT || run.chown_all {
        give(workspace, run);
    }
}

/// Becomes the agent's user, for good.
pub fn step_down() -> Result<Ids, Refusal<'static>> {
    drop_privileges().map_err(|(step, errno)| Refusal::StaysRoot(step, errno))?;
    Ok(AGENT)
}

/// Says who is at work now, and who is not: `docker exec` takes its user from the container's settings.
pub fn report(quiet: bool) {
    if !quiet {
        let hint = "hint: `docker exec` still comes as root: `docker exec --user agentgate …`";
        say::note(format_args!("started as root, going on as {AGENT}; {hint}"));
    }
}

const NO_CAPABILITIES: CapabilitySets = CapabilitySets {
    effective: CapabilitySet::empty(),
    permitted: CapabilitySet::empty(),
    inheritable: CapabilitySet::empty(),
};

/// Supplementary groups, group, user; then nothing that is executed can give anything back.
fn drop_privileges() -> Result<(), (&'static str, Errno)> {
    let (uid, gid) = (Uid::from_raw(AGENT.uid), Gid::from_raw(AGENT.gid));
    set_thread_groups(&[]).map_err(|errno| ("setgroups", errno))?;
    set_thread_res_gid(gid, gid, gid).map_err(|errno| ("setresgid", errno))?;
    set_thread_res_uid(uid, uid, uid).map_err(|errno| ("setresuid", errno))?;
    // Those in effect went with the user; older engines also hand on some for programs to inherit.
    set_capabilities(None, NO_CAPABILITIES).map_err(|errno| ("capset", errno))?;
    set_no_new_privs(true).map_err(|errno| ("no_new_privs", errno))?;
    // With the kernel told to keep capabilities over a change of user, there would be a way back.
    match set_thread_res_uid(Uid::ROOT, Uid::ROOT, Uid::ROOT) {
        Err(_) => Ok(()),
        Ok(()) => Err(("root came back", Errno::PERM)),
    }
}

/// Says so, too: on a bind mount it is the host's folder.
fn give(workspace: &mut Workspace<'_>, run: &Run<'_>) {
    let path = workspace.path;
    let what = if run.chown_all {
        " and all that is in it"
    } else {
        " (top level only)"
    };
    let name = shown(path);
    match give_path(path, run.chown_all) {
        Ok(()) => {
            workspace.owner = AGENT;
            if !run.quiet {
                say::note(format_args!("gave workspace `{name}`{what} to {AGENT}"));
            }
        }
        // Which is told when it turns out that nothing can be written there.
        Err(Errno::ROFS) => {}
        Err(errno) => say::warning(format_args!(
            "cannot give workspace `{name}` to {AGENT}: {}; hint: on the host: `sudo chown {AGENT} \"$PWD\"`",
            Why(errno)
        )),
    }
}

const FOLDER: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::CLOEXEC);

/// Gives a folder away, but no symbolic link leads there: the agent may have put it in the path, in an
/// earlier life of the container, to be given what is root's.
fn give_path(path: &CStr, with_all: bool) -> Result<(), Errno> {
    let folder = openat2(CWD, path, FOLDER, Mode::empty(), ResolveFlags::NO_SYMLINKS)?;
    chown(folder.as_fd(), c"", AtFlags::EMPTY_PATH)?;
    if with_all {
        give_below(folder.as_fd(), DEEPEST)?;
    }
    Ok(())
}

fn chown(folder: BorrowedFd<'_>, name: &CStr, flags: AtFlags) -> Result<(), Errno> {
    let (uid, gid) = (Uid::from_raw(AGENT.uid), Gid::from_raw(AGENT.gid));
    chownat(folder, name, Some(uid), Some(gid), flags)
}

/// Gives away what is in a folder, symbolic links themselves and not what they lead to. What fails
/// does not keep the rest from being done; the last failure is the answer.
fn give_below(folder: BorrowedFd<'_>, depth: u32) -> Result<(), Errno> {
    let mut buffer = [MaybeUninit::uninit(); 2048];
    let mut entries = RawDir::new(folder, &mut buffer);
    let mut result = Ok(());
    while let Some(entry) = entries.next() {
        let entry = entry?;
        let name = entry.file_name();
        if name == c"." || name == c".." {
            continue;
        }
        let mut given = chown(folder, name, AtFlags::SYMLINK_NOFOLLOW);
        if matches!(entry.file_type(), FileType::Directory | FileType::Unknown) {
            given = given.and(give_in(folder, name, depth));
        }
        result = given.and(result);
    }
    result
}

/// Goes into a folder, unless it is another mount.
fn give_in(folder: BorrowedFd<'_>, name: &CStr, depth: u32) -> Result<(), Errno> {
    let depth = depth.checked_sub(1).ok_or(Errno::LOOP)?;
    let resolve = ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
    match openat2(folder, name, FOLDER, Mode::empty(), resolve) {
        Ok(folder) => give_below(folder.as_fd(), depth),
        // No folder after all, where the file system does not tell beforehand, or a mount.
        Err(Errno::NOTDIR | Errno::LOOP | Errno::XDEV) => Ok(()),
        Err(errno) => Err(errno),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_of_everyone_is_no_user_namespace() {
        for (map, expected) in [
            (&b"         0          0 4294967295\n"[..], true),
            (b"0 1000 1\n1 100000 65536\n", false),
            (b"0 0 65536\n", false),
            (b"0 0 4294967295\n1 1 1\n", false),
            (b"", false),
        ] {
            assert_eq!(is_whole(map), expected, "{map:?}");
        }
    }
}
