//! Whether `latest` may move to a version: the one rule, for `tags` and `release`.

use std::fmt;

use super::{Version, is_stable};

/// Why `latest` moves, when there is no obstacle.
pub(crate) const MOVES: &str = "a stable version, and no higher one is published";

/// What keeps `latest` from a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Obstacle {
    /// The version itself.
    Prerelease(Version),
    /// This version, which is published.
    Higher(Version),
}

impl Obstacle {
    /// What to do about it.
    pub(crate) fn remedy(&self) -> String {
        match self {
            Obstacle::Prerelease(_) => "release a stable version".to_owned(),
            Obstacle::Higher(other) => format!("release a version above `v{other}`"),
        }
    }
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Obstacle::Prerelease(version) => write!(f, "`{version}` is a prerelease"),
            Obstacle::Higher(other) => write!(f, "the higher version `v{other}` is published"),
        }
    }
}

/// What keeps `latest` from `version`, when `highest` is the highest other version that is
/// published.
pub(crate) fn obstacle(version: &Version, highest: Option<&Version>) -> Option<Obstacle> {
    if !is_stable(version) {
        return Some(Obstacle::Prerelease(version.clone()));
    }
    let higher = highest.filter(|other| outranks(other, version));
    higher.map(|other| Obstacle::Higher(other.clone()))
}

/// Whether `latest` belongs to `other` rather than to `version`, where both are published.
pub(crate) fn outranks(other: &Version, version: &Version) -> bool {
    is_stable(other) && other > version
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latest_moves_to_a_stable_version_that_no_stable_one_outranks() {
        for (version, highest, want) in [
            ("1.2.3", None, ""),
            ("1.2.3", Some("1.2.2"), ""),
            ("1.2.3", Some("1.2.3"), ""),
            ("1.2.3", Some("1.3.0-rc.1"), ""),
            (
                "1.2.3",
                Some("1.10.0"),
                "the higher version `v1.10.0` is published",
            ),
            ("1.2.3-rc.1", None, "`1.2.3-rc.1` is a prerelease"),
            ("1.2.3-rc.1", Some("2.0.0"), "`1.2.3-rc.1` is a prerelease"),
        ] {
            let parse = |text: &str| Version::parse(text).unwrap();
            let found = obstacle(&parse(version), highest.map(parse).as_ref());
            let found = found.map(|obstacle| obstacle.to_string());
            assert_eq!(found.unwrap_or_default(), want, "{version} {highest:?}");
        }
    }
}
