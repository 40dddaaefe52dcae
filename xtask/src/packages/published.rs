//! The packages of an image that somebody has pushed.

use anyhow::{Context as _, ensure};

use super::package::Package;
use super::statement::{self, LONGEST, PACKAGES};
use crate::image_tree::{Image, ImageTree};
use crate::oci::Descriptor;
use crate::registry::Puller;

/// What apk had installed in an image of `tree`, as the statement beside it says; none when there is none, as
/// with images of older versions and those that were pushed with `--provenance off`.
///
/// Nobody has signed the statement: it is to be believed as far as the index is. Fails when the registry does not
/// answer, and for a statement that cannot be read, or is not the only one.
pub(crate) fn published(
    puller: &Puller,
    tree: &ImageTree,
    image: &Image,
) -> anyhow::Result<Option<Vec<Package>>> {
    let Some(statement) = find(tree, image)? else {
        return Ok(None);
    };
    let bytes = puller.blob_within(&statement.digest, LONGEST)?;
    let bytes = bytes.context("the statement of its packages is missing")?;
    statement::parse(&bytes, image.digest()).map(Some)
}

/// The statement of an image's packages.
fn find<'a>(tree: &'a ImageTree, image: &'a Image) -> anyhow::Result<Option<&'a Descriptor>> {
    let mut found: Option<&Descriptor> = None;
    for statement in tree.statements_of(image.digest(), PACKAGES) {
        let is_other = found.is_some_and(|found| found.digest != statement.digest);
        ensure!(!is_other, "it has two statements of its packages");
        found = Some(statement);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::io::Read as _;

    use super::super::attach::attach;
    use super::*;
    use crate::image_tree::Blobs as _;
    use crate::image_tree::tests::Shelf;

    #[test]
    fn what_was_attached_is_found_beside_its_image() {
        let mut shelf = Shelf::default();
        let entries = [
            shelf.image("amd64", "r", "a"),
            shelf.image("arm64", "r", "b"),
        ];
        let tree = shelf.read(&entries.concat()).unwrap();
        let package = |version: &str| vec![Package::new("bash", version).unwrap()];
        let (amd64, arm64) = (tree.images[0].digest(), tree.images[1].digest());
        let attach = |packages: &[_]| {
            let packages: BTreeMap<_, _> = packages.iter().cloned().collect();
            attach(&tree, &packages, "docker.io/a/b").unwrap()
        };
        assert!(attach(&[]).is_none());
        assert!(attach(&[(amd64.clone(), vec![])]).is_none());
        let one = attach(&[(amd64.clone(), package("1"))]).unwrap();
        assert_eq!(one.tree.attestations.len(), tree.attestations.len() + 1);
        let found = |tree: &ImageTree, at: usize| find(tree, &tree.images[at]).unwrap().cloned();
        assert_eq!(found(&tree, 0), None);
        let statement = found(&one.tree, 0).unwrap();
        assert_eq!(found(&one.tree, 1), None);
        let mut bytes = Vec::new();
        let mut blob = one.blobs.open(&statement.digest).unwrap();
        blob.read_to_end(&mut bytes).unwrap();
        assert_eq!(statement::parse(&bytes, amd64).unwrap(), package("1"));
        // The same packages make the same index; another's statement is not taken for its own.
        let again = attach(&[(amd64.clone(), package("1"))]).unwrap();
        assert_eq!(again.tree.bytes, one.tree.bytes);
        assert!(statement::parse(&bytes, arm64).is_err());

        // Two that differ: nobody knows which to believe.
        let mut both = one.tree.clone();
        let other = attach(&[(amd64.clone(), package("2"))]).unwrap();
        both.attestations.extend(other.tree.attestations);
        let why = find(&both, &both.images[0]).unwrap_err().to_string();
        assert!(why.contains("two statements"), "{why}");
    }
}
