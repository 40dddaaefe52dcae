//! The name of an image, as a registry is asked for it.

use xtask::oci::Digest;
use xtask::reference::{self, Repository};

/// A name, taken apart: `registry/repository:tag@digest`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Name {
    pub(super) repository: Repository,
    /// A tag or a digest.
    pub(super) version: String,
}

/// None for a bare digest or an id, which no registry can be asked for.
pub(super) fn split(name: &str) -> Result<Option<Name>, String> {
    if name.parse::<Digest>().is_ok() {
        return Ok(None);
    }
    let (rest, digest) = match name.split_once('@') {
        Some((rest, digest)) => (rest, Some(digest.parse::<Digest>()?)),
        None => (name, None),
    };
    let start = rest.rfind('/').map_or(0, |slash| slash + 1);
    let (repository, tag) = match rest[start..].find(':') {
        Some(colon) => (&rest[..start + colon], Some(&rest[start + colon + 1..])),
        None => (rest, None),
    };
    if let Some(tag) = tag {
        reference::check_tag(tag)?;
    }
    let digest = digest.map(|digest| digest.to_string());
    let version = digest.or_else(|| tag.map(str::to_owned));
    Ok(Some(Name {
        repository: repository.parse()?,
        version: version.unwrap_or_else(|| "latest".to_owned()),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn names_are_taken_apart() {
        let with_tag = format!("127.0.0.1:5000/agentgate/agent:dev@{DIGEST}");
        for (name, repository, version) in [
            ("alpine", "alpine", "latest"),
            ("agentgate/agent:dev", "agentgate/agent", "dev"),
            (
                "127.0.0.1:5000/agentgate/agent",
                "127.0.0.1:5000/agentgate/agent",
                "latest",
            ),
            ("127.0.0.1:5000/a/b:v1.2.3", "127.0.0.1:5000/a/b", "v1.2.3"),
            (&with_tag, "127.0.0.1:5000/agentgate/agent", DIGEST),
        ] {
            let split = split(name).unwrap().unwrap();
            assert_eq!(
                (&*split.repository.to_string(), &*split.version),
                (repository, version)
            );
        }
        assert_eq!(split(DIGEST), Ok(None));
        for wrong in [
            "a@sha256:12",
            "A:b",
            "a:",
            "a:-x",
            "@",
            "a//b",
            "https://x/y",
        ] {
            assert!(split(wrong).is_err(), "{wrong}");
        }
    }
}
