//! Several who write the list at once: cosign, go-containerregistry and others write it as a whole
//! (sigstore/cosign#2432, google/go-containerregistry#2205, regclient/regclient#427).

use std::sync::Barrier;
use std::thread;

use super::*;

/// Writes the list as others do: without one of the entries, or with one more.
fn rewrite(state: &mut fake::State, tag: &str, change: impl FnOnce(&mut Vec<Value>)) {
    let mut list = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": []});
    if state.tags.contains_key(tag) {
        list = state.tagged(tag);
    }
    change(list["manifests"].as_array_mut().unwrap());
    state.put(tag, &list);
}

fn theirs(state: &mut fake::State, subject: &Subject) -> Value {
    let theirs = artifact(subject, "theirs");
    let digest = state.push(&theirs.digest.to_string(), theirs.manifest.clone());
    // As cosign writes it.
    json!({
        "mediaType": MANIFEST, "size": theirs.manifest.len(), "digest": digest,
        "artifactType": "application/vnd.oci.empty.v1+json",
    })
}

#[test]
fn an_entry_that_is_lost_after_it_was_read_back_is_written_again() {
    let fake = Fake::new(None);
    let subject = subject(&fake);
    let tag = tag(&subject.digest);
    let ours = artifact(&subject, "ours");
    let mut attached = fake
        .writer()
        .attach(&subject.digest, std::slice::from_ref(&ours))
        .unwrap();
    // Somebody else had read the list before, and writes it now.
    let their = {
        let mut state = fake.state();
        let their = theirs(&mut state, &subject);
        rewrite(&mut state, &tag, |entries| *entries = vec![their.clone()]);
        their
    };
    assert!(fake.writer().settle(&mut attached).unwrap());
    let list = fake.state().tagged(&tag);
    assert_eq!(list["manifests"][0], their);
    assert_eq!(list["manifests"][1]["digest"], json!(ours.digest));
    assert!(!fake.writer().settle(&mut attached).unwrap());
}

/// Lost again between that write and the check of it.
#[test]
fn an_entry_that_is_lost_again_and_again_is_written_again_and_again() {
    let fake = Fake::new(None);
    let subject = subject(&fake);
    let tag = tag(&subject.digest);
    let ours = artifact(&subject, "ours");
    let mut attached = fake
        .writer()
        .attach(&subject.digest, std::slice::from_ref(&ours))
        .unwrap();
    let their = theirs(&mut fake.state(), &subject);
    for _ in 0..4 {
        let (tag, their) = (tag.clone(), their.clone());
        let start = format!("HEAD manifests/{tag}");
        fake.at(When::Before, &start, move |state| {
            rewrite(state, &tag, |entries| *entries = vec![their]);
        });
    }
    assert!(fake.writer().settle(&mut attached).unwrap());
    assert_eq!(kept(&fake, &subject).len(), 2);
    // Without an end it is an error, and not a success.
    for _ in 0..100 {
        let (tag, their) = (tag.clone(), their.clone());
        let start = format!("HEAD manifests/{tag}");
        fake.at(When::Before, &start, move |state| {
            rewrite(state, &tag, |entries| *entries = vec![their]);
        });
    }
    let error = fake.writer().settle(&mut attached).unwrap_err().to_string();
    assert!(
        error.contains("again and again at the same time; hint: "),
        "{error}"
    );
}

#[test]
fn an_entry_that_comes_between_stays() {
    let fake = Fake::new(None);
    let subject = subject(&fake);
    let tag = tag(&subject.digest);
    let their = theirs(&mut fake.state(), &subject);
    // After the list was read for the first time, and before it is written.
    let (name, entry) = (tag.clone(), their.clone());
    fake.at(When::Before, "PUT manifests/sha256:", move |state| {
        rewrite(state, &name, |entries| entries.push(entry));
    });
    let ours = artifact(&subject, "ours");
    fake.writer().attach(&subject.digest, &[ours]).unwrap();
    assert_eq!(kept(&fake, &subject).len(), 2);
    assert_eq!(fake.state().tagged(&tag)["manifests"][0], their);
}

#[test]
fn a_write_whose_answer_is_lost_is_found_and_not_repeated() {
    let fake = Fake::new(None);
    let subject = subject(&fake);
    let tag = tag(&subject.digest);
    let ours = artifact(&subject, "ours");
    let entry = entry(&ours.manifest);
    let start = format!("PUT manifests/{tag}");
    // It is written, and the answer says that the registry is broken.
    fake.at(When::Before, &start, move |state| {
        let mut list = crate::oci::ReferrerIndex::empty().unwrap();
        list.add(&entry).unwrap();
        let list = list.to_bytes().unwrap();
        let tag = tag.clone();
        state.push(&tag, list);
    });
    fake.answers(&start, "502 Bad Gateway");
    fake.writer().attach(&subject.digest, &[ours]).unwrap();
    let log = fake.log();
    assert_eq!(
        log.iter()
            .filter(|line| line.starts_with("PUT manifests/sha256-"))
            .count(),
        1,
        "{log:?}"
    );
    assert_eq!(kept(&fake, &subject).len(), 1);
}

#[test]
fn of_four_who_write_at_once_none_loses_anything() {
    for round in 0..8 {
        let fake = Fake::new(None);
        let subject = subject(&fake);
        let start = Barrier::new(4);
        thread::scope(|scope| {
            for number in 0..4 {
                let (fake, subject, start) = (&fake, &subject, &start);
                scope.spawn(move || {
                    let registry = fake.anew();
                    let writer = Writer {
                        puller: &registry.puller(),
                        pusher: &registry.pusher(),
                        retry: fake::RETRY,
                    };
                    let own = artifact(subject, &format!("{round} {number}"));
                    start.wait();
                    let mut attached = writer.attach(&subject.digest, &[own]).unwrap();
                    // Other work, until all have written once.
                    start.wait();
                    writer.settle(&mut attached).unwrap();
                });
            }
        });
        assert_eq!(kept(&fake, &subject).len(), 4, "round {round}");
    }
}
