//! Uploads, as registries differ in them.

use std::io;

use super::*;

const BASIC: &str = "401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"x\"";
const ABSENT: &str = "404 Not Found";
const BEGUN: &str = "202 Accepted\r\nLocation: /u/1?_state=a%2Bb";
const LAYER: &[u8] = b"layer";

fn upload(registry: &Registry) -> anyhow::Result<Upload> {
    let digest = Digest::of(LAYER);
    registry.pusher().upload(&digest, 5, || Ok(LAYER))
}

fn uploads(answers: &[&str]) -> (Result<Upload, String>, Vec<String>) {
    let (done, requests) = World::new(answers).logged_in().ask(upload);
    assert_eq!(requests.len(), answers.len(), "{requests:?}");
    (done, requests)
}

#[test]
fn an_upload_goes_where_the_registry_says_however_it_says_it() {
    let digest = Digest::of(LAYER).to_string().replace(':', "%3A");
    for (location, put) in [
        ("/u/1?_state=a%2Bb", "/u/1?_state=a%2Bb&digest="),
        ("/u/1", "/u/1?digest="),
        ("http://ADDRESS/u/1?x=%2f&y=+", "/u/1?x=%2f&y=+&digest="),
        ("//ADDRESS/u/1", "/u/1?digest="),
        ("1?x", "/v2/me/agent/blobs/uploads/1?x&digest="),
        ("?x=y", "/v2/me/agent/blobs/uploads/?x=y&digest="),
        ("/u?digest=&_state=x", "/u?_state=x&digest="),
        ("/u?digest=sha256:0", "/u?digest="),
        ("../u?x=y#z", "/v2/me/agent/blobs/u?x=y&digest="),
    ] {
        let begun = format!("202 Accepted\r\nLocation: {location}");
        let (done, requests) = uploads(&[ABSENT, BASIC, &begun, "201 Created"]);
        assert_eq!(done, Ok(Upload::Sent), "{location}");
        let authorized = "[Basic bWU6c2VjcmV0]";
        assert_eq!(
            requests[2],
            format!("POST /v2/me/agent/blobs/uploads/ {authorized}")
        );
        assert_eq!(
            requests[3],
            format!("PUT {put}{digest} {authorized} layer"),
            "{location}"
        );
    }
}

#[test]
fn an_upload_elsewhere_gets_no_credentials() {
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let elsewhere = other.local_addr().unwrap();
    let other = thread::spawn(move || serve(&other, &["201 Created".to_owned()]));
    let begun = format!("202 Accepted\r\nLocation: http://{elsewhere}/u");
    let (done, _) = uploads(&[ABSENT, BASIC, &begun]);
    assert_eq!(done, Ok(Upload::Sent));
    let requests = other.join().unwrap();
    assert!(!requests[0].contains('['), "{requests:?}");
    for (location, why) in [
        ("http://ADDRESS@example.org/u", "user's name"),
        ("http://example.org/u", "plain HTTP to another machine"),
        ("ftp://ADDRESS/u", "neither HTTP nor HTTPS"),
        ("", "without an address"),
    ] {
        let begun = format!("202 Accepted\r\nLocation: {location}");
        let error = uploads(&[ABSENT, &begun]).0.unwrap_err();
        assert!(
            error.contains(why) && error.contains("hint: "),
            "{location}: {error}"
        );
    }
    let error = uploads(&[ABSENT, "202 Accepted"]).0.unwrap_err();
    assert!(error.contains("there is no `Location`"), "{error}");
}

#[test]
fn any_success_is_one_if_the_blob_is_there() {
    for (status, there) in [
        ("201 Created", None),
        ("200 OK", Some("200 OK")),
        ("202 Accepted", Some("200 OK")),
        ("204 No Content", Some("200 OK")),
        ("200 OK", Some(ABSENT)),
    ] {
        let answers = [ABSENT, BEGUN, status].into_iter().chain(there);
        let (done, _) = uploads(&answers.collect::<Vec<_>>());
        assert_eq!(
            done.is_ok(),
            there != Some(ABSENT),
            "{status} {there:?}: {done:?}"
        );
    }
}

#[test]
fn an_upload_that_fails_for_now_begins_anew() {
    let lost = "404 Not Found\r\n\r\n{\"errors\":[{\"code\":\"BLOB_UPLOAD_UNKNOWN\"}]}";
    for failed in ["503 Service Unavailable", "", lost] {
        let (done, requests) = uploads(&[ABSENT, BEGUN, failed, BEGUN, "201 Created"]);
        assert_eq!(done, Ok(Upload::Sent), "{failed}");
        assert!(requests[3].starts_with("POST"), "{requests:?}");
        assert_eq!(SLEPT.take(), [1]);
    }
}

#[test]
fn a_token_that_expires_during_an_upload_is_renewed() {
    let (done, requests) = uploads(&[ABSENT, BEGUN, BASIC, "201 Created"]);
    assert_eq!(done, Ok(Upload::Sent));
    assert!(
        requests[3].ends_with("[Basic bWU6c2VjcmV0] layer"),
        "{requests:?}"
    );
}

#[test]
fn a_refusal_before_the_layer_was_read_is_heard() {
    // Larger than what fits on the way.
    let size = 64 << 20;
    let said = "413 Payload Too Large\r\n\r\n<title>413 Request Entity Too Large</title>";
    let digest = Digest::of(LAYER);
    let (done, requests) = World::new(&[ABSENT, BEGUN, said]).ask(|registry| {
        let open = || Ok(io::repeat(0).take(size));
        registry.pusher().upload(&digest, size, open)
    });
    let error = done.unwrap_err();
    assert!(
        error.contains("(413 Payload Too Large): 413 Request Entity Too Large"),
        "{error}"
    );
    assert!(error.contains("client_max_body_size"), "{error}");
    assert_eq!((requests.len(), SLEPT.take()), (3, vec![]));
}

#[test]
fn a_repository_that_must_be_created_first_is_named() {
    let unknown =
        "404 Not Found\r\n\r\n{\"errors\":[{\"code\":\"NAME_UNKNOWN\",\"message\":\"none\"}]}";
    let error = uploads(&[ABSENT, unknown]).0.unwrap_err();
    assert!(error.contains("NAME_UNKNOWN: none"), "{error}");
    assert!(
        error.contains("hint: create the repository `me/agent` first"),
        "{error}"
    );
}

#[test]
fn a_blob_is_mounted_where_the_registry_does_that() {
    let digest = Digest::of(LAYER).to_string().replace(':', "%3A");
    let mount = format!("POST /v2/me/agent/blobs/uploads/?mount={digest}&from=me%2Fother");
    let copies = |answers: &[&str]| {
        let world = World::new(answers);
        let from = format!("{}/me/other", world.address).parse().unwrap();
        let (done, requests) = world.ask(|registry| {
            let pusher = registry.pusher().copying(&from);
            pusher.upload(&Digest::of(LAYER), 5, || Ok(LAYER))
        });
        assert_eq!(requests.len(), answers.len(), "{requests:?}");
        assert_eq!(requests[1], mount);
        (done, requests)
    };
    let there = "200 OK";
    assert_eq!(copies(&[ABSENT, "201 Created"]).0, Ok(Upload::Present));
    assert_eq!(copies(&[ABSENT, there, there]).0, Ok(Upload::Present));
    // It goes on with the upload that was begun instead.
    let (done, requests) = copies(&[ABSENT, BEGUN, "201 Created"]);
    assert_eq!(done, Ok(Upload::Sent));
    assert!(
        requests[2].starts_with("PUT /u/1?_state=a%2Bb&digest="),
        "{requests:?}"
    );
    for refused in ["400 Bad Request", "403 Forbidden", "404 Not Found", "405 x"] {
        let (done, _) = copies(&[ABSENT, refused, BEGUN, "201 Created"]);
        assert_eq!(done, Ok(Upload::Sent), "{refused}");
    }
    for unclear in ["200 OK", "202 Accepted"] {
        let (done, _) = copies(&[ABSENT, unclear, ABSENT, BEGUN, "201 Created"]);
        assert_eq!(done, Ok(Upload::Sent), "{unclear}");
    }
}

fn tag(answers: &[&str]) -> Result<(), String> {
    let bytes = b"{\"manifests\":[]}";
    let (done, requests) =
        World::new(answers).ask(|registry| registry.pusher().push_manifest("v1", "m", bytes));
    assert_eq!(requests.len(), answers.len(), "{requests:?}");
    done
}

#[test]
fn a_manifest_is_sent_again_while_the_registry_forgets_a_blob_of_it() {
    let right = Digest::of(b"{\"manifests\":[]}");
    let right = format!("200 OK\r\nDocker-Content-Digest: {right}");
    // As the distribution project's registry says it.
    let late = "400 Bad Request\r\n\r\n{\"errors\":[{\"code\":\"DIGEST_INVALID\"},\
                {\"code\":\"MANIFEST_BLOB_UNKNOWN\",\"message\":\"blob unknown to registry\"}]}";
    assert_eq!(tag(&[late, "201 Created", &right]), Ok(()));
    assert_eq!(SLEPT.take(), [1]);
    let error = tag(&[late; 4]).unwrap_err();
    assert!(error.contains("blob unknown to registry"), "{error}");
    assert_eq!(SLEPT.take(), [1, 2, 4]);
}

#[test]
fn what_was_pushed_is_read_back_whatever_the_success() {
    let right = Digest::of(b"{\"manifests\":[]}");
    let right = format!("200 OK\r\nDocker-Content-Digest: {right}");
    for status in ["201 Created", "200 OK", "202 Accepted", "204 No Content"] {
        assert_eq!(tag(&[status, &right]), Ok(()), "{status}");
        let bytes = "200 OK\r\n\r\n{\"manifests\":[]}";
        assert_eq!(tag(&[status, "405 x", bytes]), Ok(()), "{status}");
        let error = tag(&[status, OK]).unwrap_err();
        assert!(error.contains("another push came between"), "{error}");
    }
    let error = tag(&["409 Conflict"]).unwrap_err();
    assert!(
        error.contains("written once there") && !error.contains("again"),
        "{error}"
    );
}

#[test]
fn whether_an_account_may_write_is_known_before_anything_is_sent() {
    let check = |answers: &[&str]| {
        let (done, requests) = World::new(answers).ask(|registry| registry.pusher().check_access());
        assert_eq!(requests.len(), answers.len(), "{requests:?}");
        (done, requests)
    };
    let (done, requests) = check(&[BEGUN, "204 No Content"]);
    assert_eq!(done, Ok(WriteAccess::Given));
    assert_eq!(requests[1], "DELETE /u/1?_state=a%2Bb");
    for answers in [
        &[BEGUN, "404 Not Found"][..],
        &[BEGUN, ""],
        &["202 Accepted"],
        &["201 Created"],
    ] {
        assert_eq!(check(answers).0, Ok(WriteAccess::Given), "{answers:?}");
    }
    for answer in ["405 Method Not Allowed", "404 Not Found"] {
        let open = WriteAccess::Unknown(answer.to_owned());
        assert_eq!(check(&[answer]).0, Ok(open));
    }
    let code = |status: &str, code: &str| {
        format!("{status}\r\n\r\n{{\"errors\":[{{\"code\":\"{code}\"}}]}}")
    };
    for (answer, why) in [
        (
            "403 Forbidden",
            "does not let us push `ADDRESS/me/agent` (403 Forbidden)",
        ),
        (BASIC, "hint: `docker login ADDRESS`"),
        (
            &code("404 Not Found", "NAME_UNKNOWN"),
            "hint: create the repository `me/agent`",
        ),
        (
            &code("405 Method Not Allowed", "UNSUPPORTED"),
            "does not take `ADDRESS/me/agent` (405 Method Not Allowed): UNSUPPORTED",
        ),
        ("503 Service Unavailable", "it is busy or broken (503"),
    ] {
        let error = check(&[answer]).0.unwrap_err();
        assert!(error.contains(why), "{error}");
    }
}
