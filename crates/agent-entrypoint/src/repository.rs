//! Checks git's repository in the workspace: whether it is whole, in this container, and usable.
//!
//! It neither starts git nor executes anything of the workspace. It inspects only `.git` of the workspace
//! itself, where git's own search begins; a repository above it is not in the container.

use core::ffi::CStr;
use core::fmt::{self, Display, Formatter};

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{Access, AtFlags, CWD, FileType, Mode, OFlags, accessat, openat, statat};
use rustix::io::Errno;

use crate::text::{Path, Shown, Why, shown};
use crate::user::Ids;

/// The folder that is `.git`, or that `.git` names.
const ITSELF: &str = ".git";

/// Why git cannot use the repository; `Display` adds the remedy.
pub struct Trouble<'a> {
    workspace: &'a CStr,
    /// What `.git` names, if it is a file.
    target: &'a [u8],
    fault: Fault,
    me: Ids,
}

/// What is wrong with `.git`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// It is neither a folder nor a file.
    Kind,
    /// It is a file without `gitdir: PATH`.
    NoPointer,
    /// It is a file, and the folder that it names does not exist here.
    Elsewhere,
    /// It belongs to a linked worktree whose repository does not exist here.
    NoCommonFolder,
    /// A part that each repository has is missing.
    Missing(&'static str),
    /// A part cannot be used.
    Denied(&'static str, Errno),
}

/// Its path in the workspace.
pub const FILE: &[u8] = b"/.git";

/// Returns whether there is a repository; fails if git cannot use it as `me`, the user of this process.
///
/// Takes one system call without a repository. `room` keeps the text of a `.git` file.
pub fn check<'a>(workspace: &'a CStr, me: Ids, room: &'a mut Path) -> Result<bool, Trouble<'a>> {
    let mut path = Path::new();
    let name = path.set_path(&[workspace.to_bytes(), FILE]);
    let Ok(seen) = statat(CWD, name, AtFlags::empty()) else {
        return Ok(false);
    };
    let checked = match FileType::from_raw_mode(seen.st_mode) {
        FileType::Directory => check_folder(name),
        FileType::RegularFile => check_pointer(workspace, name, room),
        _ => Err(Fault::Kind),
    };
    match checked {
        // The check of the workspace reports this already.
        Err(Fault::Denied(_, Errno::ACCESS)) if !is_writable(workspace) => Ok(true),
        Err(fault) => Err(Trouble {
            workspace,
            target: target(room.as_bytes()).unwrap_or_default(),
            fault,
            me,
        }),
        Ok(()) => Ok(true),
    }
}

fn is_writable(workspace: &CStr) -> bool {
    accessat(CWD, workspace, Access::WRITE_OK, AtFlags::empty()).is_ok()
}

/// Checks a `.git` file, which linked worktrees and submodules have.
fn check_pointer(workspace: &CStr, file: &CStr, text: &mut Path) -> Result<(), Fault> {
    *text = Path::read(CWD, file).map_err(|errno| Fault::Denied(ITSELF, errno))?;
    let target = target(text.as_bytes()).ok_or(Fault::NoPointer)?;
    let folder = match target {
        [b'/', ..] => b"",
        _ => workspace.to_bytes(),
    };
    let mut path = Path::new();
    let name = path.set_path(&[folder, b"/", target]);
    // git follows a longer path.
    if name.is_empty() || text.is_full() {
        return Ok(());
    }
    match check_folder(name) {
        Err(Fault::Missing(ITSELF)) => Err(Fault::Elsewhere),
        checked => checked,
    }
}

/// The path in the text of a `.git` file, as git reads it (`read_gitfile_gently` in its setup.c).
pub fn target(text: &[u8]) -> Option<&[u8]> {
    let path = trim_line_end(text.strip_prefix(b"gitdir: ")?);
    (!path.is_empty() && !path.contains(&0)).then_some(path)
}

fn trim_line_end(mut text: &[u8]) -> &[u8] {
    while let [rest @ .., b'\n' | b'\r'] = text {
        text = rest;
    }
    text
}

/// Checks what git demands of a repository's folder, and that objects can be added.
fn check_folder(path: &CStr) -> Result<(), Fault> {
    let folder = open(CWD, path).map_err(|errno| fault(ITSELF, errno))?;
    let head = statat(&folder, c"HEAD", AtFlags::SYMLINK_NOFOLLOW);
    let head = head.map_err(|errno| fault("HEAD", errno))?;
    // HEAD is empty after the machine went down during a write.
    if head.st_size == 0 {
        return Err(Fault::Missing("HEAD"));
    }
    let common = common_folder(&folder)?;
    let common = common.as_ref().unwrap_or(&folder);
    for (name, part) in [(c"objects", "objects"), (c"refs", "refs")] {
        let wanted = Access::WRITE_OK | Access::EXEC_OK;
        match accessat(common, name, wanted, AtFlags::empty()) {
            // A read-only repository can be read; a sandbox that lacks the call forbids nothing.
            Ok(()) | Err(Errno::ROFS | Errno::NOSYS | Errno::PERM) => {}
            Err(errno) => return Err(fault(part, errno)),
        }
    }
    Ok(())
}

/// The folder that a linked worktree shares with its repository; `None` for a repository itself.
fn common_folder(folder: &OwnedFd) -> Result<Option<OwnedFd>, Fault> {
    let part = "commondir";
    let text = match Path::read(folder, c"commondir") {
        Ok(text) => text,
        Err(Errno::NOENT) => return Ok(None),
        Err(errno) => return Err(fault(part, errno)),
    };
    let target = trim_line_end(text.as_bytes());
    if target.is_empty() {
        // A pipe without a writer reads as empty, too.
        return Err(Fault::Missing(part));
    }
    let mut path = Path::new();
    match open(folder.as_fd(), path.set_path(&[target])) {
        Ok(common) => Ok(Some(common)),
        Err(Errno::NOENT | Errno::NOTDIR) => Err(Fault::NoCommonFolder),
        Err(errno) => Err(fault(part, errno)),
    }
}

#[inline(never)]
fn open(from: BorrowedFd<'_>, path: &CStr) -> Result<OwnedFd, Errno> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    openat(from, path, flags, Mode::empty())
}

fn fault(part: &'static str, errno: Errno) -> Fault {
    match errno {
        Errno::NOENT | Errno::NOTDIR => Fault::Missing(part),
        errno => Fault::Denied(part, errno),
    }
}

/// The `.git` of the repository that a linked worktree belongs to, to be mounted at the same path.
///
/// `None` if it could be another folder, or if a shell could take it for more than a path: anybody can
/// put a `.git` file into the workspace, and people copy hints.
pub fn repository_of(target: &[u8]) -> Option<&[u8]> {
    let name = target.rsplit(|byte| *byte == b'/').next()?;
    let folder = target.strip_suffix(name)?.strip_suffix(b"/worktrees/")?;
    let is_plain = |byte: &u8| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'.' | b'_' | b'-' | b'+' | b'@')
    };
    let is_safe = folder.starts_with(b"/")
        && folder.ends_with(b"/.git")
        && folder.iter().all(is_plain)
        && folder.split(|byte| *byte == b'/').all(|part| part != b"..");
    is_safe.then_some(folder)
}

const ABSENT: &str = "which is not in this container";
const AT_ITS_PATH: &str =
    "mount the repository that it belongs to at the path that it has on the host";

impl Display for Trouble<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (workspace, me) = (shown(self.workspace), self.me);
        write!(f, "git repository `{workspace}/.git` ")?;
        match self.fault {
            Fault::Kind => f.write_str("is neither a folder nor a file"),
            Fault::NoPointer => f.write_str(
                "is a file without `gitdir: PATH`; hint: restore it, or remove it and run `git init`",
            ),
            Fault::Elsewhere => {
                let target = Shown(self.target);
                write!(f, "points to `{target}`, {ABSENT}; hint: ")?;
                match (repository_of(self.target), self.target) {
                    (Some(folder), _) => {
                        let folder = Shown(folder);
                        write!(f, "docker run -v \"{folder}:{folder}\" …")
                    }
                    (None, [b'/', ..]) => f.write_str(AT_ITS_PATH),
                    _ => f.write_str("mount the repository that it belongs to as the workspace"),
                }
            }
            Fault::NoCommonFolder => {
                write!(f, "is a worktree of a repository {ABSENT}; hint: {AT_ITS_PATH}")
            }
            Fault::Missing(part) => write!(
                f,
                "is not one: its `{part}` is missing or empty; hint: restore it, or remove `.git` and run `git init`"
            ),
            Fault::Denied(part, errno) => {
                write!(f, "cannot be used: `{part}`: {}", Why(errno))?;
                if errno == Errno::ACCESS {
                    write!(f, "; hint: on the host: `sudo chown -R {me} .git`")?;
                }
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests;
