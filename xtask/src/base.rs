//! The images that a Dockerfile is built from, as it names them: in full, in `FROM`, without a variable.
//!
//! Dependabot reads no other form: it takes lines that begin with FROM and knows no ARG (dependabot-core#2057). Renovate
//! reads this one, too. Both raise the tag and the digest.

mod node;
mod stages;

use std::ops::Range;
use std::path::Path;

use anyhow::{Context as _, anyhow};

pub use self::node::NodeVersion;
use self::stages::{Stage, stages};
use crate::git;
use crate::oci::Digest;
use crate::printable::Printable;
use crate::reference::{Repository, check_tag};

/// An image in FROM: the base is the one that the last stage is made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base {
    /// As the Dockerfile has it, with its digest if there is one.
    pub(crate) reference: String,
    digest: Option<Digest>,
}

/// The images of a Dockerfile.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bases {
    /// What the last stage is made from; none when that is not named in full: `scratch`, or an image with a
    /// variable in its name.
    pub(crate) base: Option<Base>,
    /// Every image that is named in full, each once, in the order of the Dockerfile.
    pub(crate) all: Vec<Base>,
    /// The names of the last stage and of those that it is made from: all of the image's own layers come of
    /// them. None where one of them has no name.
    pub(crate) last_stages: Option<Vec<String>>,
}

impl Bases {
    /// Reads the Dockerfile of the workspace at `root`: that of the commit `revision`, or that of the
    /// working tree when `revision` is absent or unknown here.
    ///
    /// Fails when the Dockerfile cannot be read, or names a digest that is none.
    pub(crate) fn read(
        root: &Path,
        dockerfile: &Path,
        revision: Option<&str>,
    ) -> anyhow::Result<Bases> {
        let text = git::file_or_here(root, revision, dockerfile)?;
        Bases::of(&String::from_utf8_lossy(&text)).map_err(|why| {
            anyhow!(
                "{why} in `{}`; hint: write it as registries give it, `sha256:` and 64 lower-case hex digits, or \
                 leave it away",
                dockerfile.display()
            )
        })
    }

    /// The images of a Dockerfile's text; or the digest that is none.
    pub(crate) fn of(dockerfile: &str) -> Result<Bases, String> {
        let stages = stages(dockerfile);
        let mut bases = Bases::default();
        for at in 0..stages.len() {
            let reference = stages[at].image;
            if before(&stages, at).is_some() || !is_literal(reference) {
                continue;
            }
            let image = Base::parse(reference)?;
            if !bases.all.contains(&image) {
                bases.all.push(image);
            }
        }
        if let Some(mut at) = stages.len().checked_sub(1) {
            let mut names = vec![stages[at].name];
            while let Some(earlier) = before(&stages, at) {
                at = earlier;
                names.push(stages[at].name);
            }
            let names = names.into_iter().map(|name| name.map(str::to_owned));
            bases.last_stages = names.collect();
            let mut all = bases.all.iter();
            bases.base = all.find(|base| base.reference == stages[at].image).cloned();
        }
        Ok(bases)
    }
}

/// Where a Dockerfile's text names each image in full, in its order: as often as it does.
pub(crate) fn places(dockerfile: &str) -> Vec<Range<usize>> {
    let stages = stages(dockerfile);
    let named = (0..stages.len()).filter(|at| before(&stages, *at).is_none());
    let images = named.map(|at| stages[at].image);
    let literal = images.filter(|image| is_literal(image));
    let start = |image: &str| image.as_ptr() as usize - dockerfile.as_ptr() as usize;
    literal
        .map(|image| start(image)..start(image) + image.len())
        .collect()
}

/// Whether it is an image, without a variable in its name.
fn is_literal(image: &str) -> bool {
    image != "scratch" && !image.contains(['$', '\\', '\n'])
}

/// The stage that a stage is made from; it sees those before it alone, and the nearest of a name.
fn before(stages: &[Stage], at: usize) -> Option<usize> {
    stages[..at].iter().rposition(|stage| {
        stage
            .name
            .is_some_and(|name| name.eq_ignore_ascii_case(stages[at].image))
    })
}

impl Base {
    /// What the last stage of the Dockerfile is made from: see [`Bases::read`].
    pub fn read(
        root: &Path,
        dockerfile: &Path,
        revision: Option<&str>,
    ) -> anyhow::Result<Option<Base>> {
        Ok(Bases::read(root, dockerfile, revision)?.base)
    }

    /// Fails when the reference has a digest that is none.
    pub(crate) fn parse(reference: &str) -> Result<Base, String> {
        let digest = match reference.split_once('@') {
            None => None,
            Some((_, digest)) => Some(digest.parse().map_err(|_| {
                let reference = Printable(reference);
                format!("`{reference}` has a bad digest")
            })?),
        };
        Ok(Base {
            reference: reference.to_owned(),
            digest,
        })
    }

    /// Without the digest.
    pub fn name(&self) -> &str {
        let name = self.reference.split_once('@');
        name.map_or(&*self.reference, |(name, _)| name)
    }

    /// The digest that the Dockerfile pins, if it pins one: of an index or of a manifest.
    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// Whether it says its tag.
    pub(crate) fn has_tag(&self) -> bool {
        self.tagged().is_some()
    }

    /// The name before the tag, and the tag.
    fn tagged(&self) -> Option<(&str, &str)> {
        let tagged = self.name().rsplit_once(':');
        tagged.filter(|(_, tag)| !tag.contains('/'))
    }

    /// The repository that it is in, and its tag there.
    ///
    /// Fails when the name is not one that a registry could have.
    pub(crate) fn place(&self) -> anyhow::Result<(Repository, &str)> {
        let name = self.name();
        let (repository, tag) = self.tagged().unwrap_or((name, "latest"));
        let named = || format!("the Dockerfile's `{name}` is no image");
        let repository = repository.parse().map_err(anyhow::Error::msg);
        check_tag(tag)
            .map_err(anyhow::Error::msg)
            .with_context(named)?;
        Ok((repository.with_context(named)?, tag))
    }

    /// The version of Node.js that the tag says, or why it says none.
    pub fn node(&self) -> Result<NodeVersion, String> {
        let (_, version, _) = self.parts()?;
        version.parse()
    }

    /// The base with another version of Node.js; the digest is left out, as it is of this one.
    pub(crate) fn with_node(&self, node: &NodeVersion) -> Result<Base, String> {
        let (repository, _, variant) = self.parts()?;
        Base::parse(&format!("{repository}:{}{variant}", node.as_str()))
    }

    /// Repository, version and variant of `docker.io/library/node:20-alpine`.
    fn parts(&self) -> Result<(&str, &str, &str), String> {
        let name = self.name();
        let found = name.rsplit_once(':').and_then(|(repository, tag)| {
            let is_node = repository.rsplit('/').next() == Some("node");
            let version = tag.find('-').unwrap_or(tag.len());
            (is_node && tag.starts_with(|c: char| c.is_ascii_digit()))
                .then(|| (repository, &tag[..version], &tag[version..]))
        });
        found.ok_or_else(|| {
            format!("the base `{name}` does not say its Node.js, as `node:20-alpine` does")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODE: &str = "docker.io/library/node:20-alpine";

    fn base(reference: &str) -> Base {
        Base::parse(reference).unwrap()
    }

    #[test]
    fn the_base_is_what_the_last_stage_is_made_from() {
        let digest = format!("{NODE}@sha256:{}", "a".repeat(64));
        for (dockerfile, found) in [
            (format!("FROM {NODE}\n"), Some(NODE)),
            (format!("from --platform=$P {NODE} as x\n"), Some(NODE)),
            (format!("FROM {digest} AS x\n"), Some(&*digest)),
            (
                format!("FROM {NODE} AS one\nFROM rust AS two\nFROM One AS last\nCOPY . /\n"),
                Some(NODE),
            ),
            // A name is that of the nearest stage before it, and else an image's.
            (format!("FROM {NODE} AS node\nFROM node\n"), Some(NODE)),
            ("FROM node AS node\n".to_owned(), Some("node")),
            (
                format!("FROM {NODE}\nRUN <<-'EOF'\nFROM other\n\tEOF\n# <<EOF\nRUN b\n"),
                Some(NODE),
            ),
            (format!("FROM {NODE} AS a\nRUN true\nFROM scratch\n"), None),
            (format!("ARG B={NODE}\nFROM ${{B}}\n"), None),
            (format!("\u{feff}FROM {NODE}\n"), Some(NODE)),
            (String::new(), None),
        ] {
            let said = Bases::of(&dockerfile).unwrap().base;
            let said = said.map(|base| base.reference);
            assert_eq!(said.as_deref(), found, "{dockerfile}");
        }
    }

    #[test]
    fn the_last_stages_are_those_that_an_image_has_layers_of() {
        for (dockerfile, names) in [
            (
                "FROM a AS one\nFROM b AS two\nFROM One AS last\n",
                Some("last one"),
            ),
            (
                "FROM a AS one\nFROM one AS two\nFROM two AS three\n",
                Some("three two one"),
            ),
            ("FROM a AS one\nFROM one\n", None),
            ("FROM a\n", None),
            ("", None),
        ] {
            let found = Bases::of(dockerfile).unwrap().last_stages;
            let found = found.map(|found| found.join(" "));
            assert_eq!(found.as_deref(), names, "{dockerfile}");
        }
    }

    #[test]
    fn each_image_is_listed_once_whatever_stages_are_called() {
        let pinned = format!("rust:1@sha256:{}", "b".repeat(64));
        let text = format!(
            "FROM {NODE} AS a\nFROM --platform=$BUILDPLATFORM {NODE} AS tools\nFROM {pinned} AS b\nFROM $X\n\
             FROM scratch\nFROM A\n"
        );
        let bases = Bases::of(&text).unwrap();
        let all: Vec<&str> = bases.all.iter().map(|one| &*one.reference).collect();
        assert_eq!(all, [NODE, &pinned]);
        assert_eq!(bases.base, Some(base(NODE)));
        assert_eq!(bases.all[0].digest(), None);
        let digest = bases.all[1].digest().unwrap();
        assert_eq!(digest.hex(), "b".repeat(64));
    }

    #[test]
    fn every_literal_image_is_found_where_it_is() {
        let text = format!(
            "\u{feff}# FROM a\nfrom --platform=$P {NODE} as Tools\r\nFROM tools AS b\nRUN <<E\nFROM c\nE\n\
             FROM $X\nFROM scratch\nFROM \\\nd\nFROM rust@sha256:0\nFROM {NODE}"
        );
        let places = places(&text).into_iter();
        let images: Vec<&str> = places.map(|at| &text[at]).collect();
        assert_eq!(images, [NODE, "d", "rust@sha256:0", NODE]);
    }

    #[test]
    fn a_digest_that_is_none_is_named() {
        for digest in ["sha256:ab", "", "sha512:00", "a@b"] {
            let why = Bases::of(&format!("FROM {NODE}@{digest} AS a\n")).unwrap_err();
            assert_eq!(why, format!("`{NODE}@{digest}` has a bad digest"));
        }
    }

    #[test]
    fn an_image_is_a_tag_in_a_repository() {
        let pinned = format!("a/b@sha256:{}", "a".repeat(64));
        for (reference, repository, tag) in [
            (NODE, "docker.io/library/node", "20-alpine"),
            ("node", "node", "latest"),
            ("localhost:5000/node", "localhost:5000/node", "latest"),
            (&*pinned, "a/b", "latest"),
        ] {
            let base = base(reference);
            let (found, of) = base.place().unwrap();
            assert_eq!((&*found.to_string(), of), (repository, tag), "{reference}");
        }
        for reference in ["Node:20", "node:", "a//b:1"] {
            let why = base(reference).place().unwrap_err().to_string();
            assert!(why.contains("is no image"), "{why}");
        }
    }

    #[test]
    fn the_tag_says_the_version_of_node() {
        let pinned = format!("{NODE}@sha256:{}", "a".repeat(64));
        for (reference, node, with_22) in [
            (NODE, "20", "docker.io/library/node:22-alpine"),
            (&*pinned, "20", "docker.io/library/node:22-alpine"),
            ("node:24", "24", "node:22"),
            (
                "[::1]:5000/a/node:20.20.2-alpine3.23",
                "20.20.2",
                "[::1]:5000/a/node:22-alpine3.23",
            ),
        ] {
            let base = base(reference);
            assert_eq!(base.node().unwrap().as_str(), node, "{reference}");
            let another = base.with_node(&"22".parse().unwrap()).unwrap();
            assert_eq!(another.reference, with_22, "{reference}");
            assert!(!base.name().contains('@'), "{reference}");
        }
        for reference in [
            "node",
            "node:alpine",
            "node:lts-alpine",
            "alpine:3.23",
            "localhost:5000/node",
        ] {
            assert!(base(reference).node().is_err(), "{reference}");
            assert!(
                base(reference).with_node(&"22".parse().unwrap()).is_err(),
                "{reference}"
            );
        }
        assert!(base("node:16").node().unwrap_err().contains("too old"));
    }

    /// Dependabot's own pattern, in short: a line of FROM, a registry, a name, a tag that begins with a
    /// version, perhaps a digest.
    #[test]
    fn every_image_of_the_dockerfile_is_literal() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let text = std::fs::read_to_string(root.join("docker/Dockerfile.agent")).unwrap();
        let stages = stages(&text);
        let is_stage = |image: &str| stages.iter().any(|stage| stage.name == Some(image));
        let literal = r"^docker\.io/library/[a-z]+:[0-9][0-9a-z.-]*(@sha256:[0-9a-f]{64})?$";
        let literal = regex::Regex::new(literal).unwrap();
        let images: Vec<_> = stages.iter().map(|stage| stage.image).collect();
        for image in &images {
            assert!(is_stage(image) || literal.is_match(image), "{image}");
        }
        let named = |start: &str| images.iter().filter(|image| image.contains(start)).count();
        assert_eq!((named("/node:"), named("/rust:")), (2, 1));
        assert!(Bases::of(&text).unwrap().base.unwrap().node().is_ok());
    }
}
