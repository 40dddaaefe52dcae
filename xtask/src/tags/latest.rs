//! Whether `latest` may move: a question to what is published, not to what git has.

use crate::git::Facts;
use crate::version::Version;

/// What the registry says of the versions that stand in the way of `latest`.
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
    let stable = facts.versions.iter().filter(|v| v.pre.is_empty());
    let mut higher: Vec<Version> = stable.filter(|v| *v > version).cloned().collect();
    higher.sort_unstable_by(|a, b| b.cmp(a));
    higher
}

/// Looks for the first of the higher versions that is published, the highest first, and at no
/// other; `is_published` is asked about each.
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
