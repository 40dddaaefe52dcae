//! Whom this process looks after: as PID 1 the whole container, otherwise its own descendants.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::process;

use rustix::process::Pid;

use crate::reap;
use crate::say;
use crate::signals::Signal;
use crate::sys::{self, Target};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    Namespace,
    Descendants,
}

impl Scope {
    /// Finds out which it is. A process that is not PID 1 becomes a subreaper, so that orphans among
    /// its descendants come to it, and says so.
    pub fn take() -> Self {
        if process::id() == 1 {
            return Self::Namespace;
        }
        match rustix::process::set_child_subreaper(Some(rustix::process::getpid())) {
            Ok(()) => say::note(
                "this is not PID 1: orphans are reaped and processes ended among its own descendants only",
            ),
            Err(err) => say::warning(&format!(
                "this is not PID 1 and cannot reap orphans: {err}; hint: run it as the container's entrypoint, without `--init`"
            )),
        }
        Self::Descendants
    }

    /// Sends a signal to everyone; `child`, the command, stands for them where `/proc` cannot be read.
    pub fn tell(self, signal: Signal, child: Option<Pid>) {
        if self == Self::Namespace {
            return report(Target::Namespace, sys::send(Target::Namespace, signal));
        }
        if reap::childless() {
            return;
        }
        match descendants() {
            Ok(pids) => {
                for pid in pids {
                    report(
                        Target::Process(pid),
                        sys::send(Target::Process(pid), signal),
                    );
                }
            }
            Err(_) => {
                if let Some(child) = child {
                    report(
                        Target::Group(child),
                        sys::send(Target::Group(child), signal),
                    );
                }
            }
        }
    }

    /// Returns true if nobody is left, zombies included.
    ///
    /// In a container a process that came by `docker exec` is no child of PID 1, hence the two ways.
    pub fn is_empty(self) -> bool {
        match self {
            Self::Namespace => !sys::exists(Target::Namespace),
            Self::Descendants => reap::childless(),
        }
    }
}

/// Sends a signal to the command's group, or to itself alone where it has left that group.
pub fn forward(child: Pid, signal: Signal) {
    let group = Target::Group(child);
    match sys::send(group, signal) {
        Err(err) if is_gone(&err) => {
            let alone = Target::Process(child);
            report(alone, sys::send(alone, signal));
        }
        sent => report(group, sent),
    }
}

/// Complains about a signal that was refused; one whose target has just gone is no failure.
fn report(target: Target, sent: io::Result<()>) {
    match sent {
        Err(err) if !is_gone(&err) => {
            say::warning(&format!("cannot signal {target:?}: {err}"));
        }
        _ => {}
    }
}

fn is_gone(err: &io::Error) -> bool {
    err.raw_os_error() == Some(libc::ESRCH)
}

/// Every descendant of this process.
fn descendants() -> io::Result<Vec<Pid>> {
    let own = process::id();
    // A `/proc` of another PID namespace would number other processes.
    if fs::read_link("/proc/self")?.to_str() != Some(&own.to_string()) {
        return Err(io::Error::other("/proc is of another PID namespace"));
    }
    let mut parents = BTreeMap::new();
    for entry in fs::read_dir("/proc")?.flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|pid| pid.parse().ok()) else {
            continue;
        };
        // A process that has just ended is one less to look at.
        let stat = fs::read(entry.path().join("stat")).unwrap_or_default();
        if let Some(parent) = parent(&String::from_utf8_lossy(&stat)) {
            parents.insert(pid, parent);
        }
    }
    Ok(below(own.cast_signed(), &parents))
}

/// The parent in a line of `/proc/PID/stat`; the name before it may hold blanks and brackets.
fn parent(stat: &str) -> Option<i32> {
    stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()
}

/// Those whose chain of parents leads to `root`.
fn below(root: i32, parents: &BTreeMap<i32, i32>) -> Vec<Pid> {
    let leads_to_root = |pid: i32| {
        std::iter::successors(parents.get(&pid), |parent| parents.get(parent))
            // The table was not read at one instant, so a circle cannot be ruled out.
            .take(parents.len())
            .any(|parent| *parent == root)
    };
    parents
        .keys()
        .filter(|pid| leads_to_root(**pid))
        .filter_map(|pid| Pid::from_raw(*pid))
        .collect()
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
            ("", None),
        ] {
            assert_eq!(parent(stat), expected, "{stat}");
        }
    }

    #[test]
    fn descendants_are_found_at_any_depth_and_circles_end() {
        let parents = BTreeMap::from([(1, 0), (5, 1), (6, 5), (7, 6), (8, 1), (20, 21), (21, 20)]);
        let pids = |root| -> Vec<i32> {
            below(root, &parents)
                .into_iter()
                .map(Pid::as_raw_pid)
                .collect()
        };
        assert_eq!(pids(5), [6, 7]);
        assert_eq!(pids(8), [0; 0]);
        assert_eq!(pids(1), [5, 6, 7, 8]);
    }
}
