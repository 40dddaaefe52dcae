//! Checks a folder that an agent writes to: whether this process may, and whether there is room.
//!
//! It writes nothing: `access` and `statfs` answer, with a system call each.

use core::ffi::CStr;
use core::fmt::{self, Display, Formatter};

use rustix::fs::{Access, AtFlags, CWD, FileType, Stat, accessat, statat, statfs};
use rustix::io::Errno;

use crate::text::{Path, Shown, Why};
use crate::user::Ids;

/// What a folder is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Tmp,
    Home,
    /// Where Claude Code keeps its settings, sessions and credentials.
    Claude,
    /// `/tmp/claude-UID`, which Claude Code makes for what it runs.
    ClaudeTmp,
    /// A folder in HOME that programs expect to be able to write to, if it exists.
    InHome,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Folder<'a> {
    pub role: Role,
    pub path: &'a CStr,
}

/// What a file system lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    Space,
    Inodes,
}

/// Why `me` cannot write in a folder; `Display` adds the remedy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trouble<'a> {
    pub folder: Folder<'a>,
    pub fault: Fault,
    me: Ids,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    Full(Full),
    Denied {
        errno: Errno,
        owner: Ids,
        mode: u32,
        /// It is a mount of its own, not a folder of HOME's file system.
        is_mount: bool,
    },
}

impl<'a> Folder<'a> {
    /// Fails if `me`, the user of this process, cannot write there.
    ///
    /// A sandbox that lacks one of the calls does not forbid writing either.
    pub fn check(self, me: Ids) -> Result<(), Trouble<'a>> {
        let fail = |fault| Trouble {
            folder: self,
            fault,
            me,
        };
        let mut wanted = Access::WRITE_OK | Access::EXEC_OK;
        wanted.set(Access::READ_OK, self.role == Role::Claude);
        match accessat(CWD, self.path, wanted, AtFlags::empty()) {
            Ok(()) => space(self.path).map_err(|full| fail(Fault::Full(full))),
            Err(Errno::NOSYS | Errno::PERM) => Ok(()),
            // The program that needs it makes it.
            Err(Errno::NOENT)
                if matches!(self.role, Role::Claude | Role::ClaudeTmp | Role::InHome) =>
            {
                Ok(())
            }
            Err(errno) => Err(fail(self.denied(errno))),
        }
    }

    /// The path for messages. `rm -f FILE/` removes nothing, so the slash of [`Role::ClaudeTmp`] is left out.
    fn name(self) -> Shown<'a> {
        match self.path.to_bytes() {
            [without @ .., b'/'] if self.role == Role::ClaudeTmp => Shown(without),
            path => Shown(path),
        }
    }

    fn denied(self, errno: Errno) -> Fault {
        let seen = match errno {
            Errno::NOENT => None,
            _ => statat(CWD, self.path, AtFlags::empty()).ok(),
        };
        let is_folder = |seen: &Stat| FileType::from_raw_mode(seen.st_mode) == FileType::Directory;
        let errno = match seen {
            Some(seen) if errno == Errno::ACCESS && !is_folder(&seen) => Errno::NOTDIR,
            _ => errno,
        };
        let mut room = Path::new();
        let parent = room.set_path(&[self.path.to_bytes(), b"/.."]);
        let parent = seen.and_then(|_| statat(CWD, parent, AtFlags::empty()).ok());
        Fault::Denied {
            errno,
            owner: Ids {
                uid: seen.map_or(0, |seen| seen.st_uid),
                gid: seen.map_or(0, |seen| seen.st_gid),
            },
            mode: seen.map_or(0, |seen| seen.st_mode & 0o7777),
            is_mount: seen.map(|seen| seen.st_dev) != parent.map(|parent| parent.st_dev),
        }
    }
}

/// Fails if the file system of a folder is full for an ordinary user, or will take no more files.
pub fn space(path: &CStr) -> Result<(), Full> {
    // Without an answer it is not known to be full.
    let Ok(seen) = statfs(path) else {
        return Ok(());
    };
    judge_space(
        (seen.f_blocks != 0, seen.f_bavail != 0),
        (seen.f_files != 0, seen.f_ffree != 0),
    )
}

/// Each pair is (counted, free). A file system that does not count a kind does not limit it: btrfs for
/// inodes, a tmpfs with `size=0` for blocks.
fn judge_space(blocks: (bool, bool), inodes: (bool, bool)) -> Result<(), Full> {
    match (blocks, inodes) {
        ((true, false), _) => Err(Full::Space),
        (_, (true, false)) => Err(Full::Inodes),
        _ => Ok(()),
    }
}

impl Display for Full {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Space => "is full: no space is left (`df`)",
            Self::Inodes => "is full: no inodes are left (`df -i`)",
        })
    }
}

impl Display for Trouble<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let role = self.folder.role;
        let name = match role {
            Role::Tmp => "temporary folder",
            Role::Home => "home",
            Role::Claude => "Claude Code's folder",
            Role::ClaudeTmp => "Claude Code's temporary folder",
            Role::InHome => "folder",
        };
        write!(f, "{name} `{}` ", self.folder.name())?;
        match self.fault {
            Fault::Full(full) => write!(
                f,
                "{full}; hint: remove files there, or raise the `size=` of its `--tmpfs`"
            ),
            Fault::Denied {
                errno,
                owner,
                mode,
                is_mount,
            } => {
                let me = self.me;
                match errno {
                    Errno::NOENT => f.write_str("does not exist")?,
                    Errno::NOTDIR => f.write_str("is not a directory")?,
                    Errno::ROFS => f.write_str("is read-only")?,
                    Errno::ACCESS if owner.uid == me.uid => {
                        write!(f, "is not writable: mode {mode:04o}")?;
                    }
                    Errno::ACCESS => {
                        write!(f, "is not writable: it belongs to {owner}, ")?;
                        write!(f, "mode {mode:04o}, and this is {me}")?;
                    }
                    errno => return write!(f, "is not writable: {}", Why(errno)),
                }
                f.write_str("; hint: ")?;
                self.remedy(f, errno, owner, is_mount)
            }
        }
    }
}

impl Trouble<'_> {
    /// Returns true for Claude Code's folder if the engine made it, for credentials that are mounted in it.
    /// Claude Code works with such a folder, but saves no session in it.
    pub fn is_bearable(&self) -> bool {
        let is_of_engine = matches!(
            self.fault,
            Fault::Denied {
                errno: Errno::ACCESS,
                owner: Ids { uid: 0, .. },
                is_mount: false,
                ..
            }
        );
        is_of_engine && self.folder.role == Role::Claude
    }

    pub fn is_missing(&self) -> bool {
        let errno = Errno::NOENT;
        matches!(self.fault, Fault::Denied { errno: seen, .. } if seen == errno)
    }

    fn remedy(
        &self,
        f: &mut Formatter<'_>,
        errno: Errno,
        owner: Ids,
        is_mount: bool,
    ) -> fmt::Result {
        let Self { folder, me, .. } = *self;
        let path = folder.name();
        match (folder.role, errno) {
            (Role::Tmp | Role::Home, _) => write!(f, "docker run --tmpfs {path} …"),
            // What is there is temporary, and Claude Code makes it anew.
            (Role::ClaudeTmp, _) => write!(
                f,
                "docker exec --privileged --user root CONTAINER rm -rf {path}"
            ),
            (_, Errno::ROFS) => f.write_str("mount it without `:ro`"),
            (Role::Claude, Errno::ACCESS) if is_mount && owner.uid == me.uid => {
                f.write_str("on the host: `chmod u+rwx ~/.claude`")
            }
            (Role::Claude, Errno::ACCESS) if is_mount => {
                write!(f, "on the host: `sudo chown -R {me} ~/.claude`")?;
                // Becoming root would not be a remedy.
                if owner.uid != 0 {
                    write!(f, ", or run the container with `--user {owner}`")?;
                }
                Ok(())
            }
            // The engine makes the folders above a mount for root.
            _ => write!(
                f,
                "docker exec --privileged --user root CONTAINER chown {me} {path}"
            ),
        }
    }
}

#[cfg(test)]
mod tests;
