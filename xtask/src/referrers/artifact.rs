//! The form of what we attach: one layer, no configuration, and a type that says what the layer is.

use std::collections::BTreeMap;

use serde_json::json;

use crate::oci::{
    ArtifactManifest, Descriptor, Digest, EMPTY_BYTES, EMPTY_JSON, IN_TOTO, MANIFEST,
    PREDICATE_TYPE, Referrer, Unclear,
};
use crate::printable::Printable;
use crate::proof::BUNDLE_TYPE;

/// The annotation of a bundle that says what is signed in it, and its value for a signed statement.
const CONTENT: (&str, &str) = ("dev.sigstore.bundle.content", "dsse-envelope");
/// The longest layer, in bytes.
pub(super) const LONGEST_LAYER: u64 = 1 << 20;

/// What a layer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A sigstore bundle: a signed statement.
    Bundle,
    /// An in-toto statement that nobody signed.
    Statement,
}

impl Form {
    const ALL: [Form; 2] = [Form::Bundle, Form::Statement];

    /// The `artifactType`, and the media type of the layer.
    pub fn media_type(self) -> &'static str {
        match self {
            Form::Bundle => BUNDLE_TYPE,
            Form::Statement => IN_TOTO,
        }
    }

    /// The annotation with the type of the statement's predicate.
    pub(super) fn predicate_key(self) -> &'static str {
        match self {
            Form::Bundle => "dev.sigstore.bundle.predicateType",
            Form::Statement => PREDICATE_TYPE,
        }
    }

    fn of(media_type: &str) -> Option<Form> {
        Form::ALL
            .into_iter()
            .find(|form| form.media_type() == media_type)
    }
}

/// The manifest that something is attached to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    pub media_type: String,
    pub digest: Digest,
    /// In bytes.
    pub size: u64,
}

impl From<&Descriptor> for Subject {
    fn from(descriptor: &Descriptor) -> Subject {
        Subject {
            media_type: descriptor.media_type.clone(),
            digest: descriptor.digest.clone(),
            size: descriptor.size,
        }
    }
}

/// Something that is attached to a manifest, whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Artifact {
    /// The manifest's digest, as a list names it.
    pub digest: Digest,
    /// The manifest, byte for byte.
    pub manifest: Vec<u8>,
    pub subject: Digest,
    pub form: Form,
    pub annotations: BTreeMap<String, String>,
    pub layer: Vec<u8>,
}

impl Artifact {
    /// A statement about `subject`, signed or not, as `form` says. The same statement gives the same digest.
    ///
    /// `predicate_type` and `annotations` are for who lists referrers without reading them.
    pub fn new(
        subject: &Subject,
        form: Form,
        layer: Vec<u8>,
        predicate_type: &str,
        annotations: BTreeMap<String, String>,
    ) -> Artifact {
        let mut all = annotations;
        if form == Form::Bundle {
            all.insert(CONTENT.0.to_owned(), CONTENT.1.to_owned());
        }
        all.insert(form.predicate_key().to_owned(), predicate_type.to_owned());
        let kind = form.media_type();
        let Subject {
            media_type,
            digest,
            size,
        } = subject;
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "artifactType": kind,
            "config": {"mediaType": EMPTY_JSON, "digest": Digest::of(EMPTY_BYTES), "size": EMPTY_BYTES.len()},
            "layers": [{"mediaType": kind, "digest": Digest::of(&layer), "size": layer.len()}],
            "subject": {"mediaType": media_type, "digest": digest, "size": size},
            "annotations": all,
        });
        let manifest = manifest.to_string().into_bytes();
        Artifact {
            digest: Digest::of(&manifest),
            manifest,
            subject: digest.clone(),
            form,
            annotations: all,
            layer,
        }
    }

    /// The media type of the manifest.
    pub fn media_type(&self) -> &'static str {
        MANIFEST
    }

    /// How a list names it.
    pub(super) fn referrer(&self) -> Result<Referrer, Unclear> {
        let manifest = ArtifactManifest::parse(&self.manifest)?;
        Ok(Referrer::of(&manifest, &self.manifest))
    }
}

/// A manifest of ours that was read, without its layer.
pub(super) struct Head {
    pub(super) subject: Digest,
    pub(super) form: Form,
    pub(super) annotations: BTreeMap<String, String>,
    pub(super) layer: Descriptor,
}

impl Head {
    /// Parses the manifest of an artifact in one of our forms.
    ///
    /// Fails for every other: without a subject, of another type, or with another number of layers.
    pub(super) fn parse(bytes: &[u8]) -> Result<Head, Unclear> {
        let ArtifactManifest {
            manifest,
            artifact_type,
            annotations,
        } = ArtifactManifest::parse(bytes)?;
        let Some(form) = Form::of(&artifact_type) else {
            return Err(Unclear::new(format!(
                "it is neither a bundle nor a statement, but `{}`",
                Printable(&artifact_type)
            )));
        };
        let subject = manifest.subject;
        let subject = subject.ok_or_else(|| Unclear::new("it has no `subject`"))?;
        if manifest.config.media_type != EMPTY_JSON {
            return Err(Unclear::new("it has a configuration"));
        }
        let layer = match <[Descriptor; 1]>::try_from(manifest.layers) {
            Ok([layer]) => layer,
            Err(layers) => {
                let count = layers.len();
                return Err(Unclear::new(format!(
                    "it has {count} layers instead of one"
                )));
            }
        };
        if layer.media_type != artifact_type {
            return Err(Unclear::new(format!(
                "it is `{artifact_type}`, and its layer is `{}`",
                Printable(&layer.media_type)
            )));
        }
        if layer.size > LONGEST_LAYER {
            return Err(Unclear::new("its layer is longer than 1 MiB"));
        }
        Ok(Head {
            subject,
            form,
            annotations,
            layer,
        })
    }
}
