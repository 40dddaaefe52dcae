//! The provenance of a push: what BuildKit attaches to its images of how they were built.

use crate::image_tree::ImageTree;

/// buildx's word for nothing.
pub(super) const NONE: &str = "false";

/// How much provenance says of a build.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Provenance {
    /// Every step with its sources
    Max,
    /// The sources, without build arguments
    Min,
    /// No provenance: some services refuse an index that has any
    Off,
}

impl Provenance {
    /// buildx's `--provenance`.
    pub(super) fn flag(self) -> &'static str {
        match self {
            Provenance::Max => "mode=max",
            Provenance::Min => "mode=min",
            Provenance::Off => NONE,
        }
    }
}

/// Says that what is published has what this command line leaves out: a published tag is never
/// rewritten.
pub(super) fn note_published(provenance: Provenance, published: &ImageTree) {
    if provenance == Provenance::Off && !published.attestations.is_empty() {
        crate::say::errln!(
            "note: it was published with attestations, which `--provenance off` does not take away"
        );
    }
}
