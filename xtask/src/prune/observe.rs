//! Reads every tag of a repository, and what each needs.

use anyhow::Context as _;

use super::age::{self, Made};
use super::needs::{Needs, Unknown};
use crate::oci::Digest;
use crate::published;
use crate::reference::Repository;
use crate::registry::Puller;
use crate::stop::Stop;
use crate::tag_kind::Kind;
use crate::threads;

/// A tag, as it was read.
#[derive(Clone, Debug)]
pub(super) struct ObservedTag {
    pub(super) name: String,
    pub(super) kind: Kind,
    /// None when the tag is listed and leads nowhere.
    pub(super) content: Option<TagContent>,
}

/// What a tag leads to.
#[derive(Clone, Debug)]
pub(super) struct TagContent {
    pub(super) digest: Digest,
    pub(super) needs: Needs,
    /// Read only for tags that may be removed for their age.
    pub(super) made: Option<Made>,
}

impl TagContent {
    /// The digest, and every digest that it needs.
    pub(super) fn digests(&self) -> impl Iterator<Item = &Digest> {
        self.needs.all.iter().chain([&self.digest])
    }

    /// Whether the digest is this one, or one that this one needs.
    pub(super) fn needs(&self, digest: &Digest) -> bool {
        self.digest == *digest || self.needs.all.contains(digest)
    }
}

/// Reads every tag of the repository.
///
/// Fails when a tag cannot be read: what it needs would not be known.
pub(super) fn observe(
    repository: &Repository,
    puller: &Puller,
) -> anyhow::Result<Vec<ObservedTag>> {
    let names = published::names(repository, puller)?;
    threads::each(&names, |name| read(repository, puller, name))
}

/// Reads one tag.
pub(super) fn read(
    repository: &Repository,
    puller: &Puller,
    name: &str,
) -> anyhow::Result<ObservedTag> {
    let kind = Kind::of(name);
    let reference = repository.reference(name);
    // What is below the tag has no name of its own in an error.
    let below = || format!("failed to read what is below `{reference}`");
    let content = puller.manifest(name)?.map(|(digest, bytes)| {
        let needs = needs(&reference, &bytes, puller)?;
        let is_ours = matches!(kind, Kind::Build | Kind::Part { .. });
        let made = is_ours.then(|| age::read(&bytes, puller)).transpose();
        let made = made.with_context(below)?;
        anyhow::Ok(TagContent {
            digest,
            needs,
            made,
        })
    });
    Ok(ObservedTag {
        name: name.to_owned(),
        content: content.transpose()?,
        kind,
    })
}

/// What a tag needs. Where that cannot be known, nothing may be removed.
fn needs(reference: &str, bytes: &[u8], puller: &Puller) -> anyhow::Result<Needs> {
    Needs::read(bytes, puller).map_err(|error| match error.downcast::<Unknown>() {
        Ok(why) => Stop::Refused(format!(
            "what `{reference}` needs is not known, so nothing may be removed: {why}\n  hint: \
             delete or push that tag anew, then run this again"
        ))
        .into(),
        Err(error) => error.context(format!("failed to read what is below `{reference}`")),
    })
}
