//! What is below a tag, whatever that is: images, and what others keep in a repository as well.
//!
//! Caches of builds, signatures, charts and Docker's first manifests are no images, and nothing is wrong
//! with them (giantswarm/retagger#1234, podman-container-tools/skopeo#2732). So what cannot be
//! understood is a fact here, and never an error.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::age::BuiltFrom;
use crate::image_tree::{
    ImageTree, ManifestStore, REVISION, is_blob, is_image_config, is_layer, is_unspecific,
};
use crate::oci::{Config, Digest, Unclear};
use crate::printable;
use crate::registry::Unusable;

/// How deep indexes may stand in indexes.
const DEPTH: usize = 4;
/// How many documents are read below one tag.
const MOST: usize = 1000;
/// The longest configuration that is read, in bytes.
const LONGEST: u64 = 4 << 20;
/// The content `{}`, which the OCI gives artifacts without a configuration (image-spec 1.1, "Guidance for an
/// Empty Descriptor"). It is known without asking, and some registries do not keep it
/// (project-zot/zot#2977).
const EMPTY: &str = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";

/// What was read below a tag.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Survey {
    /// How many manifests there are.
    pub(super) manifests: usize,
    /// The blobs that they name, each with its size; 0 where that is not given.
    pub(super) blobs: BTreeMap<Digest, u64>,
    /// What is missing.
    pub(super) broken: Vec<String>,
    /// The commits in the labels of the images.
    pub(super) revisions: BTreeSet<String>,
    /// What its images say of what they are made of: one for all platforms, unless they differ.
    pub(super) built: BTreeSet<BuiltFrom>,
    /// What it is, or has, that an image of ours is not or has not.
    pub(super) odd: Option<String>,
}

/// Reads what is below `bytes`, which a tag leads to. Fails only when `store` does not answer.
pub(super) fn survey(bytes: &[u8], store: &impl ManifestStore) -> anyhow::Result<Survey> {
    let mut reader = Reader {
        store,
        survey: Survey::default(),
        seen: BTreeSet::new(),
        has_image: false,
        artifact: None,
        read: Documents::default(),
    };
    reader.document(bytes, "it", 0)?;
    // What no engine reads in another way is an image: nothing more is asked for.
    if reader.has_image
        && reader.survey.broken.is_empty()
        && let Err(why) = ImageTree::read(bytes.to_vec(), &reader.read)
    {
        reader.odd(format!("{why:#}"));
    }
    if !reader.has_image {
        let artifact = reader.artifact;
        let what = artifact.map_or("it names no image".to_owned(), |kind| {
            format!("an artifact ({kind})")
        });
        reader.survey.odd.get_or_insert(what);
    }
    Ok(reader.survey)
}

struct Reader<'a, S> {
    store: &'a S,
    survey: Survey,
    seen: BTreeSet<Digest>,
    has_image: bool,
    /// The first kind of artifact that was met, other than a layer.
    artifact: Option<String>,
    /// The manifests and configurations that were read.
    read: Documents,
}

/// Documents by their digests.
#[derive(Default)]
struct Documents(BTreeMap<Digest, Vec<u8>>);

impl Documents {
    fn insert(&mut self, digest: Digest, bytes: Vec<u8>) {
        self.0.insert(digest, bytes);
    }
}

impl ManifestStore for Documents {
    fn manifest(&self, digest: &Digest) -> anyhow::Result<Option<Vec<u8>>> {
        Ok(self.0.get(digest).cloned())
    }

    fn config(&self, digest: &Digest) -> anyhow::Result<Option<Vec<u8>>> {
        self.manifest(digest)
    }
}

impl<S: ManifestStore> Reader<'_, S> {
    /// Reads an index or a manifest.
    fn document(&mut self, bytes: &[u8], name: &str, depth: usize) -> anyhow::Result<()> {
        let Ok(document) = serde_json::from_slice::<Value>(bytes) else {
            self.odd(format!("{name} is not JSON"));
            return Ok(());
        };
        if let Some(entries) = document.get("manifests") {
            let Some(entries) = entries.as_array() else {
                self.odd(format!("{name} is not a valid index"));
                return Ok(());
            };
            if depth > 0 {
                self.odd(format!("{name} is an index"));
            }
            for entry in entries {
                self.entry(entry, depth)?;
            }
            return Ok(());
        }
        if let Some(layers) = document.get("fsLayers") {
            self.survey.manifests += 1;
            self.odd("a manifest of Docker's schema 1".to_owned());
            let layers = layers.as_array().into_iter().flatten();
            layers.for_each(|layer| self.blob(&layer["blobSum"], 0));
            return Ok(());
        }
        let parts = ["config", "layers", "blobs"];
        if parts.iter().any(|part| document.get(*part).is_some()) {
            return self.manifest(&document);
        }
        self.odd(format!("{name} is neither an index nor a manifest"));
        Ok(())
    }

    /// Reads an entry of an index.
    fn entry(&mut self, entry: &Value, depth: usize) -> anyhow::Result<()> {
        let kind = text(&entry["mediaType"]);
        if is_blob(kind) {
            self.note_artifact(kind);
            self.descriptor(entry);
            return Ok(());
        }
        let Some(digest) = digest(&entry["digest"]) else {
            self.odd(NOT_CHECKED.to_owned());
            return Ok(());
        };
        if !self.seen.insert(digest.clone()) {
            return Ok(());
        }
        if depth == DEPTH || self.seen.len() > MOST {
            self.odd("it has too many manifests to read all".to_owned());
            return Ok(());
        }
        let name = format!("its manifest `{digest}`");
        let why = match self.store.manifest(&digest) {
            Ok(Some(bytes)) => {
                self.document(&bytes, &name, depth + 1)?;
                self.read.insert(digest, bytes);
                return Ok(());
            }
            Ok(None) => "is missing".to_owned(),
            Err(error) if error.is::<Unusable>() || error.is::<Unclear>() => {
                format!("cannot be read: {error:#}")
            }
            Err(error) => return Err(error),
        };
        self.survey.broken.push(format!("{name} {why}"));
        // It may have been one.
        self.has_image = true;
        Ok(())
    }

    fn manifest(&mut self, manifest: &Value) -> anyhow::Result<()> {
        self.survey.manifests += 1;
        let config = &manifest["config"];
        let lists = [&manifest["layers"], &manifest["blobs"]];
        let layers = lists.into_iter().filter_map(Value::as_array).flatten();
        let layers: Vec<&Value> = layers.collect();
        for descriptor in layers.iter().copied().chain([config]) {
            if !descriptor.is_null() {
                self.descriptor(descriptor);
            }
        }
        if let Some(kind) = artifact(manifest, &layers) {
            self.note_artifact(kind);
            return Ok(());
        }
        self.has_image = true;
        self.image(config)
    }

    /// Reads the configuration of an image.
    fn image(&mut self, config: &Value) -> anyhow::Result<()> {
        let Some(digest) = digest(&config["digest"]) else {
            return Ok(());
        };
        if config["size"].as_u64().is_some_and(|size| size > LONGEST) {
            self.odd(format!("its configuration `{digest}` is too long to read"));
            return Ok(());
        }
        let found = match self.store.config(&digest) {
            Err(error) if error.is::<Unusable>() => {
                let why = format!("its configuration cannot be read: {error:#}");
                self.survey.broken.push(why);
                return Ok(());
            }
            // A missing one is reported as a missing blob.
            found => match found? {
                Some(found) => found,
                None => return Ok(()),
            },
        };
        match Config::parse(&found) {
            Ok(config) => {
                let revision = config.config.labels.get(REVISION);
                self.survey.revisions.extend(revision.map(|it| shown(it)));
                let built = BuiltFrom::of(&config.config.labels);
                self.survey.built.insert(built);
            }
            Err(why) => self.odd(format!(
                "its configuration `{digest}` cannot be read: {why}"
            )),
        }
        self.read.insert(digest, found);
        Ok(())
    }

    fn descriptor(&mut self, descriptor: &Value) {
        // Layers that a registry need not keep have an address elsewhere (image-spec 1.1, "Non-Distributable
        // Layers").
        if descriptor["urls"]
            .as_array()
            .is_some_and(|urls| !urls.is_empty())
        {
            return;
        }
        let size = descriptor["size"].as_u64().unwrap_or_default();
        self.blob(&descriptor["digest"], size);
    }

    fn blob(&mut self, digest: &Value, size: u64) {
        match self::digest(digest) {
            Some(digest) if digest.as_str() == EMPTY => {}
            Some(digest) => {
                self.survey.blobs.entry(digest).or_insert(size);
            }
            None => self.odd(NOT_CHECKED.to_owned()),
        }
    }

    fn odd(&mut self, what: String) {
        self.survey.odd.get_or_insert(what);
    }

    fn note_artifact(&mut self, kind: &str) {
        // A media type is of such characters (RFC 6838, 4.2).
        let is_plain = kind.len() <= 127 && kind.bytes().all(|c| c.is_ascii_graphic());
        let kind = if is_plain { kind } else { "of an unknown kind" };
        // A cache's layers say less than its configuration.
        if self.artifact.as_deref().is_none_or(is_layer) {
            self.artifact = Some(kind.to_owned());
        }
    }
}

/// What is said of a digest by another hash than SHA-256.
const NOT_CHECKED: &str = "it names something by a digest that is not SHA-256";

/// The kind of a manifest that is no image: what it says itself, or else its configuration or its layers
/// (image-spec 1.1, "Guidelines for Artifact Usage"). Where none of them says anything it is read as an image.
fn artifact<'a>(manifest: &'a Value, layers: &[&'a Value]) -> Option<&'a str> {
    let kind = text(&manifest["artifactType"]);
    if !kind.is_empty() {
        return Some(kind);
    }
    let config = text(&manifest["config"]["mediaType"]);
    if !is_image_config(config) && !is_unspecific(config) {
        return Some(config);
    }
    let kinds = || layers.iter().map(|layer| text(&layer["mediaType"]));
    let is_known = |kind: &str| is_unspecific(kind) || is_layer(kind);
    // cosign's signatures and BuildKit's attestations have the configuration of an image.
    let is_other = !layers.is_empty() && !kinds().any(is_known);
    kinds().next().filter(|_| is_other)
}

/// A label's text, made safe to print. A commit's id stays as it is.
fn shown(text: &str) -> String {
    let start: String = text.chars().take(100).collect();
    printable::line(&start)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn digest(value: &Value) -> Option<Digest> {
    text(value).parse().ok()
}

#[cfg(test)]
mod tests;
