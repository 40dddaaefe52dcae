//! Which image an engine has made a container of, whichever store it keeps images in.

use serde::Deserialize;
use xtask::oci::{Descriptor, Digest};

/// What `docker inspect` says of a container's image.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Used {
    /// The configuration's digest in the classic store; in containerd's store that of what the image's name
    /// leads to.
    image: Digest,
    /// The manifest, where containerd's store says it (API 1.48, Docker 28).
    image_manifest_descriptor: Option<Descriptor>,
}

/// What a receipt says of an image.
pub(crate) struct Named<'a> {
    pub(crate) index: Option<&'a Digest>,
    pub(crate) manifest: Option<&'a Digest>,
    pub(crate) config: Option<&'a Digest>,
}

impl Used {
    /// Fails when the engine used another image than the receipt will say.
    pub(crate) fn check(&self, named: &Named) -> Result<(), String> {
        let used = match &self.image_manifest_descriptor {
            Some(descriptor) => &descriptor.digest,
            None => &self.image,
        };
        let mut allowed = vec![named.manifest];
        if self.image_manifest_descriptor.is_none() {
            // Before API 1.48 containerd's store says no more than what the name led to.
            allowed.extend([named.config, named.index]);
        }
        if allowed.contains(&Some(used)) {
            return Ok(());
        }
        let digest = |digest: Option<&Digest>| digest.map_or("none", Digest::as_str).to_owned();
        Err(format!(
            "the engine ran another image (`{used}`) than was read (manifest `{}`, configuration `{}`); \
             hint: `docker image rm` it, and verify again",
            digest(named.manifest),
            digest(named.config)
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(name: &str) -> Digest {
        Digest::of(name.as_bytes())
    }

    #[test]
    fn what_ran_is_what_the_receipt_says() {
        let [index, manifest, config, other] = ["i", "m", "c", "o"].map(digest);
        let used = |image: &Digest, manifest: Option<&Digest>| {
            let descriptor = manifest
                .map(|digest| serde_json::json!({"mediaType": "m", "digest": digest, "size": 1}));
            let text = serde_json::json!({
                "Id": "x", "Image": image, "ImageManifestDescriptor": descriptor,
            });
            serde_json::from_value::<Used>(text).unwrap()
        };
        for (used, is_right) in [
            (used(&index, Some(&manifest)), true),
            (used(&manifest, Some(&manifest)), true),
            // The index is right, and another one of its images ran.
            (used(&index, Some(&other)), false),
            (used(&manifest, Some(&config)), false),
            // The classic store.
            (used(&config, None), true),
            (used(&manifest, None), true),
            (used(&index, None), true),
            (used(&other, None), false),
        ] {
            let named = Named {
                index: Some(&index),
                manifest: Some(&manifest),
                config: Some(&config),
            };
            assert_eq!(used.check(&named).is_ok(), is_right, "{used:?}");
        }
        let classic = Named {
            index: None,
            manifest: None,
            config: Some(&config),
        };
        assert!(used(&config, None).check(&classic).is_ok());
        assert!(used(&other, None).check(&classic).is_err());
        assert!(used(&config, Some(&manifest)).check(&classic).is_err());
        assert!(serde_json::from_str::<Used>("{}").is_err());
    }
}
