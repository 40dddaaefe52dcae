//! The version of the API that both sides know.

use std::fmt;

use anyhow::{Context as _, ensure};

use crate::printable;

/// A version of the API: the part after `1.`, as there never was another first number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version(u16);

impl Version {
    /// Docker 20.10's.
    pub(super) const OLDEST: Version = Version(41);
    /// Docker 28.5's, the last that was tried.
    const NEWEST: Version = Version(51);

    /// What we speak with an engine whose newest version is `engine`. One that has dropped it says so itself, in
    /// its answer to the first request.
    ///
    /// Fails when the engine is too old.
    pub(super) fn common(engine: &str) -> anyhow::Result<Version> {
        let minor = engine.strip_prefix("1.").map(str::parse);
        let Some(Ok(minor)) = minor else {
            let engine = printable::short(engine);
            return Err(anyhow::anyhow!("no version of an API: `{engine}`"))
                .context("the engine does not say which API it has");
        };
        let engine = Version(minor);
        ensure!(
            engine >= Version::OLDEST,
            "the engine knows the API {engine} at most, and {} is needed; hint: Docker 20.10 or later",
            Version::OLDEST
        );
        Ok(engine.min(Version::NEWEST))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "1.{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// testcontainers/testcontainers-java#11210: one fixed version is too old for the next engine (Docker 29 wants
    /// 1.44); #11232: another is too new for one that is still in use.
    #[test]
    fn both_sides_know_the_version() {
        for (engine, expected) in [
            ("1.41", Ok("1.41")),
            ("1.43", Ok("1.43")),
            ("1.51", Ok("1.51")),
            ("1.60", Ok("1.51")),
            (
                "1.40",
                Err("the engine knows the API 1.40 at most, and 1.41 is needed"),
            ),
            ("2.0", Err("the engine does not say which API it has")),
            ("", Err("the engine does not say which API it has")),
            ("1.4x", Err("the engine does not say which API it has")),
        ] {
            let common = Version::common(engine).map(|version| version.to_string());
            match (common, expected) {
                (Ok(version), Ok(expected)) => assert_eq!(version, expected),
                (Err(error), Err(expected)) => {
                    assert!(error.to_string().starts_with(expected), "{error:#}");
                }
                (common, _) => panic!("{engine}: {common:?}"),
            }
        }
    }
}
