//! cosign and we write the list at the same time (sigstore/cosign#2432).

use std::thread;

use xtask::referrers::{list, tag};

use super::gate::Gate;
use super::scene::{Scene, TYPE};
use crate::common::Ran;

/// How often both write without anybody's help.
const ROUNDS: usize = 3;

/// cosign reads the list, we attach, and cosign writes what it has read: it says 0, and ours is lost.
#[test]
fn an_entry_that_cosign_loses_is_written_again() {
    let Some(scene) = Scene::new() else { return };
    let (digest, theirs) = (&scene.subject.digest, "https://example.org/theirs");
    let gate = Gate::before(
        &scene.registry.address,
        "PUT",
        format!("/manifests/{}", tag(digest)),
    );
    let repository = scene
        .repository
        .replace(&scene.registry.address, &gate.address);
    let mut cosign = scene.attest_at(&repository, theirs);
    let cosign = thread::spawn(move || Ran::of(&mut cosign));
    gate.holds();
    let ours = scene.bundle(TYPE, "ours");
    let mut attached = scene
        .writer()
        .attach(digest, std::slice::from_ref(&ours))
        .unwrap();
    assert_eq!(list(&scene.puller, digest).unwrap().referrers.len(), 1);
    gate.lets_go();
    cosign.join().unwrap().succeeded();
    let lost = list(&scene.puller, digest).unwrap().referrers;
    assert!(
        lost.iter().all(|one| *one.digest() != ours.digest),
        "{lost:?}"
    );
    assert!(scene.writer().settle(&mut attached).unwrap());
    assert!(!scene.writer().settle(&mut attached).unwrap());
    for kind in [TYPE, theirs] {
        scene.verify(kind).succeeded();
    }
    assert_eq!(list(&scene.puller, digest).unwrap().referrers.len(), 2);
}

#[test]
fn cosign_and_we_end_with_both_in_every_round() {
    let Some(scene) = Scene::new() else { return };
    let digest = &scene.subject.digest;
    for round in 0..ROUNDS {
        let (ours, theirs) = (
            format!("{TYPE}/{round}"),
            format!("https://example.org/{round}"),
        );
        let bundle = scene.bundle(&ours, &format!("ours-{round}"));
        let mut cosign = scene.attest_at(&scene.repository, &theirs);
        let cosign = thread::spawn(move || Ran::of(&mut cosign));
        let mut attached = scene.writer().attach(digest, &[bundle]).unwrap();
        cosign.join().unwrap().succeeded();
        scene.writer().settle(&mut attached).unwrap();
        for kind in [&ours, &theirs] {
            scene.verify(kind).succeeded();
        }
    }
    assert_eq!(
        list(&scene.puller, digest).unwrap().referrers.len(),
        2 * ROUNDS
    );
}
