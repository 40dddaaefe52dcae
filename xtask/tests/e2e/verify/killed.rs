//! A run that is killed leaves nothing behind.

use std::fs;
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::world::{docker, image, root, xtask};

/// Longer than anything here takes, on a busy machine too: a start or an end of some seconds, a hundred times.
const LONG: Duration = Duration::from_mins(5);

/// Starts a run that writes its receipts to a folder of its own.
fn running() -> (Child, tempfile::TempDir) {
    let receipts = tempfile::tempdir().unwrap();
    let mut verify = xtask(&["verify", image(), "--receipt-dir"]);
    verify.arg(receipts.path());
    let child = verify
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    (child, receipts)
}

/// The containers of a run: its process id is in their names.
pub(super) fn containers(run: u32) -> Vec<String> {
    let format = "{{.Names}}";
    let listed = docker(&["ps", "--all", "--format", format])
        .succeeded()
        .stdout;
    let mark = format!("-{run:x}-");
    let of_run = listed
        .lines()
        .filter(|name| name.starts_with("agentgate-verify-") && name.contains(&mark));
    of_run.map(str::to_owned).collect()
}

fn folders(run: u32) -> Vec<String> {
    let Ok(entries) = fs::read_dir(root().join("target/xtask/verify")) else {
        return Vec::new();
    };
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names
        .filter(|name| name.ends_with(&format!("-{run:x}")))
        .collect()
}

pub(super) fn until(what: &str, is_so: impl Fn() -> bool) {
    let end = Instant::now() + LONG;
    while !is_so() {
        assert!(Instant::now() < end, "{what}");
        thread::sleep(Duration::from_millis(100));
    }
}

fn kill_in_the_middle(signal: Signal) -> Option<i32> {
    let (mut child, _receipts) = running();
    let run = child.id();
    until("no containers came up", || containers(run).len() >= 3);
    kill_process(Pid::from_child(&child), signal).unwrap();
    let status = child.wait().unwrap();
    until("containers are left", || containers(run).is_empty());
    // Nothing is created afterwards.
    thread::sleep(Duration::from_secs(4));
    assert_eq!(containers(run), [""; 0]);
    until("a folder is left", || folders(run).is_empty());
    status.code()
}

#[test]
fn ctrl_c_leaves_nothing() {
    assert_eq!(kill_in_the_middle(Signal::INT), Some(130));
}

#[test]
fn sigkill_leaves_nothing() {
    assert_eq!(kill_in_the_middle(Signal::KILL), None);
}

#[test]
fn no_volume_and_no_network_is_made() {
    let list = |what: &str| {
        let ran = docker(&[what, "ls", "--quiet"]).succeeded();
        let mut ids: Vec<String> = ran.stdout.lines().map(str::to_owned).collect();
        ids.sort();
        ids
    };
    let before = list("network");
    let receipts = tempfile::tempdir().unwrap();
    super::Verified::of(image(), receipts.path(), &["--only", "pid1,health-healthy"]);
    assert_eq!(list("network"), before);
    let dangling = [
        "volume",
        "ls",
        "--quiet",
        "--filter",
        "label=io.agentgate.verify",
    ];
    assert_eq!(docker(&dangling).succeeded().stdout, "");
}
