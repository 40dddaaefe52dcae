//! From which version of Claude Code to which, and what that changes.

use super::versions::{Packages, PassedOver, Ripe, choose, doubt, fault, latest, published};
use crate::day::{Day, age};
use crate::platform::Platform;
use crate::refusal::Refusal;
use crate::report::bytes;
use crate::version::Version;

/// Where Claude Code stands, and where it would be moved to.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) from: Version,
    /// The same as `from` when nothing is to be moved.
    pub(super) to: Version,
    /// Whole days since `from` was published; none where the registry does not say.
    pub(super) from_age_days: Option<u64>,
    /// The day on which `to` was published, in UTC.
    pub(super) to_published: Option<Day>,
    /// What a rebuild would change, with the sizes before and after.
    pub(super) changes: String,
    pub(super) passed_over: Vec<PassedOver>,
    /// What else there is to know.
    pub(super) notes: Vec<String>,
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
    let (to, passed_over) = match named {
        None => choose(pinned, packages, ripe),
        Some(named) => {
            if let Some(why) = fault(named, packages) {
                let why = format!("Claude Code {named} is not moved to: {why}");
                let remedy =
                    "`cargo xtask update --check` shows the newest version that is allowed";
                return Err(Refusal::new(why, remedy));
            }
            let doubt = doubt(named, packages, ripe).filter(|_| named != pinned);
            notes.extend(
                doubt.map(|why| format!("{named} is taken, since it is named, although {why}")),
            );
            (Some(named.clone()), Vec::new())
        }
    };
    let to = to.unwrap_or_else(|| pinned.clone());
    let time = published(&to, packages);
    Ok(Plan {
        from_age_days: published(pinned, packages).map(|time| age(time, ripe.now)),
        to_published: time.and_then(|time| Day::of(time).ok()),
        changes: changes(pinned, &to, packages),
        from: pinned.clone(),
        to,
        passed_over,
        notes,
    })
}

/// What speaks against the pinned version.
fn about_pinned(pinned: &Version, packages: &Packages) -> Vec<String> {
    let fault = fault(pinned, packages).map(|why| format!("of the pinned {pinned}: {why}"));
    let latest = latest(packages).filter(|latest| *latest < pinned);
    let taken_back = |latest| {
        format!(
            "npm's `latest` is {latest}, below the pinned {pinned}: it may have been taken back"
        )
    };
    fault.into_iter().chain(latest.map(taken_back)).collect()
}

fn changes(from: &Version, to: &Version, packages: &Packages) -> String {
    if from == to {
        return "nothing: it is current".to_owned();
    }
    let sizes = Platform::ALL
        .map(Platform::architecture)
        .into_iter()
        .zip(packages)
        .filter_map(|(arch, package)| {
            let size = |version| Some(bytes(package.builds.get(version)?.unpacked?));
            Some(format!("{arch} {} → {}", size(from)?, size(to)?))
        });
    match sizes.collect::<Vec<_>>().join(", ") {
        sizes if sizes.is_empty() => "its layer; the registry gives no sizes".to_owned(),
        sizes => format!("its layer, unpacked: {sizes}"),
    }
}

impl Plan {
    pub(super) fn is_current(&self) -> bool {
        self.from == self.to
    }

    /// Notes and versions that are passed over.
    pub(super) fn remarks(&self) -> Vec<String> {
        let passed = self.passed_over.iter();
        let passed = passed.map(|one| format!("{} is passed over: {}", one.version, one.why));
        self.notes.iter().cloned().chain(passed).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::package::Package;
    use super::*;

    /// 1.0.0 to 1.0.2, published on three days. The package for arm64 does not say its size.
    fn packages(latest: &str) -> Packages {
        [r#","unpackedSize":367940000"#, ""].map(|size| {
            let hash = format!("sha512-{}==", "A".repeat(86));
            let build = |patch: u64| {
                format!(
                    r#"{{"version":"1.0.{patch}","dist":{{"integrity":"{hash}"{size}}},"dist-tags":{{"latest":"{latest}"}},
                    "time":{{"1.0.{patch}":"2026-11-2{patch}T00:00:00Z"}}}}"#
                )
            };
            let all = [0, 1, 2].map(build).join(",");
            Package::parse(format!("[{all}]").as_bytes()).unwrap()
        })
    }

    fn planned(pinned: &str, named: Option<&str>, packages: &Packages) -> Result<Plan, Refusal> {
        let ripe = Ripe {
            now: humantime::parse_rfc3339("2026-11-23T12:00:00Z").unwrap(),
            minimum_age: 2,
        };
        let named = named.map(|named| named.parse().unwrap());
        plan(&pinned.parse().unwrap(), named.as_ref(), packages, &ripe)
    }

    #[test]
    fn a_plan_says_from_where_to_where_and_what_changes() {
        let plan = planned("1.0.0", None, &packages("1.0.2")).unwrap();
        assert_eq!(
            (
                &*plan.to.to_string(),
                plan.to_published.as_ref().map(Day::as_str)
            ),
            ("1.0.1", Some("2026-11-21"))
        );
        assert_eq!(
            plan.changes,
            "its layer, unpacked: amd64 367.9 MB → 367.9 MB"
        );
        let passed = "1.0.2 is passed over: it is 1 day old, and `minimum-age` is 2 days";
        assert_eq!(plan.remarks(), [passed]);
    }

    #[test]
    fn who_names_a_version_gets_it_unless_nobody_should() {
        for (named, latest, note) in [
            ("1.0.2", "1.0.2", "although it is 1 day old"),
            ("1.0.2", "1.0.1", "although it is above npm's `latest`"),
            ("1.0.0", "1.0.2", ""),
            ("1.0.1", "1.0.2", ""),
        ] {
            let plan = planned("1.0.1", Some(named), &packages(latest)).unwrap();
            assert_eq!(
                (&*plan.to.to_string(), plan.is_current()),
                (named, named == "1.0.1")
            );
            assert!(plan.notes.concat().contains(note), "{plan:?}");
        }
        let mut packages = packages("1.0.2");
        let build = packages[0].builds.get_mut(&Version::new(1, 0, 2)).unwrap();
        build.deprecated = Some("broken".to_owned());
        for (named, why) in [
            ("1.0.2", "as deprecated: broken"),
            ("3.0.0", "does not have it"),
        ] {
            let refusal = planned("1.0.1", Some(named), &packages).unwrap_err();
            assert!(refusal.why.ends_with(why), "{refusal}");
        }
    }

    #[test]
    fn a_pinned_version_that_was_taken_back_is_named() {
        let plan = planned("1.0.3", None, &packages("1.0.1")).unwrap();
        assert!(plan.is_current());
        let notes = plan.notes.join("; ");
        assert!(
            notes.starts_with(
                "of the pinned 1.0.3: the registry does not have it; npm's `latest` is"
            ),
            "{notes}"
        );
    }
}
