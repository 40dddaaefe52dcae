//! The base image, as the Dockerfile names it: in full, in `FROM`, without a variable.
//!
//! Dependabot reads no other form: it takes lines that begin with FROM and knows no ARG (dependabot-core#2057). Renovate
//! reads this one, too. Both raise the tag and the digest.

use std::path::Path;

use crate::git;
use crate::refusal::Refusal;

/// The image that a Dockerfile's last stage is made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base {
    /// As the Dockerfile has it, with its digest if there is one.
    pub(crate) reference: String,
}

impl Base {
    /// Reads the Dockerfile of the workspace at `root`: that of the commit `revision`, or that of the
    /// working tree when `revision` is absent or unknown here. `None` when it names no base in full:
    /// `scratch`, or an image with a variable in its name.
    ///
    /// Fails when the Dockerfile cannot be read.
    pub fn read(
        root: &Path,
        dockerfile: &Path,
        revision: Option<&str>,
    ) -> anyhow::Result<Option<Base>> {
        let text = git::file_or_here(root, revision, dockerfile)?;
        Ok(Base::of(&String::from_utf8_lossy(&text)))
    }

    fn of(dockerfile: &str) -> Option<Base> {
        let stages = stages(dockerfile);
        let mut at = stages.len().checked_sub(1)?;
        // A stage sees those before it alone.
        while let Some(before) = stages[..at].iter().rposition(|stage| {
            stage
                .name
                .is_some_and(|name| name.eq_ignore_ascii_case(stages[at].image))
        }) {
            at = before;
        }
        let reference = stages[at].image;
        let is_literal = reference != "scratch" && !reference.contains(['$', '\\']);
        is_literal.then(|| Base {
            reference: reference.to_owned(),
        })
    }

    /// Without the digest.
    pub(crate) fn name(&self) -> &str {
        let name = self.reference.split_once('@');
        name.map_or(&*self.reference, |(name, _)| name)
    }

    /// The version of Node.js that the tag says, or why it says none.
    pub fn node(&self) -> Result<NodeVersion, String> {
        let (_, version, _) = self.parts()?;
        version.parse()
    }

    /// The base with another version of Node.js; the digest is left out, as it is of this one.
    pub(crate) fn with_node(&self, node: &NodeVersion) -> Result<String, String> {
        let (repository, _, variant) = self.parts()?;
        Ok(format!("{repository}:{}{variant}", node.as_str()))
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

struct Stage<'a> {
    image: &'a str,
    name: Option<&'a str>,
}

/// The stages of a Dockerfile, in order; the bodies of its heredocs are not read.
fn stages(dockerfile: &str) -> Vec<Stage<'_>> {
    let mut stages = Vec::new();
    let mut lines = dockerfile.lines();
    while let Some(line) = lines.next() {
        if let Some(end) = heredoc(line) {
            lines.by_ref().find(|line| line.trim_start() == end);
            continue;
        }
        let mut words = line.split_whitespace();
        if !words
            .next()
            .is_some_and(|word| word.eq_ignore_ascii_case("FROM"))
        {
            continue;
        }
        let mut words = words.skip_while(|word| word.starts_with("--"));
        let Some(image) = words.next() else { continue };
        let is_named = words
            .next()
            .is_some_and(|word| word.eq_ignore_ascii_case("AS"));
        let name = words.next().filter(|_| is_named);
        stages.push(Stage { image, name });
    }
    stages
}

/// The line that ends the heredoc that an instruction begins.
fn heredoc(line: &str) -> Option<&str> {
    if line.trim_start().starts_with('#') {
        return None;
    }
    let (_, rest) = line.split_once("<<")?;
    let rest = rest.trim_start_matches(['-', '"', '\'']);
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
    (end > 0).then(|| &rest[..end])
}

/// A Node.js version as the base image's tag has it: `20`, `20.20` or `20.20.2`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeVersion(String);

impl NodeVersion {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// That the version gets no fixes any more, and what to do about it.
    pub(crate) fn end(&self) -> Option<Refusal> {
        let is_20 = self.0 == "20" || self.0.starts_with("20.");
        is_20.then(|| {
            Refusal::new(
                "Node.js 20 gets no fixes since 2026-04-21, and its base image none either",
                "name `node:22-alpine` or `node:24-alpine` in the first FROM of the Dockerfile",
            )
        })
    }
}

impl std::str::FromStr for NodeVersion {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts: Vec<&str> = text.split('.').collect();
        let is_number = |part: &&str| !part.is_empty() && part.chars().all(|c| c.is_ascii_digit());
        if parts.len() > 3 || !parts.iter().all(is_number) {
            return Err(format!(
                "bad Node.js version `{text}`: expected `20`, `20.20` or `20.20.2`"
            ));
        }
        // Claude Code needs Node.js 18 or later (specification 6.3.3).
        if parts[0].parse::<u32>().is_ok_and(|major| major < 18) {
            return Err(format!(
                "Node.js `{text}` is too old: Claude Code needs 18 or later"
            ));
        }
        Ok(NodeVersion(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODE: &str = "docker.io/library/node:20-alpine";

    fn base(reference: &str) -> Base {
        Base {
            reference: reference.to_owned(),
        }
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
            (String::new(), None),
        ] {
            let said = Base::of(&dockerfile).map(|base| base.reference);
            assert_eq!(said.as_deref(), found, "{dockerfile}");
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
            assert_eq!(another, with_22, "{reference}");
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
        for (node, is_ended) in [
            ("20", true),
            ("20.20.2", true),
            ("22", false),
            ("200", false),
        ] {
            let node: NodeVersion = node.parse().unwrap();
            assert_eq!(node.end().is_some(), is_ended, "{node:?}");
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
        assert!(Base::of(&text).unwrap().node().is_ok());
    }
}
