//! Started as root: gives the workspace to the agent, then drops root's privileges for good.
//!
//! Root of a user namespace (rootless Docker or Podman) stays: it is an ordinary user of the host, may own
//! the folder there, and would lose it to a subordinate UID.

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

/// Deeper folders are skipped, because the stack is limited.
const DEEPEST: u32 = 256;

/// Returns true if this is root of the machine, which the UID map of the first user namespace shows.
/// Without a readable map, root counts as real.
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

/// Gives the workspace to the agent's user if another user owns it.
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

/// Notes which user goes on, and that `docker exec` takes its user from the container's settings.
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

/// Drops supplementary groups, group and user, so that no program can get them back.
fn drop_privileges() -> Result<(), (&'static str, Errno)> {
    let (uid, gid) = (Uid::from_raw(AGENT.uid), Gid::from_raw(AGENT.gid));
    set_thread_groups(&[]).map_err(|errno| ("setgroups", errno))?;
    set_thread_res_gid(gid, gid, gid).map_err(|errno| ("setresgid", errno))?;
    set_thread_res_uid(uid, uid, uid).map_err(|errno| ("setresuid", errno))?;
    // The effective ones went with the user; older engines leave some inheritable.
    set_capabilities(None, NO_CAPABILITIES).map_err(|errno| ("capset", errno))?;
    set_no_new_privs(true).map_err(|errno| ("no_new_privs", errno))?;
    // A caller can set the kernel to keep capabilities over a change of user: then root could come back.
    match set_thread_res_uid(Uid::ROOT, Uid::ROOT, Uid::ROOT) {
        Err(_) => Ok(()),
        Ok(()) => Err(("root came back", Errno::PERM)),
    }
}

/// Prints a note, because on a bind mount this changes the host's folder.
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
        // The check for write access reports this.
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

/// Gives a folder away, and follows no symbolic link to it: an earlier run's agent may have left one that
/// leads to a file of root's.
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

/// Gives away what is in a folder: symbolic links themselves, not their targets. A failure does not
/// stop the rest; the last failure is returned.
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

/// Enters a folder, unless it is another mount.
fn give_in(folder: BorrowedFd<'_>, name: &CStr, depth: u32) -> Result<(), Errno> {
    let depth = depth.checked_sub(1).ok_or(Errno::LOOP)?;
    let resolve = ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
    match openat2(folder, name, FOLDER, Mode::empty(), resolve) {
        Ok(folder) => give_below(folder.as_fd(), depth),
        // Not a folder (some file systems do not give the type beforehand), or a mount.
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
