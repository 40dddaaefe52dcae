//! House rules that no compiler checks.

use std::fs;
use std::path::{Path, PathBuf};

/// Every Rust file of the workspace, as its path and its text.
fn sources() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut folders = vec![root.join("xtask"), root.join("crates")];
    let mut sources = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                sources.push((path, text));
            }
        }
    }
    assert!(sources.len() > 20, "the sources were not found");
    sources
}

#[test]
fn every_file_says_what_it_is_for_and_is_short_enough_to_read() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        if !text.starts_with("//! ") {
            wrong.push(format!(
                "{}: does not start with a `//!` line",
                path.display()
            ));
        }
        if text.lines().count() > 400 {
            wrong.push(format!(
                "{}: is longer than 400 lines; split it",
                path.display()
            ));
        }
    }
    assert_eq!(wrong, [""; 0]);
}

#[test]
fn no_registry_host_stands_in_the_code() {
    // Split, so that this file does not name them either.
    let hosts = [
        ["registry.npm", "js.org"],
        ["pypi", ".org"],
        ["deb.debian", ".org"],
        ["static.crates", ".io"],
    ];
    for (path, text) in sources() {
        for host in hosts.map(|parts| parts.concat()) {
            assert!(
                !text.contains(&host),
                "{} names {host}; take it from the machine",
                path.display()
            );
        }
    }
}

#[test]
fn both_architectures_pin_one_version_of_claude_code() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docker/claude");
    let json = |path: &str| -> serde_json::Value {
        serde_json::from_str(&fs::read_to_string(folder.join(path)).unwrap()).unwrap()
    };
    let pins = [("amd64", "x64"), ("arm64", "arm64")].map(|(arch, cpu)| {
        let package = format!("@anthropic-ai/claude-code-linux-{cpu}-musl");
        let wanted = json(&format!("{arch}/package.json"))["dependencies"][&package].clone();
        let lock = json(&format!("{arch}/package-lock.json"));
        let locked = &lock["packages"][format!("node_modules/{package}")];
        assert_eq!(
            locked["version"], wanted,
            "the lock of {arch} is of another version"
        );
        let integrity = locked["integrity"].as_str().unwrap();
        assert!(integrity.starts_with("sha512-"), "{arch}: {integrity}");
        assert_eq!(
            locked.get("resolved"),
            None,
            "the lock of {arch} names a registry"
        );
        wanted
    });
    assert!(pins[0].is_string(), "{pins:?}");
    assert_eq!(pins[0], pins[1]);
}
