//! What is attached, listed and read, at a registry that is faulty, late or written to by others.

mod fake;
mod faults;
mod reading;
mod writers;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use self::fake::{Api, Fake, When};
use super::*;
use crate::oci::{ArtifactManifest, Digest, INDEX, MANIFEST, Referrer};

const TYPE: &str = "urn:example:proof:v1";
const API: Api = Api { page: 100 };

/// The image in the fake that everything is attached to.
fn subject(fake: &Fake) -> Subject {
    let image = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": []});
    let digest = fake.state().put("v1.0.0", &image);
    Subject {
        media_type: INDEX.to_owned(),
        size: image.to_string().len() as u64,
        digest,
    }
}

fn artifact(subject: &Subject, content: &str) -> Artifact {
    let created = "org.opencontainers.image.created".to_owned();
    let annotations = BTreeMap::from([(created, "2026-11-29T15:00:00Z".to_owned())]);
    Artifact::new(
        subject,
        Form::Bundle,
        content.as_bytes().to_vec(),
        TYPE,
        annotations,
    )
}

/// The digests in the list that clients keep.
fn kept(fake: &Fake, subject: &Subject) -> Vec<Digest> {
    let list = fake.state().tagged(&tag(&subject.digest));
    let entries = list["manifests"].as_array().unwrap().iter();
    entries
        .map(|entry| entry["digest"].as_str().unwrap().parse().unwrap())
        .collect()
}

fn listed(fake: &Fake, subject: &Subject) -> Vec<Digest> {
    let list = list(&fake.puller, &subject.digest).unwrap();
    list.referrers
        .iter()
        .map(|one| one.digest().clone())
        .collect()
}

/// The requests without their digests.
fn plain(log: &[String]) -> Vec<&str> {
    log.iter()
        .map(|line| line.split([':', '%']).next().unwrap())
        .collect()
}

/// The requests for a first artifact, where the repository lacks the empty configuration, too.
const FIRST: [&str; 10] = [
    "GET manifests/sha256-",
    "HEAD blobs/sha256",
    "POST blobs/uploads/",
    "PUT u/1?digest=sha256",
    "POST blobs/uploads/",
    "PUT u/1?digest=sha256",
    "PUT manifests/sha256",
    "GET manifests/sha256-",
    "PUT manifests/sha256-",
    "HEAD manifests/sha256-",
];

fn is_like(log: &[String], expected: &[&str]) {
    let plain = plain(log);
    let is_like = plain.len() == expected.len()
        && plain
            .iter()
            .zip(expected)
            .all(|(line, start)| line.starts_with(start));
    assert!(is_like, "{log:#?}");
}

#[test]
fn a_first_artifact_takes_ten_requests_and_the_next_seven() {
    let fake = Fake::new(None);
    let subject = subject(&fake);
    let mut first = fake
        .writer()
        .attach(&subject.digest, &[artifact(&subject, "1")])
        .unwrap();
    is_like(&fake.log(), &FIRST);
    // The empty configuration is there by now.
    fake.writer()
        .attach(&subject.digest, &[artifact(&subject, "2")])
        .unwrap();
    is_like(&fake.log(), &[&FIRST[..1], &FIRST[4..]].concat());
    // Two of them share the list.
    let two = [artifact(&subject, "3"), artifact(&subject, "4")];
    let mut two = fake.writer().attach(&subject.digest, &two).unwrap();
    is_like(
        &fake.log(),
        &[&FIRST[..1], &FIRST[4..7], &FIRST[4..]].concat(),
    );
    assert!(!fake.writer().settle(&mut two).unwrap());
    is_like(&fake.log(), &["HEAD manifests/sha256-"]);
    // Others wrote since, and kept ours.
    assert!(!fake.writer().settle(&mut first).unwrap());
    is_like(
        &fake.log(),
        &["HEAD manifests/sha256-", "GET manifests/sha256-"],
    );
    assert_eq!(kept(&fake, &subject).len(), 4);
}

#[test]
fn what_is_attached_already_is_not_written_again() {
    for api in [None, Some(API)] {
        let fake = Fake::new(api);
        let subject = subject(&fake);
        let one = artifact(&subject, "1");
        assert_eq!(one, artifact(&subject, "1"));
        fake.writer()
            .attach(&subject.digest, std::slice::from_ref(&one))
            .unwrap();
        fake.log();
        let again = fake.writer().attach(&subject.digest, &[one]).unwrap();
        assert_eq!(again.written, []);
        let log = fake.log();
        assert!(
            log.iter()
                .all(|line| line.starts_with("GET") || line.starts_with("HEAD")),
            "{log:?}"
        );
        assert_eq!(listed(&fake, &subject).len(), 1);
    }
}

/// Distribution spec 1.1, "Pushing Manifests with Subject": type and annotations are the manifest's.
#[test]
fn an_entry_says_what_its_manifest_says() {
    let fake = Fake::new(None);
    let subject = subject(&fake);
    let one = artifact(&subject, "1");
    fake.writer()
        .attach(&subject.digest, std::slice::from_ref(&one))
        .unwrap();
    let entry = fake.state().tagged(&tag(&subject.digest))["manifests"][0].take();
    let manifest: Value = serde_json::from_slice(&one.manifest).unwrap();
    assert_eq!(entry["digest"], json!(one.digest));
    assert_eq!(entry["size"], one.manifest.len());
    assert_eq!(entry["mediaType"], MANIFEST);
    assert_eq!(
        entry["annotations"]["dev.sigstore.bundle.content"],
        "dsse-envelope"
    );
    assert_eq!(
        entry["annotations"]["dev.sigstore.bundle.predicateType"],
        TYPE
    );
    for field in ["artifactType", "annotations"] {
        assert!(!entry[field].is_null());
        assert_eq!(entry[field], manifest[field], "{field}");
    }
    assert_eq!(manifest["subject"]["size"], subject.size);
    assert_eq!(manifest["subject"]["mediaType"], INDEX);
    assert_eq!(fake.state().blobs[&Digest::of(b"{}")], b"{}");
}

#[test]
fn a_registry_that_lists_by_itself_gets_no_list_of_ours() {
    let fake = Fake::new(Some(API));
    let subject = subject(&fake);
    let one = artifact(&subject, "1");
    let mut attached = fake.writer().attach(&subject.digest, &[one]).unwrap();
    let log = fake.log();
    let list = FIRST[0];
    is_like(
        &log,
        &[&[list], &FIRST[1..7], &["GET referrers/sha256"]].concat(),
    );
    assert!(!fake.writer().settle(&mut attached).unwrap());
    assert_eq!(fake.log(), [""; 0]);
    // It is known by now: the tag is not read.
    fake.writer()
        .attach(&subject.digest, &[artifact(&subject, "2")])
        .unwrap();
    is_like(
        &fake.log(),
        &[
            "GET referrers/",
            FIRST[4],
            FIRST[5],
            FIRST[6],
            "GET referrers/",
        ],
    );
    assert_eq!(fake.state().tags.len(), 1);
}

/// Only the subject's own digest says that a registry lists the manifest by itself.
#[test]
fn a_registry_that_takes_another_subject_for_it_gets_a_list() {
    let fake = Fake::new(None);
    let subject = subject(&fake);
    for odd in [
        "sha256:00".to_owned(),
        Digest::of(b"other").to_string(),
        "yes".to_owned(),
    ] {
        fake.state().subject = Some(odd.clone());
        let registry = fake.anew();
        let writer = Writer {
            puller: &registry.puller(),
            pusher: &registry.pusher(),
            retry: fake::RETRY,
        };
        writer
            .attach(&subject.digest, &[artifact(&subject, &odd)])
            .unwrap();
    }
    assert_eq!(kept(&fake, &subject).len(), 3);
}

#[test]
fn copies_take_along_what_is_attached_whatever_it_is() {
    let [from, to] = [None, None].map(Fake::new);
    let [subject, _] = [&from, &to].map(subject);
    let artifacts = ["1", "2"].map(|content| artifact(&subject, content));
    from.writer().attach(&subject.digest, &artifacts).unwrap();
    // Somebody else's, in two layers, one that is gone, and one of another image.
    let other = {
        let mut state = from.state();
        let mut blob = |content: &[u8]| {
            state.blobs.insert(Digest::of(content), content.to_vec());
            json!({"mediaType": "x/y", "digest": Digest::of(content), "size": content.len()})
        };
        let (config, layers) = (blob(b"{\"a\":1}"), [blob(b"sbom"), blob(b"more")]);
        let of = |digest: &Digest| {
            json!({
                "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers,
                "subject": {"mediaType": INDEX, "digest": digest, "size": subject.size},
            })
        };
        let theirs = of(&subject.digest).to_string().into_bytes();
        let foreign = of(&Digest::of(b"foreign")).to_string().into_bytes();
        let tag = tag(&subject.digest);
        let mut list = state.tagged(&tag);
        for bytes in [&theirs, &foreign, &b"gone".to_vec()] {
            let entry =
                json!({"mediaType": MANIFEST, "digest": Digest::of(bytes), "size": bytes.len()});
            list["manifests"].as_array_mut().unwrap().push(entry);
        }
        state.push("x", theirs.clone());
        state.push("y", foreign);
        state.put(&tag, &list);
        Digest::of(&theirs)
    };
    let copied = to.writer().copy(&from.puller, &subject.digest).unwrap();
    let all: Vec<Digest> = artifacts
        .iter()
        .map(|it| it.digest.clone())
        .chain([other])
        .collect();
    assert_eq!(kept(&to, &subject), all);
    assert_eq!(copied.written, all);
    assert_eq!(copied.skipped.len(), 2, "{:?}", copied.skipped);
    assert!(
        copied.skipped[0].contains("of another manifest") && copied.skipped[1].contains("is gone")
    );
    assert_eq!(to.state().blobs.len(), from.state().blobs.len());
    let list = to.state().tagged(&tag(&subject.digest));
    assert_eq!(list["manifests"][2]["artifactType"], "x/y");
    // Again: nothing is written.
    to.log();
    to.writer().copy(&from.puller, &subject.digest).unwrap();
    let log = to.log();
    assert!(log.iter().all(|line| !line.starts_with('P')), "{log:?}");
}

/// The entry that names a manifest, as its writer should write it.
fn entry(bytes: &[u8]) -> Referrer {
    Referrer::of(&ArtifactManifest::parse(bytes).unwrap(), bytes)
}
