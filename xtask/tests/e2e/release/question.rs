//! The question before a release, on a real terminal.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;

use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use super::Releases;

/// Both ends of a terminal.
fn terminal() -> (File, OwnedFd) {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let name = ptsname(&master, Vec::new()).unwrap();
    let flags = OFlags::RDWR | OFlags::NOCTTY;
    let slave = rustix::fs::open(name, flags, Mode::empty()).unwrap();
    (File::from(master), slave)
}

#[test]
fn a_terminal_is_asked_and_only_a_yes_releases() {
    let releases = Releases::new();
    let digest = releases.prepare("1.0.0");
    let receipts = releases.receipts();
    let args = [
        "release",
        "--sign=cosign.key",
        "--receipt-dir",
        receipts.to_str().unwrap(),
    ];
    for (answer, code) in [("no\n", 3), ("\n", 3), ("y\n", 0)] {
        let (mut master, slave) = terminal();
        let mut release = releases.xtask(&args);
        release.stdin(slave.try_clone().unwrap());
        release.stderr(slave.try_clone().unwrap());
        let mut child = release.stdout(std::process::Stdio::null()).spawn().unwrap();
        drop((release, slave));
        let mut said = Vec::new();
        let mut byte = [0];
        while !said.ends_with(b"release? [y/N] ") {
            assert_eq!(master.read(&mut byte).unwrap(), 1);
            said.push(byte[0]);
        }
        let said = String::from_utf8(said).unwrap();
        assert!(said.contains("write v1.0.0"), "{said}");
        assert_eq!(releases.digest("v1.0.0"), None);
        master.write_all(answer.as_bytes()).unwrap();
        // What it says must be read, or it would wait; a terminal that nobody has open is an error.
        let _ = master.read_to_end(&mut Vec::new());
        assert_eq!(child.wait().unwrap().code(), Some(code), "{answer:?}");
    }
    assert_eq!(releases.digest("v1.0.0"), Some(digest));
}
