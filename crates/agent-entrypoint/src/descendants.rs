//! The descendants of this process, from `/proc`: when this is not PID 1, no single call reaches them.

use core::mem::MaybeUninit;

use rustix::fd::{AsFd, BorrowedFd};
use rustix::fs::{CWD, Mode, OFlags, RawDir, openat, readlinkat_raw};
use rustix::io::Errno;
use rustix::process::{Pid, getpid};

use crate::text::{Text, number};

/// A chain of parents as long as this is a circle, which occurs because processes change while they are read.
const DEEPEST: u32 = 4096;

/// Calls `found` with each descendant; fails before the first without a usable `/proc`.
pub fn each(mut found: impl FnMut(Pid)) -> Result<(), Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let proc = openat(CWD, c"/proc", flags, Mode::empty())?;
    let proc = proc.as_fd();
    let own = getpid().as_raw_pid().unsigned_abs();
    // A `/proc` of another PID namespace would number other processes.
    let mut name = Text::<16>::new();
    let read = readlinkat_raw(proc, c"self", name.room())?;
    name.grow(read);
    if number(name.as_bytes(), 10) != Some(own) {
        return Err(Errno::NXIO);
    }
    let mut buffer = [MaybeUninit::uninit(); 4096];
    let mut entries = RawDir::new(proc, &mut buffer);
    while let Some(entry) = entries.next() {
        let Some(pid) = number(entry?.file_name().to_bytes(), 10) else {
            continue;
        };
        if leads_to(own, pid, |pid| parent_of(proc, pid))
            && let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw)
        {
            found(pid);
        }
    }
    Ok(())
}

/// Returns true if the chain of parents of `pid` leads to `root`.
fn leads_to(root: u32, pid: u32, parent: impl Fn(u32) -> Option<u32>) -> bool {
    let mut pid = pid;
    for _ in 0..DEEPEST {
        match parent(pid) {
            Some(parent) if parent == root => return true,
            Some(parent @ 1..) => pid = parent,
            _ => return false,
        }
    }
    false
}

/// The parent of a process; `None` when it has just ended.
fn parent_of(proc: BorrowedFd<'_>, pid: u32) -> Option<u32> {
    let path = Text::<32>::of(format_args!("{pid}/stat\0"));
    let stat = Text::<512>::read(proc, path.as_c_str()?).ok()?;
    parent(stat.as_bytes())
}

/// The parent in a line of `/proc/PID/stat`; the name before it may hold blanks and brackets.
pub fn parent(stat: &[u8]) -> Option<u32> {
    let name_end = stat.iter().rposition(|byte| *byte == b')')?;
    let mut fields = stat.get(name_end..)?.split(|byte| *byte == b' ');
    number(fields.nth(2)?, 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parents_are_read_behind_any_name() {
        for (stat, expected) in [
            ("7 (sh) S 3 7 3 0", Some(3)),
            ("7 (a) b) (c) R 12 7", Some(12)),
            ("7 (sh) S", None),
            ("7 (sh) S -1", None),
            ("", None),
        ] {
            assert_eq!(parent(stat.as_bytes()), expected, "{stat}");
        }
    }

    #[test]
    fn descendants_are_found_at_any_depth_and_circles_end() {
        let parents = [(1, 0), (5, 1), (6, 5), (7, 6), (8, 1), (20, 21), (21, 20)];
        let parent = |pid| {
            parents
                .iter()
                .find(|(of, _)| *of == pid)
                .map(|(_, parent)| *parent)
        };
        let below = |root| -> Vec<u32> {
            let pids = parents.iter().map(|(pid, _)| *pid);
            pids.filter(|pid| leads_to(root, *pid, parent)).collect()
        };
        assert_eq!(below(5), [6, 7]);
        assert_eq!(below(8), [0; 0]);
        assert_eq!(below(1), [5, 6, 7, 8]);
    }

    proptest::proptest! {
        /// Whatever a process calls itself, its parent is found; and no line is too odd to be read.
        #[test]
        fn any_name_and_any_line_is_read(name: Vec<u8>, number: u32, line: Vec<u8>) {
            parent(&line);
            let rest = format!(") S {number} 7 3 0 -1");
            let stat = [b"7 (", &name[..], rest.as_bytes()].concat();
            proptest::prop_assert_eq!(parent(&stat), Some(number));
        }

        /// Whatever the parents are, circles included, the search ends and never says yes for nothing.
        #[test]
        fn any_family_is_walked_to_an_end(parents: [Option<u8>; 8], root in 0..8_u8, pid in 0..8_u8) {
            let parent = |pid: u32| {
                let parent = *parents.get(usize::try_from(pid).ok()?)?;
                parent.map(|parent| u32::from(parent % 8))
            };
            let (root, pid) = (u32::from(root), u32::from(pid));
            let mut ancestors = std::iter::successors(parent(pid), |pid| parent(*pid).filter(|_| *pid != 0));
            let is_below = ancestors.by_ref().take(9).any(|ancestor| ancestor == root);
            proptest::prop_assert_eq!(leads_to(root, pid, parent), is_below);
        }
    }
}
