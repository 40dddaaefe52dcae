//! How old a tag is: when its image was built, from which base, and with which Claude Code.

use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

use serde::Serialize;

use crate::day::{DAY, age, days};
use crate::image_tree::{BASE_DIGEST, CREATED};
use crate::oci::Digest;
use crate::printable;
use crate::version::Version;

const BASE_NAME: &str = "org.opencontainers.image.base.name";
/// The longest label that is read, in bytes.
const LONGEST: usize = 300;

/// What an image's labels say of what it is made of. Anybody may write anything into a label.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct BuiltFrom {
    /// The time of its commit; none where the label is no time.
    created: Option<SystemTime>,
    base: Option<String>,
    base_digest: Option<Digest>,
}

impl BuiltFrom {
    pub(super) fn of(labels: &BTreeMap<String, String>) -> BuiltFrom {
        let label = |name: &str| labels.get(name).filter(|text| text.len() <= LONGEST);
        let time = label(CREATED).and_then(|text| humantime::parse_rfc3339(text).ok());
        BuiltFrom {
            created: time,
            base: label(BASE_NAME).filter(|name| !name.is_empty()).cloned(),
            base_digest: label(BASE_DIGEST).and_then(|text| text.parse().ok()),
        }
    }

    /// The base that it names, if it says which one that was.
    pub(super) fn base(&self) -> Option<&str> {
        self.base.as_deref().filter(|_| self.base_digest.is_some())
    }
}

/// How old a tag is, as `--json` prints it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Age {
    /// The time of the commit that it is built from, RFC 3339 in UTC: the oldest of its platforms' labels.
    pub(super) built: Option<String>,
    /// Whole days since then.
    pub(super) days: Option<u64>,
    pub(super) base: BaseAge,
    pub(super) claude: ClaudeAge,
}

/// The base image of a tag, beside what its name leads to today.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct BaseAge {
    pub(super) name: Option<String>,
    pub(super) digest: Option<Digest>,
    pub(super) newest: Option<Digest>,
    /// None where one of both is not known.
    pub(super) is_behind: Option<bool>,
}

/// The Claude Code of a tag, beside npm's newest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct ClaudeAge {
    pub(super) version: Option<Version>,
    pub(super) newest: Option<Version>,
    /// None where one of both is not known.
    pub(super) is_behind: Option<bool>,
}

/// What is the newest now.
#[derive(Debug)]
pub(super) struct Newest {
    pub(super) now: SystemTime,
    /// The Dockerfile's base, without its digest, and what its name leads to; none where nobody was asked.
    pub(super) base: Option<(String, Digest)>,
    pub(super) claude: Option<Version>,
}

impl Age {
    /// The age of a tag of which the images say `built`, and whose commit pins `claude`.
    pub(super) fn of(built: &BTreeSet<BuiltFrom>, claude: Option<Version>, newest: &Newest) -> Age {
        let built_at = oldest(built, newest.now);
        let behind = |version: &Version| Some(version < newest.claude.as_ref()?);
        Age {
            built: built_at.map(|time| humantime::format_rfc3339_seconds(time).to_string()),
            days: built_at.map(|time| age(time, newest.now)),
            base: BaseAge::of(built, newest),
            claude: ClaudeAge {
                is_behind: claude.as_ref().and_then(behind),
                newest: newest.claude.clone(),
                version: claude,
            },
        }
    }

    /// The cells of its row.
    pub(super) fn cells(&self) -> [String; 3] {
        let unknown = || "not known".to_owned();
        let built = self
            .days
            .map_or_else(unknown, |count| format!("{} ago", days(count)));
        let base = match self.base.is_behind {
            Some(true) => "behind".to_owned(),
            Some(false) => "current".to_owned(),
            None => unknown(),
        };
        let claude = match (&self.claude.version, &self.claude.newest) {
            (Some(version), Some(newest)) if version < newest => {
                format!("{version} (newest {newest})")
            }
            (Some(version), _) => version.to_string(),
            (None, _) => unknown(),
        };
        [built, base, claude]
    }
}

/// The oldest time of all images; none where one of them says none, or one that is yet to come.
fn oldest(built: &BTreeSet<BuiltFrom>, now: SystemTime) -> Option<SystemTime> {
    // Clocks differ.
    let soon = now + DAY;
    let times = built
        .iter()
        .map(|one| one.created.filter(|time| *time <= soon));
    let times: Option<Vec<SystemTime>> = times.collect();
    times?.into_iter().min()
}

impl BaseAge {
    /// Every image must be from one base: else its row says that it is not known.
    fn of(built: &BTreeSet<BuiltFrom>, newest: &Newest) -> BaseAge {
        let bases: BTreeSet<_> = built
            .iter()
            .map(|one| (&one.base, &one.base_digest))
            .collect();
        let Some((name, digest)) = bases.first().filter(|_| bases.len() == 1) else {
            return BaseAge::default();
        };
        let own = newest
            .base
            .as_ref()
            .filter(|(asked, _)| name.as_ref() == Some(asked));
        let newest = own.map(|(_, newest)| newest.clone());
        BaseAge {
            name: name.as_deref().map(printable::line),
            is_behind: digest
                .as_ref()
                .and_then(|own| Some(own != newest.as_ref()?)),
            digest: (*digest).clone(),
            newest,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn newest() -> Newest {
        Newest {
            now: humantime::parse_rfc3339("2026-11-29T12:00:00Z").unwrap(),
            base: Some(("node:20-alpine".to_owned(), Digest::of(b"new"))),
            claude: Some(Version::new(2, 1, 332)),
        }
    }

    /// Images with these labels, one of each line: the time, and the base with the text of its digest's hash.
    fn built(images: &[(&str, &str, &str)]) -> BTreeSet<BuiltFrom> {
        let of = |(created, base, digest): &(&str, &str, &str)| {
            let digest = match *digest {
                "" => String::new(),
                text => Digest::of(text.as_bytes()).to_string(),
            };
            let labels = [
                (CREATED, *created),
                (BASE_NAME, base),
                (BASE_DIGEST, &*digest),
            ];
            let labels = labels.map(|(name, value)| (name.to_owned(), value.to_owned()));
            BuiltFrom::of(&labels.into())
        };
        images.iter().map(of).collect()
    }

    #[test]
    fn what_is_not_known_is_no_age() {
        const NODE: &str = "node:20-alpine";
        let at = "2026-11-17T13:00:00Z";
        for (images, cells) in [
            (
                &[(at, NODE, "new")][..],
                ["11 days ago", "current", "2.1.330 (newest 2.1.332)"],
            ),
            (
                &[(at, NODE, "old")],
                ["11 days ago", "behind", "2.1.330 (newest 2.1.332)"],
            ),
            // The oldest platform counts, and the bases of both.
            (
                &[(at, NODE, "new"), ("2026-11-28T11:00:00Z", NODE, "new")],
                ["11 days ago", "current", "2.1.330 (newest 2.1.332)"],
            ),
            (
                &[(at, NODE, "new"), (at, NODE, "old")],
                ["11 days ago", "not known", "2.1.330 (newest 2.1.332)"],
            ),
            (
                &[(at, NODE, ""), ("", "", "")],
                ["not known", "not known", "2.1.330 (newest 2.1.332)"],
            ),
            (
                &[(at, "debian:13", "new")],
                ["11 days ago", "not known", "2.1.330 (newest 2.1.332)"],
            ),
            // An image that says it comes from the future would never be too old.
            (
                &[("2999-01-01T00:00:00Z", NODE, "")],
                ["not known", "not known", "2.1.330 (newest 2.1.332)"],
            ),
            (
                &[("2026-11-30T11:00:00Z", NODE, "")],
                ["0 days ago", "not known", "2.1.330 (newest 2.1.332)"],
            ),
            (
                &[("yesterday", NODE, "")],
                ["not known", "not known", "2.1.330 (newest 2.1.332)"],
            ),
            (&[], ["not known", "not known", "2.1.330 (newest 2.1.332)"]),
        ] {
            let age = Age::of(&built(images), Some(Version::new(2, 1, 330)), &newest());
            assert_eq!(age.cells(), cells, "{images:?}");
        }
    }

    #[test]
    fn what_nobody_could_be_asked_about_is_neither_current_nor_behind() {
        let images = built(&[("2026-11-28T11:00:00Z", "node:20-alpine", "old")]);
        let nobody = Newest {
            base: None,
            claude: None,
            ..newest()
        };
        let age = Age::of(&images, Some(Version::new(2, 1, 330)), &nobody);
        assert_eq!(age.cells(), ["1 day ago", "not known", "2.1.330"]);
        assert_eq!((age.base.is_behind, age.claude.is_behind), (None, None));
        let age = Age::of(&images, None, &newest());
        assert_eq!(age.cells(), ["1 day ago", "behind", "not known"]);
        assert_eq!(age.claude.is_behind, None);
        let age = Age::of(&images, Some(Version::new(2, 1, 332)), &newest());
        assert_eq!(
            (&*age.cells()[2], age.claude.is_behind),
            ("2.1.332", Some(false))
        );
    }

    #[test]
    fn a_hostile_label_is_none() {
        let long = "x".repeat(LONGEST + 1);
        let images = built(&[("2026-11-28T11:00:00Z", &long, "old")]);
        assert_eq!(images.first().unwrap().base(), None);
        let images = built(&[("2026-11-28T11:00:00Z", "\u{1b}[2J", "old")]);
        let age = Age::of(&images, None, &newest());
        assert_eq!(age.base.name.as_deref(), Some("\\u{1b}[2J"));
    }
}
