//! Lists of referrers that others wrote, and what is kept of them.

use super::*;

const ONE: &str = "sha256:1111111111111111111111111111111111111111111111111111111111111111";
const TWO: &str = "sha256:2222222222222222222222222222222222222222222222222222222222222222";

fn entry(digest: &str) -> String {
    format!(
        r#"{{"size": 853, "mediaType":"application/vnd.oci.image.manifest.v1+json", "digest":"{digest}","x":1.50,"artifactType":"a/b","annotations":{{"b":"2","a":"\u00e9"}}}}"#
    )
}

fn index(entries: &str) -> String {
    format!(
        r#"{{"schemaVersion":2,"mediaType":"{INDEX}","annotations":{{"z":"1"}},"manifests":{entries}}}"#
    )
}

fn parsed(text: &str) -> Result<ReferrerIndex, Unclear> {
    ReferrerIndex::parse(text.as_bytes())
}

fn referrer(digest: &str) -> Referrer {
    Referrer {
        descriptor: serde_json::from_value(
            json!({"mediaType": "m", "digest": digest, "size": 1, "annotations": {"k": "v"}}),
        )
        .unwrap(),
        artifact_type: Some("t".to_owned()),
    }
}

#[test]
fn entries_of_others_stay_as_they_are_and_where_they_are() {
    let odd = r#"{"mediaType":"m","digest":"sha512:00","size":1}"#;
    let theirs = [entry(ONE), odd.to_owned()].join(" ,\n");
    let mut list = parsed(&index(&format!("[{theirs}]"))).unwrap();
    assert_eq!(list.referrers().count(), 1);
    list.add(&referrer(TWO)).unwrap();
    // No digest twice.
    list.add(&referrer(TWO)).unwrap();
    list.add(&referrer(ONE)).unwrap();
    let text = String::from_utf8(list.to_bytes().unwrap()).unwrap();
    let ours = format!(
        r#"{{"annotations":{{"k":"v"}},"artifactType":"t","digest":"{TWO}","mediaType":"m","size":1}}"#
    );
    let entries = format!("[{},{odd},{ours}]", entry(ONE));
    assert!(
        text.contains(&format!(r#""manifests":{entries}"#)),
        "{text}"
    );
    assert!(text.contains(r#""annotations":{"z":"1"}"#), "{text}");
    let mut again = parsed(&text).unwrap();
    assert_eq!(again.referrers().nth(1), Some(&referrer(TWO)));
    again.remove(&ONE.parse().unwrap());
    let text = String::from_utf8(again.to_bytes().unwrap()).unwrap();
    assert!(
        text.contains(&format!(r#""manifests":[{odd},{ours}]"#)),
        "{text}"
    );
}

#[test]
fn a_list_that_has_no_entries_is_one() {
    for text in [index("[]"), index("null")] {
        assert_eq!(parsed(&text).unwrap().referrers().count(), 0, "{text}");
    }
    let empty = ReferrerIndex::empty().unwrap().to_bytes().unwrap();
    let expected = format!(r#"{{"manifests":[],"mediaType":"{INDEX}","schemaVersion":2}}"#);
    assert_eq!(String::from_utf8(empty).unwrap(), expected);
}

#[test]
fn what_is_no_list_of_referrers_is_refused() {
    let twice = index("[]").replace(r#""annotations""#, r#""manifests":[],"annotations""#);
    let manifest = "application/vnd.oci.image.manifest.v1+json";
    for (text, why) in [
        (twice, "it has `manifests` twice"),
        (
            index("[]").replace("manifests", "Manifests"),
            "but for case",
        ),
        (index("[]").replace(INDEX, manifest), "it is no OCI index"),
        (
            index("[]").replace(r#""schemaVersion":2"#, r#""schemaVersion":1"#),
            "`schemaVersion`",
        ),
        (
            index("[]").replace(r#""annotations""#, r#""layers":[],"annotations""#),
            "has `layers`",
        ),
        (index("1"), "not a list"),
        (index("[null]"), "null"),
        (
            r#"{"schemaVersion":2,"manifests":[]}"#.to_owned(),
            "no `mediaType`",
        ),
        ("<html>".to_owned(), "not JSON"),
        (
            index(&format!("[{}]", " ".repeat(5 << 20))),
            "longer than 4 MiB",
        ),
    ] {
        let error = parsed(&text).unwrap_err().to_string();
        assert!(error.contains(why), "{why}: {error}");
    }
}

#[test]
fn a_list_grows_no_longer_than_registries_take() {
    let mut list = ReferrerIndex::empty().unwrap();
    let mut long = referrer(ONE);
    long.descriptor
        .annotations
        .insert("x".to_owned(), "x".repeat(5 << 20));
    list.add(&long).unwrap();
    assert!(
        list.to_bytes()
            .unwrap_err()
            .to_string()
            .contains("longer than 4 MiB")
    );
}
