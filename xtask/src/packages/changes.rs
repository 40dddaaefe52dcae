//! How the packages of two images differ.

use std::collections::{BTreeMap, BTreeSet};

use super::package::Package;

/// How many differences are listed one by one.
const SHOWN: usize = 10;

/// What became of the packages `from` in `to`, in a few words: `bash 5.3-r0 → 5.3-r1, jq 1.8-r0 is new`; none when
/// they are the same. Packages are in the order of their names.
pub(crate) fn changes(from: &[Package], to: &[Package]) -> Option<String> {
    let (from, to) = (versions(from), versions(to));
    let names: BTreeSet<&str> = from.keys().chain(to.keys()).copied().collect();
    let mut changes: Vec<String> = names
        .into_iter()
        .filter_map(|name| match (from.get(name), to.get(name)) {
            (Some(old), Some(new)) if old == new => None,
            (Some(old), Some(new)) => Some(format!("{name} {old} → {new}")),
            (Some(old), None) => Some(format!("{name} {old} is gone")),
            (None, Some(new)) => Some(format!("{name} {new} is new")),
            (None, None) => None,
        })
        .collect();
    let more = changes.len().saturating_sub(SHOWN);
    changes.truncate(SHOWN);
    changes.extend((more > 0).then(|| format!("and {more} more")));
    (!changes.is_empty()).then(|| changes.join(", "))
}

fn versions(packages: &[Package]) -> BTreeMap<&str, &str> {
    let packages = packages.iter();
    packages
        .map(|package| (package.name(), package.version()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packages(text: &str) -> Vec<Package> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let pairs = words.chunks(2);
        pairs
            .map(|pair| Package::new(pair[0], pair[1]).unwrap())
            .collect()
    }

    #[test]
    fn what_moved_came_and_went_is_told() {
        for (from, to, expected) in [
            ("a 1 b 2", "a 1 b 2", None),
            ("", "", None),
            ("a 1 b 2", "a 1 b 3", Some("b 2 → 3")),
            (
                "a 1 c 3",
                "b 2 c 4",
                Some("a 1 is gone, b 2 is new, c 3 → 4"),
            ),
        ] {
            let said = changes(&packages(from), &packages(to));
            assert_eq!(said.as_deref(), expected);
        }
        let many: String = (10..30).map(|at| format!("a{at} 1 ")).collect();
        let said = changes(&[], &packages(&many)).unwrap();
        assert!(said.ends_with("a19 1 is new, and 10 more"), "{said}");
    }
}
