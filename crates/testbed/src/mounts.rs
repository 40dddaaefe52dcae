//! What is mounted, as the kernel reports it.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

use crate::exec::Cmd;

/// A mounted file system.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Mount {
    pub(crate) point: PathBuf,
    pub(crate) kind: String,
    /// Its own options, such as the controllers of a control group hierarchy.
    pub(crate) options: String,
}

/// All mounts, in the order they were made.
pub(crate) fn all() -> Result<Vec<Mount>> {
    let text = fs::read_to_string("/proc/self/mountinfo")
        .context("failed to read `/proc/self/mountinfo`")?;
    Ok(text.lines().filter_map(parse).collect())
}

/// Unmounts everything at and below `dir`, the last mounted first.
pub(crate) fn unmount_below(dir: &Path) -> Result<()> {
    for mount in all()?
        .iter()
        .rev()
        .filter(|mount| mount.point.starts_with(dir))
    {
        let umount = |option: &[&str]| Cmd::new("umount").args(option).arg("--").arg(&mount.point);
        if !umount(&[]).succeeds() {
            // A busy one is detached now, and released with its last user.
            umount(&["--lazy"]).run()?;
        }
    }
    Ok(())
}

/// A line such as `36 35 98:0 /root /point rw,noatime shared:1 - ext4 /dev/x rw,errors=continue`.
fn parse(line: &str) -> Option<Mount> {
    let (place, what) = line.split_once(" - ")?;
    let mut what = what.split(' ');
    Some(Mount {
        point: unescape(place.split(' ').nth(4)?).into(),
        kind: what.next()?.to_owned(),
        options: what.nth(1)?.to_owned(),
    })
}

/// Undoes the kernel's `\040` for a space and its like.
fn unescape(text: &str) -> String {
    [
        ("\\040", " "),
        ("\\011", "\t"),
        ("\\012", "\n"),
        ("\\134", "\\"),
    ]
    .iter()
    .fold(text.to_owned(), |text, (escape, plain)| {
        text.replace(escape, plain)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_kernels_table() {
        let mount = |point: &str, kind: &str, options: &str| {
            Some(Mount {
                point: point.into(),
                kind: kind.into(),
                options: options.into(),
            })
        };
        for (line, expected) in [
            (
                "36 35 98:0 / /a rw,noatime shared:1 master:2 - ext4 /dev/x rw,errors=c",
                mount("/a", "ext4", "rw,errors=c"),
            ),
            (
                "36 35 0:3 net:[4026532] /run/n\\040s rw - nsfs nsfs rw",
                mount("/run/n s", "nsfs", "rw"),
            ),
            (
                "30 25 0:26 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids",
                mount("/sys/fs/cgroup/pids", "cgroup", "rw,pids"),
            ),
            (
                "1 2 0:1 / /b\\134040 rw - tmpfs - rw",
                mount("/b\\040", "tmpfs", "rw"),
            ),
            ("36 35 98:0 / /a", None),
            ("", None),
        ] {
            assert_eq!(parse(line), expected, "{line}");
        }
    }
}
