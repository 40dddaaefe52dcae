//! `update crates`, with a real cargo and a registry of crates of the test's own.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use serde_json::Value;

use super::{committed, program};
use crate::common::{Ran, set_author};
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

/// A sparse index. It fails from the request of that number on.
struct Index {
    address: String,
    requests: Arc<AtomicUsize>,
}

impl Index {
    fn start(fails_from: usize) -> Index {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", server.local_addr().unwrap());
        let requests = Arc::new(AtomicUsize::new(0));
        let (own, count) = (address.clone(), Arc::clone(&requests));
        thread::spawn(move || {
            for mut client in server.incoming().flatten() {
                let mut reader = BufReader::new(client.try_clone().unwrap());
                let (mut first, mut line) = (String::new(), String::new());
                let _ = reader.read_line(&mut first);
                while reader.read_line(&mut line).is_ok_and(|size| size > 2) {
                    line.clear();
                }
                let number = count.fetch_add(1, Ordering::Relaxed) + 1;
                let path = first.split(' ').nth(1).unwrap_or_default();
                let body = if number < fails_from {
                    body(path, &own)
                } else {
                    None
                };
                let status = if body.is_some() {
                    "200 OK"
                } else {
                    "403 Forbidden"
                };
                let body = body.unwrap_or_default();
                let length = body.len();
                let head = format!(
                    "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
                );
                let _ = client.write_all(format!("{head}{body}").as_bytes());
            }
        });
        Index { address, requests }
    }
}

fn body(path: &str, own: &str) -> Option<String> {
    if path == "/config.json" {
        return Some(format!("{{\"dl\":\"{own}/dl\"}}"));
    }
    let name = path.rsplit('/').next()?;
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
    let lines: String = lines.collect();
    (!lines.is_empty()).then_some(lines)
}

fn package(name: &str, version: &str, needs: &str) -> String {
    format!(
        "[[package]]\nname = \"{name}\"\nversion = \"{version}\"\nsource = \"{SOURCE}\"\nchecksum = \"{}\"\n{needs}\n",
        "0".repeat(64)
    )
}

/// A clean workspace whose entrypoint needs `one`, locked at 1.0.0, and a real cargo that finds crates in the index.
fn world(index: &Index) -> Sandbox {
    let sandbox = Sandbox::new();
    program(&sandbox, "git", "exec git \"$@\"\n");
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
        "[source.crates-io]\nreplace-with = \"own\"\n[source.own]\nregistry = \"sparse+{}/\"\n[net]\nretry = 0\n",
        index.address
    );
    fs::create_dir_all(sandbox.path("cargo")).unwrap();
    sandbox.write("cargo/config.toml", &config);
    sandbox.git(&["add", "--all"]);
    sandbox.git(&["commit", "--quiet", "--message", "lock"]);
    sandbox
}

fn update(sandbox: &Sandbox, args: &[&str]) -> Ran {
    let mut command = sandbox.xtask(&[&["update", "crates"], args].concat());
    set_author(&mut command);
    command
        .env("HOME", sandbox.path("tmp"))
        .env("CARGO_HOME", sandbox.path("cargo"));
    Ran::of(&mut command)
}

#[test]
fn crates_go_to_the_newest_that_the_manifests_and_the_compiler_allow() {
    let index = Index::start(usize::MAX);
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
    let whole = Index::start(usize::MAX);
    update(&world(&whole), &[]).succeeded();
    let count = whole.requests.load(Ordering::Relaxed);
    assert!(count >= 3, "{count}");
    for number in 1..=count {
        let sandbox = world(&Index::start(number));
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
    let index = Index::start(usize::MAX);
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
