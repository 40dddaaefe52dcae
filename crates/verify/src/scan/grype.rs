//! grype: its command line, and its report.

use std::time::SystemTime;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::report::{Finding, ScanReport, clipped, severity};

/// Keeps it from requests other than for its database.
pub(super) const ENVIRONMENT: [(&str, &str); 1] = [("GRYPE_CHECK_FOR_APP_UPDATE", "false")];

/// How it ends when the user's own `fail-on-severity` is reached, with a whole report (anchore/grype#2575).
pub(super) const ABOVE: i32 = 2;

/// The command line that scans an archive. Each option that hides findings is set: the user's configuration may
/// set it, too. Not `--quiet`: it hides why grype fails (artifact-keeper/artifact-keeper#1251).
pub(super) fn args(archive: &str, report: &str) -> Vec<String> {
    let image = format!("docker-archive:{archive}");
    let args = [&image, "--output", "json", "--file", report];
    let args = args
        .into_iter()
        .chain(["--only-fixed=false", "--only-notfixed=false"]);
    args.map(str::to_owned).collect()
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    matches: Vec<Match>,
    ignored_matches: Option<Vec<IgnoredAny>>,
    source: Source,
    distro: Distro,
    descriptor: Descriptor,
}

#[derive(Deserialize)]
struct Source {
    target: Value,
}

#[derive(Deserialize)]
struct Distro {
    name: String,
}

#[derive(Deserialize)]
struct Descriptor {
    name: String,
    version: String,
    db: Value,
}

#[derive(Deserialize)]
struct Match {
    vulnerability: Vulnerability,
    artifact: Package,
}

#[derive(Deserialize)]
struct Vulnerability {
    id: String,
    severity: Option<String>,
    fix: Fix,
}

#[derive(Deserialize)]
struct Fix {
    versions: Vec<String>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
}

/// Reads a report.
///
/// Fails when it is not grype's, and when it does not know the system: then it has looked for none of the system's
/// packages in its database.
pub(super) fn parse(bytes: &[u8]) -> Result<ScanReport, String> {
    let document: Document =
        serde_json::from_slice(bytes).map_err(|why| format!("it is not grype's: {why}"))?;
    let about = document.descriptor;
    if about.name != "grype" {
        return Err(format!("it is by `{}`, not by grype", clipped(&about.name)));
    }
    if document.distro.name.is_empty() {
        return Err("it does not know the image's system".to_owned());
    }
    let findings: Result<Vec<Finding>, String> =
        document.matches.into_iter().map(finding).collect();
    let image = document.source.target["imageID"].as_str();
    let report = ScanReport {
        image: image.map(str::to_owned),
        version: Some(about.version),
        database: database(&about.db),
        findings: findings?,
        ignored: document.ignored_matches.map_or(0, |ignored| ignored.len()),
    };
    Ok(report.sorted())
}

/// When its database was made. Up to 0.87 it says so one level higher.
fn database(about: &Value) -> Option<SystemTime> {
    let built = about["status"]["built"]
        .as_str()
        .or(about["built"].as_str());
    humantime::parse_rfc3339(&built?.replace("+00:00", "Z")).ok()
}

fn finding(one: Match) -> Result<Finding, String> {
    let (vulnerability, package) = (one.vulnerability, one.artifact);
    let fixed_in = vulnerability.fix.versions.join(", ");
    Ok(Finding {
        severity: severity(vulnerability.severity.as_deref().unwrap_or("unknown"))?,
        package: clipped(&package.name),
        installed: clipped(&package.version),
        fixed_in: Some(clipped(&fixed_in)).filter(|version| !version.is_empty()),
        id: clipped(&vulnerability.id),
    })
}
