//! Answers of a registry about its content: whole, cut short, true and false.

use super::*;

const INDEX: &str = r#"{"manifests":[]}"#;

fn manifest(version: &str, answers: &[&str]) -> Result<Option<(Digest, Vec<u8>)>, String> {
    let (result, requests) = World::new(answers).ask(|registry| registry.manifest(version));
    assert_eq!(requests.len(), answers.len(), "{requests:?}");
    SLEPT.take();
    result
}

#[test]
fn a_document_is_named_by_its_bytes() {
    let answer = format!("200 OK\r\n\r\n{INDEX}");
    let digest = Digest::of(INDEX.as_bytes());
    let found = Ok(Some((digest.clone(), INDEX.as_bytes().to_vec())));
    assert_eq!(manifest("v1.0.0", &[&answer]), found);
    assert_eq!(manifest(digest.as_str(), &[&answer]), found);
    // Whatever the header says.
    let lying = format!("{OK}\r\n\r\n{INDEX}");
    assert_eq!(manifest("v1.0.0", &[&lying]), found);
    let other = Digest::of(b"other");
    let error = manifest(other.as_str(), &[&answer]).unwrap_err();
    let expected = format!("`http://ADDRESS` answers for `{other}` with other bytes (`{digest}`)");
    assert!(error.starts_with(&expected), "{error}");
}

#[test]
fn only_a_registrys_own_words_say_that_a_document_is_absent() {
    let unknown = format!("404 Not Found\r\n\r\n{UNKNOWN}");
    assert_eq!(manifest("v1.0.0", &[&unknown]), Ok(None));
    let proxy = manifest("v1.0.0", &["404 Not Found\r\n\r\n<html>"]).unwrap_err();
    assert!(
        proxy.contains("does not answer as an image registry does"),
        "{proxy}"
    );
    let forbidden = manifest("v1.0.0", &["403 Forbidden"]).unwrap_err();
    assert!(forbidden.contains("docker login"), "{forbidden}");
}

#[test]
fn tags_are_listed_to_the_last_page() {
    let first = "200 OK\r\nLink: </v2/me/agent/tags/list?n=1000&last=b>; rel=\"next\"\r\n\r\n\
                 {\"tags\":[\"a\",\"b\"]}";
    let last = "200 OK\r\n\r\n{\"tags\":[\"c\"]}";
    let (tags, requests) = World::new(&[first, last]).ask(Registry::tags);
    assert_eq!(tags.unwrap(), ["a", "b", "c"]);
    let page = "GET /v2/me/agent/tags/list?n=1000";
    assert_eq!(requests, [page.to_owned(), format!("{page}&last=b")]);
    for (answer, number) in [
        ("200 OK\r\n\r\n{\"tags\":null}", Some(0)),
        (&*format!("404 Not Found\r\n\r\n{UNKNOWN}"), Some(0)),
        ("200 OK\r\n\r\n<html>", None),
    ] {
        let (tags, _) = World::new(&[answer]).ask(Registry::tags);
        assert_eq!(tags.ok().map(|tags| tags.len()), number, "{answer}");
    }
}

#[test]
fn a_blob_is_there_or_is_not() {
    let digest = Digest::of(b"{}");
    for (answer, there) in [
        ("200 OK", Some(true)),
        ("404 Not Found", Some(false)),
        ("418 x", None),
    ] {
        let (result, requests) = World::new(&[answer]).ask(|registry| registry.has_blob(&digest));
        assert_eq!(result.ok(), there, "{answer}");
        assert_eq!(requests, [format!("HEAD /v2/me/agent/blobs/{digest}")]);
    }
    let (json, _) = World::new(&["200 OK\r\n\r\n{}"]).ask(|registry| registry.json(&digest));
    assert_eq!(json.unwrap(), Some(serde_json::json!({})));
    let (json, _) = World::new(&["200 OK\r\n\r\n[]"]).ask(|registry| registry.json(&digest));
    assert!(json.unwrap_err().contains("other bytes"));
}
