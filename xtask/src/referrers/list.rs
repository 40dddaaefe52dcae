//! Lists the referrers of a manifest: by the registry's API, or else by the tag that clients keep.

use std::fmt;

use crate::oci::{Digest, Referrer, ReferrerIndex, Unclear};
use crate::registry::Puller;

/// The tag of the list that clients keep (distribution-spec 1.1, "Referrers Tag Schema").
pub fn tag(subject: &Digest) -> String {
    format!("sha256-{}", subject.hex())
}

/// What is listed as the referrers of a manifest. What a list says of one may be wrong, and what it names
/// may be gone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listed {
    pub referrers: Vec<Referrer>,
    /// Why the tag of the list is no list, so that it counts as empty (distribution-spec 1.1, "Listing
    /// Referrers"); names the tag and the remedy.
    pub fault: Option<String>,
}

/// Lists the referrers of `subject`, of whatever type: two of them are ours, and of some lists the types are
/// wrong.
///
/// Whether the registry has a list of its own is asked once.
pub fn list(puller: &Puller, subject: &Digest) -> anyhow::Result<Listed> {
    if let Some(referrers) = puller.referrers(subject)? {
        return Ok(Listed {
            referrers,
            fault: None,
        });
    }
    Ok(match kept(puller, subject)? {
        Kept::None => Listed::default(),
        Kept::List(_, list) => Listed {
            referrers: list.referrers().cloned().collect(),
            fault: None,
        },
        Kept::Other(fault) => Listed {
            referrers: Vec::new(),
            fault: Some(fault),
        },
    })
}

/// What the tag of the list that clients keep leads to.
#[derive(Clone, Debug)]
pub(super) enum Kept {
    None,
    /// The list and its digest.
    List(Digest, ReferrerIndex),
    /// Something else, which is not written over: it may be an image. Why, with the remedy.
    Other(String),
}

impl Kept {
    pub(super) fn has(&self, digest: &Digest) -> bool {
        matches!(self, Kept::List(_, list) if list.has(digest))
    }
}

/// Reads the list that clients keep.
pub(super) fn kept(puller: &Puller, subject: &Digest) -> anyhow::Result<Kept> {
    let tag = tag(subject);
    let place = puller.place();
    let (digest, bytes) = match puller.manifest(&tag) {
        Ok(Some(found)) => found,
        Ok(None) => return Ok(Kept::None),
        Err(error) if error.is::<Unclear>() => return Ok(other(place, &tag, &error)),
        Err(error) => return Err(error),
    };
    // GitLab takes the tag for the digest (oras-project/oras-go#1396).
    if digest == *subject {
        return Ok(other(place, &tag, &"it leads to the image itself"));
    }
    Ok(match ReferrerIndex::parse(&bytes) {
        Ok(list) => Kept::List(digest, list),
        Err(why) => other(place, &tag, &why),
    })
}

fn other(place: &str, tag: &str, why: &dyn fmt::Display) -> Kept {
    Kept::Other(format!(
        "`{place}:{tag}` is no list of what is attached to an image: {why:#}; hint: find out who wrote \
         it, then delete that tag in the registry"
    ))
}
