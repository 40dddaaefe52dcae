//! Checks the workspace before the start: whether it exists, is a mount, can be written, and its owner.
//!
//! The image's `/etc/gitconfig` sets git's `safe.directory`; nothing is written for it here.

use core::ffi::CStr;
use core::fmt::{self, Display, Formatter};

use rustix::fs::{
    Access, AtFlags, CWD, FileType, Statx, StatxAttributes, StatxFlags, accessat, statat, statx,
};
use rustix::io::Errno;

use crate::exit::Refusal;
use crate::mounts::{self, MountHint};
use crate::say;
use crate::text::{Why, shown};
use crate::user::Ids;

/// A workspace that is a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Workspace<'a> {
    pub path: &'a CStr,
    pub owner: Ids,
    pub mode: u32,
    /// `None` if the kernel does not report it.
    pub is_mounted: Option<bool>,
}

/// Why this process may not write in the workspace; `Display` adds the remedy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trouble<'a> {
    workspace: Workspace<'a>,
    me: Ids,
    errno: Errno,
}

/// Inspects the workspace; refuses if there is none.
pub fn inspect(path: &CStr) -> Result<Workspace<'_>, Refusal<'_>> {
    let refuse = |errno| Refusal::NoWorkspace(path, errno);
    let (mode, uid, gid, is_mounted) = match stat_of(path) {
        Ok(seen) => {
            let mode = u32::from(seen.stx_mode);
            (mode, seen.stx_uid, seen.stx_gid, is_mounted(&seen))
        }
        // An old kernel, or a sandbox that does not let the newer call through.
        Err(Errno::NOSYS | Errno::PERM) => {
            let seen = statat(CWD, path, AtFlags::empty()).map_err(refuse)?;
            (seen.st_mode, seen.st_uid, seen.st_gid, None)
        }
        Err(errno) => return Err(refuse(errno)),
    };
    if FileType::from_raw_mode(mode) != FileType::Directory {
        return Err(refuse(Errno::NOTDIR));
    }
    Ok(Workspace {
        path,
        owner: Ids { uid, gid },
        mode: mode & 0o7777,
        is_mounted: is_mounted.or_else(|| mounts::lists(path).ok()),
    })
}

fn stat_of(path: &CStr) -> Result<Statx, Errno> {
    let wanted = StatxFlags::BASIC_STATS | StatxFlags::MNT_ID;
    statx(CWD, path, AtFlags::empty(), wanted)
}

/// Returns whether it is a mount, or in a mount other than the container's root; `None` if the kernel does
/// not report it.
fn is_mounted(seen: &Statx) -> Option<bool> {
    let root = StatxAttributes::MOUNT_ROOT;
    if !seen.stx_attributes_mask.contains(root) {
        return None;
    }
    let is_elsewhere = || stat_of(c"/").is_ok_and(|root| root.stx_mnt_id != seen.stx_mnt_id);
    Some(seen.stx_attributes.contains(root) || is_elsewhere())
}

impl<'a> Workspace<'a> {
    /// Prints what is wrong for `me`.
    pub fn report(&self, me: Ids, quiet: bool) {
        if self.is_mounted == Some(false) && !quiet {
            let (name, hint) = (shown(self.path), MountHint(self.path));
            say::note(format_args!(
                "workspace `{name}` is not a mount: its files are lost with the container; {hint}"
            ));
        }
        if let Err(trouble) = self.write_access(me) {
            say::warning(trouble);
        }
    }

    /// Fails if `me`, the user of this process, may not write there.
    pub fn write_access(&self, me: Ids) -> Result<(), Trouble<'a>> {
        let wanted = Access::WRITE_OK | Access::EXEC_OK;
        let allowed = accessat(CWD, self.path, wanted, AtFlags::empty());
        match allowed {
            // A sandbox that lacks the call does not forbid writing either.
            Ok(()) | Err(Errno::NOSYS) => Ok(()),
            Err(errno) => Err(Trouble {
                workspace: *self,
                me,
                errno,
            }),
        }
    }
}

impl Display for Trouble<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Workspace {
            path, owner, mode, ..
        } = self.workspace;
        let (name, me) = (shown(path), self.me);
        match self.errno {
            Errno::ROFS => write!(f, "workspace `{name}` is read-only; {}", MountHint(path)),
            Errno::ACCESS if owner.uid == me.uid => {
                let hint = "on the host: `chmod u+rwx \"$PWD\"`";
                write!(
                    f,
                    "workspace `{name}` is not writable: mode {mode:04o}; hint: {hint}"
                )
            }
            Errno::ACCESS => {
                write!(
                    f,
                    "workspace `{name}` is not writable: it belongs to {owner}, "
                )?;
                write!(f, "mode {mode:04o}, and this is {me}; ")?;
                write!(f, "hint: on the host: `sudo chown {me} \"$PWD\"`")?;
                // Becoming root would not be a remedy.
                if owner.uid != 0 {
                    write!(f, ", or run the container with `--user {owner}`")?;
                }
                Ok(())
            }
            errno => write!(f, "workspace `{name}` is not writable: {}", Why(errno)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_trouble_has_its_remedy() {
        for (me, owner, mode, errno, expected) in [
            (
                1000,
                0,
                0o755,
                Errno::ROFS,
                "workspace `/workspace` is read-only; hint: docker run -v \"$PWD:/workspace\" …",
            ),
            (
                1000,
                1001,
                0o755,
                Errno::ACCESS,
                "workspace `/workspace` is not writable: it belongs to 1001:1001, mode 0755, and this is 1000:1000; hint: on the host: `sudo chown 1000:1000 \"$PWD\"`, or run the container with `--user 1001:1001`",
            ),
            (
                1000,
                0,
                0o700,
                Errno::ACCESS,
                "workspace `/workspace` is not writable: it belongs to 0:0, mode 0700, and this is 1000:1000; hint: on the host: `sudo chown 1000:1000 \"$PWD\"`",
            ),
            (
                1000,
                1000,
                0o555,
                Errno::ACCESS,
                "workspace `/workspace` is not writable: mode 0555; hint: on the host: `chmod u+rwx \"$PWD\"`",
            ),
            (
                1000,
                1000,
                0o755,
                Errno::IO,
                "workspace `/workspace` is not writable: Input/output error (errno 5)",
            ),
        ] {
            let ids = |id| Ids { uid: id, gid: id };
            let workspace = Workspace {
                path: c"/workspace",
                owner: ids(owner),
                mode,
                is_mounted: None,
            };
            let me = ids(me);
            let trouble = Trouble {
                workspace,
                me,
                errno,
            };
            assert_eq!(trouble.to_string(), expected);
        }
    }

    #[test]
    fn without_a_directory_nothing_starts() {
        for (path, expected) in [
            (
                c"/no/such",
                "workspace `/no/such` does not exist; hint: docker run -v \"$PWD:/no/such\" …",
            ),
            (
                c"/etc/passwd",
                "workspace `/etc/passwd` is not a directory; hint: docker run -v \"$PWD:/etc/passwd\" …",
            ),
        ] {
            let refusal = inspect(path).err().unwrap();
            assert_eq!(refusal.to_string(), expected);
            assert_eq!(refusal.code(), 78);
        }
        assert_eq!(inspect(c"/proc").ok().unwrap().is_mounted, Some(true));
        assert_eq!(inspect(c"/etc").ok().unwrap().is_mounted, Some(false));
    }
}
