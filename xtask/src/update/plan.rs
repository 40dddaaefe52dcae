//! From which version to which, and what that changes: pure, and the same for `--check`, `--dry-run` and the move.

use serde::Serialize;

use super::locks::ARCHES;
use super::versions::{self, Packages, PassedOver, Ripe, choose, days, doubt, fault};
use crate::refusal::Refusal;
use crate::report::bytes;
use crate::version::Version;

/// Where Claude Code stands, and where it would be moved to.
#[derive(Debug, Serialize)]
pub(super) struct Plan {
    pub(super) from: Version,
    /// The same as `from` when nothing is to be moved.
    pub(super) to: Version,
    /// Whole days since both packages of `from` were published; none where the registry does not say.
    pub(super) from_age_days: Option<u64>,
    pub(super) to_age_days: Option<u64>,
    pub(super) sizes: Vec<Size>,
    pub(super) passed_over: Vec<PassedOver>,
    /// What else there is to know.
    pub(super) notes: Vec<String>,
}

/// The bytes of a package's files, of which the image's layer is made.
#[derive(Debug, Serialize)]
pub(super) struct Size {
    pub(super) architecture: &'static str,
    pub(super) from: Option<u64>,
    pub(super) to: Option<u64>,
}

/// Plans a move to `named`, or else to the newest version that is allowed.
///
/// A version that is named may be too young, a prerelease or above npm's `latest`: who names it has decided, and a
/// security fix need not wait (dependabot/dependabot-core#15139). It may also be older than the pinned one.
pub(super) fn plan(
    pinned: &Version,
    named: Option<&Version>,
    packages: &Packages,
    ripe: &Ripe,
) -> Result<Plan, Refusal> {
    let mut notes = about_pinned(pinned, packages);
    let (to, passed_over) = if let Some(named) = named {
        if let Some(why) = fault(named, packages) {
            let remedy = "`cargo xtask update --check` shows the newest version that is allowed";
            let why = format!("Claude Code {named} is not moved to: {why}");
            return Err(Refusal::new(why, remedy));
        }
        let doubt = doubt(named, packages, ripe).filter(|_| named != pinned);
        notes.extend(doubt.map(|why| format!("{named} is taken although {why}: it is named")));
        (named.clone(), Vec::new())
    } else {
        let choice = choose(pinned, packages, ripe);
        (
            choice.newest.unwrap_or_else(|| pinned.clone()),
            choice.passed_over,
        )
    };
    let size = |number: usize, version: &Version| packages[number].builds.get(version)?.unpacked;
    let sizes = ARCHES.iter().enumerate().map(|(number, arch)| Size {
        architecture: arch.docker,
        from: size(number, pinned),
        to: size(number, &to),
    });
    Ok(Plan {
        from_age_days: versions::age(pinned, packages, ripe.now),
        to_age_days: versions::age(&to, packages, ripe.now),
        sizes: sizes.collect(),
        from: pinned.clone(),
        to,
        passed_over,
        notes,
    })
}

/// What speaks against the pinned version.
fn about_pinned(pinned: &Version, packages: &Packages) -> Vec<String> {
    let mut notes = Vec::new();
    notes.extend(fault(pinned, packages).map(|why| format!("of the pinned {pinned}: {why}")));
    let latest = packages
        .iter()
        .filter_map(|package| package.latest.as_ref());
    if let Some(latest) = latest.min().filter(|latest| *latest < pinned) {
        notes.push(format!(
            "npm's `latest` is {latest}, below the pinned {pinned}: it may have been taken back"
        ));
    }
    notes
}

impl Plan {
    pub(super) fn is_current(&self) -> bool {
        self.from == self.to
    }

    /// What a rebuild would change.
    pub(super) fn changes(&self) -> String {
        let size = |size: Option<u64>| size.map_or("size unknown".to_owned(), bytes);
        let sizes = self
            .sizes
            .iter()
            .map(|one| format!("{} {} → {}", one.architecture, size(one.from), size(one.to)));
        let is_unknown = |one: &Size| one.from.is_none() && one.to.is_none();
        if self.sizes.iter().all(is_unknown) {
            return "its layer; the registry gives no sizes".to_owned();
        }
        let sizes = sizes.collect::<Vec<_>>().join(", ");
        format!("its layer, unpacked: {sizes}")
    }

    /// Notes and passed-over versions, a line each.
    pub(super) fn remarks(&self) -> Vec<String> {
        let passed = self.passed_over.iter();
        let passed = passed.map(|one| format!("{} is passed over: {}", one.version, one.why));
        self.notes.iter().cloned().chain(passed).collect()
    }

    /// The commit's message. Nothing in it is text of the registry's.
    pub(super) fn message(&self) -> String {
        let Plan { from, to, .. } = self;
        let age = match self.to_age_days {
            Some(age) => format!("{to} has been published for {}.", days(age)),
            None => format!("The registry does not say when {to} was published."),
        };
        format!(
            "Move Claude Code from {from} to {to}\n\n{age}\nA rebuild changes {}.\n",
            self.changes()
        )
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;
    use crate::update::package::Package;

    /// Both packages, of which only that for amd64 says its sizes; each version is a day older than the next.
    fn packages(latest: &str) -> Packages {
        let package = |size: &str| {
            let hash = format!("sha512-{}==", "A".repeat(86));
            let build = |(day, version): (usize, &&str)| {
                format!(
                    r#"{{"version":"{version}","dist":{{"integrity":"{hash}"{size}}},"dist-tags":{{"latest":"{latest}"}},
                    "time":{{"{version}":"2026-11-{:02}T00:00:00Z"}}}}"#,
                    20 + day
                )
            };
            let all = ["1.0.0", "1.0.1", "1.0.2"];
            let all: Vec<String> = all.iter().enumerate().map(build).collect();
            Package::parse(format!("[{}]", all.join(",")).as_bytes()).unwrap()
        };
        [package(r#","unpackedSize":367940000"#), package("")]
    }

    fn ripe() -> Ripe {
        let day = humantime::parse_rfc3339("2026-11-23T12:00:00Z").unwrap();
        Ripe {
            now: day,
            minimum_age: 2,
        }
    }

    #[test]
    fn the_message_says_from_where_to_where_and_what_changes() {
        let plan = plan(&Version::new(1, 0, 0), None, &packages("1.0.2"), &ripe()).unwrap();
        assert_eq!(
            plan.message(),
            "Move Claude Code from 1.0.0 to 1.0.1\n\n1.0.1 has been published for 2 days.\nA rebuild changes its \
             layer, unpacked: amd64 367.9 MB → 367.9 MB, arm64 size unknown → size unknown.\n"
        );
        assert_eq!(
            plan.remarks(),
            ["1.0.2 is passed over: it is 1 day old, and `minimum-age` is 2 days"]
        );
    }

    #[test]
    fn who_names_a_version_gets_it_unless_nobody_should() {
        let pinned = Version::new(1, 0, 1);
        for (named, latest, to, note) in [
            ("1.0.2", "1.0.2", "1.0.2", "although it is 1 day old"),
            (
                "1.0.2",
                "1.0.1",
                "1.0.2",
                "although it is above npm's `latest`",
            ),
            // Back, too.
            ("1.0.0", "1.0.2", "1.0.0", ""),
            ("1.0.1", "1.0.2", "1.0.1", ""),
        ] {
            let named: Version = named.parse().unwrap();
            let plan = plan(&pinned, Some(&named), &packages(latest), &ripe()).unwrap();
            assert_eq!(plan.to.to_string(), to);
            assert_eq!(plan.is_current(), plan.to == pinned);
            assert!(plan.notes.concat().contains(note), "{plan:?}");
        }
        let mut packages = packages("1.0.2");
        let build = packages[0].builds.get_mut(&Version::new(1, 0, 2)).unwrap();
        build.deprecated = Some("it deletes files".to_owned());
        for (named, why) in [
            ("1.0.2", "deprecated: it deletes files"),
            ("3.0.0", "does not have it"),
        ] {
            let named: Version = named.parse().unwrap();
            let refusal = plan(&pinned, Some(&named), &packages, &ripe()).unwrap_err();
            assert!(refusal.why.ends_with(why), "{refusal}");
        }
    }

    #[test]
    fn a_pinned_version_that_was_taken_back_is_named() {
        let far = Ripe {
            now: SystemTime::UNIX_EPOCH + Duration::from_hours(1),
            minimum_age: 2,
        };
        let plan = plan(&Version::new(1, 0, 3), None, &packages("1.0.1"), &far).unwrap();
        assert!(plan.is_current());
        assert_eq!(
            plan.notes,
            [
                "of the pinned 1.0.3: the registry does not have it",
                "npm's `latest` is 1.0.1, below the pinned 1.0.3: it may have been taken back"
            ]
        );
    }
}
