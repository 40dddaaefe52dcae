//! What a registry has of a package, read from what `npm view --json` prints.

use std::collections::BTreeMap;
use std::time::SystemTime;

use anyhow::Context as _;
use serde::Deserialize;
use serde_json::Value;

use crate::printable;
use crate::version::Version;

/// The fields that `npm view` is asked for. It prints none that a package lacks.
pub(super) const FIELDS: [&str; 5] = ["version", "dist", "deprecated", "dist-tags", "time"];

/// One package, in the versions that were asked for.
#[derive(Debug, Default)]
pub(super) struct Package {
    /// What its author calls `latest`.
    pub(super) latest: Option<Version>,
    pub(super) builds: BTreeMap<Version, Build>,
}

/// A version of a package.
#[derive(Debug, Default)]
pub(super) struct Build {
    /// None where the registry does not say.
    pub(super) published: Option<SystemTime>,
    /// Why its author advises against it, on one line.
    pub(super) deprecated: Option<String>,
    /// The hash of its file, as a lock has it.
    pub(super) integrity: Option<String>,
    /// The bytes of its files. None where the registry does not say: some mirrors do not.
    pub(super) unpacked: Option<u64>,
}

/// npm prints a list, or the only element of it.
#[derive(Deserialize)]
#[serde(untagged)]
enum Answer {
    Several(Vec<Shown>),
    One(Box<Shown>),
}

#[derive(Deserialize)]
struct Shown {
    version: Version,
    #[serde(default)]
    dist: Dist,
    deprecated: Option<Value>,
    #[serde(rename = "dist-tags", default)]
    tags: BTreeMap<String, String>,
    #[serde(default)]
    time: BTreeMap<String, Value>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Dist {
    integrity: Option<String>,
    unpacked_size: Option<u64>,
}

impl Package {
    /// Fails when `text` is not what npm prints for [`FIELDS`].
    pub(super) fn parse(text: &[u8]) -> anyhow::Result<Package> {
        let shown =
            match serde_json::from_slice(text).context("`npm view` printed no versions as JSON")? {
                Answer::Several(shown) => shown,
                Answer::One(shown) => vec![*shown],
            };
        let mut package = Package::default();
        for shown in shown {
            let published = shown.time.get(&shown.version.to_string());
            let build = Build {
                published: published.and_then(Value::as_str).and_then(time),
                deprecated: shown.deprecated.and_then(deprecation),
                integrity: shown.dist.integrity,
                unpacked: shown.dist.unpacked_size,
            };
            package.latest = shown
                .tags
                .get("latest")
                .and_then(|version| version.parse().ok());
            package.builds.insert(shown.version, build);
        }
        Ok(package)
    }
}

/// A time in UTC, which some registries write with an offset of zero.
fn time(text: &str) -> Option<SystemTime> {
    humantime::parse_rfc3339(&text.replace("+00:00", "Z")).ok()
}

/// `npm undeprecate` leaves an empty text. A registry may also say no more than yes or no.
fn deprecation(value: Value) -> Option<String> {
    match value {
        Value::Null | Value::Bool(false) => None,
        Value::String(text) => Some(printable::short(&text)).filter(|text| !text.is_empty()),
        _ => Some("without a reason".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_version_and_several_are_read() {
        let one = r#"{"version":"1.2.3","dist":{"integrity":"sha512-a","unpackedSize":7},"deprecated":"bad",
            "dist-tags":{"latest":"1.2.4"},"time":{"created":"x","1.2.3":"2026-11-20T19:21:21.5+00:00"}}"#;
        for text in [one.to_owned(), format!("[{one}]")] {
            let package = Package::parse(text.as_bytes()).unwrap();
            assert_eq!(package.latest, Some(Version::new(1, 2, 4)));
            let build = &package.builds[&Version::new(1, 2, 3)];
            assert_eq!(
                (build.deprecated.as_deref(), build.unpacked),
                (Some("bad"), Some(7))
            );
            assert_eq!(
                build.published,
                humantime::parse_rfc3339("2026-11-20T19:21:21.5Z").ok()
            );
        }
        for bad in ["", "\"1.2.3\"", "{}", r#"{"version":"latest"}"#, "<html>"] {
            assert!(Package::parse(bad.as_bytes()).is_err(), "{bad}");
        }
        for (value, expected) in [
            (Value::Bool(false), None),
            ("".into(), None),
            (true.into(), Some("without a reason")),
        ] {
            assert_eq!(deprecation(value).as_deref(), expected);
        }
    }
}
