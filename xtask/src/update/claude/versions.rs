//! Which version may be moved to: a pure choice over what the registry has for both architectures.

use std::collections::BTreeSet;
use std::time::SystemTime;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::package::{Build, Package};
use crate::day::{age, days};
use crate::platform::Platform;
use crate::version::{Version, is_stable};

/// What a registry has of Claude Code, in the order of [`Platform::ALL`].
pub(super) type Packages = [Package; 2];

/// When a version is old enough.
pub(super) struct Ripe {
    pub(super) now: SystemTime,
    /// In days.
    pub(super) minimum_age: u32,
}

/// A newer version that is not moved to.
#[derive(Debug)]
pub(super) struct PassedOver {
    pub(super) version: Version,
    pub(super) why: String,
}

/// The newest version above `pinned` that may be moved to, if any, and the newer ones that may not.
pub(super) fn choose(
    pinned: &Version,
    packages: &Packages,
    ripe: &Ripe,
) -> (Option<Version>, Vec<PassedOver>) {
    let all = packages.iter().flat_map(|package| package.builds.keys());
    let newer: BTreeSet<&Version> = all.filter(|version| *version > pinned).collect();
    let mut passed_over = Vec::new();
    for version in newer.into_iter().rev().cloned() {
        match fault(&version, packages).or_else(|| doubt(&version, packages, ripe)) {
            Some(why) => passed_over.push(PassedOver { version, why }),
            None => return (Some(version), passed_over),
        }
    }
    (None, passed_over)
}

/// Why nobody should move to a version, even who names it.
pub(super) fn fault(version: &Version, packages: &Packages) -> Option<String> {
    let builds = builds(version, packages);
    if builds.iter().all(Option::is_none) {
        return Some("the registry does not have it".to_owned());
    }
    Platform::ALL
        .map(Platform::architecture)
        .iter()
        .zip(builds)
        .find_map(|(arch, build)| match build {
            None => Some(format!("it is not published for {arch}")),
            Some(build) => match &build.deprecated {
                Some(why) => Some(format!("npm marks it as deprecated: {why}")),
                None => (!has_sha512(build)).then(|| format!("it has no SHA-512 for {arch}")),
            },
        })
}

/// Why a version is not moved to unless it is named.
pub(super) fn doubt(version: &Version, packages: &Packages, ripe: &Ripe) -> Option<String> {
    if !is_stable(version) {
        return Some("it is a prerelease".to_owned());
    }
    if let Some(latest) = latest(packages).filter(|latest| version > *latest) {
        return Some(format!("it is above npm's `latest`, {latest}"));
    }
    let minimum = u64::from(ripe.minimum_age);
    match published(version, packages).map(|time| age(time, ripe.now)) {
        None => Some("the registry does not say when it was published".to_owned()),
        Some(age) if age < minimum => Some(format!(
            "it is {} old, and `minimum-age` is {}",
            days(age),
            days(minimum)
        )),
        Some(_) => None,
    }
}

/// The lower of both packages' `latest`.
pub(super) fn latest(packages: &Packages) -> Option<&Version> {
    packages
        .iter()
        .filter_map(|package| package.latest.as_ref())
        .min()
}

/// When the package that came last was published; none where the registry does not say it of both.
pub(super) fn published(version: &Version, packages: &Packages) -> Option<SystemTime> {
    let [one, other] = builds(version, packages).map(|build| build?.published);
    Some(one?.max(other?))
}

fn builds<'a>(version: &Version, packages: &'a Packages) -> [Option<&'a Build>; 2] {
    packages
        .each_ref()
        .map(|package| package.builds.get(version))
}

fn has_sha512(build: &Build) -> bool {
    let hash = build
        .integrity
        .as_deref()
        .and_then(|text| text.strip_prefix("sha512-"));
    let bytes = hash.and_then(|hash| BASE64_STANDARD.decode(hash).ok());
    bytes.is_some_and(|bytes| bytes.len() == 64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(day: &str) -> Option<SystemTime> {
        humantime::parse_rfc3339(&format!("2026-11-{day}T12:00:00Z")).ok()
    }

    /// Packages from words: a version, and the day in November of each package; `no`: it is not there, `?`: no time,
    /// a `!` behind it: deprecated.
    fn packages(latest: &str, versions: &str) -> Packages {
        let words: Vec<&str> = versions.split(' ').collect();
        let mut packages = Packages::default();
        for (number, package) in packages.iter_mut().enumerate() {
            package.latest = latest.parse().ok();
            for words in words.chunks(3).filter(|words| words[number + 1] != "no") {
                let build = Build {
                    published: at(words[number + 1].trim_end_matches('!')),
                    deprecated: words[number + 1]
                        .strip_suffix('!')
                        .map(|_| "broken".to_owned()),
                    integrity: Some(format!("sha512-{}==", "A".repeat(86))),
                    unpacked: None,
                };
                package.builds.insert(words[0].parse().unwrap(), build);
            }
        }
        packages
    }

    #[test]
    fn the_newest_that_is_allowed_is_chosen() {
        for (latest, versions, newest, why) in [
            ("1.0.0", "1.0.0 01 01", "", ""),
            ("1.0.1", "1.0.0 01 01 1.0.1 27 27", "1.0.1", ""),
            ("1.0.10", "1.0.9 20 20 1.0.10 21 21", "1.0.10", ""),
            ("", "1.0.1 20 20", "1.0.1", ""),
            // The age is that of the package that came last.
            (
                "1.0.1",
                "1.0.1 20 28",
                "",
                "it is 1 day old, and `minimum-age` is 2 days",
            ),
            (
                "1.0.2",
                "1.0.1 20 20 1.0.2 28 28",
                "1.0.1",
                "it is 1 day old",
            ),
            ("1.0.1", "1.0.1 30 30", "", "it is 0 days old"),
            // Where there is no time, Renovate waits for ever without a word (renovatebot/renovate#41955).
            ("1.0.1", "1.0.1 ? 20", "", "the registry does not say when"),
            // npm-check-updates moves to what is deprecated (raineorshine/npm-check-updates#1591).
            (
                "1.0.2",
                "1.0.1 20 20 1.0.2 21 21!",
                "1.0.1",
                "as deprecated: broken",
            ),
            // A release that stopped half way (bgauryy/octocode#452).
            ("1.0.1", "1.0.1 20 no", "", "it is not published for arm64"),
            // A prerelease under `latest` (raineorshine/npm-check-updates#131).
            ("1.1.0-rc.1", "1.1.0-rc.1 20 20", "", "it is a prerelease"),
            // Renovate proposed what was above `latest` (renovatebot/renovate#4800).
            (
                "1.0.1",
                "1.0.1 20 20 2.0.0 20 20",
                "1.0.1",
                "it is above npm's `latest`, 1.0.1",
            ),
        ] {
            let ripe = Ripe {
                now: at("29").unwrap(),
                minimum_age: 2,
            };
            let (found, passed) =
                choose(&Version::new(1, 0, 0), &packages(latest, versions), &ripe);
            let found = found.map_or(String::new(), |version| version.to_string());
            assert_eq!(found, newest, "{versions}");
            let passed = passed.first().map_or("", |passed| &passed.why);
            assert!(
                passed.contains(why) && passed.is_empty() == why.is_empty(),
                "{versions}: {passed}"
            );
        }
    }

    #[test]
    fn what_has_no_whole_hash_is_never_moved_to() {
        let version = Version::new(1, 0, 0);
        for integrity in [None, Some("sha1-AAAA"), Some("sha512-AAAA")] {
            let mut packages = packages("1.0.0", "1.0.0 01 01");
            assert_eq!(fault(&version, &packages), None);
            let build = packages[1].builds.get_mut(&version).unwrap();
            build.integrity = integrity.map(str::to_owned);
            assert_eq!(
                fault(&version, &packages).unwrap(),
                "it has no SHA-512 for arm64"
            );
        }
    }
}
