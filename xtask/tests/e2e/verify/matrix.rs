//! Every breakage is flagged by the check that owns it. The matrix of the docs has a row for each.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;

use super::breakages::{AROUND, Breakage, CLAUDE, TOKEN, breakages, images};
use super::{Image, Verified};
use crate::world::{image, root};

const DOCS: &str = "docs/verify.md";
const BEGIN: &str = "<!-- matrix -->\n";
const END: &str = "<!-- end of matrix -->";

/// The image that is broken in these ways. Whatever user the good one has stays, unless a layer says
/// otherwise.
fn build(breakages: &[&Breakage]) -> Image {
    let layers: Vec<String> = breakages.iter().map(|breakage| layer(breakage)).collect();
    let is_of_user = layers.iter().any(|layer| layer.starts_with("USER"));
    let last = if is_of_user { "" } else { "USER 1000:1000" };
    let layers = layers.join("\n");
    Image::build(&format!("FROM {}\nUSER root\n{layers}\n{last}\n", image()))
}

fn layer(breakage: &Breakage) -> String {
    // Made here: a source file that held it would be a finding of its own.
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

/// All that flag the breakages: every check is run, or those alone that own one of them.
fn flagged(breakages: &[&Breakage], by_all: bool) -> BTreeSet<String> {
    let broken = build(breakages);
    let receipts = tempfile::tempdir().unwrap();
    let owners: Vec<&str> = breakages.iter().map(|breakage| breakage.owner).collect();
    let owners = owners.join(",");
    let only = ["--only", owners.as_str()];
    let args: &[&str] = if by_all { &[] } else { &only };
    let verified = Verified::of(&broken.0, receipts.path(), args);
    let bad = ["failed", "unproven"].map(|status| verified.ids(status));
    bad.concat().into_iter().map(str::to_owned).collect()
}

/// All, or those whose owner `VERIFY_BREAKAGE` begins.
fn is_chosen(breakage: &Breakage) -> bool {
    let chosen = std::env::var("VERIFY_BREAKAGE").unwrap_or_default();
    breakage.owner.starts_with(&chosen)
}

#[test]
fn every_breakage_is_flagged_by_its_owner() {
    if std::env::var_os("VERIFY_MATRIX").is_some() {
        return write_the_matrix();
    }
    let mut missed = Vec::new();
    for image in images(is_chosen) {
        let flagged = flagged(&image, false);
        for breakage in image {
            println!("{}: {}", breakage.owner, breakage.what);
            if !flagged.contains(breakage.owner) {
                missed.push(format!("{}: not by {}", breakage.what, breakage.owner));
            }
        }
    }
    assert_eq!(missed, [""; 0]);
}

/// With `VERIFY_MATRIX`: an image for each breakage, on which every check is run, and a row of the docs.
fn write_the_matrix() {
    let mut rows = String::from("| breakage | flagged by | and by |\n| --- | --- | --- |\n");
    let mut missed = Vec::new();
    for breakage in breakages().filter(|breakage| is_chosen(breakage)) {
        let mut flagged = flagged(&[breakage], true);
        if !flagged.remove(breakage.owner) {
            missed.push(format!("{}: not by {}", breakage.what, breakage.owner));
        }
        // Any layer above the entrypoint is noticed by it: the docs say so once.
        flagged.remove("image-layers");
        let others: Vec<String> = flagged.iter().map(|id| format!("`{id}`")).collect();
        let row = format!(
            "| {} | `{}` | {} |",
            breakage.what,
            breakage.owner,
            others.join(", ")
        );
        println!("{row}");
        let _ = writeln!(rows, "{row}");
    }
    assert_eq!(missed, [""; 0]);
    if std::env::var_os("VERIFY_BREAKAGE").is_some() {
        return;
    }
    let path = root().join(DOCS);
    let docs = fs::read_to_string(&path).unwrap();
    let (before, rest) = docs.split_once(BEGIN).unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    fs::write(path, format!("{before}{BEGIN}{rows}{END}{after}")).unwrap();
}

#[test]
fn the_docs_have_a_row_for_every_breakage() {
    let docs = fs::read_to_string(root().join(DOCS)).unwrap();
    for breakage in breakages() {
        let row = format!("| {} | `{}` |", breakage.what, breakage.owner);
        assert!(docs.contains(&row), "{row}");
    }
    assert!(breakages().count() >= 40);
}
