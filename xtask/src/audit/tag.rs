//! What was read of one tag.

use std::collections::BTreeSet;

use serde::Serialize;

use super::age::{Age, BuiltFrom};
use crate::oci::Digest;
use crate::tag_kind::Kind;
use crate::version::{self, Version};

/// What a tag leads to.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct AuditedTag {
    /// Safe to print.
    pub(super) name: String,
    /// `None` when the tag is listed and leads nowhere.
    pub(super) digest: Option<Digest>,
    /// How many manifests there are below it, attestations included.
    pub(super) manifests: usize,
    /// How many blobs they name, each counted once.
    pub(super) blobs: usize,
    /// What is missing below it, or wrong.
    pub(super) broken: Vec<String>,
    /// The commits in the labels of its images.
    pub(super) revisions: BTreeSet<String>,
    /// What its images say of what they are made of.
    #[serde(skip)]
    pub(super) built: BTreeSet<BuiltFrom>,
    /// How old it is; none for a tag that nobody should use, or that is none of ours.
    pub(super) age: Option<Age>,
    /// What it is or has that an image of ours is not or has not.
    pub(super) odd: Option<String>,
    /// It was deleted after it was listed.
    #[serde(rename = "gone")]
    pub(super) is_gone: bool,
}

impl AuditedTag {
    /// A name that is listed and cannot be a tag's.
    pub(super) fn misnamed(name: String) -> AuditedTag {
        AuditedTag {
            name,
            broken: vec!["its name cannot be a tag's".to_owned()],
            ..AuditedTag::default()
        }
    }

    /// The version that the tag's name is.
    pub(super) fn version(&self) -> Option<Version> {
        version::of_tag(&self.name)
    }

    /// Whether the tag must lead to an image that this project builds.
    pub(super) fn is_ours(&self) -> bool {
        Kind::of(&self.name).is_ours()
    }
}
