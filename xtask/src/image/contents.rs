//! What is in the layers of a build: each is read once, and known from the record after that.

use std::collections::BTreeMap;

use anyhow::Context as _;

use super::layout::Layout;
use crate::ctx::Ctx;
use crate::image_tree::{Blobs as _, Image, ImageTree};
use crate::last_build::{BuiltPlatform, LastBuild};
use crate::oci::Digest;
use crate::packages::{LayerContent, Package};
use crate::threads;

/// Layers by their digests.
pub(super) type Contents = BTreeMap<Digest, LayerContent>;

/// The layers that the last build of this checkout had, as far as it knew them.
pub(super) fn known(ctx: &Ctx) -> Contents {
    // When the record cannot be read, they are read again.
    let last = LastBuild::read(ctx).ok().flatten();
    let platforms = last.into_iter().flat_map(|built| built.platforms);
    // Older versions did not look for packages.
    let read = platforms.filter(|platform| platform.packages.is_some());
    let layers = read.flat_map(|platform| platform.layers);
    let known = layers.filter_map(|layer| {
        let content = LayerContent {
            unpacked: layer.unpacked?,
            packages: layer.packages,
        };
        Some((layer.digest, content))
    });
    known.collect()
}

/// The layers of a build; those that are not `known` are read.
pub(super) fn read(
    parts: &[(&ImageTree, &Layout)],
    mut known: Contents,
) -> anyhow::Result<Contents> {
    let layers = parts.iter().flat_map(|(tree, layout)| {
        let layers = tree.images.iter().flat_map(Image::layers);
        layers.map(move |(digest, _)| (digest, *layout))
    });
    let new: BTreeMap<Digest, &Layout> = layers
        .filter(|(digest, _)| !known.contains_key(digest))
        .collect();
    let read = |digest: &Digest, layout: &Layout| -> anyhow::Result<LayerContent> {
        let content = layout.open(digest).and_then(LayerContent::read);
        content.with_context(|| format!("layer `{digest}` cannot be read"))
    };
    let contents = new
        .iter()
        .map(|(digest, layout)| move || read(digest, layout));
    let contents = threads::all(contents)?;
    known.extend(new.into_keys().zip(contents));
    Ok(known)
}

/// What apk had installed when the last of an image's layers was made; none where a layer was not read. Of an
/// image without apk: nothing.
pub(super) fn installed(image: &Image, contents: &Contents) -> Option<Vec<Package>> {
    let layers = image.layers().into_iter();
    let contents: Option<Vec<_>> = layers.map(|(digest, _)| contents.get(&digest)).collect();
    let mut databases = contents?.into_iter().rev();
    let last = databases.find_map(|content| content.packages.clone());
    Some(last.unwrap_or_default())
}

/// What is installed in each image of a build, by its manifest.
pub(super) fn by_manifest(built: &[BuiltPlatform]) -> BTreeMap<Digest, Vec<Package>> {
    let built = built.iter();
    built
        .filter_map(|built| Some((built.manifest.clone()?, built.packages.clone()?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image_tree::tests::Shelf;

    #[test]
    fn the_last_database_counts_once_every_layer_was_read() {
        let mut shelf = Shelf::default();
        let entries = shelf.image("amd64", "r", "a");
        let mut tree = shelf.read(&entries).unwrap();
        let mut image = tree.images.remove(0);
        let layer = |text: &str| {
            let mut layer = image.entry.manifest.layers[0].clone();
            layer.digest = Digest::of(text.as_bytes());
            layer
        };
        let layers = ["base", "packages", "top"].map(layer);
        image.entry.manifest.layers = layers.to_vec();
        let packages = |version: &str| Some(vec![Package::new("bash", version).unwrap()]);
        let content = |name: &str, packages| {
            let content = LayerContent {
                unpacked: 1,
                packages,
            };
            (Digest::of(name.as_bytes()), content)
        };
        let (base, top) = (content("base", packages("1")), content("top", None));
        let upgraded = content("packages", packages("2"));
        for (contents, expected) in [
            (
                vec![base.clone(), upgraded.clone(), top.clone()],
                packages("2"),
            ),
            (
                vec![base.clone(), content("packages", None), top.clone()],
                packages("1"),
            ),
            (
                vec![
                    content("base", None),
                    content("packages", None),
                    top.clone(),
                ],
                Some(vec![]),
            ),
            // Who has not read the last layer does not know.
            (vec![base, upgraded], None),
        ] {
            let contents: Contents = contents.into_iter().collect();
            assert_eq!(installed(&image, &contents), expected, "{contents:?}");
        }
    }
}
