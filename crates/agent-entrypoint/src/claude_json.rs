//! Checks `.claude.json`, Claude Code's state. Claude Code waits for ever on a pipe in its place, and
//! cannot start with one that it may not read. Nothing is opened.

use core::ffi::CStr;
use core::fmt::{self, Display, Formatter};

use rustix::fs::{Access, AtFlags, CWD, FileType, accessat, statat};
use rustix::io::Errno;

use crate::text::shown;

/// Why Claude Code cannot use the file; `Display` adds the remedy.
pub struct Trouble<'a> {
    path: &'a CStr,
    fault: Fault,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    NotAFile,
    Unreadable,
}

/// Its path in HOME, or in the folder that `CLAUDE_CONFIG_DIR` names.
pub const FILE: &[u8] = b"/.claude.json";

/// Fails if the file exists and this process cannot read it as a file. One system call without it,
/// otherwise two.
pub fn check(path: &CStr) -> Result<(), Trouble<'_>> {
    let is_readable = match accessat(CWD, path, Access::READ_OK, AtFlags::empty()) {
        Ok(()) => true,
        Err(Errno::ACCESS) => false,
        Err(_) => return Ok(()),
    };
    // Without an answer, a folder above it is closed, which is reported for that folder.
    let Ok(seen) = statat(CWD, path, AtFlags::empty()) else {
        return Ok(());
    };
    match judge(FileType::from_raw_mode(seen.st_mode), is_readable) {
        Some(fault) => Err(Trouble { path, fault }),
        None => Ok(()),
    }
}

fn judge(kind: FileType, is_readable: bool) -> Option<Fault> {
    match kind {
        FileType::RegularFile => (!is_readable).then_some(Fault::Unreadable),
        _ => Some(Fault::NotAFile),
    }
}

impl Display for Trouble<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let path = shown(self.path);
        match self.fault {
            Fault::NotAFile => write!(
                f,
                "Claude Code's `{path}` is not a regular file; hint: remove it, or mount a file there"
            ),
            Fault::Unreadable => write!(
                f,
                "Claude Code's `{path}` cannot be read; hint: `chmod u+r`, or remove it; if it is mounted, on the host"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_readable_file_alone_is_well() {
        for (kind, is_readable, expected) in [
            (FileType::RegularFile, true, None),
            (FileType::RegularFile, false, Some(Fault::Unreadable)),
            (FileType::Fifo, true, Some(Fault::NotAFile)),
            (FileType::Fifo, false, Some(Fault::NotAFile)),
            (FileType::Directory, true, Some(Fault::NotAFile)),
            (FileType::CharacterDevice, true, Some(Fault::NotAFile)),
        ] {
            assert_eq!(judge(kind, is_readable), expected, "{kind:?}");
        }
    }
}
