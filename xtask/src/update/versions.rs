//! Which version may be moved to: a pure choice over what the registry has for both architectures.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use serde::Serialize;

use super::locks::{ARCHES, is_sha512};
use super::package::{Build, Package};
use crate::version::{Version, is_stable};

const DAY: u64 = 24 * 60 * 60;

/// What a registry has of Claude Code, in the order of [`ARCHES`].
pub(super) type Packages = [Package; 2];

/// When a version is old enough.
pub(super) struct Ripe {
    pub(super) now: SystemTime,
    /// In days.
    pub(super) minimum_age: u32,
}

/// The newest version that may be moved to, and the newer ones that may not.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Choice {
    /// None when no version above the pinned one may be moved to.
    pub(super) newest: Option<Version>,
    pub(super) passed_over: Vec<PassedOver>,
}

/// A newer version that is not moved to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct PassedOver {
    pub(super) version: Version,
    pub(super) why: String,
}

/// Chooses among the versions above `pinned`.
pub(super) fn choose(pinned: &Version, packages: &Packages, ripe: &Ripe) -> Choice {
    let all = packages.iter().flat_map(|package| package.builds.keys());
    let newer: BTreeSet<&Version> = all.filter(|version| *version > pinned).collect();
    let mut passed_over = Vec::new();
    for version in newer.into_iter().rev() {
        let why = fault(version, packages).or_else(|| doubt(version, packages, ripe));
        let Some(why) = why else {
            return Choice {
                newest: Some(version.clone()),
                passed_over,
            };
        };
        let version = version.clone();
        passed_over.push(PassedOver { version, why });
    }
    Choice {
        newest: None,
        passed_over,
    }
}

/// Why nobody should move to a version, even one who names it.
pub(super) fn fault(version: &Version, packages: &Packages) -> Option<String> {
    let builds = builds(version, packages);
    let lacking: Vec<&str> = ARCHES
        .iter()
        .zip(builds)
        .filter(|(_, build)| build.is_none())
        .map(|(arch, _)| arch.docker)
        .collect();
    if lacking.len() == ARCHES.len() {
        return Some("the registry does not have it".to_owned());
    }
    if let [arch] = lacking[..] {
        return Some(format!("it is not published for {arch}"));
    }
    for (arch, build) in ARCHES.iter().zip(builds) {
        let build = build?;
        if let Some(why) = &build.deprecated {
            return Some(format!("npm marks it as deprecated: {why}"));
        }
        if !build.integrity.as_deref().is_some_and(is_sha512) {
            return Some(format!("it has no SHA-512 for {}", arch.docker));
        }
    }
    None
}

/// Why a version is not moved to unless it is named.
pub(super) fn doubt(version: &Version, packages: &Packages, ripe: &Ripe) -> Option<String> {
    if !is_stable(version) {
        return Some("it is a prerelease".to_owned());
    }
    let latest = packages
        .iter()
        .filter_map(|package| package.latest.as_ref());
    if let Some(latest) = latest.min().filter(|latest| version > *latest) {
        return Some(format!("it is above npm's `latest`, {latest}"));
    }
    match age(version, packages, ripe.now) {
        None => Some("the registry does not say when it was published".to_owned()),
        Some(age) if age < u64::from(ripe.minimum_age) => Some(format!(
            "it is {} old, and `minimum-age` is {}",
            days(age),
            days(ripe.minimum_age.into())
        )),
        Some(_) => None,
    }
}

/// The age in whole days of the younger package; none where the registry does not say both.
pub(super) fn age(version: &Version, packages: &Packages, now: SystemTime) -> Option<u64> {
    let builds = builds(version, packages);
    let published = |build: Option<&Build>| build?.published;
    let [one, other] = builds.map(published);
    // What is published in the future, by this machine's clock, has no age yet.
    let age = now
        .duration_since(one?.max(other?))
        .unwrap_or(Duration::ZERO);
    Some(age.as_secs() / DAY)
}

fn builds<'a>(version: &Version, packages: &'a Packages) -> [Option<&'a Build>; 2] {
    packages
        .each_ref()
        .map(|package| package.builds.get(version))
}

/// `1 day`, `2 days`.
pub(super) fn days(count: u64) -> String {
    match count {
        1 => "1 day".to_owned(),
        count => format!("{count} days"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A version with the day of its publication in November; `None`: it is not there, 0: no time.
    type Row = (&'static str, [Option<u64>; 2], &'static str);

    fn sha512() -> Option<String> {
        Some(format!("sha512-{}==", "A".repeat(86)))
    }

    fn at(day: u64) -> SystemTime {
        let day = format!("2026-11-{day:02}T12:00:00Z");
        humantime::parse_rfc3339(&day).unwrap()
    }

    fn packages(latest: &str, rows: &[Row]) -> Packages {
        let mut packages = Packages::default();
        for (number, package) in packages.iter_mut().enumerate() {
            package.latest = latest.parse().ok();
            for (version, days, deprecated) in rows {
                let Some(day) = days[number] else { continue };
                let build = Build {
                    published: (day > 0).then(|| at(day)),
                    deprecated: Some((*deprecated).to_owned()).filter(|why| !why.is_empty()),
                    integrity: sha512(),
                    unpacked: None,
                };
                package.builds.insert(version.parse().unwrap(), build);
            }
        }
        packages
    }

    const RIPE: fn() -> Ripe = || Ripe {
        now: at(29),
        minimum_age: 2,
    };

    const PINNED: Row = ("1.0.0", [Some(1), Some(1)], "");

    #[test]
    fn the_newest_that_is_allowed_is_chosen() {
        let both = |day| [Some(day), Some(day)];
        for (latest, rows, newest, reasons) in [
            ("1.0.0", vec![], None, vec![]),
            (
                "1.0.1",
                vec![("1.0.1", both(27), "")],
                Some("1.0.1"),
                vec![],
            ),
            // Numbers, not letters: 10 is above 9.
            (
                "1.0.10",
                vec![("1.0.9", both(20), ""), ("1.0.10", both(21), "")],
                Some("1.0.10"),
                vec![],
            ),
            // The age is that of the package that was published last.
            (
                "1.0.1",
                vec![("1.0.1", [Some(20), Some(28)], "")],
                None,
                vec!["it is 1 day old, and `minimum-age` is 2 days"],
            ),
            (
                "1.0.2",
                vec![("1.0.1", both(20), ""), ("1.0.2", both(28), "")],
                Some("1.0.1"),
                vec!["it is 1 day old"],
            ),
            // Published after now: a clock is wrong.
            (
                "1.0.1",
                vec![("1.0.1", both(30), "")],
                None,
                vec!["it is 0 days old"],
            ),
            // Where the registry gives no time, Renovate waits for ever without a word
            // (renovatebot/renovate#41955).
            (
                "1.0.1",
                vec![("1.0.1", [Some(0), Some(20)], "")],
                None,
                vec!["the registry does not say when it was published"],
            ),
            // npm-check-updates moves to deprecated versions (raineorshine/npm-check-updates#1591).
            (
                "1.0.2",
                vec![("1.0.1", both(20), ""), ("1.0.2", both(21), "broken")],
                Some("1.0.1"),
                vec!["npm marks it as deprecated: broken"],
            ),
            // A release that stopped half way: one package lacks it (bgauryy/octocode#452).
            (
                "1.0.1",
                vec![("1.0.1", [Some(20), None], "")],
                None,
                vec!["it is not published for arm64"],
            ),
            // `latest` may be a prerelease (raineorshine/npm-check-updates#131).
            (
                "1.1.0-rc.1",
                vec![("1.1.0-rc.1", both(20), "")],
                None,
                vec!["it is a prerelease"],
            ),
            // Renovate proposed what was above `latest` (renovatebot/renovate#4800).
            (
                "1.0.1",
                vec![("1.0.1", both(20), ""), ("2.0.0", both(20), "")],
                Some("1.0.1"),
                vec!["it is above npm's `latest`, 1.0.1"],
            ),
            // A registry without tags has no such limit.
            ("", vec![("1.0.1", both(20), "")], Some("1.0.1"), vec![]),
        ] {
            let packages = packages(latest, &[&[PINNED][..], &rows].concat());
            let choice = choose(&Version::new(1, 0, 0), &packages, &RIPE());
            let found = choice.newest.map(|version| version.to_string());
            assert_eq!(found.as_deref(), newest, "{rows:?}");
            assert_eq!(choice.passed_over.len(), reasons.len(), "{rows:?}");
            for (passed, reason) in choice.passed_over.iter().zip(reasons) {
                assert!(passed.why.contains(reason), "{rows:?}: {passed:?}");
            }
        }
    }

    #[test]
    fn a_package_without_a_hash_is_refused_even_by_name() {
        let version = Version::new(1, 0, 0);
        for integrity in [None, Some("sha1-AAAA"), Some("sha512-AAAA")] {
            let mut packages = packages("1.0.0", &[PINNED]);
            assert_eq!(fault(&version, &packages), None);
            let build = packages[1].builds.get_mut(&version).unwrap();
            build.integrity = integrity.map(str::to_owned);
            let why = fault(&version, &packages).unwrap();
            assert_eq!(why, "it has no SHA-512 for arm64");
        }
        let why = fault(&Version::new(9, 9, 9), &packages("", &[PINNED])).unwrap();
        assert_eq!(why, "the registry does not have it");
    }
}
