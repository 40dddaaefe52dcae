//! One run that moves everything: its requests fail in turn, and it is killed between any two renames.

use std::fs;
use std::path::PathBuf;
use std::thread;

use serde_json::json;

use super::fake;
use super::images::{BOTH, publish};
use super::{pins, program, update, update_command};
use crate::common::{Ran, command};
use crate::registry::{Content, Fault, Registry};
use crate::sandbox::Sandbox;

/// Answers what `update` asks a container of the base.
const DOCKER: &str = r#"case "$*" in
*"apk search"*) echo bash-5.3.3-r1 && echo jq-1.8-r0 ;;
*"apk version"*) echo '<' ;;
*) exit 1 ;;
esac
"#;

const BUILD: &str = r#"{"schema": 1, "references": ["agentgate/agent:dev"], "digest": null, "revision": "",
    "seconds": 1.0, "platforms": [{"platform": "linux/amd64", "size": null, "packages":
    [{"name": "bash", "version": "5.3.3-r0"}, {"name": "jq", "version": "1.8-r0"}]}]}"#;

/// Every pin is behind: Claude Code, Rust in three places, two images without a digest, and the day of packages.
fn world() -> (Sandbox, Registry) {
    let mut content = Content::default();
    publish(&mut content, "20-alpine", "node", &BOTH);
    for tag in ["1.95-alpine3.23", "1.96-alpine3.23", "1.96.1-alpine3.23"] {
        publish(&mut content, tag, tag, &["amd64"]);
    }
    let registry = Registry::with(content);
    let sandbox = fake::world();
    program(&sandbox, "docker", DOCKER);
    let images = format!("{}/library", registry.address);
    sandbox.write(
        "work/docker/Dockerfile.agent",
        &format!(
            "FROM {images}/node:20-alpine AS a\nFROM {images}/rust:1.95-alpine3.23 AS b\nFROM a\n"
        ),
    );
    sandbox.edit(
        "work/Cargo.toml",
        "version = ",
        "rust-version = \"1.95\"\nversion = ",
    );
    let mut text = sandbox.read("work/Cargo.toml");
    text += "packages = \"2020-01-01\"\n";
    sandbox.write("work/Cargo.toml", &text);
    sandbox.write(
        "work/rust-toolchain.toml",
        "[toolchain]\nchannel = \"1.95.0\"\n",
    );
    sandbox.git(&["add", "--all"]);
    sandbox.git(&["commit", "--quiet", "--message", "start"]);
    fs::create_dir_all(sandbox.path("work/target/xtask")).unwrap();
    sandbox.write("work/target/xtask/image.json", BUILD);
    (sandbox, registry)
}

fn status(sandbox: &Sandbox) -> String {
    sandbox.git(&["status", "--porcelain"])
}

#[test]
fn one_run_moves_everything_in_one_commit_and_a_second_says_that_all_is_current() {
    let (sandbox, registry) = world();
    let ran = update(&sandbox, &["--check"]);
    assert_eq!(ran.code, Some(4), "{ran:#?}");
    assert_eq!(ran.stderr.matches("behind: ").count(), 5, "{ran:#?}");
    assert!(
        ran.stdout
            .contains("the layer of packages: bash 5.3.3-r0 → 5.3.3-r1\n"),
        "{ran:#?}"
    );

    let ran = update(&sandbox, &["--commit", "--json"]).succeeded();
    let report: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let moves = report["moves"].as_array().unwrap().iter();
    let moves: Vec<_> = moves.map(|one| [&one["what"], &one["from"]]).collect();
    let node = format!("image {}/library/node:20-alpine", registry.address);
    // The digest of the new Rust image comes with its tag.
    assert_eq!(
        json!(moves),
        json!([
            ["Claude Code", "1.0.0"],
            ["Rust", "1.95.0"],
            [node, "no digest"],
            ["Alpine packages", "2020-01-01"]
        ])
    );
    assert_eq!(report["files"].as_array().unwrap().len(), 7, "{report}");
    assert_eq!(status(&sandbox), "");
    let message = sandbox.git(&["log", "-1", "--format=%B"]);
    let (subject, body) = message.split_once("\n\n").unwrap();
    assert!(subject.chars().count() <= 72, "{subject}");
    for line in [
        "Claude Code: 1.0.0 → 1.0.1, published on 2020-01-01.\n",
        "Rust: 1.95.0 → 1.96.1, with `",
        "Alpine packages: 2020-01-01 → ",
        "A rebuild changes the layer of packages: bash 5.3.3-r0 → 5.3.3-r1.\n",
    ] {
        assert!(body.contains(line), "{body}");
    }
    assert_eq!(pins(&sandbox), ["1.0.1"; 2]);
    let cargo = sandbox.read("work/Cargo.toml");
    assert!(
        cargo.contains("rust-version = \"1.96\"\n") && !cargo.contains("2020-01-01"),
        "{cargo}"
    );
    assert!(
        sandbox
            .read("work/rust-toolchain.toml")
            .contains("\"1.96.1\"")
    );
    let dockerfile = sandbox.read("work/docker/Dockerfile.agent");
    assert_eq!(dockerfile.matches("@sha256:").count(), 2, "{dockerfile}");
    assert!(dockerfile.contains("rust:1.96-alpine3.23@"), "{dockerfile}");

    let ran = update(&sandbox, &["--commit"]).succeeded();
    assert_eq!(ran.stdout.matches(": current (").count(), 5, "{ran:#?}");
    update(&sandbox, &["--check"]).succeeded();
}

/// Whichever request of whichever subject it is.
#[test]
fn a_run_that_is_cut_off_at_any_request_changes_nothing() {
    let (sandbox, registry) = world();
    update(&sandbox, &[]).succeeded();
    assert_eq!(status(&sandbox).lines().count(), 7);
    let requests = registry.requests().len();
    assert!(requests >= 10, "{requests}");
    // A cut is tried again, with pauses: side by side.
    let next = std::sync::atomic::AtomicUsize::new(1);
    thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                let (sandbox, registry) = world();
                loop {
                    let number = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    if number > requests {
                        break;
                    }
                    let fault = [Fault::Refused, Fault::Cut][number % 2];
                    registry.content().requests.clear();
                    registry.content().fails_from = Some((number, fault));
                    let ran = update(&sandbox, &["--commit"]);
                    let ended = (ran.code, &*ran.stdout);
                    assert_eq!(ended, (Some(1), ""), "{number}, {fault:?}: {ran:#?}");
                    assert!(
                        ran.stderr.contains("nothing was moved:\n"),
                        "{number}: {ran:#?}"
                    );
                    assert!(registry.requests().len() >= number, "{number}: {ran:#?}");
                    assert_eq!(status(&sandbox), "", "{number}");
                    assert_eq!(sandbox.git(&["log", "-1", "--format=%s"]), "start\n");
                }
            });
        }
    });
}

/// Where `strace` is, if it may be used here.
fn strace() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap();
    let found = std::env::split_paths(&path).map(|folder| folder.join("strace"));
    let found = found.into_iter().find(|path| path.is_file())?;
    let tried = command(&found, &std::env::temp_dir())
        .args(["-qq", "-e", "trace=none", "true"])
        .output();
    tried
        .is_ok_and(|tried| tried.status.success())
        .then_some(found)
}

/// The files belong to four subjects. The kernel kills the run at each rename.
#[test]
fn a_run_that_is_killed_between_two_renames_is_undone_by_the_next() {
    let Some(strace) = strace() else {
        eprintln!("NOT RUN: needs strace; hint: `apt-get install strace`");
        return;
    };
    let (sandbox, registry) = world();
    let mut half = 0;
    for number in 1..=8 {
        let inner = update_command(&sandbox, &[]);
        let mut killed = command(&strace, &sandbox.path("work"));
        let kill = format!("inject=rename,renameat,renameat2:signal=KILL:when={number}");
        killed
            .env_clear()
            .args(["-qq", "-o", "/dev/null", "-e", &kill]);
        killed.arg(inner.get_program()).args(inner.get_args());
        killed.envs(
            inner
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        );
        let ran = Ran::of(&mut killed);
        if number == 8 {
            assert_eq!(ran.code, Some(0), "{ran:#?}");
            assert_eq!(status(&sandbox).lines().count(), 7);
            break;
        }
        assert_eq!(ran.code, None, "{number}: {ran:#?}");
        let left = status(&sandbox);
        assert!(left.contains(".new"), "{number}: {left}");
        half += usize::from(left.lines().any(|line| line.starts_with(" M")));
        // The next run undoes it before it asks anybody.
        registry.content().requests.clear();
        registry.content().fails_from = Some((1, Fault::Refused));
        let ran = update(&sandbox, &[]);
        assert_eq!(ran.code, Some(1), "{number}: {ran:#?}");
        assert_eq!(status(&sandbox), "", "{number}: {left}");
        assert_eq!(
            ran.stderr.contains("cut off half-way; it is undone"),
            left.contains(" M"),
            "{ran:#?}"
        );
        registry.content().fails_from = None;
    }
    assert!(half >= 6, "{half}");
}
