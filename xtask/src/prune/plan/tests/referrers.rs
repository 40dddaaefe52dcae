//! What is attached to images: proofs, and release records. Their manifests have no tag of their own where
//! clients keep the list of them.

use super::*;

#[test]
fn a_release_record_stays_with_all_that_it_needs() {
    let mut world = World::default();
    // Its version's tag is not written yet: a release is under way, or was killed.
    world.image("sha-aaaaaaa", "a", &["a1"], LIMIT);
    world.image("sha-bbbbbbb", "b", &["b1"], LIMIT);
    let record = world.tag("state-v1.0.0", "record", &[]);
    record.needs.all = BTreeSet::from([digest("a"), digest("a1")]);
    // The record is in the list of what is attached to its image, too.
    world.tag(&attached("a", ""), "list", &["record", "proof"]);
    world.tag(&attached("a1", ""), "list1", &["proof1"]);
    let plan = world.plan();
    keeps(&plan, "state-v1.0.0", Reason::Record);
    keeps(&plan, "sha-aaaaaaa", Reason::LedTo);
    keeps(&plan, &attached("a", ""), Reason::Signature);
    keeps(&plan, &attached("a1", ""), Reason::Signature);
    assert_eq!(deleted(&plan), digests(&["b", "b1"]));
}

/// dataaxiom/ghcr-cleanup-action#104: what has no tag was taken for waste.
#[test]
fn proofs_follow_what_they_prove() {
    let mut world = World {
        left_over: digests(&["proof-a1"]),
        ..World::default()
    };
    world.tag("v1.0.0", "a", &["a1", "shared"]);
    world.image("sha-bbbbbbb", "b", &["b1", "shared"], LIMIT);
    for of in ["a", "a1", "shared", "b", "b1"] {
        let (list, proof) = (format!("list-{of}"), format!("proof-{of}"));
        world.tag(&attached(of, ""), &list, &[&proof]);
    }
    // A signature of a proof.
    world.tag(&attached("proof-b1", ""), "list-proof-b1", &["signs-b1"]);
    let plan = world.plan();
    for of in ["a", "a1", "shared"] {
        keeps(&plan, &attached(of, ""), Reason::Signature);
    }
    let mut gone = deleted(&plan);
    gone.sort();
    let mut expected = digests(&[
        "b",
        "b1",
        "list-b",
        "list-b1",
        "list-proof-b1",
        "proof-b",
        "proof-b1",
        "signs-b1",
    ]);
    expected.sort();
    assert_eq!(gone, expected);
}
