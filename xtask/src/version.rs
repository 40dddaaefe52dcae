//! Which names of git's tags are versions: `v1.2.3` or `v1.2.3-rc.1`, and nothing else.

pub(crate) mod latest;

use semver::BuildMetadata;
pub(crate) use semver::Version;

/// What a tag's name is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum TagName {
    /// `v` and a SemVer version, build metadata included.
    Version(Version),
    /// It looks like a version but is not, for this reason.
    NearMiss(String),
    Other,
}

/// Reads the name of a git tag.
pub(crate) fn read(name: &str) -> TagName {
    if let Some(Ok(version)) = name.strip_prefix('v').map(Version::parse) {
        return TagName::Version(version);
    }
    let rest = name.strip_prefix(['v', 'V']).unwrap_or(name);
    let digits = rest.strip_prefix(['.', '-', '_']).unwrap_or(rest);
    let has_v = rest.len() < name.len();
    let mut numbers = digits.split(|c: char| !c.is_ascii_digit() && c != '.');
    let is_dotted = numbers.next().is_some_and(|n| n.contains('.'));
    if !digits.starts_with(|c: char| c.is_ascii_digit()) || !(has_v || is_dotted) {
        return TagName::Other;
    }
    TagName::NearMiss(match Version::parse(rest) {
        Ok(_) if has_v => "the `v` must be lower case".to_owned(),
        Ok(_) => "the `v` in front is missing".to_owned(),
        Err(_) if rest != digits => "something stands between the `v` and the number".to_owned(),
        Err(error) => why(rest, &error),
    })
}

/// The version that a tag's name is; `None` when it is not one.
pub(crate) fn of_tag(name: &str) -> Option<Version> {
    match read(name) {
        TagName::Version(version) => Some(version),
        TagName::NearMiss(_) | TagName::Other => None,
    }
}

/// Why a version cannot be the tag of an image.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Untaggable {
    pub(crate) why: &'static str,
    /// The version that comes closest.
    pub(crate) instead: Version,
}

/// Refuses a version with build metadata: a tag has no `+`, and without the metadata it would be
/// another version's.
pub(crate) fn check_taggable(version: &Version) -> Result<(), Untaggable> {
    if version.build.is_empty() {
        return Ok(());
    }
    Err(Untaggable {
        why: "build metadata (`+…`) cannot be part of an image's tag",
        instead: Version {
            build: BuildMetadata::EMPTY,
            ..version.clone()
        },
    })
}

/// Whether a version is stable, not a prerelease. `latest` leads to such versions alone.
pub(crate) fn is_stable(version: &Version) -> bool {
    version.pre.is_empty()
}

/// The stable versions among the names of tags.
pub fn stable(tags: &[String]) -> Vec<Version> {
    let versions = tags.iter().filter_map(|tag| of_tag(tag));
    versions.filter(is_stable).collect()
}

/// Why `text` is not a version, in words that point at the typing error.
fn why(text: &str, error: &semver::Error) -> String {
    let core = text.split(['-', '+']).next().unwrap_or_default();
    let numbers: Vec<&str> = core.split('.').collect();
    let is_number = |n: &&str| !n.is_empty() && n.bytes().all(|c| c.is_ascii_digit());
    if let Some(bad) = numbers.iter().find(|n| !is_number(n)) {
        return format!("`{bad}` is not a number");
    }
    if numbers.len() != 3 {
        return format!("a version has three numbers, this has {}", numbers.len());
    }
    match numbers.iter().find(|n| n.len() > 1 && n.starts_with('0')) {
        Some(number) => format!("`{number}` has a leading zero"),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn versions_are_read() {
        for text in [
            "0.0.0",
            "0.2.13",
            "1.0.0-rc.1",
            "1.0.0-0a.-.x",
            "10.20.30",
            "18446744073709551615.0.0",
            "1.2.3+build.1",
        ] {
            let version = Version::parse(text).unwrap();
            assert_eq!(read(&format!("v{text}")), TagName::Version(version));
        }
    }

    #[test]
    fn a_near_miss_says_why_it_is_not_a_version() {
        for (name, why) in [
            ("V1.2.3", "the `v` must be lower case"),
            ("1.2.3", "the `v` in front is missing"),
            ("1.2.3-rc.1", "the `v` in front is missing"),
            ("v1", "a version has three numbers, this has 1"),
            ("v1.2", "a version has three numbers, this has 2"),
            ("1.2", "a version has three numbers, this has 2"),
            ("v1.2-rc.1", "a version has three numbers, this has 2"),
            ("v1.2.3.4", "a version has three numbers, this has 4"),
            ("v01.2.3", "`01` has a leading zero"),
            ("v1.2.03-rc.1", "`03` has a leading zero"),
            ("2026.01.02", "`01` has a leading zero"),
            ("v1.2.x", "`x` is not a number"),
            ("v1..3", "`` is not a number"),
            ("v1.2.3rc1", "`3rc1` is not a number"),
            ("v1.2.3_rc1", "`3_rc1` is not a number"),
            ("v.1.2.3", "something stands between the `v` and the number"),
            ("v-1.2.3", "something stands between the `v` and the number"),
            (
                "v1.2.3-",
                "empty identifier segment in pre-release identifier",
            ),
            (
                "v1.2.3-01",
                "invalid leading zero in pre-release identifier",
            ),
            (
                "v18446744073709551616.0.0",
                "value of major version number exceeds u64::MAX",
            ),
        ] {
            assert_eq!(read(name), TagName::NearMiss(why.to_owned()), "{name}");
        }
    }

    #[test]
    fn a_version_with_build_metadata_cannot_be_a_tag() {
        let check = |text: &str| {
            let refused = check_taggable(&Version::parse(text).unwrap()).err();
            refused.map(|refused| refused.instead.to_string())
        };
        assert_eq!(check("1.2.3"), None);
        assert_eq!(check("1.2.3-rc.1"), None);
        assert_eq!(check("1.2.3-rc.1+b.2").as_deref(), Some("1.2.3-rc.1"));
    }

    #[test]
    fn other_names_are_left_alone() {
        for name in [
            "",
            "v",
            "V",
            "vx",
            "version",
            "nightly",
            "20260102",
            "3rd",
            "latest",
            "dev",
            "x1.2.3",
            "vv1.2.3",
            "release/v1.2.3",
        ] {
            assert_eq!(read(name), TagName::Other, "{name}");
        }
    }

    proptest! {
        #[test]
        fn printing_and_reading_a_version_gives_it_back(
            numbers: (u64, u64, u64),
            pre in r"((0|[1-9][0-9]{0,8}|[0-9a-z-]{0,4}[A-Za-z-][0-9A-Za-z-]{0,4})(\.[a-z][0-9a-z]{0,4}){0,2})?",
        ) {
            let mut version = Version::new(numbers.0, numbers.1, numbers.2);
            version.pre = semver::Prerelease::new(&pre).unwrap();
            let name = format!("v{version}");
            prop_assert_eq!(read(&name), TagName::Version(version));
        }

        #[test]
        fn what_is_read_as_a_version_prints_as_it_was(name in r"\PC*|[vV]?[0-9.]{1,8}[-+.0-9a-z]{0,8}") {
            if let TagName::Version(version) = read(&name) {
                prop_assert_eq!(format!("v{version}"), name);
            }
        }
    }

    #[test]
    fn only_stable_versions_are_stable() {
        let tags = [
            "latest",
            "v0.9.0",
            "v0.10.0",
            "v1.0.0-rc.1",
            "1.5.0",
            "dev",
            "sha-1ceb56b",
        ];
        let highest = stable(&tags.map(str::to_owned)).into_iter().max();
        assert_eq!(highest.unwrap().to_string(), "0.10.0");
        assert_eq!(stable(&["v1.0.0-rc.1".to_owned()]), []);
    }
}
