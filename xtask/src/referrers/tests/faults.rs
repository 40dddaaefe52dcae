//! Registries that answer otherwise than they should.

use super::*;

/// chainguard-dev/terraform-provider-cosign#567: the next write fails while an entry leads nowhere.
#[test]
fn entries_that_lead_nowhere_are_removed_and_others_are_not() {
    let fake = Fake::new(None);
    let subject = subject(&fake);
    let artifacts = ["1", "2", "3"].map(|content| artifact(&subject, content));
    fake.writer().attach(&subject.digest, &artifacts).unwrap();
    fake.state().manifests.remove(&artifacts[1].digest);
    let before = fake.state().tagged(&tag(&subject.digest));
    // Only the registry's own words say that it is gone.
    for broken in [
        "403 Forbidden",
        "418 I'm a teapot",
        "404 Not Found\r\n\r\n<html>",
    ] {
        let start = format!("GET manifests/{}", artifacts[1].digest);
        let head = start.replace("GET", "HEAD");
        fake.answers(&head, "404 Not Found");
        fake.answers(&start, broken);
        let new = artifact(&subject, "4");
        assert!(
            fake.writer().attach(&subject.digest, &[new]).is_err(),
            "{broken}"
        );
        assert_eq!(
            fake.state().tagged(&tag(&subject.digest)),
            before,
            "{broken}"
        );
        fake.state().answers.clear();
    }
    let new = artifact(&subject, "4");
    let attached = fake
        .writer()
        .attach(&subject.digest, std::slice::from_ref(&new))
        .unwrap();
    assert_eq!(attached.pruned, [artifacts[1].digest.clone()]);
    let after = fake.state().tagged(&tag(&subject.digest));
    assert_eq!(after["manifests"][0], before["manifests"][0]);
    assert_eq!(after["manifests"][1], before["manifests"][2]);
    assert_eq!(after["manifests"][2]["digest"], json!(new.digest));
    // One of ours that is gone is sent again, though its entry is there.
    fake.state().manifests.remove(&new.digest);
    let again = fake
        .writer()
        .attach(&subject.digest, std::slice::from_ref(&new))
        .unwrap();
    assert_eq!(again.written, [new.digest]);
    assert_eq!(fake.state().tagged(&tag(&subject.digest)), after);
}

/// A registry that does not know for a moment what it has just taken.
#[test]
fn a_list_that_is_refused_for_a_moment_is_sent_again_whole() {
    let fake = Fake::new(None);
    let subject = subject(&fake);
    let late = "400 Bad Request\r\n\r\n{\"errors\":[{\"code\":\"MANIFEST_BLOB_UNKNOWN\"}]}";
    fake.answers(&format!("PUT manifests/{}", tag(&subject.digest)), late);
    let attached = fake
        .writer()
        .attach(&subject.digest, &[artifact(&subject, "1")])
        .unwrap();
    assert_eq!(attached.pruned, []);
    assert_eq!(kept(&fake, &subject).len(), 1);
}

#[test]
fn a_tag_that_leads_to_no_list_is_empty_for_readers_and_not_written_over() {
    let image = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": []});
    let without = json!({"schemaVersion": 2, "manifests": []});
    let manifest = json!({
        "schemaVersion": 2, "mediaType": MANIFEST, "layers": [],
        "config": {"mediaType": "c", "digest": Digest::of(b"{}"), "size": 2},
    });
    let docker = "application/vnd.docker.distribution.manifest.list.v2+json";
    let docker = json!({"schemaVersion": 2, "mediaType": docker, "manifests": []});
    for (document, why) in [
        // oras-project/oras-go#1396: GitLab takes the tag for the digest.
        (&image, "it leads to the image itself"),
        (&manifest, "it is no OCI index"),
        (&docker, "it is no OCI index"),
        (&without, "it has no `mediaType`"),
        (
            &json!({"schemaVersion": 2, "mediaType": INDEX, "Manifests": []}),
            "but for case",
        ),
    ] {
        let fake = Fake::new(None);
        let subject = subject(&fake);
        let tag = tag(&subject.digest);
        let digest = fake.state().put(&tag, document);
        fake.state().blobs.insert(Digest::of(b"{}"), b"{}".to_vec());
        let found = list(&fake.puller, &subject.digest).unwrap();
        assert_eq!(found.referrers, []);
        let fault = found.fault.unwrap();
        assert!(
            fault.contains(why) && fault.contains(&tag) && fault.contains("; hint: "),
            "{fault}"
        );
        fake.log();
        let error = fake
            .writer()
            .attach(&subject.digest, &[artifact(&subject, "1")])
            .unwrap_err();
        assert_eq!(crate::stop::exit_code(&error), 3.into(), "{error:#}");
        assert_eq!(fake.state().tags[&tag], digest);
        let log = fake.log();
        assert!(!log.iter().any(|line| line.starts_with('P')), "{log:?}");
    }
    // A registry that lists by itself has no use for the tag.
    let fake = Fake::new(Some(API));
    let subject = subject(&fake);
    fake.state().put(&tag(&subject.digest), &image);
    fake.writer()
        .attach(&subject.digest, &[artifact(&subject, "1")])
        .unwrap();
    assert_eq!(listed(&fake, &subject).len(), 1);
}

/// 404 is the specification's; the others were seen (artifacthub/hub#4785, kubernetes/registry.k8s.io#287).
#[test]
fn a_registry_without_the_api_is_asked_for_it_once() {
    for answer in [
        "404 Not Found",
        "404 Not Found\r\n\r\n{\"errors\":[{\"code\":\"MANIFEST_UNKNOWN\"}]}",
        "400 Bad Request",
        "405 Method Not Allowed",
        "406 Not Acceptable",
        "501 Not Implemented",
        "200 OK\r\nContent-Type: text/html\r\n\r\n<html>",
        "200 OK\r\nContent-Type: application/json\r\n\r\n{\"manifests\":[]}",
        "303 See Other\r\nLocation: http://127.0.0.1:9/packages",
        "302 Found\r\nLocation: http://example.org/packages",
    ] {
        let fake = Fake::new(None);
        let subject = subject(&fake);
        fake.writer()
            .attach(&subject.digest, &[artifact(&subject, "1")])
            .unwrap();
        fake.log();
        fake.answers("GET referrers/", answer);
        assert_eq!(listed(&fake, &subject).len(), 1, "{answer}");
        assert_eq!(listed(&fake, &subject).len(), 1, "{answer}");
        let expected = ["GET referrers/sha256", FIRST[0], FIRST[0]];
        is_like(&fake.log(), &expected);
    }
}

/// NVIDIA/aicr#890: a registry that does not answer was taken for an image that nobody signed.
#[test]
fn a_registry_that_does_not_answer_has_not_nothing() {
    let unknown = "404 Not Found\r\n\r\n<html>";
    let broken = [
        "401 Unauthorized",
        "403 Forbidden",
        "418 I'm a teapot",
        "500 x",
        "429 x",
        "200 OK\r\nX-Cut: 1",
    ];
    for answer in broken {
        for start in [
            "GET referrers/",
            "GET manifests/sha256-",
            "GET manifests/sha256:",
            "GET blobs/",
        ] {
            let fake = Fake::new(None);
            let subject = subject(&fake);
            fake.writer()
                .attach(&subject.digest, &[artifact(&subject, "1")])
                .unwrap();
            let answer = match start {
                "GET referrers/" => {
                    answer.replace("200 OK", &format!("200 OK\r\nContent-Type: {INDEX}"))
                }
                _ => answer.to_owned(),
            };
            fake.answers(start, &answer);
            let found = find(&fake.puller, &subject.digest, TYPE);
            let is_known = match found {
                Ok(found) => {
                    matches!(found.read[..], [(_, Content::Unusable(_))])
                        && answer.starts_with("403")
                }
                Err(_) => true,
            };
            assert!(is_known, "{start}: {answer}");
        }
    }
    let fake = Fake::new(None);
    let subject = subject(&fake);
    fake.answers("GET manifests/sha256-", unknown);
    assert!(list(&fake.puller, &subject.digest).is_err());
}

#[test]
fn a_step_that_fails_for_now_is_tried_again() {
    for start in [
        "GET manifests/sha256-",
        "HEAD blobs/",
        "POST blobs/",
        "PUT u/1",
        "PUT manifests/sha256:",
        "PUT manifests/sha256-",
        "HEAD manifests/sha256-",
    ] {
        for answer in ["503 x", "429 x\r\nRetry-After: 0", "", fake::LOST] {
            let fake = Fake::new(None);
            let subject = subject(&fake);
            fake.answers(start, answer);
            fake.writer()
                .attach(&subject.digest, &[artifact(&subject, "1")])
                .unwrap();
            assert_eq!(kept(&fake, &subject).len(), 1, "{start}: {answer}");
            assert_eq!(fake.state().answers.len(), 0);
        }
    }
}

/// goharbor/harbor#17332: a tag that cannot be overwritten.
#[test]
fn a_list_that_is_written_once_is_an_error_with_the_remedy() {
    let fake = Fake::new(None);
    let subject = subject(&fake);
    fake.writer()
        .attach(&subject.digest, &[artifact(&subject, "1")])
        .unwrap();
    for answer in [
        "412 Precondition Failed\r\n\r\n{\"errors\":[{\"code\":\"PRECONDITION\",\"message\":\"immutable\"}]}",
        "400 Bad Request\r\n\r\n{\"errors\":[{\"code\":\"TAG_INVALID\",\"message\":\"the tag is immutable\"}]}",
        "409 Conflict",
    ] {
        fake.answers(&format!("PUT manifests/{}", tag(&subject.digest)), answer);
        let two = artifact(&subject, "2");
        let error = fake.writer().attach(&subject.digest, &[two]).unwrap_err();
        let error = format!("{error:#}");
        assert!(
            error.contains("an exception of `sha256-*`, `state-*` and `latest`"),
            "{error}"
        );
    }
}
