//! Checks Claude Code's credentials, mounted from the host. For a file that this user may not read Claude
//! Code prints only "Not logged in"; this gives the reason.

use core::ffi::CStr;
use core::fmt::{self, Display, Formatter};

use rustix::fs::{Access, AtFlags, CWD, FileType, accessat, statat};
use rustix::io::Errno;

use crate::text::shown;
use crate::user::Ids;

/// Why Claude Code cannot use its credentials; `Display` adds the remedy.
pub struct Trouble<'a> {
    path: &'a CStr,
    fault: Fault,
    me: Ids,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// The engine makes a folder on the host where the file to be mounted is missing.
    Folder,
    Unreadable {
        owner: Ids,
        mode: u32,
    },
    /// A mounted file stays the old one when the host puts another in its place.
    Replaced,
}

/// Their path in Claude Code's folder.
pub const FILE: &[u8] = b"/.credentials.json";

/// Returns whether there are credentials; fails if `me`, the user of this process, cannot use them.
///
/// Takes one system call without credentials, otherwise two.
pub fn check(path: &CStr, me: Ids) -> Result<bool, Trouble<'_>> {
    let is_readable = match accessat(CWD, path, Access::READ_OK, AtFlags::empty()) {
        Ok(()) => true,
        Err(Errno::ACCESS) => false,
        Err(_) => return Ok(false),
    };
    // Without an answer it is not known to exist.
    let Ok(seen) = statat(CWD, path, AtFlags::empty()) else {
        return Ok(false);
    };
    let owner = Ids {
        uid: seen.st_uid,
        gid: seen.st_gid,
    };
    match judge(seen.st_mode, seen.st_nlink != 0, owner, is_readable) {
        Some(fault) => Err(Trouble { path, fault, me }),
        None => Ok(true),
    }
}

fn judge(mode: u32, is_linked: bool, owner: Ids, is_readable: bool) -> Option<Fault> {
    if FileType::from_raw_mode(mode) == FileType::Directory {
        return Some(Fault::Folder);
    }
    if !is_readable {
        let mode = mode & 0o7777;
        return Some(Fault::Unreadable { owner, mode });
    }
    (!is_linked).then_some(Fault::Replaced)
}

impl Display for Trouble<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let me = self.me;
        write!(f, "credentials `{}` ", shown(self.path))?;
        match self.fault {
            Fault::Folder => f.write_str(
                "are a folder, which the engine makes if the host has no such file; hint: on the host: remove the folder, log in, and start a new container",
            ),
            Fault::Replaced => f.write_str(
                "were replaced on the host, and the mount keeps the old file; hint: start a new container, or mount the folder and not the file",
            ),
            Fault::Unreadable { owner, mode } if owner.uid == me.uid => write!(
                f,
                "cannot be read: they belong to {owner}, mode {mode:04o}, and this is {me}; hint: on the host: `chmod u+r FILE`"
            ),
            Fault::Unreadable { owner, mode } => {
                write!(f, "cannot be read: they belong to {owner}, mode {mode:04o}, ")?;
                write!(f, "and this is {me}; hint: on the host: `sudo chown {me} FILE`")?;
                if owner.uid != 0 {
                    write!(f, ", or run the container with `--user {owner}`")?;
                }
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_judged() {
        const FOLDER: u32 = 0o040_755;
        const FILE: u32 = 0o100_600;
        const DEVICE: u32 = 0o020_666;
        let owner = Ids { uid: 1, gid: 2 };
        let unreadable = Some(Fault::Unreadable { owner, mode: 0o600 });
        for (mode, is_linked, is_readable, expected) in [
            (FILE, true, true, None),
            (FILE, false, true, Some(Fault::Replaced)),
            (FILE, true, false, unreadable),
            (FILE, false, false, unreadable),
            (FOLDER, true, true, Some(Fault::Folder)),
            (FOLDER, true, false, Some(Fault::Folder)),
            // `/dev/null` is mounted for none.
            (DEVICE, true, true, None),
        ] {
            assert_eq!(
                judge(mode, is_linked, owner, is_readable),
                expected,
                "{mode:o}"
            );
        }
    }

    #[test]
    fn each_trouble_has_its_remedy() {
        let ids = |id| Ids { uid: id, gid: id };
        let unreadable = |uid| Fault::Unreadable {
            owner: ids(uid),
            mode: 0o600,
        };
        for (fault, expected) in [
            (
                Fault::Folder,
                "credentials `/c` are a folder, which the engine makes if the host has no such file; hint: on the host: remove the folder, log in, and start a new container",
            ),
            (
                Fault::Replaced,
                "credentials `/c` were replaced on the host, and the mount keeps the old file; hint: start a new container, or mount the folder and not the file",
            ),
            (
                unreadable(1000),
                "credentials `/c` cannot be read: they belong to 1000:1000, mode 0600, and this is 1000:1000; hint: on the host: `chmod u+r FILE`",
            ),
            (
                unreadable(0),
                "credentials `/c` cannot be read: they belong to 0:0, mode 0600, and this is 1000:1000; hint: on the host: `sudo chown 1000:1000 FILE`",
            ),
            (
                unreadable(7),
                "credentials `/c` cannot be read: they belong to 7:7, mode 0600, and this is 1000:1000; hint: on the host: `sudo chown 1000:1000 FILE`, or run the container with `--user 7:7`",
            ),
        ] {
            let (path, me) = (c"/c", ids(1000));
            assert_eq!(Trouble { path, fault, me }.to_string(), expected);
        }
    }
}
