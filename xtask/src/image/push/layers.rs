//! The layers of what was built: those of the base as its registry has them, the others as a builder makes them
//! that remembers nothing.
//!
//! A builder keeps the first form in which anybody asked for a layer: `docker build`, or a cache that it was read
//! from (moby/buildkit#1911, moby/buildkit#5458). It must not decide what is published.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context as _;

use crate::base::Base;
use crate::build_step;
use crate::exec::Exec;
use crate::image::compression::Compression;
use crate::image_tree::{Image, ImageTree};
use crate::oci::{Descriptor, Digest};
use crate::platform::Platform;
use crate::reference::Repository;
use crate::registry::Puller;

/// A base as its registry has it.
pub(super) struct BaseLayers {
    pub(super) repository: Repository,
    /// The lowest first.
    platforms: BTreeMap<Platform, Vec<Descriptor>>,
}

impl BaseLayers {
    /// Asks the base's registry, and for these platforms alone: Docker Hub counts each manifest as a pull.
    ///
    /// Fails when the registry does not answer, or has no such image for one of them.
    pub(super) fn ask(
        exec: &Exec,
        base: &Base,
        platforms: &[Platform],
    ) -> anyhow::Result<BaseLayers> {
        let (repository, tag) = base.place()?;
        let puller = Puller::new(exec, &repository);
        let version = base.digest().map_or(tag, Digest::as_str);
        let of = || format!("the layers of `{}` are not known", base.reference);
        let root = puller.parsed(version).with_context(of)?;
        let mut found = BTreeMap::new();
        for &platform in platforms {
            let manifest = puller.manifest_for(&root, platform).with_context(of)?;
            let manifest = manifest.with_context(|| format!("it is not for {platform}"));
            found.insert(platform, manifest.with_context(of)?.layers);
        }
        Ok(BaseLayers {
            repository,
            platforms: found,
        })
    }

    /// All layers of the base.
    pub(super) fn digests(&self) -> BTreeSet<&Digest> {
        let layers = self.platforms.values().flatten();
        layers.map(|layer| &layer.digest).collect()
    }
}

/// What a builder that remembers nothing would have made otherwise: the first such layer of each platform.
pub(super) fn faults(
    tree: &ImageTree,
    platforms: &[Platform],
    base: Option<&BaseLayers>,
    compression: Compression,
) -> Vec<String> {
    let faults = platforms.iter().filter_map(|platform| {
        let image = *tree.images_for(*platform).first()?;
        let base = base.and_then(|base| base.platforms.get(platform));
        let why = fault(image, base.map(Vec::as_slice), compression)?;
        Some(format!("`{platform}`: {why}"))
    });
    faults.collect()
}

/// Why an image is not what a builder that remembers nothing would make; none when it is. Of a base that is not
/// known the layers are those below the first that the Dockerfile names; where it names none, nothing is.
fn fault(image: &Image, base: Option<&[Descriptor]>, compression: Compression) -> Option<String> {
    let layers = &image.entry.manifest.layers;
    for (number, original) in base.into_iter().flatten().enumerate() {
        let found = layers.get(number).map(|layer| &layer.digest);
        if compression.keeps(&original.media_type) && found != Some(&original.digest) {
            let found = found.map_or_else(|| "missing".to_owned(), |found| format!("`{found}`"));
            let (number, original) = (number + 1, &original.digest);
            return Some(format!(
                "layer {number} is `{original}` in the base's registry, and {found} here"
            ));
        }
    }
    let below = base.map_or_else(|| named_base(image), <[Descriptor]>::len);
    let mut own = layers.iter().enumerate().skip(below);
    own.find_map(|(number, layer)| {
        let (number, is_of) = (number + 1, compression.is_of(&layer.media_type));
        (!is_of).then(|| {
            format!(
                "layer {number} (`{}`) is compressed otherwise",
                layer.digest
            )
        })
    })
}

/// How many layers are the base's by the names of the others; all, where none has a name.
fn named_base(image: &Image) -> usize {
    let names = build_step::names(&image.steps());
    let is_below = |name: &Option<String>| name.as_deref().is_none_or(|name| name == "base");
    let first = names.iter().position(|name| !is_below(name));
    first.unwrap_or(names.len())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::image_tree::tests::Shelf;

    const GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
    const ZSTD: &str = "application/vnd.oci.image.layer.v1.tar+zstd";
    /// As Docker's own manifests call it: BuildKit gives the layer OCI's type, and keeps its digest.
    const DOCKER: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";

    fn layer(name: &str, media_type: &str) -> Descriptor {
        Descriptor {
            media_type: media_type.to_owned(),
            digest: Digest::of(name.as_bytes()),
            size: 1,
            platform: None,
            annotations: BTreeMap::new(),
        }
    }

    /// An image of these layers, whose history has these steps.
    fn image(layers: &[(&str, &str)], steps: &[&str]) -> Image {
        let mut shelf = Shelf::default();
        let tree = shelf.image("amd64", "r", "a");
        let mut image = shelf.read(&tree).unwrap().images.remove(0);
        image.entry.manifest.layers = layers.iter().map(|(name, of)| layer(name, of)).collect();
        let steps = json!(
            steps
                .iter()
                .map(|it| json!({"created_by": it}))
                .collect::<Vec<_>>()
        );
        image.config.history = serde_json::from_value(steps).unwrap();
        image
    }

    #[test]
    fn what_a_builder_remembers_is_seen_in_the_layers() {
        const NAMED: [&str; 2] = ["ADD rootfs", "COPY /settings/ / # buildkit"];
        const PLAIN: [&str; 2] = ["ADD rootfs", "COPY content/ / # buildkit"];
        let (base, other) = (("base", GZIP), ("own", ZSTD));
        let docker = [layer("base", DOCKER)];
        let zstd = [layer("base", ZSTD)];
        for (layers, steps, known, kind, said) in [
            (&[base, other][..], NAMED, Some(&docker), "zstd", ""),
            // Converted for a push with `force-compression`.
            (
                &[("converted", ZSTD), other],
                NAMED,
                Some(&docker),
                "zstd",
                "layer 1 is ",
            ),
            (&[], NAMED, Some(&docker), "zstd", "and missing here"),
            // Made for somebody's `docker build`.
            (
                &[base, ("own", GZIP)],
                NAMED,
                Some(&docker),
                "zstd",
                "layer 2 (",
            ),
            (&[base, ("own", GZIP)], NAMED, None, "zstd", "layer 2 ("),
            (&[base, other], NAMED, None, "zstd", ""),
            (&[("x", ZSTD), other], NAMED, None, "zstd", ""),
            // Nobody knows where the base ends.
            (&[base, ("own", GZIP)], PLAIN, None, "zstd", ""),
            (
                &[base, ("own", GZIP)],
                PLAIN,
                Some(&docker),
                "zstd",
                "layer 2 (",
            ),
            (&[base, ("own", GZIP)], NAMED, Some(&docker), "gzip", ""),
            (&[base, other], NAMED, Some(&docker), "gzip", "layer 2 ("),
            // A base that clients of gzip cannot read is converted for them.
            (
                &[("converted", GZIP), ("own", GZIP)],
                NAMED,
                Some(&zstd),
                "gzip",
                "",
            ),
            (&[("base", ZSTD), other], NAMED, Some(&zstd), "zstd", ""),
        ] {
            let known = known.map(<[Descriptor; 1]>::as_slice);
            let found = fault(&image(layers, &steps), known, kind.parse().unwrap());
            let found = found.unwrap_or_default();
            assert_eq!(
                found.is_empty(),
                said.is_empty(),
                "{layers:?} {kind}: {found}"
            );
            assert!(found.contains(said), "{found}");
        }
    }
}
