//! Writes other images into a Dockerfile's FROM lines, and keeps every other byte.

use std::collections::BTreeMap;

use crate::base::{self, Base, Bases};

/// The text with each image that `new` has an entry for, by its whole reference, replaced: on every line that names
/// it (renovatebot/renovate#20625).
pub(super) fn replaced(dockerfile: &str, new: &BTreeMap<String, String>) -> String {
    edited(dockerfile, |image| new.get(image).cloned())
}

/// Checks that a Dockerfile differs from an old one in tags and digests of its images alone.
pub(super) fn check(old: &str, new: &str) -> Result<(), String> {
    for base in Bases::of(new)?.all {
        base.place().map_err(|why| format!("{why:#}"))?;
    }
    if without_pins(old) == without_pins(new) {
        Ok(())
    } else {
        Err("it changes more than tags and digests".to_owned())
    }
}

/// The text with the repository alone of each image.
fn without_pins(dockerfile: &str) -> String {
    edited(dockerfile, |image| {
        let image = Base::parse(image).ok()?;
        Some(image.place().ok()?.0.to_string())
    })
}

/// The text with what `new` says in place of each image; one that it says nothing of stays.
fn edited(dockerfile: &str, new: impl Fn(&str) -> Option<String>) -> String {
    let mut text = dockerfile.to_owned();
    // From the end, so that the places before stay what they are.
    for at in base::places(dockerfile).into_iter().rev() {
        if let Some(image) = new(&dockerfile[at.clone()]) {
            text.replace_range(at, &image);
        }
    }
    text
}

/// `node:20-alpine` for `docker.io/library/node:20-alpine`: as people say it.
pub(super) fn familiar(name: &str) -> &str {
    let name = name.strip_prefix("docker.io/").unwrap_or(name);
    name.strip_prefix("library/").unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What bots have broken: one of several lines (renovatebot/renovate#20625), a byte order mark
    /// (dependabot/dependabot-core#5118), `--platform` (dependabot/dependabot-core#2648), the last line's end
    /// (dependabot/dependabot-core#13244).
    #[test]
    fn every_other_byte_stays() {
        let new = "node:22@sha256:1";
        for text in [
            "FROM OLD",
            "FROM OLD\n\n\n",
            "FROM OLD AS a\r\nFROM --platform=$BUILDPLATFORM OLD AS b\r\nRUN true\r\n",
            "\u{feff}# syntax=docker/dockerfile:1\n# FROM node:20\nfrom   OLD\tas a # no comment\nFROM a\nCOPY node:20 /\n",
            "FROM OLD\nRUN <<-'EOF' cat\nFROM node:20\n\tEOF\nFROM \\\nOLD\nFROM node:20-alpine\nFROM $node:20\n",
            "FROM OLD AS one\nRUN echo 'FROM node:20'\n  FROM OLD\n",
        ] {
            let (old, expected) = (text.replace("OLD", "node:20"), text.replace("OLD", new));
            let map = BTreeMap::from([("node:20".to_owned(), new.to_owned())]);
            assert_eq!(replaced(&old, &map), expected);
            assert_eq!(replaced(&expected, &map), expected);
        }
    }

    #[test]
    fn names_are_those_that_people_say() {
        for (name, said) in [
            ("docker.io/library/node:20-alpine", "node:20-alpine"),
            ("node:20", "node:20"),
            ("docker.io/me/node:20", "me/node:20"),
            (
                "127.0.0.1:5000/library/node:20",
                "127.0.0.1:5000/library/node:20",
            ),
        ] {
            assert_eq!(familiar(name), said);
        }
    }
}
