//! What a tag leads to in the registry, and whether it is what it must be.

use serde::Serialize;

use crate::platform::Platform;
use crate::registry::Registry;
use crate::tree::{Broken, Tree};

/// What a tag leads to in the registry.
#[derive(Debug)]
pub(crate) enum TagContent {
    Absent,
    /// Something that is not a whole index, and why.
    Broken(String),
    There(Tree),
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
pub(crate) fn inspect(registry: &Registry, tag: &str) -> anyhow::Result<TagContent> {
    let Some((_, bytes)) = registry.manifest(tag)? else {
        return Ok(TagContent::Absent);
    };
    match Tree::read(bytes, registry) {
        Ok(tree) => Ok(TagContent::There(tree)),
        Err(error) if error.is::<Broken>() => Ok(TagContent::Broken(format!("{error:#}"))),
        Err(error) => Err(error),
    }
}

/// What `tree` has that it should not have, or has not; empty when it is what is wanted.
pub(crate) fn objections(tree: &Tree, wanted: &Wanted) -> Vec<String> {
    let mut objections = Vec::new();
    for &platform in &wanted.platforms {
        match tree.images_for(platform).as_slice() {
            [] => objections.push(format!("it has nothing for `{platform}`")),
            [_] => {}
            several => {
                let digests = several.iter().map(|image| format!("`{}`", image.digest()));
                let digests = digests.collect::<Vec<_>>().join(", ");
                objections.push(format!("it has several images for `{platform}`: {digests}"));
            }
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
                    Some(revision) => format!("commit `{revision}`"),
                    None => "an unknown commit".to_owned(),
                }
            ));
        }
    }
    objections
}
