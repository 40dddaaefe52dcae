//! Every breakage is flagged by the check that owns it. The matrix of the docs has a row for each.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;

use super::breakages::{AROUND, Breakage, CLAUDE, TOKEN, breakages};
use super::{Image, Verified};
use crate::world::{image, root};

const DOCS: &str = "docs/verify.md";
const BEGIN: &str = "<!-- matrix -->\n";
const END: &str = "<!-- end of matrix -->";

/// The broken image. Whatever user the good one has stays, unless the layer says otherwise.
fn build(breakage: &Breakage) -> Image {
    // Made here: a source file that held it would be a finding of its own.
    let token = format!("npm_{}", &"aZ3kQ9vL".repeat(5)[..36]);
    let layer = breakage.layer.replace(TOKEN, &token);
    let layer = if let Some(script) = layer.strip_prefix(AROUND) {
        let script = format!("REAL=/usr/local/bin/agent-entrypoint; {script}");
        let words = serde_json::to_string(&["/bin/sh", "-c", &script, "sh"]);
        format!("ENTRYPOINT {}", words.unwrap())
    } else if let Some(script) = layer.strip_prefix(CLAUDE) {
        let path = "/usr/local/bin/claude";
        format!("COPY --chmod=755 <<'EOF' {path}\n#!/bin/sh\n{script}\nEOF")
    } else {
        layer
    };
    let last = if layer.starts_with("USER") {
        ""
    } else {
        "USER 1000:1000"
    };
    Image::build(&format!("FROM {}\nUSER root\n{layer}\n{last}\n", image()))
}

/// All that flag the breakage: with `VERIFY_MATRIX` every check is looked at, else the owner alone.
fn flagged(breakage: &Breakage, all: bool) -> BTreeSet<String> {
    let broken = build(breakage);
    let receipts = tempfile::tempdir().unwrap();
    let only = ["--only", breakage.owner];
    let args: &[&str] = if all { &[] } else { &only };
    let verified = Verified::of(&broken.0, receipts.path(), args);
    let bad = ["failed", "unproven"].map(|status| verified.ids(status));
    bad.concat().into_iter().map(str::to_owned).collect()
}

/// All, or those whose owner `VERIFY_BREAKAGE` begins.
fn chosen() -> impl Iterator<Item = &'static Breakage> {
    let chosen = std::env::var("VERIFY_BREAKAGE").unwrap_or_default();
    breakages().filter(move |breakage| breakage.owner.starts_with(&chosen))
}

#[test]
fn every_breakage_is_flagged_by_its_owner() {
    let all = std::env::var_os("VERIFY_MATRIX").is_some();
    let mut rows = String::from("| breakage | flagged by | and by |\n| --- | --- | --- |\n");
    let mut missed = Vec::new();
    for breakage in chosen() {
        let mut flagged = flagged(breakage, all);
        if !flagged.remove(breakage.owner) {
            missed.push(format!("{}: not by {}", breakage.what, breakage.owner));
        }
        // Any layer above the entrypoint is noticed by it: the docs say so once.
        flagged.remove("image-layers");
        let others: Vec<String> = flagged.iter().map(|id| format!("`{id}`")).collect();
        let _ = writeln!(
            rows,
            "| {} | `{}` | {} |",
            breakage.what,
            breakage.owner,
            others.join(", ")
        );
        println!("{}: {} {others:?}", breakage.what, breakage.owner);
    }
    assert_eq!(missed, [""; 0]);
    if all {
        let path = root().join(DOCS);
        let docs = fs::read_to_string(&path).unwrap();
        let (before, rest) = docs.split_once(BEGIN).unwrap();
        let (_, after) = rest.split_once(END).unwrap();
        fs::write(path, format!("{before}{BEGIN}{rows}{END}{after}")).unwrap();
    }
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
