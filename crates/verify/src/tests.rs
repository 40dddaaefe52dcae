//! What `docs/verify.md` must say: every field that is printed or written, every word, every code.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;

use super::check_set::check_set;
use super::checks::catalogue;
use super::receipt;
use super::report::{STATUSES, samples};
use super::show::Catalogue;

/// The names of all fields, at any depth.
fn fields(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                found.insert(name.clone());
                fields(value, found);
            }
        }
        Value::Array(array) => array.iter().for_each(|value| fields(value, found)),
        _ => {}
    }
}

#[test]
fn every_field_and_every_word_is_described() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/verify.md");
    let docs = fs::read_to_string(docs).unwrap();
    let catalogue = Catalogue::of(catalogue().take(1), check_set());
    let mut words = BTreeSet::new();
    for value in [
        serde_json::to_value(samples::mixed()),
        serde_json::to_value(receipt::tests::good()),
        serde_json::to_value(catalogue),
    ] {
        fields(&value.unwrap(), &mut words);
    }
    words.extend(STATUSES.map(|status| status.as_str().to_owned()));
    let missing = words
        .iter()
        .filter(|word| !docs.contains(&format!("`{word}`")));
    assert_eq!(missing.collect::<Vec<_>>(), [""; 0]);
    for code in [0, 1, 2, 3, 130] {
        assert!(docs.contains(&format!("\n| {code} | ")), "{code}");
    }
}
