//! The test bed's own processes: found by the files their command lines name, ended without ever hitting another's.

use std::{fs, path::Path, time::Duration};

use anyhow::{Context as _, Result, bail};
use rustix::process::Signal;

/// A process. Its start time distinguishes it from a later one that reuses the pid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) pid: i32,
    start: u64,
    pub(crate) argv: Vec<String>,
}

impl Process {
    /// The process `pid`, unless it has ended.
    pub(crate) fn observe(pid: i32) -> Option<Self> {
        let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let start = parse_start(&text)?;
        let cmdline = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        Some(Self {
            pid,
            start,
            argv: parse_cmdline(&cmdline),
        })
    }

    /// The name of its program.
    pub(crate) fn program(&self) -> &str {
        self.argv
            .first()
            .and_then(|arg| arg.rsplit('/').next())
            .unwrap_or_default()
    }

    /// Sends SIGTERM, and SIGKILL when it has not ended within `grace`.
    pub(crate) fn end(&self, grace: Duration) -> Result<()> {
        let Some(handle) = handle::open(self) else {
            return Ok(());
        };
        if !grace.is_zero() {
            handle.signal(Signal::TERM);
            if handle.wait(grace) {
                return Ok(());
            }
        }
        handle.signal(Signal::KILL);
        if handle.wait(Duration::from_secs(20)) {
            return Ok(());
        }
        bail!(
            "process {} (`{}`) does not end, not even when killed",
            self.pid,
            self.program()
        )
    }
}

/// Every process that runs.
pub(crate) fn all() -> Result<Vec<Process>> {
    let entries = fs::read_dir("/proc").context("failed to list `/proc`")?;
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let mut all: Vec<Process> = pids.filter_map(Process::observe).collect();
    all.sort_by_key(|process| process.pid);
    Ok(all)
}

/// The processes that run one of `programs` with an argument that is a path below `dir`.
pub(crate) fn running(programs: &[&str], dir: &Path) -> Result<Vec<Process>> {
    let mut found = all()?;
    found
        .retain(|process| programs.contains(&process.program()) && names_below(&process.argv, dir));
    Ok(found)
}

/// The processes that work in `dir`: as their root, or with an argument that is a path below it.
pub(crate) fn working_in(dir: &Path) -> Result<Vec<Process>> {
    let mut found = all()?;
    found.retain(|process| {
        let root = fs::read_link(format!("/proc/{}/root", process.pid));
        names_below(&process.argv, dir) || root.is_ok_and(|root| root.starts_with(dir))
    });
    Ok(found)
}

fn names_below(argv: &[String], dir: &Path) -> bool {
    argv.iter()
        .skip(1)
        .any(|arg| Path::new(arg).starts_with(dir))
}

/// The start time in `/proc/PID/stat`; `None` for a process that has ended but was not yet waited for.
///
/// The second field is the program's name in parentheses, and may itself hold parentheses and spaces.
fn parse_start(stat: &str) -> Option<u64> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    match fields.next()? {
        "Z" | "X" => None,
        // The state is field 3 and the start time field 22.
        _ => fields.nth(18)?.parse().ok(),
    }
}

fn parse_cmdline(bytes: &[u8]) -> Vec<String> {
    let words = bytes
        .strip_suffix(b"\0")
        .unwrap_or(bytes)
        .split(|byte| *byte == 0);
    words
        .map(|word| String::from_utf8_lossy(word).into_owned())
        .collect()
}

#[cfg(target_os = "linux")]
mod handle {
    //! Signals through a descriptor of the process: unlike a pid, it never refers to another one.

    use std::{os::fd::OwnedFd, time::Duration};

    use rustix::{
        event::{PollFd, PollFlags, Timespec, poll},
        process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal},
    };

    pub(super) struct Handle(OwnedFd);

    /// A handle of `process`, unless it has ended.
    pub(super) fn open(process: &super::Process) -> Option<Handle> {
        let handle = pidfd_open(Pid::from_raw(process.pid)?, PidfdFlags::empty()).ok()?;
        // Read after the descriptor is opened, the start time shows whose descriptor it is.
        let now = super::Process::observe(process.pid)?;
        (now.start == process.start).then_some(Handle(handle))
    }

    impl Handle {
        /// Sends `signal`. Does nothing when the process has ended.
        pub(super) fn signal(&self, signal: Signal) {
            let _ = pidfd_send_signal(&self.0, signal);
        }

        /// Whether the process ends within `limit`.
        pub(super) fn wait(&self, limit: Duration) -> bool {
            let limit = Timespec::try_from(limit).ok();
            poll(&mut [PollFd::new(&self.0, PollFlags::IN)], limit.as_ref())
                .is_ok_and(|ready| ready > 0)
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod handle {
    //! Lets the crate compile where `host` refuses to run it.

    use std::time::Duration;

    pub(super) struct Handle;

    pub(super) fn open(_: &super::Process) -> Option<Handle> {
        None
    }

    impl Handle {
        pub(super) fn signal(&self, _: rustix::process::Signal) {}

        pub(super) fn wait(&self, _: Duration) -> bool {
            true
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{os::unix::process::ExitStatusExt as _, time::Instant};

    use super::*;
    use crate::exec::Cmd;

    const LIMIT: Duration = Duration::from_secs(10);

    fn start(script: &str) -> (std::process::Child, Process, tempfile::TempDir) {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("log");
        let child = Cmd::new("sh").args(["-c", script]).daemon(&log).unwrap();
        let begun = Instant::now();
        while fs::read_to_string(&log).unwrap_or_default().is_empty() {
            assert!(begun.elapsed() < LIMIT, "`{script}` says nothing");
            std::thread::yield_now();
        }
        let process = Process::observe(i32::try_from(child.id()).unwrap()).unwrap();
        (child, process, dir)
    }

    #[test]
    fn reads_the_start_time_whatever_the_name() {
        let rest = "1 1 1 0 -1 4 0 0 0 0 0 0 0 0 20 0 1 0 4242 0 0";
        for (stat, expected) in [
            (format!("7 (sh) S {rest}"), Some(4242)),
            (format!("7 (a) R 9 (b) c) R {rest}"), Some(4242)),
            (format!("7 (sh) Z {rest}"), None),
            ("7 (sh) S 1 2".to_owned(), None),
            (String::new(), None),
        ] {
            assert_eq!(parse_start(&stat), expected, "{stat}");
        }
    }

    #[test]
    fn knows_its_own_by_a_path_below_the_folder() {
        let names = |arg: &str| {
            names_below(
                &["dockerd".to_owned(), arg.to_owned()],
                Path::new("/a/testbed"),
            )
        };
        assert!(names("/a/testbed/daemon.json"));
        assert!(!names("/a/testbed2/daemon.json"));
        assert!(!names("a/testbed/daemon.json"));
        assert!(!names_below(
            &["/a/testbed/bin/x".to_owned()],
            Path::new("/a/testbed")
        ));
    }

    #[test]
    fn finds_a_process_and_ends_it() {
        let (mut child, process, dir) = start("echo up; exec sleep 1000");
        assert!(all().unwrap().iter().any(|other| other.pid == process.pid));
        assert!(running(&["sleep"], dir.path()).unwrap().is_empty());
        assert!(working_in(dir.path()).unwrap().is_empty());
        process.end(LIMIT).unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(15));
        process.end(LIMIT).unwrap();
    }

    #[test]
    fn finds_what_works_in_a_folder() {
        let (mut child, process, dir) = start("echo up; exec sleep 1000");
        let file = dir.path().join("log");
        let mut reader = Cmd::new("tail")
            .arg("-f")
            .arg(&file)
            .daemon(&dir.path().join("tail"))
            .unwrap();
        let pid = i32::try_from(reader.id()).unwrap();
        let begun = Instant::now();
        while !working_in(dir.path())
            .unwrap()
            .iter()
            .any(|found| found.pid == pid && found.program() == "tail")
        {
            assert!(begun.elapsed() < LIMIT, "`tail` is not found");
        }
        for found in working_in(dir.path()).unwrap() {
            assert_ne!(found.pid, process.pid);
            found.end(Duration::ZERO).unwrap();
        }
        assert_eq!(reader.wait().unwrap().signal(), Some(9));
        process.end(LIMIT).unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn kills_what_does_not_listen() {
        let (mut child, process, _dir) = start("trap '' TERM; echo up; exec sleep 1000");
        process.end(Duration::from_millis(50)).unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(9));
    }

    #[test]
    fn a_reused_pid_is_left_alone() {
        let (mut child, mut process, _dir) = start("echo up; exec sleep 1000");
        process.start += 1;
        process.end(LIMIT).unwrap();
        assert!(child.try_wait().unwrap().is_none());
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
