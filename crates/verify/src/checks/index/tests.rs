//! The good index, broken in one place at a time.

use xtask::oci::{Descriptor, Digest};
use xtask::platform::Platform;

use super::CHECKS;
use crate::checks::fixture::{attestation_of, descriptor, good, manifest_for, said};
use crate::facts::{ImageFacts, IndexFacts};

const PLATFORMS: &str = "index-platforms";
const ATTESTATIONS: &str = "index-attestations";
const COMPLETE: &str = "index-complete";

fn with(change: impl FnOnce(&mut Vec<Descriptor>)) -> ImageFacts {
    let mut facts = good();
    let IndexFacts::Known { index, .. } = &mut facts.index else {
        unreachable!("the fixture has an index");
    };
    change(&mut index.manifests);
    facts
}

#[test]
fn the_good_index_passes() {
    for (id, expected) in [
        (PLATFORMS, "passed: linux/amd64,linux/arm64"),
        (ATTESTATIONS, "passed: 2 attestations"),
        (COMPLETE, "passed: 4 manifests"),
    ] {
        assert_eq!(said(CHECKS, id, &good()), expected);
    }
}

#[test]
fn each_platform_has_one_image() {
    let rebuilt = Descriptor {
        digest: Digest::of(b"rebuilt"),
        ..manifest_for("linux/amd64")
    };
    let foreign = manifest_for("linux/386");
    let short = foreign.digest.short().to_owned();
    for (facts, expected) in [
        (
            with(|all| all.push(rebuilt)),
            "failed: 2 images for `linux/amd64`".to_owned(),
        ),
        (
            with(|all| drop(all.remove(1))),
            "failed: no image for `linux/arm64`".to_owned(),
        ),
        (
            with(|all| all.push(foreign)),
            format!("failed: an image for `linux/386` ({short})"),
        ),
        (
            with(Vec::clear),
            "failed: no image for `linux/amd64`, no image for `linux/arm64`".to_owned(),
        ),
    ] {
        assert_eq!(said(CHECKS, PLATFORMS, &facts), expected);
    }
    let variant = with(|all| {
        all[1].platform.as_mut().unwrap().variant = Some("v8".to_owned());
    });
    assert!(said(CHECKS, PLATFORMS, &variant).starts_with("passed"));
    let mut facts = with(|all| drop(all.remove(1)));
    facts.expected.platforms = vec![Platform::LinuxAmd64];
    assert_eq!(said(CHECKS, PLATFORMS, &facts), "passed: linux/amd64");
}

#[test]
fn what_is_no_image_is_an_attestation_of_one() {
    let unmarked = manifest_for("unknown/unknown");
    let nameless = descriptor("x");
    let stray = attestation_of("linux/386");
    let mut mute = attestation_of("linux/amd64");
    mute.annotations.remove("vnd.docker.reference.digest");
    let short = |entry: &Descriptor| entry.digest.short().to_owned();
    let names = [&unmarked, &nameless, &stray, &mute].map(short);
    let of = Digest::of(b"linux/386");
    for (facts, expected) in [
        (
            with(|all| all.push(unmarked)),
            format!(
                "failed: `{}` is neither an image nor an attestation",
                names[0]
            ),
        ),
        (
            with(|all| all.push(nameless)),
            format!(
                "failed: `{}` (no platform) is neither image nor attestation",
                names[1]
            ),
        ),
        (
            with(|all| all.push(stray)),
            format!(
                "failed: attestation `{}` is of `{of}`, which is not in the index",
                names[2]
            ),
        ),
        (
            with(|all| all.push(mute)),
            format!("failed: attestation `{}` does not say of what", names[3]),
        ),
        (
            with(|all| all.truncate(2)),
            "passed: none beside the images".to_owned(),
        ),
    ] {
        assert_eq!(said(CHECKS, ATTESTATIONS, &facts), expected);
        // One fault fails one check.
        assert!(said(CHECKS, PLATFORMS, &facts).starts_with("passed"));
    }
}

#[test]
fn what_is_broken_is_named() {
    let mut facts = good();
    if let IndexFacts::Known { broken, .. } = &mut facts.index {
        broken.push("no `sha256:…`".to_owned());
    }
    assert_eq!(said(CHECKS, COMPLETE, &facts), "failed: no `sha256:…`");
}

#[test]
fn without_an_index_the_question_does_not_arise() {
    for id in [PLATFORMS, ATTESTATIONS, COMPLETE] {
        let mut facts = good();
        facts.index = IndexFacts::None;
        let expected = "not applicable: the digest is one manifest, not an index";
        assert_eq!(said(CHECKS, id, &facts), expected);
        facts.index = IndexFacts::Unknown("the engine keeps no index".to_owned());
        let expected = "not applicable: the engine keeps no index";
        assert_eq!(said(CHECKS, id, &facts), expected);
    }
}
