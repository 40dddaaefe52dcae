//! Attestations as BuildKit puts them into an index (BuildKit, `attestation-storage.md`).

use super::descriptor::{Descriptor, EntryKind};
use super::document::{Index, Manifest};
use super::media_type::IN_TOTO;
use crate::printable::Printable;

/// The annotation with the digest of the image that an attestation is of.
pub(crate) const ATTESTATION_OF: &str = "vnd.docker.reference.digest";
/// The annotation of a statement with the type of what it says.
pub(crate) const PREDICATE_TYPE: &str = "in-toto.io/predicate-type";

/// Why an entry of `index` that is no image is no attestation of one of its images, either; `manifest` is
/// what the entry leads to, where that is known.
///
/// Nobody proves what such an entry leads to: it must not be something that can be run.
pub fn attestation_fault(
    entry: &Descriptor,
    manifest: Option<&Manifest>,
    index: &Index,
) -> Option<String> {
    let name = entry.digest.short();
    if entry.kind() == EntryKind::Neither {
        return Some(format!("`{name}` is neither an image nor an attestation"));
    }
    let Some(of) = entry.annotations.get(ATTESTATION_OF) else {
        return Some(format!("attestation `{name}` does not say of what"));
    };
    let is_of =
        |image: &&Descriptor| image.kind() == EntryKind::Image && image.digest.as_str() == of;
    let Some(image) = index.manifests.iter().find(is_of) else {
        return Some(format!(
            "attestation `{name}` is of `{}`, which is not in the index",
            Printable(of)
        ));
    };
    let manifest = manifest?;
    // BuildKit 0.32 and later write both.
    if let Some(subject) = &manifest.subject
        && *subject != image.digest
    {
        return Some(format!(
            "attestation `{name}` is of `{of}`, and says that it is of `{subject}`"
        ));
    }
    let odd = manifest.layers.iter().find(|one| one.media_type != IN_TOTO);
    match odd {
        Some(odd) => Some(format!(
            "attestation `{name}` has a layer of another kind (`{}`)",
            Printable(&odd.media_type)
        )),
        None if manifest.layers.is_empty() => Some(format!("attestation `{name}` says nothing")),
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::digest::Digest;
    use super::super::media_type::{INDEX, MANIFEST};
    use super::*;

    fn descriptor(content: &str, more: &Value) -> Descriptor {
        let mut value = json!({
            "mediaType": MANIFEST, "digest": Digest::of(content.as_bytes()), "size": 1,
        });
        for (key, field) in more.as_object().unwrap() {
            value[key] = field.clone();
        }
        serde_json::from_value(value).unwrap()
    }

    fn manifest(layers: &[&str], subject: Option<&str>) -> Manifest {
        let layers = layers
            .iter()
            .map(|kind| descriptor("l", &json!({"mediaType": kind})));
        Manifest {
            media_type: MANIFEST.to_owned(),
            config: descriptor("c", &json!({})),
            layers: layers.collect(),
            subject: subject.map(|subject| Digest::of(subject.as_bytes())),
        }
    }

    #[test]
    fn an_attestation_is_in_toto_alone_and_of_an_image_of_the_index() {
        let platform = json!({"os": "unknown", "architecture": "unknown"});
        let entry = |of: Option<&str>| {
            let mut annotations = json!({"vnd.docker.reference.type": "attestation-manifest"});
            if let Some(of) = of {
                annotations[ATTESTATION_OF] = json!(Digest::of(of.as_bytes()));
            }
            descriptor(
                "a",
                &json!({"platform": platform, "annotations": annotations}),
            )
        };
        let amd64 = json!({"platform": {"os": "linux", "architecture": "amd64"}});
        let (good, layer) = (
            entry(Some("image")),
            "application/vnd.oci.image.layer.v1.tar",
        );
        let stray = descriptor("a", &json!({"platform": platform}));
        let own = entry(Some("a"));
        let both = [IN_TOTO, layer];
        for (entry, found, fault) in [
            (&good, Some(manifest(&[IN_TOTO, IN_TOTO], None)), ""),
            (&good, Some(manifest(&[IN_TOTO], Some("image"))), ""),
            (&good, None, ""),
            (
                &good,
                Some(manifest(&[IN_TOTO], Some("other"))),
                "says that it is of",
            ),
            (
                &good,
                Some(manifest(&both, None)),
                "a layer of another kind",
            ),
            (
                &good,
                Some(manifest(&[layer], None)),
                "a layer of another kind",
            ),
            (&good, Some(manifest(&[], None)), "says nothing"),
            (&entry(None), None, "does not say of what"),
            (&entry(Some("gone")), None, "is not in the index"),
            // No attestation of itself.
            (&own, None, "is not in the index"),
            (&stray, None, "is neither an image nor an attestation"),
        ] {
            let index = Index {
                media_type: INDEX.to_owned(),
                manifests: vec![descriptor("image", &amd64), entry.clone()],
            };
            let why = attestation_fault(entry, found.as_ref(), &index);
            assert_eq!(why.is_none(), fault.is_empty(), "{why:?}");
            assert!(why.unwrap_or_default().contains(fault), "{fault}");
        }
    }
}
