//! Which Rust image comes after another one: a pure choice over the tags of its repository.

use crate::version::Version;

/// A tag such as `1.95-alpine3.23`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RustTag {
    /// The last number is 0 where the tag leaves it out.
    pub(super) release: Version,
    /// Whether it leaves it out.
    is_short: bool,
    /// What follows the numbers, but for Alpine's version: `-alpine`.
    variant: String,
    /// Alpine's version, where the tag has one.
    alpine: Option<(u64, u64)>,
}

impl RustTag {
    /// None for what has no version of two or three numbers at its start.
    pub(super) fn parse(tag: &str) -> Option<RustTag> {
        let (numbers, variant) = tag.split_at(tag.find('-').unwrap_or(tag.len()));
        let (release, is_short) = release(numbers)?;
        let of_alpine = variant.strip_prefix("-alpine").and_then(alpine);
        Some(RustTag {
            release,
            is_short,
            variant: match of_alpine {
                Some(_) => "-alpine".to_owned(),
                None => variant.to_owned(),
            },
            alpine: of_alpine,
        })
    }

    /// Whether another tag may take its place, whatever the release: the variant is the same, and Alpine not older.
    fn allows(&self, other: &RustTag) -> bool {
        let is_kept = self.alpine.is_some() == other.alpine.is_some();
        is_kept && self.variant == other.variant && self.alpine <= other.alpine
    }
}

impl std::fmt::Display for RustTag {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let release = written(&self.release, self.is_short);
        write!(f, "{release}{}", self.variant)?;
        match self.alpine {
            Some((major, minor)) => write!(f, "{major}.{minor}"),
            None => Ok(()),
        }
    }
}

/// A release, and whether its last number is left out: `1.95` or `1.95.0`.
pub(super) fn release(text: &str) -> Option<(Version, bool)> {
    let is_number = |part: &&str| {
        let is_canonical = *part == "0" || !part.starts_with('0');
        is_canonical && part.chars().all(|c| c.is_ascii_digit())
    };
    let parts: Vec<&str> = text.split('.').collect();
    let numbers = parts.iter().filter(|part| is_number(part));
    let numbers: Vec<u64> = numbers.filter_map(|part| part.parse().ok()).collect();
    match numbers[..] {
        [major, minor] if parts.len() == 2 => Some((Version::new(major, minor, 0), true)),
        [major, minor, patch] if parts.len() == 3 => {
            Some((Version::new(major, minor, patch), false))
        }
        _ => None,
    }
}

/// A release with its last number or without.
pub(super) fn written(release: &Version, is_short: bool) -> String {
    if is_short {
        format!("{}.{}", release.major, release.minor)
    } else {
        release.to_string()
    }
}

fn alpine(text: &str) -> Option<(u64, u64)> {
    match release(text)? {
        (version, true) => Some((version.major, version.minor)),
        _ => None,
    }
}

/// The newest release among `tags` whose image may take the place of `pinned`, and its tag: with as many numbers, the
/// variant kept (dependabot/feedback#406), and the Alpine version, too, unless the release has only higher ones
/// (dependabot/dependabot-core#1604). None where no tag is like the pinned one.
pub(super) fn newest(pinned: &RustTag, tags: &[String]) -> Option<(Version, RustTag)> {
    let all = tags.iter().filter_map(|tag| RustTag::parse(tag));
    let all: Vec<RustTag> = all.filter(|tag| pinned.allows(tag)).collect();
    let like = all.iter().filter(|tag| tag.is_short == pinned.is_short);
    let order = |tag: &&RustTag| (tag.release.clone(), std::cmp::Reverse(tag.alpine));
    let tag = like.max_by_key(order)?.clone();
    let minor = |release: &Version| (release.major, release.minor);
    let full = all.iter().filter(|one| !one.is_short);
    let of_minor = full.filter(|one| minor(&one.release) == minor(&tag.release));
    let release = of_minor.map(|one| one.release.clone()).max();
    let release = release.unwrap_or_else(|| tag.release.clone());
    Some((release.max(tag.release.clone()), tag))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_release_with_an_image_of_the_same_kind_is_chosen() {
        for (pinned, tags, expected) in [
            (
                "1.95-alpine3.23",
                "1.95-alpine3.23 1.95.0-alpine3.23",
                "1.95.0 1.95-alpine3.23",
            ),
            // A patch changes the toolchain alone.
            (
                "1.95-alpine3.23",
                "1.95-alpine3.23 1.95.0-alpine3.23 1.95.1-alpine3.23",
                "1.95.1 1.95-alpine3.23",
            ),
            // 1.100 comes after 1.99.
            (
                "1.95-alpine3.23",
                "1.99-alpine3.23 1.100-alpine3.23 1.100.2-alpine3.23 1.99.9-alpine3.23",
                "1.100.2 1.100-alpine3.23",
            ),
            // The Alpine version is kept where the release has it, and is raised where it has only higher ones.
            (
                "1.95-alpine3.23",
                "1.96-alpine3.24 1.96-alpine3.23 1.96-alpine3.22",
                "1.96.0 1.96-alpine3.23",
            ),
            (
                "1.95-alpine3.23",
                "1.97-alpine3.25 1.97-alpine3.24 1.97.0-alpine3.24 1.96-alpine3.23",
                "1.97.0 1.97-alpine3.24",
            ),
            (
                "1.95-alpine3.23",
                "1.97-alpine3.22 1.96-alpine3.23",
                "1.96.0 1.96-alpine3.23",
            ),
            // Another variant is another image (dependabot/dependabot-core#4391), and so is another number of numbers.
            (
                "1.95-alpine3.23",
                "1.97-slim 1.97 1.97-alpine 1-alpine3.23 1.97-slim-trixie nightly-alpine3.23 1.95-alpine3.23 \
                 latest 1.98-beta-alpine3.23 1.97-alpine3.23.1 01.97-alpine3.23 1.97-alpine03.23",
                "1.95.0 1.95-alpine3.23",
            ),
            (
                "1.95.0-slim",
                "1.96-slim 1.96.1-slim 1.97.0-alpine3.23",
                "1.96.1 1.96.1-slim",
            ),
            ("1.95", "1.96 1.97-slim 1.96.1", "1.96.1 1.96"),
            ("1.95-alpine3.23", "latest", ""),
        ] {
            let tags: Vec<String> = tags.split_whitespace().map(str::to_owned).collect();
            let found = newest(&RustTag::parse(pinned).unwrap(), &tags);
            let found = found.map(|(release, tag)| format!("{release} {tag}"));
            assert_eq!(found.unwrap_or_default(), expected, "{pinned} {tags:?}");
        }
    }

    #[test]
    fn a_tag_is_written_as_it_was_read() {
        for tag in [
            "1.95-alpine3.23",
            "1.95.0",
            "1.95-slim-trixie",
            "1.95-alpine",
            "1.95-alpine3.23.1",
        ] {
            assert_eq!(RustTag::parse(tag).unwrap().to_string(), tag);
        }
        for tag in [
            "latest",
            "1",
            "1.95.0.1",
            "1.x",
            "1.095",
            "",
            "-alpine",
            "99999999999999999999.1",
        ] {
            assert_eq!(RustTag::parse(tag), None, "{tag}");
        }
    }
}
