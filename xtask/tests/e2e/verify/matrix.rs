//! Every breakage is flagged by the check that owns it, and has a row in the docs.

use std::collections::BTreeSet;
use std::fs;

use super::breakages::{AROUND, Breakage, CLAUDE, IN_GATE, TOKEN, breakages, images, is_in_gate};
use super::{Image, Verified};
use crate::world::{image, root, some_at_a_time};

/// Images at a time.
const AT_A_TIME: usize = 3;

/// Builds the image that is broken in these ways. Its user is the good one's, unless a layer sets
/// another.
fn build(breakages: &[&Breakage]) -> Image {
    let layers: Vec<String> = breakages.iter().map(|breakage| layer(breakage)).collect();
    let is_of_user = layers.iter().any(|layer| layer.starts_with("USER"));
    let last = if is_of_user { "" } else { "USER 1000:1000" };
    let layers = layers.join("\n");
    Image::build(&format!("FROM {}\nUSER root\n{layers}\n{last}\n", image()))
}

fn layer(breakage: &Breakage) -> String {
    // Made here: verify would find it in a source file.
    let token = format!("npm_{}", &"aZ3kQ9vL".repeat(5)[..36]);
    let layer = breakage.layer.replace(TOKEN, &token);
    if let Some(script) = layer.strip_prefix(AROUND) {
        let script = format!("REAL=/usr/local/bin/agent-entrypoint; {script}");
        let words = serde_json::to_string(&["/bin/sh", "-c", &script, "sh"]);
        format!("ENTRYPOINT {}", words.unwrap())
    } else if let Some(script) = layer.strip_prefix(CLAUDE) {
        let path = "/usr/local/bin/claude";
        format!("COPY --chmod=755 <<'EOF' {path}\n#!/bin/sh\n{script}\nEOF")
    } else {
        layer
    }
}

/// The checks that flag the breakages, of those that own one of them.
fn flagged(breakages: &[&Breakage]) -> BTreeSet<String> {
    let broken = build(breakages);
    let receipts = tempfile::tempdir().unwrap();
    let owners: Vec<&str> = breakages.iter().map(|breakage| breakage.owner).collect();
    let only = ["--only", &owners.join(",")];
    let verified = Verified::beside(&broken.0, receipts.path(), &only);
    let bad = ["failed", "unproven"].map(|status| verified.ids(status));
    bad.concat().into_iter().map(str::to_owned).collect()
}

/// All, or those whose owner `VERIFY_BREAKAGE` begins.
fn is_chosen(breakage: &Breakage) -> bool {
    let chosen = std::env::var("VERIFY_BREAKAGE").unwrap_or_default();
    breakage.owner.starts_with(&chosen)
}

/// Builds the chosen images and expects each breakage to be flagged by its owner.
fn assert_flagged(is_chosen: impl Fn(&Breakage) -> bool) {
    // Most of an image's time is waiting for what hangs, or stops slowly.
    let missed = some_at_a_time(AT_A_TIME, &images(is_chosen), |image| unflagged(image));
    assert_eq!(missed, [""; 0]);
}

/// The breakages of an image that their owners do not flag.
fn unflagged(image: &[&Breakage]) -> Vec<String> {
    let flagged = flagged(image);
    let mut missed = Vec::new();
    for breakage in image {
        println!("{}: {}", breakage.owner, breakage.what);
        if !flagged.contains(breakage.owner) {
            missed.push(format!("{}: not by {}", breakage.what, breakage.owner));
        }
    }
    missed
}

#[test]
fn a_breakage_of_each_kind_is_flagged_by_its_owner() {
    assert_eq!(
        breakages().filter(|one| is_in_gate(one)).count(),
        IN_GATE.len()
    );
    assert_flagged(is_in_gate);
}

#[test]
#[ignore = "takes minutes: `cargo xtask test --all`"]
fn every_breakage_is_flagged_by_its_owner() {
    assert_flagged(is_chosen);
}

#[test]
fn the_docs_have_a_row_for_every_breakage() {
    let docs = fs::read_to_string(root().join("docs/verify.md")).unwrap();
    for breakage in breakages() {
        let row = format!("| {} | `{}` |", breakage.what, breakage.owner);
        assert!(docs.contains(&row), "{row}");
    }
}
