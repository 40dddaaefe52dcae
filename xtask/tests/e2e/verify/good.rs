//! The good image is proven, with a valid receipt.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::Verified;
use crate::common::Ran;
use crate::world::{built, image, xtask};

#[test]
fn the_good_image_is_proven_and_its_receipt_is_valid() {
    let folder = tempfile::tempdir().unwrap();
    let junit = folder.path().join("junit.xml");
    let verified = Verified::of(
        image(),
        folder.path(),
        &["--junit", junit.to_str().unwrap()],
    );
    assert_eq!(verified.code, Some(0), "{}", verified.stderr);
    assert_eq!(verified.ids("failed"), [""; 0]);
    assert_eq!(verified.ids("unproven"), [""; 0]);
    assert!(verified.ids("passed").len() > 80, "{}", verified.report);
    assert_eq!(verified.report["digest"], built()["digest"]);
    assert_eq!(verified.report["proven"], true);
    assert!(
        fs::read_to_string(&junit)
            .unwrap()
            .contains("name=\"seed-3-node\"")
    );

    let receipt = verified.report["platforms"][0]["receipt"].as_str().unwrap();
    let kept: Value = serde_json::from_str(&fs::read_to_string(receipt).unwrap()).unwrap();
    assert_eq!(kept["execution"], "native");
    assert_eq!(
        kept["manifest"],
        verified.report["platforms"][0]["manifest"]
    );
    assert_eq!(kept["revision"], built()["revision"]);

    let check_receipt = |receipt: &Path, image: &str| {
        let args = [
            "verify",
            image,
            "--check-receipt",
            receipt.to_str().unwrap(),
        ];
        Ran::of(&mut xtask(&args))
    };
    let ran = check_receipt(Path::new(receipt), image()).succeeded();
    assert!(ran.stdout.contains("holds for"), "{ran:#?}");
    // For another image, and with a result that somebody has changed.
    let ran = check_receipt(Path::new(receipt), &crate::world::base());
    assert_eq!(ran.code, Some(3), "{ran:#?}");
    assert!(ran.stderr.contains("it is of another image"), "{ran:#?}");
    let changed = folder.path().join("changed.json");
    let text = fs::read_to_string(receipt).unwrap();
    fs::write(&changed, text.replacen("\"passed\"", "\"skipped\"", 1)).unwrap();
    let ran = check_receipt(&changed, image());
    assert_eq!(ran.code, Some(3), "{ran:#?}");
    assert!(ran.stderr.contains("skipped: `seed-1-build`"), "{ran:#?}");
}

#[test]
fn a_receipt_with_skips_is_not_enough_for_a_release() {
    let folder = tempfile::tempdir().unwrap();
    let verified = Verified::of(
        image(),
        folder.path(),
        &["--only", "seed,image-stop-signal"],
    );
    assert_eq!(verified.code, Some(0), "{}", verified.stderr);
    assert_eq!(verified.report["complete"], false);
    assert!(
        verified.stderr.contains("not enough for a release"),
        "{}",
        verified.stderr
    );
    let receipt = verified.report["platforms"][0]["receipt"].as_str().unwrap();
    let ran = Ran::of(&mut xtask(&["verify", image(), "--check-receipt", receipt]));
    assert_eq!(ran.code, Some(3), "{ran:#?}");
    assert!(ran.stderr.contains("skipped: `contract-"), "{ran:#?}");
    assert!(ran.stderr.contains("hint: `cargo xtask verify"), "{ran:#?}");
}

#[test]
fn every_check_is_explained() {
    let ran = Ran::of(&mut xtask(&["verify", "--list"])).succeeded();
    for words in [
        "seed-3-node",
        "contract-stop-stubborn",
        "index-complete",
        "source",
    ] {
        assert!(ran.stdout.contains(words), "{words}");
    }
    let json = Ran::of(&mut xtask(&["verify", "--list", "--json"])).succeeded();
    let all: Value = serde_json::from_str(&json.stdout).unwrap();
    assert!(all["checks"].as_array().unwrap().len() > 80);
}

#[test]
fn a_program_that_reads_stderr_gets_lines() {
    let folder = tempfile::tempdir().unwrap();
    let verified = Verified::of(image(), folder.path(), &["--only", "image-stop-signal"]);
    assert!(
        verified.stderr.contains("image-stop-signal"),
        "{}",
        verified.stderr
    );
    assert!(!verified.stderr.contains('\u{1b}'), "{}", verified.stderr);
}
