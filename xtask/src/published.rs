//! What a repository has published: its versions, what a tag leads to, and whether that is what it must be.

use anyhow::{Context as _, bail};
use serde::Serialize;

use crate::image_tree::{Image, ImageTree, is_broken};
use crate::oci::Digest;
use crate::platform::Platform;
use crate::printable::Printable;
use crate::reference::Repository;
use crate::registry::{Puller, TagList};
use crate::version::latest::highest;
use crate::version::{self, Version};

/// What a tag leads to in the registry.
#[derive(Debug)]
pub(crate) enum TagContent {
    Absent,
    /// Something that is not a whole index, and why.
    Broken(String),
    There(ImageTree),
}

/// What a tag must lead to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Wanted {
    pub(crate) tag: String,
    /// With the repository.
    pub(crate) reference: String,
    pub(crate) platforms: Vec<Platform>,
    /// The full commit id.
    pub(crate) revision: String,
}

/// What `tag` leads to. A registry that gives no answer is an error, never "nothing".
pub(crate) fn inspect(puller: &Puller, tag: &str) -> anyhow::Result<TagContent> {
    let read = || {
        let Some((_, bytes)) = puller.manifest(tag)? else {
            return Ok(TagContent::Absent);
        };
        ImageTree::read(bytes, puller).map(TagContent::There)
    };
    match read() {
        Err(error) if is_broken(&error) => Ok(TagContent::Broken(format!("{error:#}"))),
        read => read,
    }
}

/// What `tree` has that it should not have, or has not; empty when it is what is wanted.
pub(crate) fn objections(tree: &ImageTree, wanted: &Wanted) -> Vec<String> {
    let mut objections = Vec::new();
    for &platform in &wanted.platforms {
        if tree.images_for(platform).is_empty() {
            objections.push(format!("it has nothing for `{platform}`"));
        }
    }
    for image in &tree.images {
        let is_wanted = |platform: &&Platform| image.is_for(**platform);
        if wanted.platforms.iter().find(is_wanted).is_none() {
            objections.push(format!("it has an image for `{}` too", image.platform));
        } else if image.revision() != Some(&wanted.revision) {
            objections.push(format!(
                "its image for `{}` is built from {}",
                image.platform,
                match image.revision() {
                    Some(revision) => format!("commit `{}`", Printable(revision)),
                    None => "an unknown commit".to_owned(),
                }
            ));
        }
    }
    objections
}

/// What a tag leads to, by the hash of the very bytes; none when the registry has no such tag.
pub(crate) fn digest(puller: &Puller, tag: &str) -> anyhow::Result<Option<Digest>> {
    Ok(puller.manifest(tag)?.map(|(digest, _)| digest))
}

/// Every version that a repository lists.
pub(crate) fn versions(puller: &Puller) -> anyhow::Result<Vec<Version>> {
    Ok(of_tags(&puller.tags()?))
}

/// What a repository has, as far as `latest` depends on it: the one source for `tags` and `release`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    /// What the version's own tag leads to, if it is listed.
    pub(crate) tag: Option<Digest>,
    /// The highest stable version besides that one.
    pub(crate) highest: Option<(Version, Digest)>,
    pub(crate) latest: Option<Latest>,
}

/// What `latest` leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Latest {
    pub(crate) digest: Digest,
    /// The version whose tag leads there too, or else the version that the image's label gives.
    pub(crate) version: Option<Version>,
}

/// Asks a repository what it has besides `version`: whatever it lists counts, and not what git knows.
pub(crate) fn standing(
    repository: &Repository,
    puller: &Puller,
    version: &Version,
) -> anyhow::Result<Standing> {
    let versions = versions(puller)?;
    let others = versions.iter().filter(|other| *other != version);
    let highest = match highest(others) {
        Some(highest) => {
            let found = digest(puller, &format!("v{highest}"))?;
            let found = found.with_context(|| {
                format!(
                    "`{repository}` lists `v{highest}` and has nothing under it; hint: delete the \
                     tag, or ask the registry's operator"
                )
            })?;
            Some((highest.clone(), found))
        }
        None => None,
    };
    let tag = if versions.contains(version) {
        digest(puller, &format!("v{version}"))?
    } else {
        None
    };
    let latest = match digest(puller, "latest")? {
        Some(at) => Some(Latest {
            version: match &highest {
                _ if Some(&at) == tag.as_ref() => Some(version.clone()),
                Some((highest, theirs)) if *theirs == at => Some(highest.clone()),
                _ => labelled(puller, &at)?,
            },
            digest: at,
        }),
        None => None,
    };
    Ok(Standing {
        tag,
        highest,
        latest,
    })
}

/// The version in an image's label; none when there is no label, or when the image is not whole.
pub(crate) fn labelled(puller: &Puller, digest: &Digest) -> anyhow::Result<Option<Version>> {
    let TagContent::There(tree) = inspect(puller, digest.as_str())? else {
        return Ok(None);
    };
    Ok(tree.images.iter().filter_map(Image::version).max())
}

/// The names of all tags, in order, each once.
///
/// Fails when one cannot be a tag's name.
pub(crate) fn names(repository: &Repository, puller: &Puller) -> anyhow::Result<Vec<String>> {
    let TagList { mut tags, odd } = puller.tag_list()?;
    if let Some(name) = odd.first() {
        bail!(
            "the registry lists `{name}` among the tags of `{repository}`, which cannot be a tag's \
             name; hint: check what answers at that address"
        );
    }
    tags.sort_unstable();
    Ok(tags)
}

/// The stable versions that a repository lists.
pub(crate) fn stable(puller: &Puller) -> anyhow::Result<Vec<Version>> {
    Ok(version::stable(&puller.tags()?))
}

fn of_tags(tags: &[String]) -> Vec<Version> {
    tags.iter().filter_map(|tag| version::of_tag(tag)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_tags_that_are_versions_count() {
        let tags = [
            "latest",
            "v0.9.0",
            "v1.0.0-rc.1",
            "1.5.0",
            "dev",
            "sha-1ceb56b",
        ];
        let versions = of_tags(&tags.map(str::to_owned));
        let names: Vec<String> = versions.iter().map(ToString::to_string).collect();
        assert_eq!(names, ["0.9.0", "1.0.0-rc.1"]);
    }
}
