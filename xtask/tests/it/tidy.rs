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

/// The commands: each is a file and a folder of xtask/src, and verify's checks are a crate besides. What two
/// of them need is in a file below both.
const COMMANDS: [&str; 10] = [
    "audit",
    "completions",
    "doctor",
    "image",
    "prune",
    "release",
    "tags",
    "test",
    "update",
    "verify",
];

/// The imports of one command by another that are left, and why.
const IMPORTS: [(&str, &str, &str); 6] = [
    ("audit", "tags", "the name of a commit's tag"),
    (
        "image",
        "tags",
        "a build is named by the tags of its commit",
    ),
    (
        "image",
        "verify",
        "`dev` moves only to what verify has proved",
    ),
    ("prune", "tags", "the name of a commit's tag"),
    ("release", "tags", "a release gives the tags of its commit"),
    (
        "release",
        "verify",
        "a release starts verify for what no receipt proves",
    ),
];

/// Every file of xtask/src, as its path below that folder and its text.
fn xtask_sources() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../xtask/src");
    let below = |path: &Path| {
        let path = path.strip_prefix(&folder).ok()?;
        path.to_str().map(str::to_owned)
    };
    let sources = sources().into_iter();
    let sources = sources.filter_map(|(path, text)| Some((below(&path)?, text)));
    sources.collect()
}

/// Whether `text` imports the module `name` of the crate's root.
fn imports(text: &str, name: &str) -> bool {
    let is_word = |rest: &str| rest.starts_with([':', ';', ',', '}', ' ', '\n']);
    let mut paths = text.split("crate::").skip(1);
    paths.any(|path| match path.strip_prefix('{') {
        Some(list) => {
            let list = list.split('}').next().unwrap_or_default();
            list.split(',')
                .any(|one| one.trim().split("::").next() == Some(name))
        }
        None => path.strip_prefix(name).is_some_and(is_word),
    })
}

#[test]
fn imports_are_found_however_they_are_written() {
    for (text, expected) in [
        ("use crate::tags;", true),
        ("use crate::tags::Tag;", true),
        ("use crate::{git, tags};", true),
        ("use crate::{\n    git,\n    tags::Tag,\n};", true),
        ("crate::tags::run()", true),
        ("use crate::tagset::Tag;", false),
        ("use crate::git::tags;", false),
        ("use super::tags;", false),
    ] {
        assert_eq!(imports(text, "tags"), expected, "{text}");
    }
}

#[test]
fn a_command_imports_no_other_command() {
    let mut found = Vec::new();
    for (path, text) in xtask_sources() {
        let owner = path.split(['/', '.']).next().unwrap_or_default();
        if !COMMANDS.contains(&owner) {
            continue;
        }
        for other in COMMANDS.iter().filter(|other| **other != owner) {
            if imports(&text, other) {
                found.push((owner.to_owned(), (*other).to_owned(), path.clone()));
            }
        }
    }
    let is_allowed = |(from, to, _): &(String, String, String)| {
        IMPORTS
            .iter()
            .any(|allowed| (allowed.0, allowed.1) == (from, to))
    };
    let wrong: Vec<_> = found.iter().filter(|import| !is_allowed(import)).collect();
    assert!(
        wrong.is_empty(),
        "move what both need to a file below them: {wrong:?}"
    );
    let is_needed = |from: &str, to: &str| found.iter().any(|it| (&*it.0, &*it.1) == (from, to));
    let idle = IMPORTS.iter().filter(|(from, to, _)| !is_needed(from, to));
    let idle: Vec<_> = idle.collect();
    assert!(idle.is_empty(), "no longer needed: {idle:?}");
}

#[test]
fn only_one_file_starts_docker_one_cosign_one_npm_and_one_gh() {
    let starts = [
        "output",
        "read",
        "watch",
        "watch_status",
        "watch_stdout",
        "watch_tied",
        "within",
        "stream",
        "typed",
        "clean_up",
    ];
    // docker.rs names its program in a constant.
    let homes = [
        ("docker", None, "docker.rs"),
        ("cosign", Some("proof/cosign.rs"), "proof.rs"),
        ("npm", Some("src/npm.rs"), "npm.rs"),
        ("gh", Some("github/gh.rs"), "github/gh.rs"),
    ];
    for (path, text) in sources() {
        // Tests start what they like.
        if !path.iter().any(|part| part == "src") {
            continue;
        }
        let text: String = text.split_whitespace().collect();
        for start in starts {
            for (program, home, instead) in homes {
                let call = format!(".{start}(\"{program}\",");
                assert!(
                    !text.contains(&call) || home.is_some_and(|home| path.ends_with(home)),
                    "{}: use the functions of {instead}",
                    path.display()
                );
            }
        }
    }
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
