//! Whether a folder is a mount point: the kernel says so since 5.8, before that a list in `/proc` does.

use core::ffi::CStr;

use rustix::fd::AsRawFd;
use rustix::fs::{CWD, Mode, OFlags, readlinkat_raw};
use rustix::io::Errno;

use crate::text::Text;

pub const MOUNTINFO: &CStr = c"/proc/self/mountinfo";
const LONGEST_PATH: usize = 4096;

/// Looks into the list whether something is mounted exactly at the path; symbolic links are followed.
pub fn lists(path: &CStr) -> Result<bool, Errno> {
    let folder = rustix::fs::openat(CWD, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
    let mut link = Text::<64>::new();
    link.push("/proc/self/fd/");
    link.push(folder.as_raw_fd().unsigned_abs()).push("\0");
    let mut real = Text::<LONGEST_PATH>::new();
    let link = link.as_c_str().ok_or(Errno::NAMETOOLONG)?;
    let length = readlinkat_raw(CWD, link, real.room())?;
    real.grow(length);
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let list = rustix::fs::openat(CWD, MOUNTINFO, flags, Mode::empty())?;
    let mut scan = Scan::new(real.as_bytes());
    let mut buffer = [0; 4096];
    loop {
        match rustix::io::read(&list, &mut buffer)? {
            0 => return Ok(scan.found),
            length => scan.read(buffer.get(..length).unwrap_or_default()),
        }
    }
}

/// Reads the text of a mountinfo file part by part, and looks at the fifth field of each line.
///
/// The kernel writes `\040` for bytes that would break the line: space, tab, newline, backslash.
struct Scan<'a> {
    path: &'a [u8],
    found: bool,
    field: u8,
    /// How much of the field is like the path so far; none when it differs.
    matched: Option<usize>,
    /// The digits of an escaped byte that were read.
    escape: Option<(u8, u8)>,
}

impl<'a> Scan<'a> {
    const MOUNT_POINT: u8 = 4;

    fn new(path: &'a [u8]) -> Self {
        Self {
            path,
            found: false,
            field: 0,
            matched: Some(0),
            escape: None,
        }
    }

    fn read(&mut self, part: &[u8]) {
        for byte in part {
            match byte {
                b'\n' => self.end_field(0),
                b' ' => self.end_field(self.field.saturating_add(1)),
                byte if self.field == Self::MOUNT_POINT => self.compare(*byte),
                _ => {}
            }
        }
    }

    fn end_field(&mut self, next: u8) {
        let is_whole = self.matched == Some(self.path.len()) && self.escape.is_none();
        self.found |= self.field == Self::MOUNT_POINT && is_whole;
        self.field = next;
        self.matched = Some(0);
        self.escape = None;
    }

    fn compare(&mut self, byte: u8) {
        let byte = match (self.escape, byte) {
            (None, b'\\') => {
                self.escape = Some((0, 0));
                return;
            }
            (Some((digits, value)), b'0'..=b'7') => {
                let value = (value << 3) | (byte & 7);
                self.escape = (digits < 2).then_some((digits + 1, value));
                if self.escape.is_some() {
                    return;
                }
                value
            }
            (_, byte) => byte,
        };
        let matched = self.matched.filter(|at| self.path.get(*at) == Some(&byte));
        self.matched = matched.map(|at| at.saturating_add(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTINFO: &[u8] = b"\
22 1 0:21 / / rw,relatime - overlay overlay rw,lowerdir=/workspace
31 22 8:1 /home/me/repo /workspace rw,relatime master:1 - ext4 /dev/sda1 rw
32 22 8:1 / /with\\040space rw - ext4 /dev/sda1 rw
33 22 8:1 / /back\\134slash rw - ext4 /dev/sda1 rw
short line
";

    #[test]
    fn mount_points_are_the_fifth_field_unescaped() {
        for (path, expected) in [
            ("/", true),
            ("/workspace", true),
            ("/with space", true),
            ("/back\\slash", true),
            ("/home/me/repo", false),
            ("/workspace/sub", false),
            ("/work", false),
            ("line", false),
        ] {
            for part in [1, 7, MOUNTINFO.len()] {
                let mut scan = Scan::new(path.as_bytes());
                MOUNTINFO.chunks(part).for_each(|part| scan.read(part));
                assert_eq!(scan.found, expected, "{path} by {part}");
            }
        }
    }

    #[test]
    fn the_real_list_has_the_root_and_no_new_folder() {
        assert_eq!(lists(c"/"), Ok(true));
        assert_eq!(lists(c"/proc"), Ok(true));
        assert_eq!(lists(c"/etc"), Ok(false));
        assert_eq!(lists(c"/no/such/folder"), Err(Errno::NOENT));
    }
}
