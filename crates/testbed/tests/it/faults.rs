//! `up` with the network gone and the disk full, then again without the fault.
//!
//! Each brings up a whole test bed of its own and takes it down: `cargo test -p testbed --features e2e`, as root.
//! `cargo xtask test` runs them where it runs on the test bed.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::bed::{Bed, Ran, run, sh};

/// The machine has one way to emulate arm64, which a test bed that goes down may take along.
static MACHINE: Mutex<()> = Mutex::new(());

fn machine() -> MutexGuard<'static, ()> {
    MACHINE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Room for the test bed's data.
const ROOM: &str = "6g";

#[test]
#[cfg_attr(not(feature = "e2e"), ignore = "needs root, the network and a minute")]
fn without_the_network_it_fails_and_with_it_goes_on() {
    let _machine = machine();
    let mut bed = Bed::new();
    let cache = bed.path("cache");
    bed.set("XDG_CACHE_HOME", cache.display());
    lend(&["bases", "debs", "pinned"], &cache);

    // Nothing listens on this port.
    bed.started = true;
    for proxy in ["http_proxy", "https_proxy"] {
        bed.set(proxy, "http://127.0.0.1:9");
    }
    let ran = bed.run(&["up"]);
    assert_failed(
        &ran,
        "tools",
        "failed to fetch the package lists of Debian sid",
    );

    for proxy in ["http_proxy", "https_proxy"] {
        bed.set(proxy, "");
    }
    assert_up(&bed);
    assert_ends_a_builder_without_its_engine(&bed);
}

#[test]
#[cfg_attr(not(feature = "e2e"), ignore = "needs root, the network and a minute")]
fn with_a_full_disk_it_fails_and_with_room_goes_on() {
    let _machine = machine();
    let mut bed = Bed::new();
    bed.set("XDG_CACHE_HOME", users_cache().parent().unwrap().display());
    let disk = Disk::new(&bed.state, "64m");

    bed.started = true;
    let ran = bed.run(&["up"]);
    assert_failed(&ran, "bases", "no space left on device");

    disk.resize(ROOM);
    assert_up(&bed);
    assert_takes_its_rules_along(&bed);
}

#[track_caller]
fn assert_failed(ran: &Ran, step: &str, cause: &str) {
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""), "{ran}");
    assert!(
        ran.stderr
            .contains(&format!("error: the step `{step}` failed: ")),
        "{ran}"
    );
    assert!(
        ran.stderr.to_lowercase().contains(&cause.to_lowercase()),
        "{ran}"
    );
    assert!(
        ran.stderr
            .ends_with("hint: what is done is kept; run the same command again to go on\n"),
        "{ran}"
    );
}

#[track_caller]
fn assert_up(bed: &Bed) {
    let ran = bed.run(&["up", "--json"]);
    assert_eq!(ran.code, Some(0), "{ran}");
    let status: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(status["running"], true, "{ran}");
    assert_eq!(
        status["platforms"],
        serde_json::json!(["linux/amd64", "linux/arm64"]),
        "{ran}"
    );
    assert!(
        status["bases"]
            .as_array()
            .is_some_and(|bases| !bases.is_empty()),
        "{ran}"
    );
    // 3: it was given, and stays (Documentation/ABI/testing/sysfs-class-net of Linux).
    let of_bridge = format!("/sys/class/net/agtb{}/addr_assign_type", id(&status));
    assert_eq!(fs::read_to_string(of_bridge).unwrap(), "3\n");
}

/// The test bed's mark in the names of what is outside its folder.
fn id(status: &serde_json::Value) -> String {
    let host = Path::new(status["engine"]["host"].as_str().unwrap());
    let id = host.parent().and_then(Path::file_name).unwrap();
    id.display().to_string()
}

#[track_caller]
fn assert_takes_its_rules_along(bed: &Bed) {
    let status = bed.run(&["status", "--json"]).stdout;
    let status: serde_json::Value = serde_json::from_str(&status).unwrap();
    let mark = format!("agentgate-testbed[ -]{}", id(&status));
    let rules = || sh(&format!("iptables-save | grep --count '{mark}' || true"));
    assert_eq!(rules(), "5");
    bed.run(&["down"]).is(0, "", "the test bed is down\n");
    assert_eq!(rules(), "0");
}

/// buildx keeps its builders' containers out of the engine's control group.
#[track_caller]
fn assert_ends_a_builder_without_its_engine(bed: &Bed) {
    let id = sh(&format!(
        "{}
        docker buildx create --name orphan --driver docker-container --bootstrap >/dev/null 2>&1
        docker inspect --format '{{{{.Id}}}}' buildx_buildkit_orphan0",
        bed.run(&["env"]).stdout
    ));
    let groups = || sh(&format!("find /sys/fs/cgroup -maxdepth 4 -name {id}"));
    let status = bed.run(&["status", "--json"]).stdout;
    let status: serde_json::Value = serde_json::from_str(&status).unwrap();
    sh(&format!("kill -KILL {}", status["engine"]["pid"]));
    assert_ne!(groups(), "");
    bed.run(&["down"]).is(0, "", "the test bed is down\n");
    // A group goes when its last process has gone.
    assert_eq!(groups(), "");
}

fn users_cache() -> PathBuf {
    let home = || PathBuf::from(std::env::var_os("HOME").unwrap()).join(".cache");
    std::env::var_os("XDG_CACHE_HOME")
        .map_or_else(home, PathBuf::from)
        .join("agentgate-testbed")
}

/// Gives a new cache what the user's own has of `parts`, so that a test needs not download it all again.
fn lend(parts: &[&str], cache: &Path) {
    let cache = cache.join("agentgate-testbed");
    fs::create_dir_all(&cache).unwrap();
    for part in parts
        .iter()
        .map(|part| users_cache().join(part))
        .filter(|part| part.exists())
    {
        sh(&format!("cp -a '{}' '{}'", part.display(), cache.display()));
    }
}

/// A file system of limited size.
struct Disk<'a>(&'a Path);

impl<'a> Disk<'a> {
    fn new(point: &'a Path, size: &str) -> Self {
        let point_shown = point.display();
        sh(&format!(
            "mkdir -p '{point_shown}'; mount -t tmpfs -o size={size} tmpfs '{point_shown}'"
        ));
        Self(point)
    }

    fn resize(&self, size: &str) {
        sh(&format!(
            "mount -o remount,size={size} '{}'",
            self.0.display()
        ));
    }
}

impl Drop for Disk<'_> {
    fn drop(&mut self) {
        // The test may be failing already: nothing here may panic.
        run("umount", &["--lazy", &self.0.to_string_lossy()]);
    }
}
