//! What was built anew, compared with what is published: the same images, or how they differ and why.

use std::collections::BTreeMap;

use crate::image_tree::ImageTree;
use crate::packages::{Package, changes};

/// What is installed in each image of an index, by its platform.
pub(super) type Installed = BTreeMap<String, Vec<Package>>;

/// How what was built anew differs from what is published.
#[derive(Debug)]
pub(in crate::image) struct Difference {
    pub(in crate::image) said: String,
    /// Whether the configurations differ alone.
    has_same_layers: bool,
    has_other_base: bool,
    has_other_packages: bool,
}

/// Why what was built anew may not replace what is published; none when both are the same images.
pub(in crate::image) fn difference(built: &ImageTree, published: &ImageTree) -> Option<Difference> {
    let (built, published) = (built.by_platform(), published.by_platform());
    let (mut has_same_layers, mut has_other_base) = (true, false);
    let lines = built.iter().filter_map(|(platform, image)| {
        let digest = image.digest();
        let published = match published.get(platform) {
            None => {
                has_same_layers = false;
                return Some(format!("`{platform}`: published nothing, built {digest}"));
            }
            Some(published) => *published,
        };
        if published.digest() == digest {
            return None;
        }
        let alike = if published.layers() == image.layers() {
            " (the same layers; each version of BuildKit may write another configuration)"
        } else {
            has_same_layers = false;
            ""
        };
        let bases = match (published.base_digest(), image.base_digest()) {
            (Some(old), Some(new)) if old != new => {
                has_other_base = true;
                format!(" (another base: published {old}, built {new})")
            }
            _ => String::new(),
        };
        let published = published.digest();
        Some(format!(
            "`{platform}`: published {published}, built {digest}{alike}{bases}"
        ))
    });
    let lines: Vec<String> = lines.collect();
    (!lines.is_empty()).then(|| Difference {
        said: lines.join("; "),
        has_same_layers,
        has_other_base,
        has_other_packages: false,
    })
}

impl Difference {
    /// With the packages that differ; both have those of each image by its platform, as far as they are known.
    pub(super) fn with_packages(mut self, built: &Installed, published: &Installed) -> Difference {
        for (platform, built) in built {
            let published = published.get(platform);
            let moved = published.and_then(|published| changes(published, built));
            if let Some(moved) = moved {
                self.has_other_packages = true;
                let what = ["; Alpine's packages of `", platform, "`: ", &moved];
                self.said.extend(what);
            }
        }
        self
    }

    /// What to do about it.
    pub(super) fn remedy(&self) -> &'static str {
        match (self.has_other_base, self.has_other_packages) {
            (true, true) => {
                "the base and Alpine's packages have moved on since: `cargo xtask update bases packages` makes a \
                 commit of the newer ones, which is another image"
            }
            (true, false) => {
                "the base's tag has moved on since: `cargo xtask update bases` pins the newer one in a commit, \
                 which is another image"
            }
            (false, true) => {
                "Alpine's packages have moved on since: `cargo xtask update packages` makes a commit of the newer \
                 ones, which is another image"
            }
            (false, false) if self.has_same_layers => {
                "what is in the images is the same; a builder of the BuildKit that made what is \
                 published (`--builder NAME`) writes its configuration, too"
            }
            (false, false) => {
                "`cargo xtask image --reproduce` names the first file that differs between two builds"
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::image_tree::tests::Shelf;
    use crate::oci::Digest;

    /// An index of images for these architectures, of these revisions; the order decides their layers.
    fn tree(images: &[(&str, &str)]) -> ImageTree {
        let mut shelf = Shelf::default();
        let entries = images
            .iter()
            .enumerate()
            .flat_map(|(at, (arch, revision))| shelf.image(arch, revision, &at.to_string()));
        let entries: Vec<_> = entries.collect();
        shelf.read(&entries).unwrap()
    }

    #[test]
    fn equal_images_are_equal_whatever_their_attestations() {
        let built = tree(&[("amd64", "r"), ("arm64", "r")]);
        assert!(difference(&built, &built).is_none());
        let difference = |built, published| {
            let found = difference(built, published).unwrap();
            let is_of_layers = found.remedy().contains("--reproduce");
            (found.said, is_of_layers)
        };
        let other = tree(&[("amd64", "r"), ("arm64", "s")]);
        let (said, is_of_layers) = difference(&built, &other);
        assert!(!is_of_layers, "{said}");
        assert!(
            said.starts_with("`linux/arm64`: published sha256:"),
            "{said}"
        );
        assert!(!said.contains("amd64"), "{said}");
        assert!(said.contains(" (the same layers; "), "{said}");
        let swapped = tree(&[("arm64", "r"), ("amd64", "r")]);
        let (said, is_of_layers) = difference(&built, &swapped);
        assert!(is_of_layers, "{said}");
        assert!(!said.contains("same layers"), "{said}");
        let less = tree(&[("amd64", "r")]);
        let (said, _) = difference(&built, &less);
        assert!(said.contains("`linux/arm64`: published nothing"), "{said}");
    }

    #[test]
    fn what_moved_is_named_with_its_remedy() {
        let base = |digest: &str, content: &str| {
            let mut shelf = Shelf::default();
            let name = "org.opencontainers.image.base.digest";
            let labels = json!({name: Digest::of(digest.as_bytes())});
            let entries = shelf.labelled("amd64", &labels, content);
            shelf.read(&entries).unwrap()
        };
        let package = |version: &str| {
            let package = Package::new("bash", version).unwrap();
            BTreeMap::from([("linux/amd64".to_owned(), vec![package])])
        };
        let (old, unknown) = (package("5.3-r0"), BTreeMap::new());
        for (built, packages, before, said, remedy) in [
            (base("1", "b"), &unknown, &old, "", "--reproduce"),
            (base("1", "b"), &old, &old, "", "--reproduce"),
            (
                base("1", "b"),
                &package("5.3-r1"),
                &old,
                "; Alpine's packages of `linux/amd64`: bash 5.3-r0 → 5.3-r1",
                "`cargo xtask update packages`",
            ),
            (
                base("1", "b"),
                &package("5.3-r1"),
                &unknown,
                "",
                "--reproduce",
            ),
            (
                base("2", "b"),
                &unknown,
                &unknown,
                " (another base: published sha256:",
                "`cargo xtask update bases`",
            ),
            (
                base("2", "b"),
                &package("5.3-r1"),
                &old,
                "5.3-r0 → 5.3-r1",
                "`cargo xtask update bases packages`",
            ),
        ] {
            let found = difference(&built, &base("1", "a")).unwrap();
            let found = found.with_packages(packages, before);
            assert!(found.said.contains(said), "{}", found.said);
            assert_eq!(
                found.said.contains("bash"),
                said.contains("5.3-r0"),
                "{}",
                found.said
            );
            assert!(found.remedy().contains(remedy), "{}", found.remedy());
        }
    }
}
