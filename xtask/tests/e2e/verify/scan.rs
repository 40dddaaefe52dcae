//! A scan for vulnerabilities, by a stand-in for trivy that reads the archive which the engine has saved.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::common::Ran;
use crate::world::{before, image, xtask};

/// Finds one vulnerability, of the severity in `$SEVERITY`, in whatever image the archive has.
const STAND_IN: &str = r#"#!/bin/sh
now=$(date -u +%Y-%m-%dT%H:%M:%SZ)
if [ "$1" = version ]; then
  echo "{\"Version\":\"0.76.0\",\"VulnerabilityDB\":{\"UpdatedAt\":\"$now\"}}"
  exit
fi
config=$(tar -xOf "$3" manifest.json | sed 's|.*"Config":"blobs/sha256/\([0-9a-f]*\)".*|sha256:\1|')
tar -xOf "$3" "blobs/sha256/${config#*:}" | sha256sum >&2
cat > "$5" <<END
{"SchemaVersion":2,"Metadata":{"OS":{"Family":"alpine","Name":"3.23.6"},"ImageID":"$config"},
 "Results":[{"Target":"x","Class":"os-pkgs","Packages":[{"Name":"bash"}],"Vulnerabilities":[
  {"VulnerabilityID":"CVE-2026-1","PkgName":"bash","InstalledVersion":"5.2","Severity":"$SEVERITY"}]}]}
END
"#;

/// A scan of the image under test, beside one check.
fn scan(receipts: &Path, tools: &TempDir, severity: &str, args: &[&str]) -> Ran {
    let mut verify: Command = xtask(&["verify", image(), "--scan", "--only", "image-stop-signal"]);
    verify.args(args).arg("--receipt-dir").arg(receipts);
    before(tools.path(), &mut verify);
    Ran::of(verify.env("SEVERITY", severity))
}

fn stand_in(script: &str) -> TempDir {
    let tools = tempfile::tempdir().unwrap();
    let path = tools.path().join("trivy");
    fs::write(&path, script).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    tools
}

#[test]
fn the_image_that_was_verified_is_scanned_and_the_report_is_kept() {
    let (folder, tools) = (tempfile::tempdir().unwrap(), stand_in(STAND_IN));
    let junit = folder.path().join("junit.xml");
    let args = ["--json", "--junit", junit.to_str().unwrap()];
    let ran = scan(folder.path(), &tools, "CRITICAL", &args);
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    let scan = &report["platforms"][0]["scan"];
    assert_eq!(scan["status"], "passed", "{scan:#}");
    assert_eq!(scan["counts"]["critical"], 1);
    assert_eq!(scan["worst"][0]["package"], "bash");
    let kept = scan["report"].as_str().unwrap();
    assert!(kept.ends_with(".partial.trivy.json"), "{kept}");
    let kept: Value = serde_json::from_str(&fs::read_to_string(kept).unwrap()).unwrap();
    let receipt = report["platforms"][0]["receipt"].as_str().unwrap();
    let receipt: Value = serde_json::from_str(&fs::read_to_string(receipt).unwrap()).unwrap();
    assert_eq!(kept["Metadata"]["ImageID"], receipt["config"]);
    // A receipt has no word of it.
    assert!(!receipt.to_string().contains("CVE-2026-1") && receipt.get("scan").is_none());
    let junit = fs::read_to_string(junit).unwrap();
    assert!(junit.contains("name=\"scan\""), "{junit}");
}

#[test]
fn a_scan_that_is_no_pass_fails_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let words = "echo '2026-11-29T18:53:07Z FATAL init error: DB error' >&2; exit 1";
    let tools = stand_in(&format!("#!/bin/sh\n{words}\n"));
    let ran = scan(folder.path(), &tools, "LOW", &[]);
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    let why = "did not pass: linux/amd64 unproven (trivy: it failed (exit status: 1): init error: DB error)";
    assert!(
        ran.stderr.replace("arm64", "amd64").contains(why),
        "{ran:#?}"
    );
    assert!(
        ran.stdout.contains("unproven: trivy: it failed"),
        "{ran:#?}"
    );
    // The checks have passed all the same.
    assert!(ran.stdout.contains("1 passed"), "{ran:#?}");
}
