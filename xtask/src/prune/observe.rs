//! Reads every tag of a repository, and what each needs.

use anyhow::bail;

use super::age::{self, Made};
use super::kind::Kind;
use super::needs::{Needs, Unknown};
use crate::oci::Digest;
use crate::reference::Repository;
use crate::registry::{Puller, TagList};
use crate::stop::Stop;
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
    let names = names(puller, repository)?;
    threads::each(&names, |name| read(repository, puller, name))
}

/// The names of all tags, in order, each once.
pub(super) fn names(puller: &Puller, repository: &Repository) -> anyhow::Result<Vec<String>> {
    let TagList { tags, odd } = puller.tag_list()?;
    if let Some(name) = odd.first() {
        bail!(
            "the registry lists `{name}` among the tags of `{repository}`, which cannot be a tag's \
             name; hint: check what answers at that address"
        );
    }
    let mut names = tags;
    names.sort_unstable();
    Ok(names)
}

/// Reads one tag.
pub(super) fn read(
    repository: &Repository,
    puller: &Puller,
    name: &str,
) -> anyhow::Result<ObservedTag> {
    let kind = Kind::of(name);
    let content = puller.manifest(name)?.map(|(digest, bytes)| {
        let needs = needs(&repository.reference(name), &bytes, puller)?;
        let is_ours = matches!(kind, Kind::Build | Kind::Part { .. });
        let made = is_ours.then(|| age::read(&bytes, puller)).transpose()?;
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
        Err(error) => error,
    })
}
