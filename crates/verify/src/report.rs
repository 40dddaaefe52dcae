//! What is known of an image after a run, as plain data: `--json` prints it, and
//! `docs/verify.md` describes it.

use std::collections::BTreeMap;

use serde::Serialize;
use xtask::oci::Digest;
use xtask::platform::Platform;

use super::check::{Outcome, Status};
use super::receipt::Execution;
use super::scan::Scan;

/// The results of a run.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) schema: u32,
    /// The name that the image was asked for by.
    pub(crate) image: String,
    /// What the name led to.
    pub(crate) digest: Digest,
    /// The hash of all that judged.
    pub(crate) check_set: Digest,
    /// Whether everything that was looked at holds, and nothing was left unknown.
    pub(crate) proven: bool,
    /// Whether all checks were looked at: none was left out by request.
    pub(crate) complete: bool,
    pub(crate) platforms: Vec<PlatformReport>,
    pub(crate) seconds: f64,
}

#[derive(Debug, Serialize)]
pub(crate) struct PlatformReport {
    pub(crate) platform: Platform,
    pub(crate) manifest: Option<Digest>,
    pub(crate) execution: Execution,
    /// Where the receipt is.
    pub(crate) receipt: String,
    /// Where the bundle is that signs it; absent where nobody asked for one, or nothing is to be signed.
    pub(crate) bundle: Option<String>,
    /// Why it is not signed although somebody asked for it.
    #[serde(skip)]
    pub(crate) unsigned: Option<String>,
    /// What a scanner found; absent without `--scan`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) scan: Option<Scan>,
    pub(crate) seconds: f64,
    pub(crate) results: Vec<Outcome>,
}

/// Every status, the one that needs a look most first.
pub(crate) const STATUSES: [Status; 6] = [
    Status::Failed,
    Status::Unproven,
    Status::NotExecuted,
    Status::Passed,
    Status::NotApplicable,
    Status::Skipped,
];

/// A status in prose.
pub(crate) fn words(status: Status) -> &'static str {
    match status {
        Status::NotExecuted => "not executed",
        Status::NotApplicable => "not applicable",
        other => other.as_str(),
    }
}

/// Whether an image with a check in this status is not proven.
pub(crate) fn is_bad(status: Status) -> bool {
    match status {
        Status::Failed | Status::Unproven | Status::NotExecuted => true,
        // What was left out by request is no failure.
        Status::Passed | Status::NotApplicable | Status::Skipped => false,
    }
}

/// The group of a check.
pub(crate) fn group(id: &str) -> &str {
    id.split('-').next().unwrap_or(id)
}

/// `1 failed, 20 passed`: how many there are of each status.
pub(crate) fn counted(statuses: impl IntoIterator<Item = Status>) -> Vec<(Status, usize)> {
    let mut counts: BTreeMap<Status, usize> = BTreeMap::new();
    for status in statuses {
        *counts.entry(status).or_default() += 1;
    }
    let counted = STATUSES.into_iter();
    counted
        .filter_map(|status| Some((status, *counts.get(&status)?)))
        .collect()
}

impl PlatformReport {
    pub(crate) fn is_proven(&self) -> bool {
        !self.results.iter().any(|one| is_bad(one.status))
    }

    /// The results by group, in the order of the report.
    pub(crate) fn groups(&self) -> Vec<(&str, Vec<&Outcome>)> {
        let mut groups: Vec<(&str, Vec<&Outcome>)> = Vec::new();
        for result in &self.results {
            let group = group(&result.id);
            match groups.iter_mut().find(|(name, _)| *name == group) {
                Some((_, results)) => results.push(result),
                None => groups.push((group, vec![result])),
            }
        }
        groups
    }

    /// The results of a status, those with one reason together.
    pub(crate) fn by_reason(&self, status: Status) -> Vec<(&str, Vec<&str>)> {
        let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
        for one in self.results.iter().filter(|one| one.status == status) {
            match reasons.iter_mut().find(|(why, _)| *why == one.seen) {
                Some((_, ids)) => ids.push(&one.id),
                None => reasons.push((&one.seen, vec![&one.id])),
            }
        }
        reasons
    }

    /// Checks by their ids, and by their group where it is among them as a whole.
    pub(crate) fn names<'a>(&'a self, ids: &[&str]) -> Vec<&'a str> {
        let mut names = Vec::new();
        for (group, results) in self.groups() {
            let among = |one: &&&Outcome| ids.contains(&&*one.id);
            let among: Vec<&&Outcome> = results.iter().filter(among).collect();
            if among.len() == results.len() && among.len() > 1 {
                names.push(group);
            } else {
                names.extend(among.iter().map(|one| &*one.id));
            }
        }
        names
    }
}

impl Report {
    pub(crate) const SCHEMA: u32 = 1;

    /// Where the bundles are.
    pub(crate) fn bundles(&self) -> Vec<&str> {
        let platforms = self.platforms.iter();
        platforms.filter_map(|one| one.bundle.as_deref()).collect()
    }

    /// Which scans did not pass, with what to do about the first; none when all that were asked for did.
    pub(crate) fn scan_fault(&self) -> Option<String> {
        let bad = self.platforms.iter().filter_map(|one| {
            let scan = one.scan.as_ref().filter(|scan| !scan.is_passed())?;
            Some((one.platform, scan))
        });
        let bad: Vec<_> = bad.collect();
        let each = bad
            .iter()
            .map(|(platform, scan)| format!("{platform} {} ({})", words(scan.status), scan.seen));
        let each: Vec<String> = each.collect();
        let (_, first) = bad.first()?;
        let remedy = first.remedy.as_deref().unwrap_or("its report says more");
        Some(format!(
            "the scan of `{}` did not pass: {}; hint: {remedy}",
            self.image,
            each.join(", ")
        ))
    }

    /// One sentence: how it ended.
    pub(crate) fn sum(&self) -> String {
        let all = self.platforms.iter().flat_map(|one| &one.results);
        let statuses = all.map(|one| one.status);
        let counted = counted(statuses);
        let total: usize = counted.iter().map(|(_, count)| count).sum();
        let counted = counted.iter();
        let counted = counted.map(|(status, count)| format!("{count} {}", words(*status)));
        let s = if total == 1 { "" } else { "s" };
        let counted: Vec<String> = counted.collect();
        format!("{total} check{s}: {}", counted.join(", "))
    }
}

/// Reports for the tests of who shows them.
#[cfg(test)]
pub(crate) mod samples {
    use super::*;

    pub(crate) fn outcome(id: &str, status: Status, seen: &str) -> Outcome {
        let failed = status == Status::Failed;
        Outcome {
            id: id.to_owned(),
            status,
            seen: seen.to_owned(),
            expected: failed.then(|| "v20".to_owned()),
            remedy: failed.then(|| "build it with 20".to_owned()),
            busy: false,
            seconds: 0.25,
        }
    }

    pub(crate) fn platform(platform: Platform, results: Vec<Outcome>) -> PlatformReport {
        let file = platform.as_str().replace('/', "-");
        PlatformReport {
            platform,
            manifest: Some(digest(1)),
            execution: Execution::Native,
            receipt: format!("target/xtask/receipts/sha256-0/{file}.json"),
            bundle: None,
            unsigned: None,
            scan: None,
            seconds: 1.25,
            results,
        }
    }

    fn digest(number: u8) -> Digest {
        Digest::of_hash(&[number; 32])
    }

    pub(crate) fn report(platforms: Vec<PlatformReport>) -> Report {
        let mut all = platforms.iter().flat_map(|one| &one.results);
        let left_out = all.any(|one| one.status == Status::Skipped);
        Report {
            schema: Report::SCHEMA,
            image: "agentgate/agent:dev".to_owned(),
            digest: digest(0),
            check_set: digest(2),
            proven: platforms.iter().all(PlatformReport::is_proven),
            complete: !left_out,
            platforms,
            seconds: 1.5,
        }
    }

    /// One check of every status, and a group that is unproven as a whole.
    pub(crate) fn mixed() -> Report {
        let results = vec![
            outcome("seed-1-build", Status::Passed, "bash"),
            outcome("seed-3-node", Status::Failed, "v18.0.0"),
            outcome("pid1-reap", Status::Unproven, "the engine is gone"),
            outcome("pid1-signals", Status::Unproven, "the engine is gone"),
            outcome("health-healthy", Status::Unproven, "the engine is gone"),
            outcome("health-sick", Status::NotExecuted, "nothing runs it here"),
            outcome("image-size", Status::Skipped, "left out"),
            outcome("image-growth", Status::NotApplicable, "no release yet"),
        ];
        report(vec![platform(Platform::LinuxAmd64, results)])
    }
}

#[cfg(test)]
mod tests {
    use xtask::scanner::Scanner;

    use super::samples::{mixed, outcome, platform, report};
    use super::*;
    use crate::scan;

    #[test]
    fn a_report_is_summed_up_the_worst_first() {
        let expected = "8 checks: 1 failed, 3 unproven, 1 not executed, 1 passed, \
                        1 not applicable, 1 skipped";
        assert_eq!(mixed().sum(), expected);
        let one = vec![outcome("seed-3-node", Status::Passed, "v20")];
        let report = report(vec![platform(Platform::LinuxAmd64, one)]);
        assert_eq!(report.sum(), "1 check: 1 passed");
        assert!(report.proven && report.complete);
    }

    #[test]
    fn what_is_left_out_is_no_failure_and_what_is_unknown_is_no_pass() {
        for (status, is_proven) in [
            (Status::Passed, true),
            (Status::NotApplicable, true),
            (Status::Skipped, true),
            (Status::Failed, false),
            (Status::Unproven, false),
            (Status::NotExecuted, false),
        ] {
            let one = platform(Platform::LinuxAmd64, vec![outcome("a-b", status, "")]);
            assert_eq!(one.is_proven(), is_proven, "{status:?}");
        }
    }

    #[test]
    fn a_scan_that_is_no_pass_is_a_fault_and_no_check() {
        let mut report = report(vec![
            platform(Platform::LinuxAmd64, Vec::new()),
            platform(Platform::LinuxArm64, Vec::new()),
        ]);
        assert_eq!(report.scan_fault(), None);
        report.platforms[0].scan = Some(scan::samples::passed(Scanner::Trivy));
        assert_eq!(report.scan_fault(), None);
        report.platforms[1].scan = Some(scan::samples::failed());
        let fault = "the scan of `agentgate/agent:dev` did not pass: linux/arm64 failed (1 critical, 2 low); hint: move on";
        assert_eq!(report.scan_fault().unwrap(), fault);
        assert!(report.proven && report.platforms[1].is_proven());
        for status in [Status::Unproven, Status::NotExecuted] {
            report.platforms[1].scan.as_mut().unwrap().status = status;
            assert!(report.scan_fault().is_some(), "{status:?}");
        }
        let value = serde_json::to_value(&report).unwrap();
        let scan = &value["platforms"][1]["scan"];
        assert_eq!(scan["counts"], serde_json::json!({"critical": 1, "low": 2}));
        assert_eq!(
            (&scan["scanner"], &scan["fail_on"]),
            (&"trivy".into(), &"critical".into())
        );
        assert_eq!(scan["worst"][0]["fixed_in"], "99.1");
    }

    #[test]
    fn a_whole_group_is_called_by_its_name() {
        let report = mixed();
        let one = &report.platforms[0];
        let reasons = one.by_reason(Status::Unproven);
        assert_eq!(reasons.len(), 1);
        assert_eq!(one.names(&reasons[0].1), ["pid1", "health-healthy"]);
        assert_eq!(one.names(&[]), [""; 0]);
    }
}
