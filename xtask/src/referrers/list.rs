//! Lists the referrers of a manifest: by the registry's API, or else by the tag that clients keep.

use anyhow::Context as _;

use crate::oci::{Digest, Referrer, ReferrerIndex};
use crate::registry::Puller;

/// The tag of the list that clients keep (distribution-spec 1.1, "Referrers Tag Schema").
pub fn tag(subject: &Digest) -> String {
    format!("sha256-{}", subject.hex())
}

/// The referrers of `subject`, as they are listed: what a list says of one may be wrong, and what it
/// names may be gone. With `artifact_type` the registry may leave out others, and need not.
///
/// Whether the registry has a list of its own is asked once. Fails where a list is none that every
/// program reads alike.
pub fn list(
    puller: &Puller,
    subject: &Digest,
    artifact_type: Option<&str>,
) -> anyhow::Result<Vec<Referrer>> {
    if let Some(found) = puller.referrers(subject, artifact_type)? {
        return Ok(found);
    }
    let kept = kept(puller, subject)?;
    Ok(kept.map_or_else(Vec::new, |(_, list)| list.referrers().cloned().collect()))
}

/// The list that clients keep, and its digest; none where there is none yet.
pub(super) fn kept(
    puller: &Puller,
    subject: &Digest,
) -> anyhow::Result<Option<(Digest, ReferrerIndex)>> {
    let tag = tag(subject);
    let Some((digest, bytes)) = puller.manifest(&tag)? else {
        return Ok(None);
    };
    let list = ReferrerIndex::parse(&bytes).with_context(|| {
        let place = puller.place();
        format!(
            "`{place}:{tag}` is no list of what is attached to `{subject}`; hint: find out who wrote it, \
             then delete that tag in the registry"
        )
    })?;
    Ok(Some((digest, list)))
}
