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
    /// `latest` leads to an image that says to be this version, whether that is published or not.
    Labelled(Version),
}

impl Obstacle {
    /// What to do about it.
    pub(crate) fn remedy(&self) -> String {
        match self {
            Obstacle::Prerelease(_) => "release a stable version".to_owned(),
            Obstacle::Higher(other) | Obstacle::Labelled(other) => {
                format!("release a version above `v{other}`")
            }
        }
    }
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Obstacle::Prerelease(version) => write!(f, "`{version}` is a prerelease"),
            Obstacle::Higher(other) => write!(f, "the higher version `v{other}` is published"),
            Obstacle::Labelled(other) => {
                write!(f, "it is at the image of version `{other}`")
            }
        }
    }
}

/// What keeps `latest` from `version`. `highest` is the highest other version that is published, and
/// `at` the one that `latest` leads to, as far as that is known.
pub(crate) fn obstacle(
    version: &Version,
    highest: Option<&Version>,
    at: Option<&Version>,
) -> Option<Obstacle> {
    if !is_stable(version) {
        return Some(Obstacle::Prerelease(version.clone()));
    }
    if let Some(other) = highest.filter(|other| outranks(other, version)) {
        return Some(Obstacle::Higher(other.clone()));
    }
    let at = at.filter(|at| *at > version);
    at.map(|at| Obstacle::Labelled(at.clone()))
}

/// The version that `latest` belongs to, of all that are published: the highest stable one.
pub(crate) fn highest<'a>(versions: impl IntoIterator<Item = &'a Version>) -> Option<&'a Version> {
    let stable = versions.into_iter().filter(|version| is_stable(version));
    stable.max()
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
        let higher = "the higher version `v1.10.0` is published";
        for (version, highest, at, want) in [
            ("1.2.3", None, None, ""),
            ("1.2.3", Some("1.2.2"), Some("1.2.2"), ""),
            ("1.2.3", Some("1.2.3"), Some("1.2.3"), ""),
            ("1.2.3", Some("1.3.0-rc.1"), None, ""),
            ("1.2.3", Some("1.10.0"), None, higher),
            ("1.2.3", Some("1.10.0"), Some("2.0.0"), higher),
            // Its version was deleted.
            (
                "1.2.3",
                Some("1.2.2"),
                Some("1.3.0"),
                "it is at the image of version `1.3.0`",
            ),
            ("1.2.3-rc.1", None, None, "`1.2.3-rc.1` is a prerelease"),
            (
                "1.2.3-rc.1",
                Some("2.0.0"),
                None,
                "`1.2.3-rc.1` is a prerelease",
            ),
        ] {
            let parse = |text: &str| Version::parse(text).unwrap();
            let (highest, at) = (highest.map(parse), at.map(parse));
            let found = obstacle(&parse(version), highest.as_ref(), at.as_ref());
            let found = found.map(|obstacle| obstacle.to_string());
            assert_eq!(
                found.unwrap_or_default(),
                want,
                "{version} {highest:?} {at:?}"
            );
        }
    }
}
