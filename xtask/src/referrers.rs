//! What a registry keeps with a manifest: artifacts whose `subject` it is, such as proofs, signatures and
//! release records (distribution-spec 1.1, "Listing Referrers").
//!
//! A registry with the referrers API lists them itself. Elsewhere clients keep the list under a tag,
//! `sha256-…`, and two that write at once lose entries: [`Writer`] reads back and writes again.

mod artifact;
mod copy;
mod list;
mod read;
#[cfg(test)]
mod tests;
mod write;

pub use self::artifact::{Artifact, Form, Subject};
pub use self::list::{Listed, list, tag};
pub(crate) use self::read::find_others;
pub use self::read::{Content, Found, find, read, read_tag};
pub use self::write::{Attached, Writer};
