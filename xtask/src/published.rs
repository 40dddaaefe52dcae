//! What a repository has published: its versions, and what a tag leads to.

use crate::oci::Digest;
use crate::registry::Registry;
use crate::version::{self, Version};

/// What a tag leads to, by the hash of the very bytes; none when the registry has no such tag.
pub(crate) fn digest(registry: &Registry, tag: &str) -> anyhow::Result<Option<Digest>> {
    Ok(registry.manifest(tag)?.map(|(digest, _)| digest))
}

/// Every version that a repository lists.
pub(crate) fn versions(registry: &Registry) -> anyhow::Result<Vec<Version>> {
    Ok(of_tags(&registry.tags()?))
}

/// The stable versions that a repository lists.
pub(crate) fn stable(registry: &Registry) -> anyhow::Result<Vec<Version>> {
    Ok(version::stable(&registry.tags()?))
}

fn of_tags(tags: &[String]) -> Vec<Version> {
    tags.iter().filter_map(|tag| version::of_tag(tag)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_tags_that_are_versions_count() {
        let tags = [
            "latest",
            "v0.9.0",
            "v1.0.0-rc.1",
            "1.5.0",
            "dev",
            "sha-1ceb56b",
        ];
        let versions = of_tags(&tags.map(str::to_owned));
        let names: Vec<String> = versions.iter().map(ToString::to_string).collect();
        assert_eq!(names, ["0.9.0", "1.0.0-rc.1"]);
    }
}
