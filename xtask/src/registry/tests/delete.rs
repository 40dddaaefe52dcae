//! Deletions, as registries differ in them.

use ureq::http::StatusCode;

use super::*;

const UNSUPPORTED: &str = "{\"errors\":[{\"code\":\"UNSUPPORTED\"}]}";

fn delete(version: &str, answers: &[&str]) -> Result<Deletion, String> {
    let world = World::new(answers);
    let (result, requests) = world.ask(|registry| registry.deleter().delete(version));
    assert_eq!(requests.len(), answers.len(), "{requests:?}");
    let expected = format!("DELETE /v2/me/agent/manifests/{version}");
    assert!(
        requests.iter().all(|line| *line == expected),
        "{requests:?}"
    );
    result
}

#[test]
fn a_deletion_is_done_or_was_or_is_not_supported() {
    let absent = format!("404 Not Found\r\n\r\n{UNKNOWN}");
    // ghcr.io: podman-container-tools/skopeo#1880.
    let ghcr = format!("405 Method Not Allowed\r\n\r\n{UNSUPPORTED}");
    // A tag, before version 3 of the distribution project's registry: go-containerregistry#1578.
    let by_tag = "400 Bad Request\r\n\r\n{\"errors\":[{\"code\":\"DIGEST_INVALID\"}]}";
    let by_spec = format!("400 Bad Request\r\n\r\n{UNSUPPORTED}");
    for (answer, expected) in [
        ("202 Accepted", Deletion::Deleted),
        ("200 OK", Deletion::Deleted),
        ("204 No Content", Deletion::Deleted),
        (&*absent, Deletion::Absent),
        (&ghcr, Deletion::Unsupported(StatusCode::METHOD_NOT_ALLOWED)),
        (by_tag, Deletion::Unsupported(StatusCode::BAD_REQUEST)),
        (&by_spec, Deletion::Unsupported(StatusCode::BAD_REQUEST)),
    ] {
        assert_eq!(delete(D1, &[answer]), Ok(expected), "{answer}");
    }
    assert_eq!(SLEPT.take(), [0; 0]);
}

#[test]
fn only_a_registrys_own_words_say_that_there_is_nothing_to_delete() {
    for answer in ["404 Not Found", "404 Not Found\r\n\r\n<html>"] {
        let error = delete("sha-0000000", &[answer]).unwrap_err();
        let expected = "does not answer as an image registry does (404 Not Found)";
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn a_registry_that_refuses_is_quoted_without_what_a_terminal_obeys() {
    let answer = "409 Conflict\r\n\r\n\u{1b}[2Jit is\n used";
    let error = delete(D1, &[answer]).unwrap_err();
    assert!(
        error.contains("(409 Conflict): \\u{1b}[2Jit is used; hint: "),
        "{error}"
    );
    // Docker Hub, while a tag leads to it.
    let error = delete(D1, &["403 Forbidden"]).unwrap_err();
    assert!(
        error.contains("while a tag or an index leads to it"),
        "{error}"
    );
}

#[test]
fn a_deletion_that_was_done_before_the_connection_broke_is_found_done() {
    let absent = format!("404 Not Found\r\n\r\n{UNKNOWN}");
    let (done, requests) = World::new(&["", &absent]).ask(|registry| registry.deleter().delete(D1));
    assert_eq!((done, requests.len()), (Ok(Deletion::Absent), 2));
    assert_eq!(SLEPT.take(), [1]);
}

#[test]
fn a_rate_limit_is_waited_out() {
    // snok/container-retention-policy#59.
    let wait = "429 Too Many Requests\r\nRetry-After: 7";
    assert_eq!(delete(D1, &[wait, "202 Accepted"]), Ok(Deletion::Deleted));
    assert_eq!(SLEPT.take(), [7]);
}
