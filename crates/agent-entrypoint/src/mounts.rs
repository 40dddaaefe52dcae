//! Mount points, for kernels before 5.8 and sandboxes without `statx`; and how to mount a workspace.

use core::ffi::CStr;
use core::fmt::{self, Display, Formatter};

use rustix::fs::CWD;
use rustix::io::Errno;

use crate::text::{Text, shown};

/// The bytes of the list that are read; a container's has a tenth of it.
const LONGEST: usize = 64 * 1024;

/// Returns true if the list of mounts has the path. The path must be spelled as the kernel spells it:
/// without links, a blank as `\040`. Not inlined, because of the stack that it needs.
#[inline(never)]
pub fn lists(path: &CStr) -> Result<bool, Errno> {
    let list = Text::<LONGEST>::read(CWD, c"/proc/self/mountinfo")?;
    Ok(has(list.as_bytes(), path.to_bytes()))
}

/// Returns true if the path is the fifth field of a line.
fn has(mountinfo: &[u8], path: &[u8]) -> bool {
    let mut lines = mountinfo.split(|byte| *byte == b'\n');
    lines.any(|line| line.split(|byte| *byte == b' ').nth(4) == Some(path))
}

/// How to mount a workspace.
pub struct MountHint<'a>(pub &'a CStr);

impl Display for MountHint<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "hint: docker run -v \"$PWD:{}\" …", shown(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mount_points_are_the_fifth_field() {
        let mountinfo = b"\
22 1 0:21 / / rw,relatime - overlay overlay rw,lowerdir=/workspace
31 22 8:1 /home/me/repo /workspace rw,relatime master:1 - ext4 /dev/sda1 rw
short line
";
        for (path, expected) in [
            ("/", true),
            ("/workspace", true),
            ("/home/me/repo", false),
            ("/workspace/sub", false),
            ("/work", false),
            ("line", false),
        ] {
            assert_eq!(has(mountinfo, path.as_bytes()), expected, "{path}");
        }
    }

    proptest::proptest! {
        /// A path in the fifth field of any line is found, whatever else the list holds.
        #[test]
        fn any_list_is_read(before: Vec<u8>, path in "/[!-~]{0,20}", after: Vec<u8>, other: Vec<u8>) {
            has(&other, path.as_bytes());
            has(&before, &other);
            let line = format!("\n22 1 0:21 / {path} rw\n");
            let list = [&before, line.as_bytes(), &after].concat();
            proptest::prop_assert!(has(&list, path.as_bytes()));
        }
    }

    #[test]
    fn the_real_list_has_proc_and_no_folder_in_it() {
        assert_eq!(lists(c"/proc"), Ok(true));
        assert_eq!(lists(c"/proc/self"), Ok(false));
    }
}
