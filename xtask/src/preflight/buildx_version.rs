//! Whether buildx is new enough for a builder whose nodes are pods.

use crate::docker::{Builder, Docker};
use crate::refusal::Refusal;

/// The first buildx, as major and minor, that notices when the pod of a build has ended. An older one
/// waits for ever.
const OLDEST: (u64, u64) = (0, 36);

/// Warns when the builder is in Kubernetes and buildx is too old for it. It builds all the same as
/// long as no pod ends, so a build is not refused.
pub(crate) fn too_old_for_pods(docker: &Docker) -> Option<Refusal> {
    let version = docker.buildx.as_deref()?;
    let is_in_pods = docker.builder.as_ref().is_some_and(Builder::is_kubernetes);
    (is_in_pods && is_older(version)).then(|| Refusal {
        why: format!(
            "buildx {version} waits for ever when the pod of a build is deleted, evicted or restarted"
        ),
        remedy: format!(
            "upgrade to buildx {}.{} or later, or use a builder that is not in Kubernetes \
             (`--builder NAME`)",
            OLDEST.0, OLDEST.1
        ),
    })
}

/// False for what is not a version.
fn is_older(version: &str) -> bool {
    let mut numbers = version.trim_start_matches('v').split('.');
    let mut next = || numbers.next()?.parse::<u64>().ok();
    match (next(), next()) {
        (Some(major), Some(minor)) => (major, minor) < OLDEST,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_before_0_36_are_older() {
        for (version, expected) in [
            ("0.8.0", true),
            ("v0.29.1", true),
            ("0.35.2", true),
            ("0.13.1+ds1-0ubuntu1", true),
            ("0.36.0", false),
            ("v0.36.0-rc1", false),
            ("0.36", false),
            ("0.100.0", false),
            ("1.0.0", false),
            ("unknown", false),
            ("0", false),
            ("", false),
        ] {
            assert_eq!(is_older(version), expected, "{version}");
        }
    }

    #[test]
    fn only_a_builder_in_kubernetes_is_warned_of() {
        for (driver, buildx, is_warned_of) in [
            ("kubernetes", Some("0.29.1"), true),
            ("kubernetes", Some("0.36.0"), false),
            ("kubernetes", None, false),
            ("docker-container", Some("0.29.1"), false),
            ("docker", Some("0.29.1"), false),
        ] {
            let docker = Docker {
                buildx: buildx.map(str::to_owned),
                builder: Some(Builder {
                    driver: driver.to_owned(),
                    ..Builder::in_container("b")
                }),
                ..Docker::default()
            };
            let warning = too_old_for_pods(&docker);
            assert_eq!(warning.is_some(), is_warned_of, "{driver} {buildx:?}");
        }
        assert_eq!(too_old_for_pods(&Docker::default()), None);
    }
}
