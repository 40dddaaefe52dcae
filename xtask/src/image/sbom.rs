//! The SBOM of a push, by a generator: an image that reads every file of ours. It runs by digest, never
//! by a tag.

use anyhow::{bail, ensure};

use super::provenance::NONE;
use super::request::Request;
use crate::oci::Digest;
use crate::reference::{Repository, check_tag};
use crate::registry::Puller;

/// Who makes SBOMs, unless `sbom-generator` in Cargo.toml or `--sbom` names another.
const GENERATOR: &str = "docker/buildkit-syft-scanner:1.12.0@sha256:ae4f3b554449e7e25548e7d8ccc029d17357348e30c6e3df01b92bc93654d6a9";

/// buildx's `--sbom` for a push: the generator by its digest, or none.
///
/// Fails when a generator cannot be had that `--sbom` names. One that nobody asked for on the
/// command line is an error in CI, and a note at a desk.
pub(super) fn flag(request: &Request) -> anyhow::Result<String> {
    let asked = match request.options.sbom.as_str() {
        "auto" => None,
        other => Some(other),
    };
    let settings = request.settings();
    let usual = settings.sbom_generator.as_deref().unwrap_or(GENERATOR);
    let image = asked.unwrap_or(usual);
    if image == "off" {
        return Ok(NONE.to_owned());
    }
    let missing = match find(request, image) {
        Ok(Some(found)) => return Ok(format!("generator={found}")),
        Ok(None) => format!("its generator `{image}` is not in its registry"),
        Err(why) => format!("its generator cannot be had: {why:#}"),
    };
    without(&missing, asked.is_some() || request.ci.is_some())?;
    Ok(NONE.to_owned())
}

/// What becomes of a push without an SBOM.
fn without(missing: &str, is_error: bool) -> anyhow::Result<()> {
    if is_error {
        bail!(
            "no SBOM: {missing}\n  hint: `--sbom off` pushes without one, `--sbom IMAGE` takes \
             another generator"
        );
    }
    crate::say::errln!("note: no SBOM: {missing}");
    Ok(())
}

/// The generator by its digest; none when its registry does not have it.
fn find(request: &Request, image: &str) -> anyhow::Result<Option<String>> {
    let Generator {
        repository,
        tag,
        digest,
    } = Generator::parse(image).map_err(anyhow::Error::msg)?;
    let puller = Puller::new(&request.ctx.exec, &repository);
    let asked = digest.as_ref().map(Digest::as_str);
    let Some(found) = puller.digest(asked.unwrap_or(&tag))? else {
        return Ok(None);
    };
    if let Some(digest) = digest {
        ensure!(
            found == digest,
            "`{}` answers with `{found}` for `{digest}`",
            repository.registry()
        );
    }
    Ok(Some(repository.by_digest(&found)))
}

/// An image as `--sbom` names it: a repository, with a tag, a digest, or both.
#[derive(Debug, PartialEq, Eq)]
struct Generator {
    repository: Repository,
    /// Ignored beside a digest.
    tag: String,
    digest: Option<Digest>,
}

impl Generator {
    fn parse(image: &str) -> Result<Generator, String> {
        let (named, digest) = match image.split_once('@') {
            Some((named, digest)) => (named, Some(digest.parse()?)),
            None => (image, None),
        };
        let tagged = named.rsplit_once(':').filter(|(_, tag)| !tag.contains('/'));
        let (name, tag) = tagged.unwrap_or((named, "latest"));
        check_tag(tag)?;
        Ok(Generator {
            repository: name.parse()?,
            tag: tag.to_owned(),
            digest,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generator_may_have_a_tag_or_a_digest_or_both() {
        let hex = "a".repeat(64);
        let digest = format!("sha256:{hex}");
        for (image, name, tag, pinned) in [
            ("a/b".to_owned(), "a/b", "latest", false),
            (
                "127.0.0.1:5000/b".to_owned(),
                "127.0.0.1:5000/b",
                "latest",
                false,
            ),
            (
                "127.0.0.1:5000/b:c".to_owned(),
                "127.0.0.1:5000/b",
                "c",
                false,
            ),
            (format!("a/b@{digest}"), "a/b", "latest", true),
            (
                format!("127.0.0.1:5000/b:c@{digest}"),
                "127.0.0.1:5000/b",
                "c",
                true,
            ),
        ] {
            let found = Generator::parse(&image).unwrap();
            let expected = Generator {
                repository: name.parse().unwrap(),
                tag: tag.to_owned(),
                digest: pinned.then(|| digest.parse().unwrap()),
            };
            assert_eq!(found, expected, "{image}");
        }
        // buildx reads the flag as a list, separated by commas.
        for bad in [
            "",
            "a/b,type=provenance",
            "a/b:c,d",
            "a/b@sha256:0",
            "a/b:c:d",
            "A/b",
            "a/b:",
        ] {
            assert!(Generator::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_usual_generator_is_pinned_by_digest() {
        assert!(Generator::parse(GENERATOR).unwrap().digest.is_some());
    }

    #[test]
    fn a_missing_sbom_is_an_error_in_ci_with_its_remedy() {
        assert!(without("x", false).is_ok());
        let error = without("x", true).unwrap_err().to_string();
        assert!(
            error.contains("no SBOM: x") && error.contains("`--sbom off`"),
            "{error}"
        );
    }
}
