//! What is attached to an image in a real registry, beside a real cosign and crane.

mod gate;
mod races;
mod scene;

use xtask::referrers::{Content, Writer, find, list, tag};

use self::scene::{Scene, TYPE};
use crate::push::proxy::{Proxy, When};

/// Whoever has cosign alone can verify what we attach, and crane shows it.
#[test]
fn cosign_verifies_and_crane_shows_what_is_attached() {
    let Some(scene) = Scene::new() else { return };
    let ours = scene.bundle(TYPE, "ours");
    scene
        .writer()
        .attach(&scene.subject.digest, std::slice::from_ref(&ours))
        .unwrap();
    let verified = scene.verify(TYPE).succeeded();
    assert!(!verified.stdout.is_empty(), "{verified:#?}");
    // The type of the predicate counts.
    assert_ne!(scene.verify("https://example.org/other").code, Some(0));
    let list = scene.crane(&["manifest", &scene.tag(&tag(&scene.subject.digest))]);
    let list: serde_json::Value = serde_json::from_str(&list).unwrap();
    let entry = &list["manifests"][0];
    assert_eq!(
        entry["annotations"]["dev.sigstore.bundle.predicateType"],
        TYPE
    );
    let manifest = scene.crane(&["manifest", &scene.at(&ours.digest)]);
    assert_eq!(manifest.as_bytes(), ours.manifest);
    let layer = serde_json::from_str::<serde_json::Value>(&manifest).unwrap();
    let layer = layer["layers"][0]["digest"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    assert_eq!(
        scene.crane(&["blob", &scene.at(&layer)]).as_bytes(),
        ours.layer
    );
}

#[test]
fn cosign_attests_beside_us_before_and_after() {
    let Some(scene) = Scene::new() else { return };
    scene.attest("https://example.org/before").succeeded();
    let before = scene.list();
    let ours = scene.bundle(TYPE, "ours");
    scene
        .writer()
        .attach(&scene.subject.digest, std::slice::from_ref(&ours))
        .unwrap();
    // cosign's entry is as it was, byte for byte.
    let entry =
        |list: &str| list[list.find("[{").unwrap() + 1..list.rfind("}]").unwrap()].to_owned();
    assert!(
        scene.list().contains(&entry(&before)),
        "{before} {}",
        scene.list()
    );
    scene.attest("https://example.org/after").succeeded();
    for kind in [
        "https://example.org/before",
        TYPE,
        "https://example.org/after",
    ] {
        scene.verify(kind).succeeded();
    }
    // Nothing of ours is lost, and cosign's are read, too, though its entries do not say what they are.
    let found = find(&scene.puller, &scene.subject.digest, TYPE).unwrap();
    assert_eq!(found.read.len(), 3);
    let contents = found.read.into_iter().map(|(_, content)| content);
    let read: Vec<_> = contents
        .filter_map(|content| match content {
            Content::Artifact(artifact) => Some(artifact),
            _ => None,
        })
        .collect();
    assert_eq!(read.len(), 3);
    assert!(read.contains(&ours));
    // Again: nothing is written.
    let before = scene.list();
    let again = scene
        .writer()
        .attach(&scene.subject.digest, &[ours])
        .unwrap();
    assert_eq!((again.written.len(), scene.list()), (0, before));
}

/// chainguard-dev/terraform-provider-cosign#567
#[test]
fn after_an_attestation_was_deleted_cosign_can_attest_again() {
    let Some(scene) = Scene::new() else { return };
    let [one, two] = ["one", "two"].map(|name| scene.bundle(TYPE, name));
    scene
        .writer()
        .attach(&scene.subject.digest, std::slice::from_ref(&one))
        .unwrap();
    scene.attest("https://example.org/theirs").succeeded();
    scene.delete(&one.digest);
    let failed = scene.attest("https://example.org/later");
    assert_ne!(failed.code, Some(0));
    assert!(
        failed.stderr.contains("MANIFEST_BLOB_UNKNOWN"),
        "{failed:#?}"
    );
    let attached = scene
        .writer()
        .attach(&scene.subject.digest, &[two])
        .unwrap();
    assert_eq!(attached.pruned, [one.digest]);
    scene.attest("https://example.org/later").succeeded();
    for kind in [
        "https://example.org/theirs",
        TYPE,
        "https://example.org/later",
    ] {
        scene.verify(kind).succeeded();
    }
}

#[test]
fn what_is_attached_goes_along_to_another_repository() {
    let Some(from) = Scene::new() else { return };
    let Some(to) = Scene::new() else { return };
    from.writer()
        .attach(&from.subject.digest, &[from.bundle(TYPE, "ours")])
        .unwrap();
    from.attest("https://example.org/theirs").succeeded();
    let copied = to
        .writer()
        .copy(&from.puller, &from.subject.digest)
        .unwrap();
    assert_eq!((copied.written.len(), copied.skipped.len()), (2, 0));
    for kind in [TYPE, "https://example.org/theirs"] {
        let key = from.path("cosign.pub");
        to.verify_with(&key, kind).succeeded();
    }
    let listed = list(&to.puller, &to.subject.digest).unwrap();
    assert_eq!(listed.referrers.len(), 2);
}

/// The list and the empty configuration are asked for, and everything else is sent without a question.
#[test]
fn a_first_artifact_takes_ten_requests_and_again_two() {
    let Some(scene) = Scene::new() else { return };
    let proxy = Proxy::before(&scene.registry.address);
    let client = scene.client_at(&proxy.address);
    let writer = Writer {
        puller: &client.puller(),
        pusher: &client.pusher(),
        ..scene.writer()
    };
    let ours = scene.bundle(TYPE, "ours");
    let attach = || {
        proxy.reset(When::Never);
        let attached = writer.attach(&scene.subject.digest, std::slice::from_ref(&ours));
        let requests = proxy.requests();
        let methods = requests.iter().map(|line| line.split(' ').next().unwrap());
        (attached.unwrap(), methods.collect::<Vec<_>>().join(" "))
    };
    let (mut attached, first) = attach();
    assert_eq!(first, "GET HEAD POST PUT POST PUT PUT GET PUT HEAD");
    assert_eq!(attach().1, "GET HEAD");
    proxy.reset(When::Never);
    assert!(!writer.settle(&mut attached).unwrap());
    assert_eq!(proxy.requests().len(), 1);
}
