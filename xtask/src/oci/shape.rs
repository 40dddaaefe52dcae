//! Which keys have a meaning where, in indexes, manifests and configurations, OCI's and Docker's.
//!
//! Go takes a key for a known one without regard to case, and by Unicode's folding, so that `ſize` is `size`
//! (encoding/json, `foldName`). Its maps, such as those of annotations and labels, keep their keys.

use serde_json::Value;

use crate::printable;

/// What programs take a value for.
pub(crate) enum Shape {
    /// Text, a number, a map, or what nobody reads.
    Any,
    List(&'static Shape),
    /// An object with known keys. Unknown ones are allowed.
    Object(&'static [(&'static str, Shape)]),
}

use Shape::{Any, List, Object};

/// An index or a manifest. Both have one shape: no key of the one may hide in the other. The last three
/// are of Docker's schema 1.
pub(super) const DOCUMENT: Shape = Object(&[
    ("schemaVersion", Any),
    ("mediaType", Any),
    ("artifactType", Any),
    ("manifests", List(&DESCRIPTOR)),
    ("config", DESCRIPTOR),
    ("layers", List(&DESCRIPTOR)),
    ("blobs", List(&DESCRIPTOR)),
    ("subject", DESCRIPTOR),
    ("annotations", Any),
    ("fsLayers", Any),
    ("history", Any),
    ("signatures", Any),
]);

const DESCRIPTOR: Shape = Object(&[
    ("mediaType", Any),
    ("digest", Any),
    ("size", Any),
    ("urls", Any),
    ("annotations", Any),
    ("data", Any),
    ("artifactType", Any),
    ("platform", PLATFORM),
]);

const PLATFORM: Shape = Object(&[
    ("architecture", Any),
    ("os", Any),
    ("os.version", Any),
    ("os.features", Any),
    ("variant", Any),
    ("features", Any),
]);

/// The configuration of an image.
pub(super) const CONFIG: Shape = Object(&[
    ("created", Any),
    ("author", Any),
    ("architecture", Any),
    ("variant", Any),
    ("os", Any),
    ("os.version", Any),
    ("os.features", Any),
    ("config", PROCESS),
    ("container_config", PROCESS),
    ("rootfs", Object(&[("type", Any), ("diff_ids", Any)])),
    ("history", List(&STEP)),
    ("id", Any),
    ("parent", Any),
    ("comment", Any),
    ("container", Any),
    ("docker_version", Any),
]);

const PROCESS: Shape = Object(&[
    ("User", Any),
    ("Env", Any),
    ("Entrypoint", Any),
    ("Cmd", Any),
    ("WorkingDir", Any),
    ("StopSignal", Any),
    ("StopTimeout", Any),
    ("Labels", Any),
    ("Volumes", Any),
    ("ExposedPorts", Any),
    ("Healthcheck", HEALTHCHECK),
    ("Shell", Any),
    ("OnBuild", Any),
    ("ArgsEscaped", Any),
    ("Image", Any),
    ("Hostname", Any),
    ("Domainname", Any),
    ("Tty", Any),
    ("OpenStdin", Any),
    ("StdinOnce", Any),
    ("AttachStdin", Any),
    ("AttachStdout", Any),
    ("AttachStderr", Any),
    ("NetworkDisabled", Any),
    ("MacAddress", Any),
]);

const HEALTHCHECK: Shape = Object(&[
    ("Test", Any),
    ("Interval", Any),
    ("Timeout", Any),
    ("StartPeriod", Any),
    ("StartInterval", Any),
    ("Retries", Any),
]);

const STEP: Shape = Object(&[
    ("created", Any),
    ("created_by", Any),
    ("author", Any),
    ("comment", Any),
    ("empty_layer", Any),
]);

/// Checks that a value has the shape. The error says which key has not.
pub(crate) fn check(value: &Value, shape: &Shape) -> Result<(), String> {
    named(value, shape, "it")
}

fn named(value: &Value, shape: &Shape, name: &str) -> Result<(), String> {
    match (shape, value) {
        (Any, _) => Ok(()),
        // Go reads null as if the key were not there.
        (List(_) | Object(_), Value::Null) if name != "it" => Ok(()),
        (List(of), Value::Array(items)) => items.iter().try_for_each(|item| match item {
            Value::Null => Err(format!("{name} has an entry that is null")),
            item => named(item, of, &format!("an entry of {name}")),
        }),
        (Object(known), Value::Object(map)) => map.iter().try_for_each(|(key, value)| {
            if let Some((_, shape)) = known.iter().find(|(known, _)| known == key) {
                return named(value, shape, &format!("`{key}`"));
            }
            match known.iter().find(|(known, _)| is_folded(key, known)) {
                None => Ok(()),
                Some((known, _)) => {
                    let key = printable::line(key);
                    Err(format!("its key `{key}` equals `{known}` but for case"))
                }
            }
        }),
        (List(_), _) => Err(format!("{name} is not a list")),
        (Object(_), _) => Err(format!("{name} is not an object")),
    }
}

/// Whether Go takes `key` for `known`, which is ASCII: two letters outside ASCII fold to letters in it.
fn is_folded(key: &str, known: &str) -> bool {
    let folded = key.chars().map(|c| match c {
        'ſ' => 's',
        '\u{212a}' => 'k',
        c => c.to_ascii_lowercase(),
    });
    folded.eq(known.chars().map(|c| c.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_key_that_equals_a_known_one_but_for_case_is_refused_where_that_is_known() {
        let entry = |key: &str| json!({"manifests": [{key: 1}]});
        let health = |key: &str| json!({"config": {"Healthcheck": {key: 1}}});
        for (document, shape, key) in [
            (json!({"Manifests": []}), &DOCUMENT, "Manifests"),
            (json!({"MANIFESTS": []}), &DOCUMENT, "MANIFESTS"),
            (json!({"manifest\u{17f}": []}), &DOCUMENT, "manifest\u{17f}"),
            (json!({"Layers": [], "layers": []}), &DOCUMENT, "Layers"),
            (json!({"fslayers": []}), &DOCUMENT, "fslayers"),
            (entry("Digest"), &DOCUMENT, "Digest"),
            (entry("\u{17f}ize"), &DOCUMENT, "\u{17f}ize"),
            (
                json!({"manifests": [{"platform": {"OS": "x"}}]}),
                &DOCUMENT,
                "OS",
            ),
            (json!({"subject": {"URLs": []}}), &DOCUMENT, "URLs"),
            (json!({"config": {"entrypoint": []}}), &CONFIG, "entrypoint"),
            (json!({"config": {"labels": {}}}), &CONFIG, "labels"),
            (health("test"), &CONFIG, "test"),
            (json!({"RootFS": {}}), &CONFIG, "RootFS"),
            (
                json!({"history": [{"Empty_Layer": 1}]}),
                &CONFIG,
                "Empty_Layer",
            ),
            (
                json!({"config": {"Healthchec\u{212a}": 1}}),
                &CONFIG,
                "Healthchec\u{212a}",
            ),
        ] {
            let why = check(&document, shape).unwrap_err();
            assert!(
                why.starts_with(&format!("its key `{key}` equals `")),
                "{why}"
            );
        }
    }

    #[test]
    fn unknown_keys_and_the_keys_of_maps_may_be_anything() {
        for (document, shape) in [
            (
                json!({"annotations": {"Digest": "x", "digest": "y"}}),
                &DOCUMENT,
            ),
            (
                json!({"com.example": {"Manifests": 1, "manifests": 2}}),
                &DOCUMENT,
            ),
            (json!({"config": {"Labels": {"a": "1", "A": "2"}}}), &CONFIG),
            (
                json!({"config": {"Memory": 1}, "moby.buildkit.cache.v0": "x"}),
                &CONFIG,
            ),
            (json!({"layers": null, "subject": null}), &DOCUMENT),
        ] {
            assert_eq!(check(&document, shape), Ok(()), "{document}");
        }
    }

    #[test]
    fn what_has_another_shape_is_refused() {
        for (document, why) in [
            (json!([]), "it is not an object"),
            (json!(null), "it is not an object"),
            (json!({"manifests": 1}), "`manifests` is not a list"),
            (json!({"manifests": {"0": {}}}), "`manifests` is not a list"),
            (
                json!({"manifests": [null]}),
                "`manifests` has an entry that is null",
            ),
            // A parser may take a list for an object.
            (
                json!({"config": ["m", "d", 1]}),
                "`config` is not an object",
            ),
            (
                json!({"layers": [["m"]]}),
                "an entry of `layers` is not an object",
            ),
        ] {
            assert_eq!(check(&document, &DOCUMENT), Err(why.to_owned()));
        }
    }
}
