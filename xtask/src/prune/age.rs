//! When an image was made, as it says itself. A name says nothing of its age.

use std::time::{Duration, SystemTime};

use serde_json::Value;

use crate::image_tree::{CREATED, ManifestStore};
use crate::oci::{Descriptor, Document, Manifest};

/// When an image was made; or why that is not known, so that it is kept.
pub(super) type Made = Result<SystemTime, String>;

/// Reads when the images below `bytes`, an index or a manifest, were made: the latest time that any
/// of them gives in its configuration, its label or its annotation.
///
/// Fails when `store` does not answer.
pub(super) fn read(bytes: &[u8], store: &impl ManifestStore) -> anyhow::Result<Made> {
    let manifests = match Document::parse(bytes) {
        Ok(Document::Index(index)) => {
            let images = index.manifests.iter().filter(|one| !one.is_attestation());
            match images
                .map(|one| manifest(one, store))
                .collect::<Result<Vec<_>, _>>()?
            {
                manifests if manifests.is_empty() => return Ok(unknown("it names no image")),
                manifests => manifests,
            }
        }
        Ok(Document::Manifest(manifest)) => vec![Ok(manifest)],
        Err(_) => return Ok(unknown("it is neither an index nor an image")),
    };
    let annotated = serde_json::from_slice::<Value>(bytes)?["annotations"][CREATED].take();
    let mut latest = match time(&annotated) {
        Ok(time) => time,
        Err(why) => return Ok(Err(why)),
    };
    for manifest in manifests {
        let made = match manifest {
            Ok(manifest) => of_image(&manifest, store)?,
            Err(why) => Err(why),
        };
        match made {
            Ok(made) => latest = latest.max(Some(made)),
            Err(why) => return Ok(Err(why)),
        }
    }
    Ok(latest.ok_or_else(|| "it does not say when it was made".to_owned()))
}

fn unknown(why: &str) -> Made {
    Err(why.to_owned())
}

/// The manifest of an index's entry; or why the entry is not an image.
fn manifest(
    entry: &Descriptor,
    store: &impl ManifestStore,
) -> anyhow::Result<Result<Manifest, String>> {
    let Some(bytes) = store.manifest(&entry.digest)? else {
        return Ok(Err("a manifest of it is missing".to_owned()));
    };
    let manifest = entry.manifest(&bytes);
    Ok(manifest.map_err(|_| "an entry of it is not an image".to_owned()))
}

fn of_image(manifest: &Manifest, store: &impl ManifestStore) -> anyhow::Result<Made> {
    let config = match store.config(&manifest.config.digest) {
        Ok(Some(config)) => config,
        Ok(None) => return Ok(unknown("a configuration of it is missing")),
        Err(error) => return Err(error),
    };
    let Ok(config) = manifest.config.config(&config) else {
        return Ok(unknown("a configuration of it cannot be read"));
    };
    let label = config.config.labels.get(CREATED).cloned();
    let label = label.map_or(Value::Null, Value::String);
    let times = [&config.created, &label].map(time);
    let [own, label] = match times {
        [Ok(own), Ok(label)] => [own, label],
        [Err(why), _] | [_, Err(why)] => return Ok(Err(why)),
    };
    Ok(own
        .max(label)
        .ok_or_else(|| "an image of it does not say when it was made".to_owned()))
}

/// The time in a field; none when the field is absent or empty.
fn time(field: &Value) -> Result<Option<SystemTime>, String> {
    let text = match field {
        Value::Null => return Ok(None),
        Value::String(text) if text.is_empty() => return Ok(None),
        Value::String(text) => text,
        _ => return Err("its time is not text".to_owned()),
    };
    let time = humantime::parse_rfc3339(text);
    let time = time.map_err(|_| "its time is not in RFC 3339 and UTC".to_owned())?;
    // Reproducible builders write a year such as 1970 or 1980. No image is older than Docker.
    if time < SystemTime::UNIX_EPOCH + DOCKER {
        return Err("its time is made up (before 2013)".to_owned());
    }
    Ok(Some(time))
}

/// From 1970 to 2013.
const DOCKER: Duration = Duration::from_hours(24 * 15_706);

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;
    use crate::oci::{Digest, INDEX};

    #[derive(Default)]
    struct Shelf(BTreeMap<Digest, Vec<u8>>);

    const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

    fn index(entries: &Value) -> Value {
        json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries})
    }

    fn manifest(config: &Value) -> Value {
        json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": []})
    }

    impl Shelf {
        fn put(&mut self, media_type: &str, document: &Value) -> Value {
            let bytes = document.to_string().into_bytes();
            let (digest, size) = (Digest::of(&bytes), bytes.len());
            self.0.insert(digest.clone(), bytes);
            json!({"mediaType": media_type, "digest": digest, "size": size})
        }

        fn manifest_of(&mut self, config: &Value) -> Value {
            let config = self.put("c", config);
            self.put(MANIFEST, &manifest(&config))
        }

        /// The time of an index, in seconds since 1970.
        fn read(&self, index: &Value) -> Result<u64, String> {
            let made = read(index.to_string().as_bytes(), self).unwrap();
            made.map(|made| {
                made.duration_since(SystemTime::UNIX_EPOCH)
                    .unwrap()
                    .as_secs()
            })
        }
    }

    impl ManifestStore for Shelf {
        fn manifest(&self, digest: &Digest) -> anyhow::Result<Option<Vec<u8>>> {
            Ok(self.0.get(digest).cloned())
        }

        fn config(&self, digest: &Digest) -> anyhow::Result<Option<Vec<u8>>> {
            self.manifest(digest)
        }
    }

    const DAY: [&str; 3] = [
        "2026-01-01T00:00:00Z",
        "2026-01-02T00:00:00.5Z",
        "2026-01-03T00:00:00Z",
    ];
    const FIRST: u64 = 1_767_225_600;

    #[test]
    fn the_latest_time_that_an_image_gives_counts() {
        let label = |time: &str| json!({"Labels": {CREATED: time}});
        for (config, annotation, day) in [
            (json!({"created": DAY[0]}), None, 0),
            (json!({"created": DAY[0], "config": label(DAY[1])}), None, 1),
            (json!({"created": DAY[1], "config": label(DAY[0])}), None, 1),
            (json!({"created": DAY[1], "config": label("")}), None, 1),
            (json!({"config": label(DAY[0])}), None, 0),
            (json!({"created": DAY[0]}), Some(DAY[2]), 2),
            (json!({"created": DAY[2]}), Some(DAY[0]), 2),
        ] {
            let mut shelf = Shelf::default();
            let (other, image) = (
                shelf.manifest_of(&json!({"created": DAY[0]})),
                shelf.manifest_of(&config),
            );
            let mut index = index(&json!([other, image]));
            index["annotations"] = json!({CREATED: annotation});
            assert_eq!(shelf.read(&index), Ok(FIRST + day * 86_400), "{index}");
        }
    }

    #[test]
    fn a_time_that_is_not_known_has_a_reason() {
        for (config, why) in [
            (json!({}), "an image of it does not say when it was made"),
            (json!({"created": 1}), "its time is not text"),
            (
                json!({"created": "yesterday"}),
                "its time is not in RFC 3339 and UTC",
            ),
            (
                json!({"created": "2026-01-01T00:00:00+02:00"}),
                "its time is not in RFC 3339 and UTC",
            ),
            // Reproducible builders: go-containerregistry#273, crossplane#3879.
            (
                json!({"created": "1970-01-01T00:00:00Z"}),
                "its time is made up (before 2013)",
            ),
            (
                json!({"created": "0001-01-01T00:00:00Z"}),
                "its time is not in RFC 3339 and UTC",
            ),
        ] {
            let mut shelf = Shelf::default();
            let known = shelf.manifest_of(&json!({"created": DAY[0]}));
            let image = shelf.manifest_of(&config);
            let index = index(&json!([known, image]));
            assert_eq!(shelf.read(&index), Err(why.to_owned()), "{index}");
        }
    }

    #[test]
    fn a_document_that_is_not_whole_has_no_age() {
        let mut shelf = Shelf::default();
        let known = shelf.manifest_of(&json!({"created": DAY[0]}));
        let gone = json!({"mediaType": "c", "digest": Digest::of(b"gone"), "size": 1});
        let nested = shelf.put(INDEX, &index(&json!([])));
        for (index, why) in [
            (index(&json!([known, gone])), "a manifest of it is missing"),
            (
                index(&json!([known, nested])),
                "an entry of it is not an image",
            ),
            (index(&json!([])), "it names no image"),
            (manifest(&gone), "a configuration of it is missing"),
            (
                json!({"fsLayers": []}),
                "it is neither an index nor an image",
            ),
        ] {
            assert_eq!(shelf.read(&index), Err(why.to_owned()), "{index}");
        }
    }
}
