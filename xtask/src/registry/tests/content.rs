//! Answers of a registry about its content: whole, cut short, true and false.

use super::*;

const INDEX: &str = r#"{"manifests":[]}"#;

fn manifest(version: &str, answers: &[&str]) -> Result<Option<(Digest, Vec<u8>)>, String> {
    let (result, requests) =
        World::new(answers).ask(|registry| registry.puller().manifest(version));
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
    let (tags, requests) = World::new(&[first, last]).ask(|registry| registry.puller().tags());
    assert_eq!(tags.unwrap(), ["a", "b", "c"]);
    let page = "GET /v2/me/agent/tags/list?n=1000";
    assert_eq!(requests, [page.to_owned(), format!("{page}&last=b")]);
    for (answer, number) in [
        ("200 OK\r\n\r\n{\"tags\":null}", Some(0)),
        (&*format!("404 Not Found\r\n\r\n{UNKNOWN}"), Some(0)),
        ("404 Not Found\r\n\r\n<html>", None),
        ("200 OK\r\n\r\n{\"errors\":[]}", None),
        ("200 OK\r\n\r\n<html>", None),
    ] {
        let (tags, _) = World::new(&[answer]).ask(|registry| registry.puller().tags());
        assert_eq!(tags.ok().map(|tags| tags.len()), number, "{answer}");
    }
}

fn tags(answers: &[&str]) -> Result<Vec<String>, String> {
    let (tags, requests) = World::new(answers).ask(|registry| registry.puller().tags());
    assert_eq!(requests.len(), answers.len(), "{requests:?}");
    tags
}

#[test]
fn a_list_of_tags_ends_with_its_last_page_and_no_sooner() {
    let page =
        |link: &str, tags: &str| format!("200 OK\r\nLink: {link}\r\n\r\n{{\"tags\":{tags}}}");
    let next = "<?last=b>; rel=\"next\"";
    let (first, last) = (page(next, r#"["a","b"]"#), page("", r#"["b","c","a"]"#));
    assert_eq!(tags(&[&first, &last]).unwrap(), ["a", "b", "c"]);
    // A page may be empty, and the list go on.
    assert_eq!(
        tags(&[&page(next, "null"), &last]).unwrap(),
        ["b", "c", "a"]
    );
    // It may have names of pages before, and then there are others.
    let again = page("<?last=c>; rel=next", r#"["b"]"#);
    assert_eq!(tags(&[&first, &again, &last]).unwrap(), ["a", "b", "c"]);
    // The same names again and again, under other addresses.
    let pages = (0..=21).map(|number| page(&format!("<?last={number}>; rel=next"), r#"["b"]"#));
    let pages: Vec<String> = pages.collect();
    let pages: Vec<&str> = pages.iter().map(String::as_str).collect();
    let error = tags(&pages).unwrap_err();
    assert!(error.contains("without an end"), "{error}");
    // Not so many at a time.
    for refused in ["400 x", "416 x", "422 x"] {
        assert_eq!(tags(&[refused, &last]).unwrap(), ["b", "c", "a"]);
    }
    // No name of a tag: `+` for one.
    let odd = page("", r#"["v1+x","../a","","\u001b[2J","v1"]"#);
    assert_eq!(tags(&[&odd]).unwrap(), ["v1"]);
    let absent = format!("404 Not Found\r\n\r\n{UNKNOWN}");
    for (answers, why) in [
        (vec![first.clone(), absent], "404 Not Found"),
        (
            vec![first.clone(), "403 Forbidden".to_owned()],
            "does not let us read",
        ),
        (
            vec![first.clone(), "200 OK\r\n\r\n<html>".to_owned()],
            "unknown form",
        ),
        // The second page leads to itself.
        (vec![first.clone(), first.clone()], "without an end"),
        (
            vec![page("/v2/a?last=b; rel=\"next\"", "[]")],
            "cannot be followed",
        ),
        (
            vec![page("<http://127.0.0.2:1/x>; rel=\"next\"", "[]")],
            "it leads to `http://127.0.0.2:1`",
        ),
    ] {
        let answers: Vec<&str> = answers.iter().map(String::as_str).collect();
        let error = tags(&answers).unwrap_err();
        assert!(
            error.contains(why) && error.contains("hint: ") || why == "unknown form",
            "{error}"
        );
    }
}

#[test]
fn a_registry_that_lists_fewer_at_a_time_is_asked_without_a_number() {
    let refused = "400 Bad Request\r\n\r\n{\"errors\":[{\"code\":\"PAGINATION_NUMBER_INVALID\"}]}";
    let list = "200 OK\r\n\r\n{\"tags\":[\"a\"]}";
    assert_eq!(tags(&[refused, list]).unwrap(), ["a"]);
    assert!(
        tags(&[refused, refused])
            .unwrap_err()
            .contains("PAGINATION_NUMBER_INVALID")
    );
}

#[test]
fn a_blob_is_there_or_is_not() {
    let digest = Digest::of(b"{}");
    for (answer, there) in [
        ("200 OK", Some(true)),
        ("204 No Content", Some(true)),
        ("404 Not Found", Some(false)),
        ("403 Forbidden", None),
    ] {
        let (result, requests) =
            World::new(&[answer]).ask(|registry| registry.puller().has_blob(&digest));
        assert_eq!(result.ok(), there, "{answer}");
        assert_eq!(requests, [format!("HEAD /v2/me/agent/blobs/{digest}")]);
    }
    let (blob, _) =
        World::new(&["200 OK\r\n\r\n{}"]).ask(|registry| registry.puller().small_blob(&digest));
    assert_eq!(blob.unwrap(), Some(b"{}".to_vec()));
    let (blob, _) =
        World::new(&["200 OK\r\n\r\n[]"]).ask(|registry| registry.puller().small_blob(&digest));
    assert!(blob.unwrap_err().contains("other bytes"));
}

#[test]
fn where_a_head_is_refused_a_blob_is_found_by_a_get() {
    let digest = Digest::of(b"{}");
    for (head, get, size) in [
        ("405 Method Not Allowed", "200 OK\r\n\r\n{}", Ok(Some(2))),
        ("400 Bad Request", "404 Not Found", Ok(None)),
        ("405 Method Not Allowed", "405 Method Not Allowed", Err(())),
    ] {
        let (found, requests) =
            World::new(&[head, get]).ask(|registry| registry.puller().blob_size(&digest));
        assert_eq!(found.map_err(|_| ()), size, "{head} {get}");
        assert_eq!(requests[1], format!("GET /v2/me/agent/blobs/{digest}"));
    }
}

#[test]
fn a_blob_of_other_bytes_is_an_error_when_it_is_read() {
    use crate::store::Blobs as _;
    let digest = Digest::of(b"layer");
    for (answer, is_right) in [
        ("200 OK\r\n\r\nlayer", true),
        ("200 OK\r\n\r\nother", false),
        ("200 OK\r\n\r\nlay", false),
        ("404 Not Found", false),
    ] {
        let (read, _) = World::new(&[answer]).ask(|registry| {
            let mut bytes = Vec::new();
            registry.puller().open(&digest)?.read_to_end(&mut bytes)?;
            Ok(bytes)
        });
        assert_eq!(read.is_ok(), is_right, "{answer}: {read:?}");
    }
}

#[test]
fn a_document_that_is_cut_off_is_asked_for_again() {
    let cut = "200 OK\r\nX-Cut: y\r\n\r\n{\"tags\":[\"v1\"";
    let whole = "200 OK\r\n\r\n{\"tags\":[\"v1\"]}";
    assert_eq!(tags(&[cut, whole]).unwrap(), ["v1"]);
    assert_eq!(SLEPT.take(), [1]);
    let error = tags(&[cut; 4]).unwrap_err();
    assert!(error.contains("broke off"), "{error}");
}

#[test]
fn a_layer_that_is_cut_off_is_read_again_from_its_begin() {
    let digest = Digest::of(b"layer");
    let read = |answers: &[&str]| {
        let (read, _) = World::new(answers).ask(|registry| {
            registry.puller().read_blob(&digest, |stream| {
                let mut bytes = Vec::new();
                // In the reader's own words.
                let read = stream.read_to_end(&mut bytes);
                read.map_err(|_| anyhow::anyhow!("no archive"))?;
                Ok(bytes)
            })
        });
        read
    };
    let (cut, whole) = ("200 OK\r\nX-Cut: y\r\n\r\nlay", "200 OK\r\n\r\nlayer");
    assert_eq!(read(&[whole]).unwrap(), b"layer");
    assert_eq!(read(&[cut, whole]).unwrap(), b"layer");
    assert_eq!(SLEPT.take(), [1]);
    let error = read(&[cut; 4]).unwrap_err();
    assert!(
        error.contains("broke off (") && error.ends_with("): no archive"),
        "{error}"
    );
    SLEPT.take();
    // Other bytes would be others again.
    for answers in [["200 OK\r\n\r\nother"], ["404 Not Found"]] {
        assert!(read(&answers).is_err());
        assert!(SLEPT.take().is_empty());
    }
}
