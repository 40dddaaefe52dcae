//! `update crates`, with a real cargo and a registry of crates of the test's own.

use std::fs;

use serde_json::Value;

use super::{committed, program, real_git, update_command};
use crate::common::Ran;
use crate::registry::{Content, Fault, Registry};
use crate::sandbox::{Sandbox, git_in};

/// What cargo writes down for the public registry, whatever stands in for it.
const SOURCE: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// The index: a crate, a version, what it needs, and the Rust that it needs.
const INDEX: [(&str, &str, &str, &str); 6] = [
    ("one", "1.0.0", "two", "1.56"),
    ("one", "1.0.1", "three", "1.56"),
    // Too new for the workspace, and another major version.
    ("one", "1.1.0", "", "1.200"),
    ("one", "2.0.0", "", "1.56"),
    ("two", "1.0.0", "", "1.56"),
    ("three", "0.1.0", "", "1.56"),
];

/// A sparse index, which fails from the request of that number on.
fn index(fails_from: Option<usize>) -> Registry {
    let registry = Registry::with(Content {
        fails_from: fails_from.map(|first| (first, Fault::Refused)),
        ..Content::default()
    });
    let config = format!("{{\"dl\":\"http://{}/dl\"}}", registry.address);
    let mut files = vec![("config.json", config)];
    files.extend(["one", "two", "three"].map(|name| (name, lines(name))));
    let answers = files.into_iter().map(|(name, body)| {
        let body: &'static str = body.leak();
        (format!("/{name}"), "200 OK", body)
    });
    registry.content().answers.extend(answers);
    registry
}

/// The file of a crate, a line for each version.
fn lines(name: &str) -> String {
    let lines = INDEX.iter().filter(|one| one.0 == name).map(|(name, version, needs, rust)| {
        let needs = needs.split_terminator(' ').map(|name| {
            serde_json::json!({
                "name": name, "req": "*", "features": [], "optional": false, "default_features": true,
                "target": null, "kind": "normal",
            })
        });
        let line = serde_json::json!({
            "name": name, "vers": version, "deps": needs.collect::<Vec<_>>(), "cksum": "0".repeat(64),
            "features": {}, "yanked": false, "rust_version": rust,
        });
        format!("{line}\n")
    });
    lines.collect()
}

fn package(name: &str, version: &str, needs: &str) -> String {
    format!(
        "[[package]]\nname = \"{name}\"\nversion = \"{version}\"\nsource = \"{SOURCE}\"\nchecksum = \"{}\"\n{needs}\n",
        "0".repeat(64)
    )
}

/// A clean workspace whose entrypoint needs `one`, locked at 1.0.0, and a real cargo that finds crates in the index.
fn world(index: &Registry) -> Sandbox {
    let sandbox = Sandbox::new();
    real_git(&sandbox);
    // Not the one that chooses a toolchain: it would need the user's home.
    let cargo = std::env::var("CARGO").unwrap();
    program(&sandbox, "cargo", &format!("exec '{cargo}' \"$@\"\n"));
    let rustc = std::path::Path::new(&cargo).with_file_name("rustc");
    program(
        &sandbox,
        "rustc",
        &format!("exec '{}' \"$@\"\n", rustc.display()),
    );
    sandbox.edit(
        "work/Cargo.toml",
        "members = []",
        "members = [\"entrypoint\"]\nresolver = \"3\"",
    );
    fs::create_dir_all(sandbox.path("work/entrypoint/src/bin")).unwrap();
    sandbox.write(
        "work/entrypoint/Cargo.toml",
        "[package]\nname = \"agent-entrypoint\"\nversion = \"0.1.0\"\nedition = \"2024\"\nrust-version = \"1.95\"\n\
         [dependencies]\none = \"1\"\n[[bin]]\nname = \"x\"\npath = \"src/bin/y.rs\"\n",
    );
    sandbox.write("work/entrypoint/src/bin/y.rs", "fn main() {}\n");
    let own = "[[package]]\nname = \"agent-entrypoint\"\nversion = \"0.1.0\"\ndependencies = [\n \"one\",\n]\n\n";
    let one = package("one", "1.0.0", "dependencies = [\n \"two\",\n]\n");
    let lock = format!("version = 4\n\n{own}{one}{}", package("two", "1.0.0", ""));
    sandbox.write("work/Cargo.lock", &lock);
    let config = format!(
        "[source.crates-io]\nreplace-with = \"own\"\n[source.own]\nregistry = \"sparse+http://{}/\"\n[net]\nretry = 0\n",
        index.address
    );
    fs::create_dir_all(sandbox.path("cargo")).unwrap();
    sandbox.write("cargo/config.toml", &config);
    sandbox.git(&["add", "--all"]);
    sandbox.git(&["commit", "--quiet", "--message", "lock"]);
    sandbox
}

fn update(sandbox: &Sandbox, args: &[&str]) -> Ran {
    let mut command = update_command(sandbox, &[&["crates"], args].concat());
    command
        .env("HOME", sandbox.path("tmp"))
        .env("CARGO_HOME", sandbox.path("cargo"));
    Ran::of(&mut command)
}

#[test]
fn crates_go_to_the_newest_that_the_manifests_and_the_compiler_allow() {
    let index = index(None);
    let sandbox = world(&index);
    let ran = update(&sandbox, &["--check", "--json"]);
    assert_eq!(ran.code, Some(4), "{ran:#?}");
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    let row = &report["rows"][0];
    assert_eq!(row["newest"], "3 changes");
    assert_eq!(
        row["notes"][0],
        "one 1.0.0 → 1.0.1; three 0.1.0 is added; two 1.0.0 is removed"
    );
    assert_eq!(row["changes"], "the entrypoint's layer at most: one, three");
    assert_eq!(sandbox.git(&["status", "--porcelain"]), "");

    update(&sandbox, &["--commit"]).succeeded();
    let lock = sandbox.read("work/Cargo.lock");
    assert!(
        lock.contains("\"1.0.1\"") && !lock.contains(&index.address),
        "{lock}"
    );
    let message = committed(&sandbox);
    assert!(
        message.contains(
            "\ncrate one: 1.0.0 → 1.0.1.\ncrate three: none → 0.1.0.\nA rebuild changes the entrypoint's layer at most.\n"
        ),
        "{message}"
    );
    let again = update(&sandbox, &["--check"]).succeeded();
    assert!(
        again.stdout.contains("nothing: it is current"),
        "{again:#?}"
    );
}

/// The lock is made in a copy, so a run that ends anywhere leaves the tree as it was.
#[test]
fn an_index_that_fails_at_any_request_changes_nothing() {
    let whole = index(None);
    update(&world(&whole), &[]).succeeded();
    let count = whole.requests().len();
    assert!(count >= 3, "{count}");
    for number in 1..=count {
        let sandbox = world(&index(Some(number)));
        let ran = update(&sandbox, &[]);
        assert_eq!(ran.code, Some(1), "{number}: {ran:#?}");
        assert!(
            ran.stderr
                .contains("the registry of crates could not be asked"),
            "{ran:#?}"
        );
        assert_eq!(sandbox.git(&["status", "--porcelain"]), "");
        let ran = update(&sandbox, &["--check"]);
        assert_eq!(ran.code, Some(1), "{ran:#?}");
    }
}

/// With a cargo that does what a real one rarely does.
#[test]
fn a_lock_that_is_not_whole_does_not_take_the_place() {
    let index = index(None);
    for (wrong, why) in [
        ("sed -i /checksum/d \"$lock\"", "no hash of"),
        (
            "sed -i s,github.com,a.example, \"$lock\"",
            "where no crate came from before",
        ),
        (
            "rm \"$lock\"",
            "could not be asked: cargo wrote no `Cargo.lock`",
        ),
        (
            "echo 'error: no space' >&2; exit 101",
            "`cargo update` failed: error: no space",
        ),
    ] {
        let sandbox = world(&index);
        let cargo = sandbox.read("bin/cargo").replace("exec ", "");
        let after =
            "for lock; do :; done\nlock=$(dirname \"$lock\")/Cargo.lock\n[ \"$1\" = metadata ] ||";
        sandbox.write("bin/cargo", &format!("{cargo}{after} {{ {wrong}; }}\n"));
        let ran = update(&sandbox, &[]);
        assert_eq!(ran.code, Some(1), "{wrong}: {ran:#?}");
        assert!(ran.stderr.contains(why), "{why}: {ran:#?}");
        assert_eq!(sandbox.git(&["status", "--porcelain"]), "");
        git_in(
            &sandbox.path("work"),
            &["diff", "--exit-code"],
            "2026-01-02T03:04:05Z",
        );
    }
}
