//! Which of the versions that would keep `latest` from moving are published.

use crate::git::Facts;
use crate::version::Version;
use crate::version::latest::outranks;

/// What the registry has of the versions that outrank the one at HEAD.
#[derive(Clone, Debug)]
pub(crate) enum Published {
    /// It was not asked.
    Unknown,
    /// None of them is there.
    None,
    /// This one is there.
    Higher(Version),
}

/// The stable versions of git that would keep `latest` from `version`, the highest first.
pub(crate) fn higher(facts: &Facts, version: &Version) -> Vec<Version> {
    let higher = facts.versions.iter().filter(|v| outranks(v, version));
    let mut higher: Vec<Version> = higher.cloned().collect();
    higher.sort_unstable_by(|a, b| b.cmp(a));
    higher
}

/// Finds the first of the higher versions that is published. `is_published` is asked about each, up
/// to that one.
pub(crate) fn first_published<E>(
    higher: Vec<Version>,
    mut is_published: impl FnMut(&Version) -> Result<bool, E>,
) -> Result<Published, E> {
    for version in higher {
        if is_published(&version)? {
            return Ok(Published::Higher(version));
        }
    }
    Ok(Published::None)
}
