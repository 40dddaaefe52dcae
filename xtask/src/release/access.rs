//! Asks every repository that a release writes to whether it may, before anything takes long or cannot be
//! taken back.

use anyhow::Context as _;

use super::intent::Release;
use super::step::{ReleasePlan, TagStep};
use crate::reference::Repository;
use crate::write_access;

/// Fails when the account may not write to one of the repositories; nothing was written then.
pub(super) fn check(release: &Release, plan: &ReleasePlan) -> anyhow::Result<()> {
    for repository in asked(plan) {
        let mut targets = release.targets.iter();
        let target = targets.find(|one| one.repository == *repository);
        let target = target.context("a step names an unknown repository")?;
        write_access::check(&target.pusher, repository).context(release.intent.nothing())?;
    }
    Ok(())
}

/// The repositories to ask. The first write to a repository says as much: so where nothing comes before the
/// only one, no request is spent.
fn asked(plan: &ReleasePlan) -> Vec<&Repository> {
    let steps = plan.steps.iter().filter(|step| TagStep::is_write(step));
    let written = steps.map(|step| &step.repository);
    let signed = plan.sign.iter().map(|unsigned| &unsigned.repository);
    let attached = plan.attach.iter().map(|step| &step.repository);
    let recorded = plan.records.iter().map(|step| &step.repository);
    let mut all: Vec<&Repository> = Vec::new();
    for repository in written.chain(signed).chain(attached).chain(recorded) {
        if !all.contains(&repository) {
            all.push(repository);
        }
    }
    let comes_first = !plan.verify.is_empty() || !plan.sign.is_empty();
    if all.len() > 1 || comes_first {
        all
    } else {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::super::step::{StepKind, Unsigned};
    use super::*;
    use crate::oci::Digest;
    use crate::platform::Platform;
    use crate::version::Version;

    fn step(repository: &str, is_write: bool) -> TagStep {
        TagStep {
            kind: StepKind::Version,
            repository: repository.parse().unwrap(),
            tag: "v1.0.0".to_owned(),
            from: None,
            to: is_write.then(|| Digest::of(b"x")),
            why: String::new(),
        }
    }

    #[test]
    fn who_is_written_to_is_asked_where_the_first_write_comes_too_late() {
        let one = || vec![step("a/b", true), step("a/b", true)];
        let two = || vec![step("a/b", true), step("ghcr.io/a/b", true)];
        let half = || vec![step("a/b", true), step("ghcr.io/a/b", false)];
        let lacking = || vec![(Platform::LinuxAmd64, "why".to_owned())];
        let unsigned = || {
            vec![Unsigned {
                repository: "a/b".parse().unwrap(),
                digests: Vec::new(),
            }]
        };
        for (steps, verify, sign, want) in [
            (one(), vec![], vec![], &[][..]),
            (half(), vec![], vec![], &[]),
            (one(), lacking(), vec![], &["a/b"]),
            (one(), vec![], unsigned(), &["a/b"]),
            (vec![step("a/b", false)], vec![], unsigned(), &["a/b"]),
            (two(), vec![], vec![], &["a/b", "ghcr.io/a/b"]),
            (half(), lacking(), vec![], &["a/b"]),
        ] {
            let plan = ReleasePlan {
                version: Version::new(1, 0, 0),
                revision: "r".to_owned(),
                digest: Digest::of(b"x"),
                verify,
                attach: Vec::new(),
                sign,
                records: Vec::new(),
                steps,
                notes: Vec::new(),
            };
            let found: Vec<String> = asked(&plan).iter().map(ToString::to_string).collect();
            assert_eq!(found, want, "{plan:?}");
        }
    }
}
