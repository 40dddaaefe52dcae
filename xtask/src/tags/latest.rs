//! What `latest` depends on: what is published, and what git knows of it.

use crate::git::Facts;
use crate::version::Version;
use crate::version::latest::outranks;

/// What the registry has besides the version at HEAD.
#[derive(Clone, Debug)]
pub(crate) enum Published {
    /// It was not asked.
    Unknown,
    Known {
        /// The highest stable version.
        highest: Option<Version>,
        /// The version that `latest` leads to, as far as that is known.
        latest: Option<Version>,
    },
}

/// The stable versions of git that would keep `latest` from `version` if they are published, the highest
/// first.
pub(crate) fn higher(facts: &Facts, version: &Version) -> Vec<Version> {
    let higher = facts.versions.iter().filter(|v| outranks(v, version));
    let mut higher: Vec<Version> = higher.cloned().collect();
    higher.sort_unstable_by(|a, b| b.cmp(a));
    higher
}
