//! Indexes, manifests and configurations, in OCI's form and in Docker's: the one place that reads them.
//!
//! What two programs could read in different ways is refused with [`Unclear`]: else one image is proven and
//! another one is run.

mod artifact;
mod attestation;
mod config;
mod descriptor;
mod digest;
mod document;
mod json;
mod media_type;
mod platform;
mod referrer_index;
mod shape;
mod unclear;

pub use self::artifact::ArtifactManifest;
pub(crate) use self::artifact::{EMPTY_BYTES, EMPTY_JSON};
pub use self::attestation::attestation_fault;
pub(crate) use self::attestation::{ATTESTATION_OF, PREDICATE_TYPE};
pub use self::config::{Config, Healthcheck, Process, RootFs, Step};
pub(crate) use self::descriptor::{ATTESTATION, ENTRY_KIND};
pub use self::descriptor::{Descriptor, EntryKind};
pub use self::digest::Digest;
pub use self::document::{Document, Index, Manifest};
pub(crate) use self::document::{roots, unambiguous};
pub(crate) use self::json::{LONGEST, parse as parse_strictly};
pub(crate) use self::media_type::{IN_TOTO, INDEX, MANIFEST};
pub use self::platform::OciPlatform;
pub use self::referrer_index::Referrer;
pub(crate) use self::referrer_index::ReferrerIndex;
pub(crate) use self::shape::{Shape, check as check_shape};
pub use self::unclear::Unclear;
