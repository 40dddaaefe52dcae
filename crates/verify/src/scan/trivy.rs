//! trivy: its command line, and its report.

use std::time::SystemTime;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::report::{Finding, ScanReport, clipped, severity};

/// The version of the report's form (trivy's `pkg/report`, `SchemaVersion`).
const SCHEMA: u64 = 2;

/// Keeps it from requests other than for its database. Releases that know a variable not ignore it.
pub(super) const ENVIRONMENT: [(&str, &str); 3] = [
    ("TRIVY_SKIP_VERSION_CHECK", "true"),
    ("TRIVY_DISABLE_TELEMETRY", "true"),
    ("TRIVY_DISABLE_VEX_NOTICE", "true"),
];

/// The command line that scans an archive. Each option that hides findings is set: the user's configuration and
/// environment may set it, too. trivy's own time limit is ours, in seconds.
pub(super) fn args(archive: &str, report: &str, seconds: u64) -> Vec<String> {
    let words = "--format json --scanners vuln --pkg-types os,library \
                 --severity UNKNOWN,LOW,MEDIUM,HIGH,CRITICAL --ignore-unfixed=false --exit-code 0 --exit-on-eol 0 \
                 --list-all-pkgs --show-suppressed --offline-scan --no-progress";
    let limit = format!("{seconds}s");
    let args = [
        "image",
        "--input",
        archive,
        "--output",
        report,
        "--timeout",
        &limit,
    ];
    let args = args.into_iter().chain(words.split_whitespace());
    args.map(str::to_owned).collect()
}

/// The command line that says which database it has.
pub(super) const VERSION: [&str; 3] = ["version", "--format", "json"];

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Document {
    schema_version: u64,
    trivy: Option<About>,
    metadata: Metadata,
    results: Option<Vec<Part>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct About {
    version: Option<String>,
}

#[derive(Deserialize)]
struct Metadata {
    #[serde(rename = "ImageID")]
    image: Option<String>,
    #[serde(rename = "OS")]
    system: Option<IgnoredAny>,
}

/// The packages of one kind.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Part {
    class: Option<String>,
    packages: Option<Vec<IgnoredAny>>,
    vulnerabilities: Option<Vec<Vulnerability>>,
    #[serde(rename = "ExperimentalModifiedFindings")]
    hidden: Option<Vec<IgnoredAny>>,
}

/// Go leaves out what is empty.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Vulnerability {
    #[serde(rename = "VulnerabilityID")]
    id: String,
    pkg_name: String,
    installed_version: Option<String>,
    fixed_version: Option<String>,
    severity: Option<String>,
}

/// Reads a report.
///
/// Fails when it is not trivy's, and when it lists no package of the system: what trivy cannot read it leaves out
/// without a word, and such a report has no vulnerabilities (aquasecurity/trivy#577).
pub(super) fn parse(bytes: &[u8]) -> Result<ScanReport, String> {
    let document: Document =
        serde_json::from_slice(bytes).map_err(|why| format!("it is not trivy's: {why}"))?;
    if document.schema_version != SCHEMA {
        return Err(format!(
            "it is in schema {}, and {SCHEMA} is known",
            document.schema_version
        ));
    }
    let parts = document.results.unwrap_or_default();
    let is_system = |part: &Part| {
        let count = part.packages.as_ref().map_or(0, Vec::len);
        part.class.as_deref() == Some("os-pkgs") && count > 0
    };
    if document.metadata.system.is_none() || !parts.iter().any(is_system) {
        return Err("it lists no package of the system".to_owned());
    }
    let mut report = ScanReport {
        image: document.metadata.image,
        version: document.trivy.and_then(|about| about.version),
        ..ScanReport::default()
    };
    for part in parts {
        report.ignored += part.hidden.map_or(0, |hidden| hidden.len());
        for one in part.vulnerabilities.unwrap_or_default() {
            report.findings.push(finding(one)?);
        }
    }
    Ok(report.sorted())
}

fn finding(one: Vulnerability) -> Result<Finding, String> {
    let fixed_in = one.fixed_version.filter(|version| !version.is_empty());
    Ok(Finding {
        severity: severity(one.severity.as_deref().unwrap_or("unknown"))?,
        package: clipped(&one.pkg_name),
        installed: clipped(&one.installed_version.unwrap_or_default()),
        fixed_in: fixed_in.map(|version| clipped(&version)),
        id: clipped(&one.id),
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Versions {
    version: String,
    #[serde(rename = "VulnerabilityDB")]
    database: Option<Database>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Database {
    updated_at: String,
}

/// Its version, and when its database was made, from what `trivy version` prints; the latter is none where it has
/// no database.
pub(super) fn versions(bytes: &[u8]) -> Option<(String, Option<SystemTime>)> {
    let versions: Versions = serde_json::from_slice(bytes).ok()?;
    let database = versions.database.map(|database| database.updated_at);
    let time = |text: String| humantime::parse_rfc3339(&text).ok();
    Some((versions.version, database.and_then(time)))
}
