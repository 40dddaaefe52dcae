//! The judgement of a report, in tables.

use super::*;
use crate::scan::judge::judge;
use crate::scan::report::Finding;

fn finding(severity: Severity, package: &str, fixed_in: Option<&str>) -> Finding {
    Finding {
        severity,
        package: package.to_owned(),
        installed: "1".to_owned(),
        fixed_in: fixed_in.map(str::to_owned),
        id: "CVE-2026-1".to_owned(),
    }
}

#[test]
fn the_setting_decides_from_where_on_a_scan_fails() {
    let config: Digest = CONFIG.parse().unwrap();
    let status = |found: &[Severity], fail_on| {
        let report = ScanReport {
            image: Some(CONFIG.to_owned()),
            database: Some(SystemTime::now()),
            findings: found.iter().map(|one| finding(*one, "a", None)).collect(),
            ..ScanReport::default()
        };
        let wanted = Wanted {
            scanner: Scanner::Trivy,
            config: Some(&config),
            fail_on,
            now: SystemTime::now(),
        };
        judge(&report.sorted(), &wanted)
    };
    for worst in Severity::ALL {
        for fail_on in Severity::ALL {
            let found = status(&[Severity::Unknown, worst], Some(fail_on)).status;
            let expected = if worst >= fail_on {
                Status::Failed
            } else {
                Status::Passed
            };
            assert_eq!(found, expected, "{worst} {fail_on}");
        }
        assert_eq!(status(&[worst], None).status, Status::Passed);
        assert_eq!(status(&[], Some(worst)).seen, "no vulnerabilities");
    }
    let failed = status(&[Severity::Critical], Some(Severity::High));
    assert_eq!(failed.expected.as_deref(), Some("nothing high or worse"));
    assert!(failed.remedy.unwrap().contains(".trivyignore"));
}

#[test]
fn a_report_counts_only_for_the_configuration_that_was_verified() {
    let report = ScanReport {
        image: Some(CONFIG.to_owned()),
        database: Some(SystemTime::now()),
        ..ScanReport::default()
    };
    let (own, other): (Digest, Digest) = (CONFIG.parse().unwrap(), Digest::of(b"x"));
    for (config, status) in [
        (Some(&own), Status::Passed),
        (Some(&other), Status::Unproven),
        (None, Status::Unproven),
    ] {
        let wanted = Wanted {
            scanner: Scanner::Grype,
            config,
            fail_on: None,
            now: SystemTime::now(),
        };
        assert_eq!(judge(&report, &wanted).status, status);
    }
}

#[test]
fn findings_are_in_an_order_of_their_own_and_without_doubles() {
    use Severity::{Critical, High, Low};
    let report = ScanReport {
        findings: vec![
            finding(Low, "a", Some("2")),
            finding(High, "b", None),
            finding(High, "c", Some("2")),
            finding(Critical, "d", None),
            finding(High, "c", Some("2")),
        ],
        ..ScanReport::default()
    };
    let packages = report.sorted().findings;
    let packages: Vec<&str> = packages.iter().map(|one| &*one.package).collect();
    assert_eq!(packages, ["d", "c", "b", "a"]);
}

#[test]
fn grypes_report_is_read_in_its_forms_and_no_other() {
    let good = grype_report("2026-11-28T05:00:00+00:00");
    let report = grype::parse(good.as_bytes()).unwrap();
    assert_eq!(report.image.as_deref(), Some(CONFIG));
    assert_eq!(judge::date(report.database.unwrap()), "2026-11-28");
    // As up to 0.87.
    let older = good.replace(r#""status":{"#, r#""built":"2025-01-02T03:04:05Z","old":{"#);
    let report = grype::parse(older.as_bytes()).unwrap();
    assert_eq!(judge::date(report.database.unwrap()), "2025-01-02");
    for (from, to, why) in [
        ("alpine", "", "it does not know the image's system"),
        (r#""name":"grype""#, r#""name":"syft""#, "it is by `syft`"),
        ("Negligible", "Tiny", "a severity that is not known"),
        (
            "\"matches\"",
            "\"found\"",
            "it is not grype's: missing field `matches`",
        ),
        (
            "\"fix\"",
            "\"fixes\"",
            "it is not grype's: missing field `fix`",
        ),
    ] {
        let error = grype::parse(good.replace(from, to).as_bytes()).unwrap_err();
        assert!(error.contains(why), "{from}: {error}");
    }
}

#[test]
fn what_is_kept_of_a_hostile_report_is_short() {
    let long = "x".repeat(100_000);
    let text = TRIVY.replace("\"PkgName\": \"bash\"", &format!("\"PkgName\": \"{long}\""));
    let report = trivy::parse(text.as_bytes()).unwrap();
    assert_eq!(report.findings[0].package.chars().count(), 101);
}
