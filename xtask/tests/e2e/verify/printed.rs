//! What a hostile image says reaches a terminal, GitHub's log, its outputs and its summary as text.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::Image;
use super::indexes::Published;
use crate::common::{Ran, command};
use crate::world::{image, root, xtask};

/// What a terminal obeys, and what GitHub's runner does at the start of a line and anywhere in it.
const EVIL: &str = "x\u{1b}[2J\u{9b}31m\u{7}\r\n::add-mask::proven\n::error::evil\n##[add-mask]evil\nEOF\nproven=true\nproven<<EOF\ntrue\nEOF\n\u{202e}";

/// A report that proves everything.
const REPORT: &str = r#"{"schema":1,"proven":true,"complete":true,"platforms":[]}"#;

/// The image under test with a hostile entrypoint, label, variable and file.
fn hostile() -> Image {
    let script = format!(
        "printf %s \"$EVIL\" >&2; printf %s \"$EVIL\"; echo '{REPORT}'; exec /usr/local/bin/agent-entrypoint \"$@\""
    );
    let entrypoint = serde_json::to_string(&["/bin/sh", "-c", &script, "sh"]).unwrap();
    let dockerfile = format!(
        "FROM {}\nUSER root\nARG EVIL\nENV EVIL=$EVIL\nENTRYPOINT {entrypoint}\n\
         RUN cp /bin/busybox \"/usr/bin/$EVIL\" && chmod 4755 \"/usr/bin/$EVIL\" && mkdir -m 0777 \"/opt/$EVIL\"\n\
         LABEL org.opencontainers.image.revision=$EVIL org.opencontainers.image.created=$EVIL\n\
         LABEL io.agentgate.extra-packages=$EVIL\nUSER 1000:1000\n",
        image()
    );
    Image::build_with(&["--build-arg", &format!("EVIL={EVIL}")], &dockerfile)
}

/// Checks that quote what the container prints, labels and the names of files.
const ONLY: &str = "seed-1-build,contract-starts,contract-environment,pid1-stdout,pid1-entrypoint,agent-packages,\
                    hardening-setuid,hardening-world-writable,image-revision,image-created";

/// Fails if a terminal would obey anything in the text.
#[track_caller]
fn assert_shown(what: &str, text: &str) {
    let is_obeyed = |c: char| c.is_control() && !"\n\t".contains(c) || c == '\u{202e}';
    assert!(!text.contains(is_obeyed), "{what}: {text:?}");
    assert!(
        text.contains("add-mask"),
        "{what}: nothing hostile is in it: {text}"
    );
}

/// The same, and if GitHub's runner would.
#[track_caller]
fn assert_tame(what: &str, text: &str) {
    assert_shown(what, text);
    for line in text.lines() {
        let line = line.trim_start();
        assert!(!line.starts_with("::"), "{what}: {line:?}");
        assert!(!line.contains("##["), "{what}: {line:?}");
    }
}

#[test]
fn a_hostile_image_is_shown_and_never_obeyed() {
    let hostile = hostile();
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    let run = |args: &[&str]| {
        let mut verify = xtask(&["verify", &hostile.0, "--only", ONLY, "--receipt-dir"]);
        verify.arg(file("receipts")).args(args);
        verify.env("GITHUB_ACTIONS", "true").env("CI", "true");
        verify.env("GITHUB_OUTPUT", file("outputs"));
        verify.env("GITHUB_STEP_SUMMARY", file("summary"));
        let ran = Ran::of(&mut verify);
        assert_eq!(ran.code, Some(1), "{ran:#?}");
        ran
    };
    let ran = run(&["--junit", file("junit.xml").to_str().unwrap()]);
    assert_tame("stdout", &ran.stdout);
    assert_tame("stderr", &ran.stderr);
    assert_tame("the summary", &fs::read_to_string(file("summary")).unwrap());
    // No runner reads it as a log.
    assert_shown("JUnit", &fs::read_to_string(file("junit.xml")).unwrap());
    let outputs = outputs(&file("outputs"));
    let named: Vec<&str> = outputs.iter().map(|(name, _)| &**name).collect();
    assert_eq!(named, ["digest", "proven", "receipts", "bundles"]);
    assert_eq!(outputs[1].1, "false");

    let ran = run(&["--json"]);
    assert_tame("JSON", &ran.stdout);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(report["proven"], false);
    let results = report["platforms"][0]["results"].as_array().unwrap();
    for id in [
        "contract-starts",
        "image-revision",
        "hardening-setuid",
        "agent-packages",
    ] {
        let one = results.iter().find(|one| one["id"] == id).unwrap();
        assert_eq!(one["status"], "failed", "{one}");
        // The data is what it was: only its form is tame.
        assert!(one["seen"].as_str().unwrap().contains("add-mask"), "{one}");
    }
}

#[test]
#[ignore = "the same as the test above, on a terminal: `cargo xtask test --all`"]
fn a_terminal_shows_a_hostile_image_as_text() {
    let hostile = hostile();
    let receipts = tempfile::tempdir().unwrap();
    let verify = xtask(&["verify", &hostile.0, "--only", ONLY, "--receipt-dir"]);
    let words = std::iter::once(verify.get_program()).chain(verify.get_args());
    let words = words.map(|word| word.to_str().unwrap());
    let line = shell_words::join(words.chain([receipts.path().to_str().unwrap()]));
    let record = receipts.path().join("record");
    let mut script = command("script", &root());
    script.args(["--quiet", "--flush", "--return", "--command", &line]);
    let script = script
        .arg(&record)
        .env("TERM", "xterm")
        .env_remove("CI")
        .env_remove("CARGO");
    assert_eq!(Ran::of(script).code, Some(1));
    let shown = fs::read_to_string(record).unwrap();
    // What we send ourselves: colours, and how a block of lines is drawn anew in its place.
    let own = regex::Regex::new("\u{1b}\\[[0-9;]*[mABKGJ]|\r").unwrap();
    assert!(!shown.contains("\u{1b}[2J"), "{shown:?}");
    // A block of lines is drawn nowhere but on a terminal.
    assert_shown("the terminal", &own.replace_all(&shown, ""));
}

#[test]
fn platforms_of_a_hostile_index_are_shown_as_text() {
    let published = Published::new(None);
    let mut evil = published.other.clone();
    evil["platform"] = json!({ "os": EVIL, "architecture": EVIL, "variant": EVIL });
    let name = published.index("evil", &[&published.good, &published.arm64, &evil]);
    let folder = tempfile::tempdir().unwrap();
    let summary = folder.path().join("summary");
    let args = ["--pull", "--platform", "linux/amd64", "--only", "index"];
    let mut verify = xtask(&["verify", &name, "--receipt-dir"]);
    verify.arg(folder.path()).args(args);
    verify.env("GITHUB_STEP_SUMMARY", &summary);
    let ran = Ran::of(&mut verify);
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    assert_tame("stdout", &ran.stdout);
    assert_tame("stderr", &ran.stderr);
    assert_tame("the summary", &fs::read_to_string(summary).unwrap());
}

/// The outputs as the runner reads them (actions/runner, `FileCommandManager.cs`).
fn outputs(file: &Path) -> Vec<(String, String)> {
    let text = fs::read_to_string(file).unwrap();
    let mut lines = text.lines();
    let mut outputs = Vec::new();
    while let Some(line) = lines.next() {
        let (name, delimiter) = line.split_once("<<").expect("a name and a delimiter");
        let value: Vec<&str> = lines
            .by_ref()
            .take_while(|line| *line != delimiter)
            .collect();
        outputs.push((name.to_owned(), value.join("\n")));
    }
    outputs
}
