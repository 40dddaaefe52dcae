//! Asks every repository that a release writes to whether it may, before anything takes long or cannot be
//! taken back.

use anyhow::Context as _;

use super::intent::Release;
use super::step::{ReleasePlan, TagStep};
use crate::reference::Repository;
use crate::settings::Signing;
use crate::write_access;

/// Fails when the account may not write to one of the repositories; nothing was written then.
pub(super) fn check(release: &Release, plan: &ReleasePlan) -> anyhow::Result<()> {
    let is_public = matches!(release.signing, Some(Signing::Identity { .. }));
    for repository in asked(plan, is_public) {
        let mut targets = release.targets.iter();
        let target = targets.find(|one| one.repository == *repository);
        let target = target.context("a step names an unknown repository")?;
        write_access::check(&target.pusher, repository).context(release.intent.nothing())?;
    }
    Ok(())
}

/// The repositories to ask. The first write to a repository says as much: so where nothing comes before the
/// only one, no request is spent. `is_public` says whether a signature is entered in public logs, which nobody
/// can take back; one by a key is made here.
fn asked(plan: &ReleasePlan, is_public: bool) -> Vec<&Repository> {
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
    let is_signed = !plan.sign.is_empty() || !plan.records.is_empty();
    let comes_first = !plan.verify.is_empty() || (is_signed && is_public);
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
        let none = || vec![step("a/b", false)];
        for (steps, verify, sign, is_public, want) in [
            (one(), vec![], vec![], true, &[][..]),
            (half(), vec![], vec![], true, &[]),
            (one(), lacking(), vec![], false, &["a/b"]),
            (one(), vec![], unsigned(), false, &[]),
            (one(), vec![], unsigned(), true, &["a/b"]),
            (none(), vec![], unsigned(), true, &["a/b"]),
            (two(), vec![], vec![], false, &["a/b", "ghcr.io/a/b"]),
            (half(), lacking(), vec![], false, &["a/b"]),
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
            let found = asked(&plan, is_public);
            let found: Vec<String> = found.iter().map(ToString::to_string).collect();
            assert_eq!(found, want, "{plan:?}");
        }
    }
}
