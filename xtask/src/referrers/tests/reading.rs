//! What is listed and read of what others may have written.

use super::*;

type Change = Box<dyn FnOnce(&mut Value)>;

/// Puts what `change` makes of a good artifact into the fake, listed.
fn hostile(change: impl FnOnce(&mut Value)) -> Content {
    let fake = Fake::new(None);
    let subject = subject(&fake);
    let good = artifact(&subject, "good");
    let mut manifest: Value = serde_json::from_slice(&good.manifest).unwrap();
    change(&mut manifest);
    let bytes = manifest.to_string().into_bytes();
    let entry = json!({"mediaType": MANIFEST, "digest": Digest::of(&bytes), "size": bytes.len()});
    let list = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry]});
    {
        let mut state = fake.state();
        let digest = Digest::of(&bytes).to_string();
        state.push(&digest, bytes);
        state.blobs.insert(Digest::of(b"good"), b"good".to_vec());
        state.put(&tag(&subject.digest), &list);
    }
    let mut found = find(&fake.puller, &subject.digest, TYPE).unwrap();
    found.read.remove(0).1
}

#[test]
fn what_is_attached_is_read_back_whole() {
    for api in [None, Some(API)] {
        let fake = Fake::new(api);
        let subject = subject(&fake);
        let bundle = artifact(&subject, "bundle");
        let plain = Artifact::new(
            &subject,
            Form::Statement,
            b"statement".to_vec(),
            TYPE,
            BTreeMap::new(),
        );
        let other = Artifact::new(
            &subject,
            Form::Bundle,
            b"x".to_vec(),
            "other",
            BTreeMap::new(),
        );
        let all = [bundle.clone(), plain.clone(), other];
        fake.writer().attach(&subject.digest, &all).unwrap();
        fake.log();
        let found = find(&fake.puller, &subject.digest, TYPE).unwrap();
        let mut read: Vec<Content> = found.read.into_iter().map(|(_, content)| content).collect();
        read.sort_by_key(
            |content| matches!(content, Content::Artifact(it) if it.form == Form::Statement),
        );
        assert_eq!(
            read,
            [Content::Artifact(bundle.clone()), Content::Artifact(plain)]
        );
        // The list, and two requests for each; nothing for what says that it is something else.
        let lists = if api.is_some() { 1 } else { 2 };
        assert_eq!(fake.log().len(), lists + 4);
        fake.state().push("state-v1.0.0", bundle.manifest.clone());
        let tagged = read_tag(&fake.puller, "state-v1.0.0").unwrap();
        assert_eq!(tagged, Some(Content::Artifact(bundle)));
        assert_eq!(read_tag(&fake.puller, "state-v1.0.1").unwrap(), None);
    }
}

#[test]
fn what_has_none_of_our_forms_is_not_believed() {
    let layer = |size: usize| {
        json!({
            "mediaType": Form::Bundle.media_type(), "digest": Digest::of(b"good"), "size": size,
        })
    };
    let set = |key: &'static str, value: Value| -> Change { Box::new(move |it| it[key] = value) };
    let other = json!({"mediaType": INDEX, "digest": Digest::of(b"other"), "size": 1});
    for (change, why) in [
        // An entry proves nothing: the manifest's own subject counts.
        (set("subject", other), "its `subject` is `sha256:"),
        (set("subject", Value::Null), "it has no `subject`"),
        (
            set("artifactType", json!("application/spdx+json")),
            "but `application/spdx+json`",
        ),
        (
            set("artifactType", json!("application/vnd.in-toto+json")),
            "and its layer is",
        ),
        (
            set("artifactType", Value::Null),
            "neither a bundle nor a statement",
        ),
        (set("layers", json!([])), "0 layers instead of one"),
        (
            set("layers", json!([layer(4), layer(4)])),
            "2 layers instead of one",
        ),
        (set("layers", json!([layer(2 << 20)])), "longer than 1 MiB"),
        (set("layers", json!([layer(5)])), "4 bytes instead of 5"),
        (set("config", layer(4)), "it has a configuration"),
        (set("Subject", json!(1)), "but for case"),
        (
            set("manifests", json!([])),
            "has `manifests` of another kind",
        ),
        (
            set("annotations", json!({"a": 1})),
            "`annotations` are not text",
        ),
    ] {
        match hostile(change) {
            Content::Unusable(found) => assert!(found.contains(why), "{why}: {found}"),
            found => panic!("{why}: {found:?}"),
        }
    }
    assert!(matches!(hostile(|_| {}), Content::Artifact(_)));
}

#[test]
fn one_bad_entry_is_no_fault_of_the_others() {
    let fake = Fake::new(None);
    let subject = subject(&fake);
    let artifacts = ["gone", "bare", "long", "good"].map(|content| artifact(&subject, content));
    fake.writer().attach(&subject.digest, &artifacts).unwrap();
    {
        let mut state = fake.state();
        state.manifests.remove(&artifacts[0].digest);
        state.blobs.remove(&Digest::of(b"bare"));
        // More than was said, without an end in sight.
        state.blobs.insert(Digest::of(b"long"), vec![b' '; 3 << 20]);
        // Entries that nobody can read, and one twice.
        let tag = tag(&subject.digest);
        let mut list = state.tagged(&tag);
        let entries = list["manifests"].as_array_mut().unwrap();
        let twice = entries[3].clone();
        entries.extend([twice, json!({"digest": "sha512:00"}), json!({})]);
        state.put(&tag, &list);
    }
    let found = find(&fake.puller, &subject.digest, TYPE).unwrap();
    let contents: Vec<&Content> = found.read.iter().map(|(_, content)| content).collect();
    let unusable =
        |content: &Content, why: &str| matches!(content, Content::Unusable(it) if it.contains(why));
    assert_eq!(contents.len(), 4);
    assert_eq!(contents[0], &Content::Gone);
    assert!(unusable(contents[1], "its layer is gone"), "{contents:?}");
    assert!(unusable(contents[2], "more than 1 MiB"), "{contents:?}");
    assert_eq!(contents[3], &Content::Artifact(artifacts[3].clone()));
}

/// sigstore/cosign#4641: entries with the type of the configuration, and without annotations.
#[test]
fn an_entry_with_a_wrong_type_is_judged_by_its_manifest() {
    let fake = Fake::new(None);
    let subject = subject(&fake);
    let good = artifact(&subject, "good");
    fake.writer()
        .attach(&subject.digest, std::slice::from_ref(&good))
        .unwrap();
    for (kind, count) in [
        (json!("application/vnd.oci.empty.v1+json"), 1),
        (Value::Null, 1),
        (json!(""), 1),
        (json!(Form::Bundle.media_type()), 1),
        (json!("application/spdx+json"), 0),
    ] {
        let tag = tag(&subject.digest);
        let mut list = fake.state().tagged(&tag);
        list["manifests"][0]["artifactType"] = kind.clone();
        list["manifests"][0]["annotations"] = json!({});
        fake.state().put(&tag, &list);
        let found = find(&fake.puller, &subject.digest, TYPE).unwrap();
        assert_eq!(found.read.len(), count, "{kind}");
    }
}

/// CVE-2023-46737: a registry with attestations without an end.
#[test]
fn no_more_is_read_than_anybody_needs() {
    let fake = Fake::new(None);
    let subject = subject(&fake);
    let entries = (0..100).map(|number| {
        let bytes = number.to_string();
        json!({"mediaType": MANIFEST, "digest": Digest::of(bytes.as_bytes()), "size": 1})
    });
    let mut entries: Vec<Value> = entries.collect();
    let good = artifact(&subject, "good");
    // The last one says what it is, and comes first.
    let own = entry(&good.manifest).descriptor;
    entries.push(json!({
        "mediaType": MANIFEST, "digest": own.digest, "size": own.size, "annotations": own.annotations,
    }));
    let list = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries});
    {
        let mut state = fake.state();
        state.push(good.digest.as_str(), good.manifest.clone());
        state.blobs.insert(Digest::of(b"good"), b"good".to_vec());
        state.put(&tag(&subject.digest), &list);
    }
    let found = find(&fake.puller, &subject.digest, TYPE).unwrap();
    assert_eq!((found.read.len(), found.unread), (64, 37));
    assert_eq!(found.read[0].1, Content::Artifact(good));
}

#[test]
fn all_pages_of_a_registrys_list_are_read() {
    for page in [1, 2, 100] {
        let fake = Fake::new(Some(Api { page }));
        let subject = subject(&fake);
        let bundles = ["1", "2", "3"].map(|content| artifact(&subject, content));
        fake.writer().attach(&subject.digest, &bundles).unwrap();
        let kind = Some(Form::Bundle.media_type());
        let found = list(&fake.puller, &subject.digest).unwrap().referrers;
        assert_eq!(found.len(), 3, "{page}");
        assert!(found.iter().all(|one| one.artifact_type.as_deref() == kind));
    }
}

#[test]
fn a_list_that_leads_elsewhere_or_nowhere_is_an_error() {
    let index = format!(r#"{{"schemaVersion":2,"mediaType":"{INDEX}","manifests":[]}}"#);
    let page = |link: &str, body: &str| {
        format!("200 OK\r\nContent-Type: {INDEX}\r\nLink: <{link}>; rel=\"next\"\r\n\r\n{body}")
    };
    let fake = Fake::new(Some(API));
    let subject = subject(&fake);
    let own = format!("/v2/me/agent/referrers/{}", subject.digest);
    for (answer, why) in [
        (
            page("http://127.0.0.1:9/more", &index),
            "cannot be followed",
        ),
        (page(&own, &index), "without an end"),
        (
            page(&own, &index.replace("manifests", "Manifests")),
            "but for case",
        ),
        (
            page(&own, &format!("[{}]", " ".repeat(5 << 20))),
            "longer than 4 MiB",
        ),
    ] {
        fake.answers("GET referrers/", &answer);
        fake.answers("GET referrers/", &answer);
        let error = list(&fake.puller, &subject.digest).unwrap_err();
        let error = format!("{error:#}");
        assert!(error.contains(why), "{why}: {error}");
        fake.state().answers.clear();
    }
    // A page that fails is no end of the list.
    let other = page(&format!("{own}?from=1"), &index);
    for broken in [
        "404 Not Found",
        "200 OK\r\nContent-Type: text/html\r\n\r\n<html>",
        "418 x",
    ] {
        fake.answers("GET referrers/", &other);
        fake.answers("GET referrers/", broken);
        assert!(list(&fake.puller, &subject.digest).is_err(), "{broken}");
        fake.state().answers.clear();
    }
}
