//! Whether an engine's own builder is new enough for the Dockerfile.

use crate::docker::{Builder, Docker};
use crate::refusal::Refusal;

/// The first Docker Engine whose builder knows `HEALTHCHECK --start-interval`, and which obeys it.
pub(crate) const OLDEST: u64 = 25;

/// The first Docker Engine that unpacks layers of zstd.
const READS_ZSTD: u64 = 23;

/// The majors of Docker Engine that are older than [`OLDEST`]. There is none between 1 and 17: Podman, which
/// answers to the same client, has versions such as 5.4.0.
const OLDER: [std::ops::RangeInclusive<u64>; 2] = [1..=1, 17..=OLDEST - 1];

/// That the engine's own builder is too old, if it is. Another builder brings a BuildKit of its own,
/// and an older engine runs what that has built: it ignores the interval.
pub(super) fn too_old(docker: &Docker) -> Option<Refusal> {
    let engine = docker.engine.as_ref()?;
    let is_own = docker.builder.as_ref().is_none_or(Builder::is_engine);
    (is_own && is_older(&engine.version)).then(|| Refusal {
        why: format!(
            "the builder of Docker Engine {} does not know `HEALTHCHECK --start-interval` of the \
             Dockerfile",
            engine.version
        ),
        remedy: format!(
            "upgrade to Docker Engine {OLDEST} or later, or use a builder in a container, which \
             brings a newer BuildKit (`--create-builder`, or `--builder NAME`)"
        ),
    })
}

/// That the engine cannot read layers of zstd, if it cannot: it takes them for gzip and says `invalid tar
/// header` (aws/amazon-ecs-agent#4179).
pub(crate) fn reads_no_zstd(docker: &Docker) -> Option<Refusal> {
    let engine = docker.engine.as_ref()?;
    let is_old = is_older(&engine.version) && major(&engine.version)? < READS_ZSTD;
    is_old.then(|| {
        Refusal::new(
            format!(
                "Docker Engine {} cannot read layers of zstd",
                engine.version
            ),
            "`--compression gzip`",
        )
    })
}

/// False, too, for what is not a version of Docker Engine: the build then says what is wrong.
fn is_older(version: &str) -> bool {
    major(version).is_some_and(|major| OLDER.iter().any(|older| older.contains(&major)))
}

/// None for what is not a version.
fn major(version: &str) -> Option<u64> {
    let digits = version.trim_start_matches('v');
    let end = digits.find(|c: char| !c.is_ascii_digit());
    let (major, rest) = digits.split_at(end.unwrap_or(digits.len()));
    let is_version = rest.is_empty() || rest.starts_with(['.', '-', '+', '~']);
    major.parse().ok().filter(|_| is_version)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::docker::{Engine, Store};

    /// docker/cli#4486 and moby/buildkit#4355: 24's builder fails with `unknown flag`, and 24 drops the
    /// interval of an image that a newer one has built.
    #[test]
    fn engines_before_25_are_older() {
        for (version, expected) in [
            ("1.13.1", true),
            ("17.03.2-ce", true),
            ("20.10", true),
            ("20.10.24+dfsg1", true),
            ("23.0.6", true),
            ("v24.0.9", true),
            ("24.0.9-rc.1", true),
            ("25.0.0", false),
            ("25.0.0-beta.1", false),
            ("28.5.2+dfsg4", false),
            ("29", false),
            ("100.0", false),
            // Podman's.
            ("5.4.0", false),
            ("", false),
            ("dev", false),
            ("24hours", false),
            ("master-24", false),
            ("99999999999999999999999", false),
        ] {
            assert_eq!(is_older(version), expected, "{version}");
        }
    }

    fn docker(version: &str, builder: Option<Builder>) -> Docker {
        Docker {
            engine: Some(Engine {
                version: version.to_owned(),
                platform: None,
                store: Store::Classic,
                root: None,
            }),
            builder,
            ..Docker::default()
        }
    }

    #[test]
    fn a_builder_of_its_own_makes_up_for_an_older_engine() {
        let contained = || Some(Builder::in_container("b"));
        let own = || {
            contained().map(|builder| Builder {
                driver: "docker".to_owned(),
                ..builder
            })
        };
        for (docker, is_lacking) in [
            (docker("24.0.9", own()), true),
            (docker("24.0.9", None), true),
            (docker("24.0.9", contained()), false),
            (docker("25.0.0", own()), false),
            (Docker::default(), false),
        ] {
            assert_eq!(too_old(&docker).is_some(), is_lacking, "{docker:?}");
        }
        let lack = too_old(&docker("20.10.24", own())).unwrap();
        assert!(lack.why.contains("Docker Engine 20.10.24"), "{lack}");
        assert!(lack.remedy.contains("Docker Engine 25 or later"), "{lack}");
    }

    #[test]
    fn engines_before_23_read_no_zstd() {
        for (version, is_lacking) in [
            ("20.10.25", true),
            ("1.13.1", true),
            ("23.0.0", false),
            ("24.0.9", false),
            ("28.5.2+dfsg4", false),
            ("5.4.0", false),
            ("dev", false),
        ] {
            let lack = reads_no_zstd(&docker(version, None));
            assert_eq!(lack.is_some(), is_lacking, "{version}");
        }
        assert!(reads_no_zstd(&Docker::default()).is_none());
    }
}
