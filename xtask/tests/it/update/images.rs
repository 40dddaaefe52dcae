//! The images that a Dockerfile names, in an image registry of the test's own.

use serde_json::{Value, json};

use super::{committed, real_git, update, update_command};
use crate::common::Ran;
use crate::registry::{Content, Registry};
use crate::sandbox::{Sandbox, digest};

/// Gives a tag to an index of images for these architectures, which this word tells from others; its digest.
pub(super) fn publish(
    content: &mut Content,
    tag: &str,
    word: &str,
    architectures: &[&str],
) -> String {
    let entries = architectures.iter().map(|architecture| {
        let mut entry = content.image_for(architecture, &json!({"word": word}));
        entry["platform"] = json!({"os": "linux", "architecture": architecture});
        entry
    });
    let manifests: Vec<Value> = entries.collect();
    content.tag(tag, &json!({"manifests": manifests}));
    content.tags[tag].clone()
}

pub(super) const BOTH: [&str; 2] = ["amd64", "arm64"];

/// A clean repository with this Dockerfile, in which `NODE` is the registry's repository.
fn repository(registry: &Registry, dockerfile: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    let text = dockerfile.replace("NODE", &name(registry));
    sandbox.write("work/docker/Dockerfile.agent", &text);
    real_git(&sandbox);
    sandbox.git(&["add", "--all"]);
    sandbox.git(&["commit", "--quiet", "--message", "start"]);
    sandbox
}

/// A repository whose last part is `node`.
fn name(registry: &Registry) -> String {
    format!("{}/library/node", registry.address)
}

fn dockerfile(sandbox: &Sandbox) -> String {
    sandbox.read("work/docker/Dockerfile.agent")
}

#[test]
fn a_base_is_behind_unless_the_digest_of_its_tag_is_pinned() {
    let mut content = Content::default();
    let now = publish(&mut content, "20", "now", &BOTH);
    let registry = Registry::with(content);
    let sandbox = repository(&registry, "FROM scratch\n");
    let short = &now["sha256:".len()..][..12];
    for (pin, pinned, code) in [
        (String::new(), "no digest", 4),
        (format!("@{now}"), short, 0),
        (format!("@{}", digest("1")), "100000000000", 4),
    ] {
        let from = format!("FROM {}:20{pin}\n", name(&registry));
        sandbox.write("work/docker/Dockerfile.agent", &from);
        let ran = update(&sandbox, &["bases", "--check"]);
        assert_eq!(ran.code, Some(code), "{ran:#?}");
        assert!(ran.stdout.contains(&format!("  {pinned}  ")), "{ran:#?}");
    }
}

/// Every line of the base, the last one without an end, lines of another file's kind, and what only looks like one.
const DOCKERFILE: &str = "\u{feff}# syntax=docker/dockerfile:1\r\n# FROM NODE:20-alpine\r\nFROM NODE:20-alpine AS system\r\n\
    RUN <<EOF\r\nFROM NODE:20-alpine\r\nEOF\r\nfrom   --platform=$BUILDPLATFORM NODE:20-alpine\tas tools\r\n\
    COPY --from=NODE:20-alpine /a /b\r\nFROM NODE:20-slim AS slim\r\nFROM system";

#[test]
fn every_line_of_a_base_is_pinned_and_no_other_byte_is_changed() {
    let mut content = Content::default();
    let alpine = publish(&mut content, "20-alpine", "one", &BOTH);
    let slim = publish(&mut content, "20-slim", "slim", &BOTH);
    let registry = Registry::with(content);
    let sandbox = repository(&registry, DOCKERFILE);
    let ran = update(&sandbox, &["bases", "--dry-run"]).succeeded();
    assert!(
        ran.stdout.contains("nothing was moved: a dry run"),
        "{ran:#?}"
    );
    update(&sandbox, &["bases", "--commit"]).succeeded();
    let from = |tag: &str, digest: &str, text: String| {
        let pinned = format!("{}@{digest}", tag.replace("NODE", &name(&registry)));
        let tag = tag.replace("NODE", &name(&registry));
        text.replace(&format!("FROM {tag} AS"), &format!("FROM {pinned} AS"))
            .replace(&format!("PLATFORM {tag}"), &format!("PLATFORM {pinned}"))
    };
    let before = DOCKERFILE.replace("NODE", &name(&registry));
    let expected = from(
        "NODE:20-slim",
        &slim,
        from("NODE:20-alpine", &alpine, before),
    );
    assert_eq!(expected.matches("@sha256:").count(), 3);
    assert_eq!(dockerfile(&sandbox), expected);
    let message = committed(&sandbox);
    assert!(
        message.contains("no digest → ") && message.contains("made on 2020-01-02."),
        "{message}"
    );

    let ran = update(&sandbox, &["bases"]).succeeded();
    assert_eq!(ran.stdout.matches(": current (").count(), 2, "{ran:#?}");
    publish(&mut registry.content(), "20-alpine", "two", &BOTH);
    let ran = update(&sandbox, &["bases", "--check", "--json"]);
    assert_eq!(ran.code, Some(4), "{ran:#?}");
    let rows: Value = serde_json::from_str(&ran.stdout).unwrap();
    let behind = [0, 1].map(|at| &rows["rows"][at]["is_behind"]);
    assert_eq!(behind, [true, false]);
}

#[test]
fn node_moves_on_every_line_by_name_alone() {
    let mut content = Content::default();
    publish(&mut content, "20-alpine", "20", &BOTH);
    publish(&mut content, "20-slim", "20", &BOTH);
    let alpine = publish(&mut content, "22-alpine", "22", &BOTH);
    publish(&mut content, "24-alpine", "24", &["amd64"]);
    let registry = Registry::with(content);
    let sandbox = repository(&registry, DOCKERFILE);

    let ran = update(&sandbox, &["node", "--check"]).succeeded();
    assert!(
        ran.stdout.contains("Node.js  20      24      not known"),
        "{ran:#?}"
    );
    assert!(
        ran.stdout.contains("gets no fixes since 2026-04-21"),
        "{ran:#?}"
    );
    // Each image is asked for with its own variant (dependabot/feedback#811).
    let ran = update(&sandbox, &["--node", "22"]);
    assert_eq!(ran.code, Some(3), "{ran:#?}");
    assert!(
        ran.stderr.contains("node:22-slim`\n  hint: `--node`"),
        "{ran:#?}"
    );
    let slim = publish(&mut registry.content(), "22-slim", "22", &BOTH);
    let ran = update(&sandbox, &["--node", "24"]);
    assert_eq!(ran.code, Some(3), "{ran:#?}");
    assert!(
        ran.stderr
            .contains("node:24-alpine` is not moved to: it is not for linux/arm64"),
        "{ran:#?}"
    );
    assert_eq!(sandbox.git(&["status", "--porcelain"]), "");

    update(&sandbox, &["--node", "22", "--commit"]).succeeded();
    let text = dockerfile(&sandbox);
    for (tag, digest, count) in [("22-alpine", &alpine, 2), ("22-slim", &slim, 1)] {
        let reference = format!("{}:{tag}@{digest}", name(&registry));
        assert_eq!(text.matches(&reference).count(), count, "{text}");
    }
    let message = sandbox.git(&["log", "-1", "--format=%s"]);
    assert_eq!(message, "Move Node.js from 20 to 22\n");
    let ran = update(&sandbox, &["node", "--node", "22"]).succeeded();
    assert_eq!(ran.stdout, "Node.js: current (22)\n");
}

/// The test bed's registry stands for Docker Hub: what it has says nothing of the images themselves.
#[test]
fn a_stand_in_of_the_test_bed_is_never_asked_and_never_pinned() {
    let mut content = Content::default();
    publish(&mut content, "20-alpine", "stand-in", &BOTH);
    let registry = Registry::with(content);
    let text = "FROM docker.io/library/node:20-alpine AS a\nFROM rust:1.95-alpine3.23\nFROM a\n";
    let sandbox = repository(&registry, text);
    let run = |args: &[&str]| {
        let mut command = update_command(&sandbox, args);
        Ran::of(command.env("TESTBED_REGISTRY", &registry.address))
    };
    for args in [
        &["bases", "rust"][..],
        &["bases", "rust", "node", "--check"],
    ] {
        let ran = run(args).succeeded();
        let said = ran.stdout + &ran.stderr;
        assert_eq!(
            said.matches("not asked: on the test bed").count(),
            3,
            "{said}"
        );
    }
    assert_eq!(dockerfile(&sandbox), text);
    run(&["--node", "22"]).succeeded();
    assert_eq!(dockerfile(&sandbox), text.replace("node:20", "node:22"));
    assert_eq!(registry.requests(), [""; 0]);
}

#[test]
fn what_cannot_be_meant_is_wrong_usage() {
    let sandbox = Sandbox::new();
    for (args, why) in [
        (&["node"][..], "hint: `--node 24`"),
        (
            &["bases", "--node", "22"],
            "`--node` is given, and its subject",
        ),
        (
            &["node", "--node", "22", "--claude", "1.0.0"],
            "`--claude` is given, and its subject",
        ),
        (&["--node", "16"], "is too old"),
        (&["--check", "--commit"], "cannot be used with"),
        (&["--dry-run", "--commit"], "cannot be used with"),
        (&["alpine"], "invalid value 'alpine'"),
    ] {
        let ran = update(&sandbox, args);
        assert_eq!(ran.code, Some(2), "{args:?}: {ran:#?}");
        assert!(ran.stderr.contains(why), "{args:?}: {ran:#?}");
    }
}
