//! What to type after a run.

use std::collections::BTreeSet;

use xtask::exec;
use xtask::platform;

use crate::check::Outcome;
use crate::receipt::Execution;
use crate::report::{PlatformReport, Report, is_bad};

/// With more checks than these, the command names none and repeats all.
const NAMED: usize = 8;

/// The command that repeats only the checks that are not proven; absent when all are.
pub(crate) fn again(report: &Report) -> Option<String> {
    let bad = |one: &&PlatformReport| !one.is_proven();
    let bad: Vec<&PlatformReport> = report.platforms.iter().filter(bad).collect();
    let is_wanted = |one: &&Outcome| is_bad(one.status);
    let ids = bad
        .iter()
        .flat_map(|one| one.results.iter().filter(is_wanted));
    let ids: BTreeSet<&str> = ids.map(|one| &*one.id).collect();
    // Every platform has a result of every check, in the same order.
    let names = bad.first()?.names(&ids.into_iter().collect::<Vec<_>>());
    let only = names.join(",");
    let mut args = vec!["xtask", "verify", &report.image];
    if names.len() <= NAMED {
        args.extend(["--only", &only]);
    }
    let platforms: Vec<_> = bad.iter().map(|one| one.platform).collect();
    let platforms = platform::join(&platforms);
    if bad.len() < report.platforms.len() {
        args.extend(["--platform", &platforms]);
    }
    Some(exec::quoted("cargo", &args))
}

/// Why the receipts are not enough for a release although nothing failed, and why checks did not
/// run; each with what to do.
pub(crate) fn notes(report: &Report) -> Vec<String> {
    let mut notes = Vec::new();
    if report.proven && !report.complete {
        notes.push(
            "checks were left out, so these receipts are not enough for a release; hint: leave \
             `--only` and `--skip` away"
                .to_owned(),
        );
    }
    let bad = report.platforms.iter().flat_map(|one| &one.results);
    let bad: Vec<&Outcome> = bad.filter(|one| is_bad(one.status)).collect();
    if !bad.is_empty() && bad.iter().all(|one| one.busy) {
        notes.push(
            "nothing is known to be wrong: the machine was too busy to tell; hint: run it again when less \
             runs beside it. The command below repeats only what is unproven, a release needs a \
             whole run of the platform"
                .to_owned(),
        );
    }
    for one in &report.platforms {
        if one.execution == Execution::Static {
            notes.push(format!(
                "nothing runs {} here, so only its files were read; hint: verify on a machine \
                 that runs it, or after `docker run --privileged --rm tonistiigi/binfmt --install \
                 all`",
                one.platform
            ));
        }
        if let Some(why) = &one.unsigned {
            notes.push(format!(
                "the receipt for {} is not signed: {why}",
                one.platform
            ));
        }
        if one.manifest.is_none() {
            notes.push(format!(
                "the engine's classic image store keeps no manifest, so the receipt for {} opens \
                 no release; hint: push the image and verify it with `--pull`",
                one.platform
            ));
        }
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Status;
    use crate::report::samples::{mixed, outcome, platform, report};
    use xtask::platform::Platform;

    #[test]
    fn what_is_not_proven_can_be_looked_at_again() {
        assert_eq!(
            again(&mixed()).unwrap(),
            "cargo xtask verify agentgate/agent:dev --only seed-3-node,pid1,health"
        );
        let good = || vec![outcome("seed-3-node", Status::Passed, "v20")];
        let bad = || vec![outcome("seed-3-node", Status::Failed, "v18")];
        let of = |amd64, arm64| {
            again(&report(vec![
                platform(Platform::LinuxAmd64, amd64),
                platform(Platform::LinuxArm64, arm64),
            ]))
        };
        assert_eq!(of(good(), good()), None);
        assert_eq!(
            of(good(), bad()).unwrap(),
            "cargo xtask verify agentgate/agent:dev --only seed-3-node --platform linux/arm64"
        );
        let both = of(bad(), bad()).unwrap();
        assert_eq!(
            both,
            "cargo xtask verify agentgate/agent:dev --only seed-3-node"
        );
        assert_eq!(again(&report(Vec::new())), None);
    }

    #[test]
    fn a_busy_machine_is_blamed_where_nothing_else_is_wrong() {
        let busy = || Outcome {
            busy: true,
            ..outcome("claude-offline", Status::Unproven, "busy")
        };
        let of = |more: Option<Status>| {
            let more = more.map(|status| outcome("seed-3-node", status, "x"));
            let results = vec![busy()].into_iter().chain(more).collect();
            notes(&report(vec![platform(Platform::LinuxAmd64, results)]))
        };
        for more in [None, Some(Status::Passed)] {
            let notes = of(more);
            assert!(
                notes[0].contains("too busy to tell; hint: run it again"),
                "{notes:?}"
            );
        }
        for more in [Status::Failed, Status::Unproven, Status::NotExecuted] {
            assert_eq!(of(Some(more)), [""; 0], "{more:?}");
        }
    }

    #[test]
    fn what_opens_no_release_is_noted() {
        type Change = fn(&mut Report);
        let table: [(Change, &[&str]); 6] = [
            (|_| {}, &[]),
            (
                |r| r.complete = false,
                &["leave `--only` and `--skip` away"],
            ),
            (|r| r.platforms[0].manifest = None, &["`--pull`"]),
            (
                |r| r.platforms[0].unsigned = Some("not every check passed".to_owned()),
                &["linux/amd64 is not signed: not every check passed"],
            ),
            (
                |r| {
                    r.proven = false;
                    r.platforms[0].execution = Execution::Static;
                },
                &["binfmt"],
            ),
            (
                |r| {
                    r.complete = false;
                    r.platforms[0].manifest = None;
                },
                &["`--skip`", "`--pull`"],
            ),
        ];
        for (change, words) in table {
            let results = vec![outcome("seed-3-node", Status::Passed, "v20")];
            let mut report = report(vec![platform(Platform::LinuxAmd64, results)]);
            change(&mut report);
            let notes = notes(&report);
            assert_eq!(notes.len(), words.len(), "{notes:?}");
            for (note, words) in notes.iter().zip(words) {
                assert!(note.contains(words), "{words}: {note}");
            }
        }
    }
}
