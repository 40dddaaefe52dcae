//! Keeps the packages of the images of an index beside them.

use std::collections::BTreeMap;

use super::package::Package;
use super::statement::{self, PACKAGES};
use crate::image_tree::{ImageTree, NewAttestations, attest};
use crate::oci::Digest;

/// An index with a statement of its packages for each image that has any; `packages` has them by the images'
/// manifests, `name` is the repository's canonical one. None when there is nothing to attach.
pub(crate) fn attach(
    tree: &ImageTree,
    packages: &BTreeMap<Digest, Vec<Package>>,
    name: &str,
) -> anyhow::Result<Option<NewAttestations>> {
    let statements: Vec<(&Digest, Vec<u8>)> = tree
        .images
        .iter()
        .filter_map(|image| {
            let packages = packages.get(image.digest()).filter(|all| !all.is_empty())?;
            let statement = statement::write(name, image.digest(), packages);
            Some((image.digest(), statement))
        })
        .collect();
    if statements.is_empty() {
        return Ok(None);
    }
    attest(tree, PACKAGES, &statements).map(Some)
}
