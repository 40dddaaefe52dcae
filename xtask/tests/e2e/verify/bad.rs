//! Images other than the agent image, and engines that fail: a readable report, never a crash.

use std::thread;

use serde_json::Value;

use super::{Image, Verified};
use crate::common::Ran;
use crate::world::{base, image, xtask};

#[test]
fn an_unknown_image_is_an_error() {
    for (name, words) in [
        ("agentgate/agent:no-such-tag", "hint: `cargo xtask image`"),
        (
            "127.0.0.1:1/agentgate/agent:dev",
            "its registry gives no answer",
        ),
        ("Not/An:Image", "no image is called"),
        (
            &format!("sha256:{}", "0".repeat(64)),
            "a digest alone names no registry",
        ),
    ] {
        let ran = Ran::of(&mut xtask(&["verify", name]));
        assert_eq!(ran.code, Some(1), "{ran:#?}");
        assert!(ran.stderr.contains(words), "{words}: {ran:#?}");
        assert_eq!(ran.stdout, "");
    }
}

#[test]
fn wrong_usage_is_an_error() {
    for (args, words) in [
        (
            &["verify", "--only", "seed-3-nod"][..],
            "is it `seed-3-node`?",
        ),
        (
            &["verify", "--only", "seed", "--skip", "seed"],
            "leave no check",
        ),
        (&["verify", "--platform", "linux/riscv64"], "linux/riscv64"),
        (&["verify", " x"], "bad image name"),
    ] {
        let ran = Ran::of(&mut xtask(args));
        assert_eq!(ran.code, Some(2), "{ran:#?}");
        assert!(ran.stderr.contains(words), "{words}: {ran:#?}");
    }
    let ran = Ran::of(&mut xtask(&[
        "verify",
        "x",
        "--check-receipt",
        "/no/such/file",
    ]));
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    assert!(ran.stderr.contains("/no/such/file"), "{ran:#?}");
}

/// The tests take half a minute and a whole one: side by side, as two wait on the clock.
#[test]
fn another_image_gets_a_report_and_one_that_hangs_does_not_hang_the_run() {
    thread::scope(|scope| {
        scope.spawn(a_claude_that_hangs_does_not_hang_the_run);
        scope.spawn(a_program_that_hangs_once_is_given_a_second_look);
        another_image_altogether_gets_a_report();
    });
}

/// The base alone, and an empty image.
fn another_image_altogether_gets_a_report() {
    let scratch = Image::build("FROM scratch\nCOPY Dockerfile /\n");
    let receipts = tempfile::tempdir().unwrap();
    for (name, more) in [(base(), 10), (scratch.0.clone(), 10)] {
        let verified = Verified::of(&name, receipts.path(), &[]);
        assert_eq!(verified.code, Some(1), "{}", verified.stderr);
        assert_eq!(verified.report["proven"], false);
        assert!(
            verified.ids("failed").len() > more,
            "{:?}",
            verified.ids("failed")
        );
        assert!(verified.ids("failed").contains(&"contract-starts"));
        assert!(!verified.ids("unproven").is_empty());
        assert!(!verified.stderr.contains("panicked"), "{}", verified.stderr);
    }
}

#[test]
fn a_missing_engine_is_an_error() {
    let mut verify = xtask(&["verify", image()]);
    verify.env("DOCKER_HOST", "unix:///no/such/docker.sock");
    let ran = Ran::of(&mut verify);
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    assert!(
        ran.stderr.contains("the Docker Engine does not answer"),
        "{ran:#?}"
    );
    assert!(ran.stderr.contains("hint:"), "{ran:#?}");
}

/// A check that hangs costs its own time limits alone: the others are judged all the same.
fn a_claude_that_hangs_does_not_hang_the_run() {
    let broken = replaced("/usr/local/bin/claude", "sleep 600");
    let receipts = tempfile::tempdir().unwrap();
    let only = ["--only", "claude-pinned,claude-telemetry,pid1-reap"];
    let verified = Verified::beside(&broken.0, receipts.path(), &only);
    assert_eq!(verified.code, Some(1), "{}", verified.stderr);
    assert_eq!(verified.ids("passed"), ["pid1-reap", "claude-telemetry"]);
    let is_bad = |one: &&Value| one["status"] == "failed" || one["status"] == "unproven";
    let bad: Vec<&Value> = verified.results().filter(is_bad).collect();
    let ids: Vec<&Value> = bad.iter().map(|one| &one["id"]).collect();
    assert_eq!(ids, ["claude-pinned"]);
    let hung = |one: &&Value| {
        let seen = one["seen"].as_str().unwrap();
        // Other tests may keep the machine so busy that nobody knows why time ran out.
        let is_busy = seen.contains("the machine is busy") && one["busy"] == true;
        seen.contains("did not end within")
            && seen.contains("at a second look, too")
            && is_busy == (one["status"] == "unproven")
    };
    assert!(bad.iter().all(hung), "{}", verified.report);
}

/// A machine that is busy for a while makes a program of a good image hang: it fails only if it does so again.
fn a_program_that_hangs_once_is_given_a_second_look() {
    let once = "mkdir /tmp/once 2>/dev/null && sleep 600\nPATH=/usr/bin:/bin exec printenv \"$@\"";
    let image = replaced("/usr/local/bin/printenv", once);
    let receipts = tempfile::tempdir().unwrap();
    let only = ["--only", "claude-telemetry"];
    let verified = Verified::beside(&image.0, receipts.path(), &only);
    assert_eq!(verified.code, Some(0), "{}", verified.stderr);
    assert_eq!(verified.ids("passed"), ["claude-telemetry"]);
    for words in ["did not end within", "it is inspected again at the end"] {
        assert!(verified.stderr.contains(words), "{}", verified.stderr);
    }
}

/// The image with a script in a program's place.
fn replaced(program: &str, script: &str) -> Image {
    let layer = format!("COPY --chmod=755 <<'EOF' {program}\n#!/bin/sh\n{script}\nEOF");
    let good = image();
    Image::build(&format!(
        "FROM {good}\nUSER root\n{layer}\nUSER 1000:1000\n"
    ))
}
