//! Whether a folder is a mount point, by `/proc/self/mountinfo`.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

pub const MOUNTINFO: &str = "/proc/self/mountinfo";

/// Returns true if something is mounted exactly at the path; symbolic links are followed.
pub fn is_mounted(path: &Path) -> io::Result<bool> {
    let path = fs::canonicalize(path)?;
    Ok(lists(&fs::read(MOUNTINFO)?, &path))
}

/// Returns true if the text of a mountinfo file has the path as a mount point, its fifth field.
fn lists(mountinfo: &[u8], path: &Path) -> bool {
    mountinfo
        .split(|byte| *byte == b'\n')
        .filter_map(|line| line.split(|byte| *byte == b' ').nth(4))
        .any(|field| path == Path::new(OsStr::from_bytes(&unescape(field))))
}

/// Undoes the kernel's `\040` for bytes that would break the line: space, tab, newline, backslash.
fn unescape(field: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    loop {
        rest = match rest {
            [
                b'\\',
                a @ b'0'..=b'3',
                b @ b'0'..=b'7',
                c @ b'0'..=b'7',
                more @ ..,
            ] => {
                bytes.push(((a - b'0') << 6) | ((b - b'0') << 3) | (c - b'0'));
                more
            }
            [byte, more @ ..] => {
                bytes.push(*byte);
                more
            }
            [] => return bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mount_points_are_the_fifth_field_unescaped() {
        let mountinfo = b"\
22 1 0:21 / / rw,relatime - overlay overlay rw,lowerdir=/workspace
31 22 8:1 /home/me/repo /workspace rw,relatime master:1 - ext4 /dev/sda1 rw
32 22 8:1 / /with\\040space rw - ext4 /dev/sda1 rw
33 22 8:1 / /back\\134slash\\0 rw - ext4 /dev/sda1 rw
short line
";
        for (path, expected) in [
            ("/", true),
            ("/workspace", true),
            ("/workspace/", true),
            ("/with space", true),
            ("/back\\slash\\0", true),
            ("/home/me/repo", false),
            ("/workspace/sub", false),
            ("/work", false),
        ] {
            assert_eq!(lists(mountinfo, Path::new(path)), expected, "{path}");
        }
        assert!(!lists(b"", Path::new("/workspace")));
    }
}
