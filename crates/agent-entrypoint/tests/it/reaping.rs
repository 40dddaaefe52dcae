//! Orphans by the thousand: all are reaped, amid signals, and nothing is left of them, memory included.

use std::fs;

use crate::harness::{As, entrypoint, folder};
use crate::running::{Outcome, Running};
use crate::storms::endless_sender;
use crate::via::entrypoint_via;
use crate::watch::{children, eventually, kill, state};

/// Batches of a thousand: a machine may give one user no more processes at a time.
const BATCHES: usize = 10;
const BATCH: usize = 1000;

/// What the memory may differ by, in KiB: a first time touches pages, and the kernel counts in portions.
const TOLERANCE: u64 = 16;

/// Makes a batch of orphans on request; all of a batch end at once, when the gate that they
/// read from is closed.
///
/// Builtins only, so that between the batches the entrypoint has one child: the shell.
const ORPHANS: &str = "
    trap '' USR1; mkfifo \"$DIR/gate\"; echo ready
    while read -r line; do
        exec 4<>\"$DIR/gate\" 3<\"$DIR/gate\"
        i=0; while [ $i -lt 10 ]; do
            (j=0; while [ $j -lt 100 ]; do
                { exec 4>&-; read -r line; } <&3 &
                j=$((j + 1))
            done)
            i=$((i + 1))
        done
        echo made; read -r line
        exec 4>&- 3<&-
    done
    exit 7";

/// How many KiB of memory a process has for itself.
fn resident(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let size = line.unwrap().trim_end_matches("kB").trim();
    size.parse().unwrap()
}

#[test]
fn ten_thousand_orphans_leave_nothing_behind() {
    for how in As::every() {
        let dir = folder();
        // Signals to a group of a thousand would take longer than all the rest.
        let mut start = entrypoint(how, &["--child", "sh", "-c", ORPHANS]);
        let mut running = Running::start(start.env("DIR", dir.path()));
        assert_eq!(running.line(), "ready");
        let (init, shell) = (running.init(), running.child());
        let sender = endless_sender(init, &["WINCH", "USR1"]);
        let before = resident(init);
        for _ in 0..BATCHES {
            running.type_in("make them\n");
            assert_eq!(running.line(), "made");
            assert_eq!(children(init).len(), 1 + BATCH, "{how:?}");
            running.type_in("let them go\n");
            eventually("all orphans to be reaped", || {
                (children(init) == [shell]).then_some(())
            });
            let now = resident(init);
            let is_same = now.abs_diff(before) <= TOLERANCE;
            assert!(is_same, "{how:?}: {before} KiB, then {now}");
        }
        // The shell ends with 7 when there is nothing more to read.
        assert_eq!(running.wait(), Outcome::new(7, "", ""), "{how:?}");
        sender.wait();
    }
}

/// A caller may fork, and become the entrypoint when its child has ended: no signal reports that.
#[test]
fn a_zombie_from_before_the_start_is_reaped() {
    let script = "true & exec flock --no-fork \"$LOCK\" \"$0\" \"$@\"";
    for how in As::every() {
        let lock = tempfile::NamedTempFile::new_in("/tmp").unwrap();
        lock.as_file().lock().unwrap();
        let mut start = entrypoint_via(how, &["sh", "-c", script], &[]);
        let running = Running::start(start.env("LOCK", lock.path()));
        let caller = eventually("the caller", || {
            let pid = running.pid();
            let inside = || children(pid).first().copied();
            let pid = if how == As::Pid1 { inside()? } else { pid };
            (!children(pid).is_empty()).then_some(pid)
        });
        let zombie = children(caller)[0];
        eventually("the zombie", || (state(zombie) == Some('Z')).then_some(()));
        lock.as_file().unlock().unwrap();
        let init = running.init();
        eventually("it to be reaped", || state(zombie).is_none().then_some(()));
        kill(init, libc::SIGTERM);
        assert_eq!(running.wait(), Outcome::new(0, "", ""), "{how:?}");
    }
}
