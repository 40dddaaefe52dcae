//! Stand-ins for the scanners and for docker, which do what real ones are reported to do; and reports of real ones.

mod judged;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use tempfile::TempDir;

use super::*;

/// What trivy 0.76.0 says of this project's image with a made-up database, shortened.
const TRIVY: &str = include_str!("real/trivy-0.76.json");
/// The image's configuration in it.
const CONFIG: &str = "sha256:c159eaba7b90cd778cd79dbeb201cefa27afe9facb002c52ada3a8dc28824c99";
const AGES: Duration = Duration::from_mins(10);

/// A report in the form that grype's `presenter/models` has.
fn grype_report(built: &str) -> String {
    let finding = |severity: &str, fix: &[&str]| {
        serde_json::json!({
            "vulnerability": {"id": "CVE-2026-0001", "severity": severity,
                "fix": {"versions": fix, "state": "fixed"}, "advisories": [], "risk": 1.5},
            "relatedVulnerabilities": [], "matchDetails": [],
            "artifact": {"name": "bash", "version": "5.2.15-r0", "type": "apk", "purl": "pkg:apk/x"},
        })
    };
    serde_json::json!({
        "matches": [finding("Negligible", &[]), finding("High", &["5.3-r0", "5.4-r0"])],
        "ignoredMatches": [finding("Critical", &[])],
        "source": {"type": "image", "target": {"imageID": CONFIG, "manifestDigest": "sha256:0", "tags": []}},
        "distro": {"name": "alpine", "version": "3.23.6", "idLike": []},
        "descriptor": {"name": "grype", "version": "0.121.2",
            "db": {"status": {"schemaVersion": "v6.1.0", "built": built, "valid": true}, "providers": {}}},
    })
    .to_string()
}

/// Days ago, in RFC 3339.
fn ago(days: u64) -> String {
    let time = SystemTime::now() - Duration::from_secs(days * 24 * 60 * 60);
    humantime::format_rfc3339_seconds(time).to_string()
}

/// A PATH with stand-ins alone, and a folder for receipts.
struct World {
    folder: TempDir,
    exec: Exec,
}

impl World {
    /// A docker that saves, and a trivy whose database is of today, and which does what `script` says: `$5` is its
    /// report, `$report` a good one.
    fn new(script: &str) -> World {
        let folder = tempfile::tempdir().unwrap();
        let exec = Exec::new(folder.path(), false).unwrap();
        let bin = folder.path().join("bin");
        fs::create_dir(&bin).unwrap();
        exec.set_var("PATH", bin.to_str().unwrap());
        let world = World { folder, exec };
        world.program("docker", "echo saved > \"$3\"");
        world.database(&ago(0));
        world.file("report.json", TRIVY);
        world.program(
            "trivy",
            &format!("[ \"$1\" = version ] && exec cat version.json\n{script}"),
        );
        world
    }

    fn file(&self, name: &str, text: &str) {
        fs::write(self.folder.path().join(name), text).unwrap();
    }

    fn database(&self, made: &str) {
        let text = format!(
            r#"{{"Version":"0.76.0","VulnerabilityDB":{{"Version":2,"UpdatedAt":"{made}"}}}}"#
        );
        self.file("version.json", &text);
    }

    fn program(&self, name: &str, script: &str) {
        let path = self.folder.path().join("bin").join(name);
        let head = "PATH=/usr/bin:/bin\necho \"${0##*/} $*\" >> argv\nreport=report.json\n";
        fs::write(&path, format!("#!/bin/sh\n{head}{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn scan(&self, asked: Option<Scanner>, fail_on: Option<Severity>, limit: Duration) -> Scan {
        let config = CONFIG.parse().unwrap();
        let request = ScanRequest {
            exec: &self.exec,
            scanner: asked,
            fail_on,
            save: vec!["--platform", "linux/arm64", "sha256:00"],
            config: Some(&config),
            receipt: &self.folder.path().join("receipts/linux-arm64.json"),
            scratch: self.folder.path(),
            limit,
        };
        scan(&request).unwrap()
    }

    fn argv(&self) -> String {
        let text = fs::read_to_string(self.folder.path().join("argv")).unwrap();
        // The archive's folder has a name of its own each time.
        let mut lines = String::new();
        for word in text.split_inclusive([' ', '\n']) {
            let name = ["image.tar", "report.json"]
                .into_iter()
                .find(|name| word.trim_end().ends_with(name));
            match name {
                Some(name) => {
                    let scheme = word.split_once(':').map_or("", |(_, _)| "docker-archive:");
                    lines.extend([scheme, name, &word[word.trim_end().len()..]]);
                }
                None => lines.push_str(word),
            }
        }
        lines
    }

    fn reports(&self) -> Vec<String> {
        let found = fs::read_dir(self.folder.path().join("receipts"));
        let found = found.into_iter().flatten().flatten();
        found
            .map(|entry| entry.file_name().into_string().unwrap())
            .collect()
    }
}

const GOOD: &str = "cp $report \"$5\"";

#[test]
fn trivy_is_given_the_archive_of_the_one_platform() {
    let world = World::new(GOOD);
    let scan = world.scan(None, Some(Severity::Critical), AGES);
    let expected = "docker save --output image.tar --platform linux/arm64 sha256:00\n\
        trivy image --input image.tar --output report.json --timeout 600s --format json --scanners vuln --pkg-types \
        os,library --severity UNKNOWN,LOW,MEDIUM,HIGH,CRITICAL --ignore-unfixed=false --exit-code 0 --exit-on-eol 0 \
        --list-all-pkgs --show-suppressed --offline-scan --no-progress\n\
        trivy version --format json\n";
    assert_eq!(world.argv(), expected);
    assert_eq!(
        (scan.status, &*scan.seen),
        (Status::Failed, "1 critical, 1 high, 1 low")
    );
    assert_eq!(
        scan.by().unwrap(),
        format!("trivy 0.76.0, database of {}", &ago(0)[..10])
    );
    assert_eq!((scan.ignored, scan.worst.len()), (1, 3));
    assert_eq!(scan.worst[0].fixed_in.as_deref(), Some("99.1-r0"));
    assert_eq!(world.reports(), ["linux-arm64.trivy.json"]);
    // Nothing of it stays behind but the report.
    let left = fs::read_dir(world.folder.path()).unwrap().count();
    assert_eq!(
        left,
        ["bin", "argv", "report.json", "version.json", "receipts"].len()
    );
    // Without a setting no vulnerability fails the scan.
    let scan = world.scan(None, None, AGES);
    assert_eq!(
        (scan.status, &*scan.seen),
        (Status::Passed, "1 critical, 1 high, 1 low")
    );
}

#[test]
fn grype_is_used_when_it_is_asked_for_or_alone() {
    let world = World::new(GOOD);
    world.file("grype.json", &grype_report(&ago(1)));
    for (script, asked) in [
        ("cp grype.json \"$5\"", Some(Scanner::Grype)),
        // The user's own `fail-on-severity` is reached (anchore/grype#2575).
        (
            "cp grype.json \"$5\"; echo '[0000] ERROR discovered vulnerabilities at or above the severity threshold' >&2; exit 2",
            Some(Scanner::Grype),
        ),
        ("cp grype.json \"$5\"", None),
    ] {
        world.program("grype", script);
        if asked.is_none() {
            fs::remove_file(world.folder.path().join("bin/trivy")).unwrap();
        }
        let scan = world.scan(asked, Some(Severity::High), AGES);
        assert_eq!(
            (scan.status, &*scan.seen),
            (Status::Failed, "1 high, 1 negligible"),
            "{scan:?}"
        );
        assert_eq!(scan.worst[0].fixed_in.as_deref(), Some("5.3-r0, 5.4-r0"));
        assert_eq!(scan.ignored, 1);
        assert_eq!(world.reports(), ["linux-arm64.grype.json"]);
    }
    let expected = "grype docker-archive:image.tar --output json --file report.json --only-fixed=false --only-notfixed=false\n";
    assert!(world.argv().ends_with(expected), "{}", world.argv());
}

#[test]
fn a_scanner_that_is_not_there_is_no_pass() {
    let world = World::new(GOOD);
    let scan = world.scan(Some(Scanner::Grype), None, AGES);
    assert_eq!(
        (scan.status, &*scan.seen),
        (Status::NotExecuted, "`grype` is not on PATH")
    );
    fs::remove_file(world.folder.path().join("bin/trivy")).unwrap();
    let scan = world.scan(None, None, AGES);
    let seen = "neither `trivy` nor `grype` is on PATH";
    assert_eq!((scan.status, &*scan.seen), (Status::NotExecuted, seen));
    assert_eq!(scan.by(), None);
    assert!(!world.folder.path().join("argv").exists());
}

#[test]
fn a_scanner_that_fails_is_no_pass() {
    for (script, why) in [
        // aquasecurity/trivy-db#442.
        (
            "printf 't\\tFATAL\\tFatal error\\tinit error: DB error: TOOMANYREQUESTS\\033[2J\\n' >&2; exit 1",
            "trivy: it failed (exit status: 1): Fatal error init error: DB error: TOOMANYREQUESTS\\u{1b}[2J",
        ),
        (
            "exit 1",
            "trivy: it failed (exit status: 1): it says nothing",
        ),
        // Only grype's 2 has a meaning.
        (
            "cp $report \"$5\"; exit 2",
            "trivy: it failed (exit status: 2)",
        ),
        (
            "cp $report \"$5\"; kill -KILL $$",
            "trivy: it failed (signal: 9",
        ),
        // aquasecurity/trivy#3538: an error, and exit code 0.
        (
            "cp $report \"$5\"; printf 't\\tERROR\\tUnable to initialize the Java DB\\n' >&2",
            "trivy: it ended well, and says: Unable to initialize the Java DB",
        ),
        ("true", "its report cannot be read: there is none"),
        (": > \"$5\"", "its report cannot be read: it is empty"),
        (
            "head -c 3000 $report > \"$5\"",
            "its report cannot be read: it is not trivy's: EOF",
        ),
        (
            "head -c 100000000 /dev/zero > \"$5\"",
            "its report cannot be read: it is longer than 64 MiB",
        ),
        ("mkdir \"$5\"", "its report cannot be read: Is a directory"),
        (
            "printf '\\377' > \"$5\"",
            "its report cannot be read: it is not UTF-8",
        ),
        (
            "head -c 100000 /dev/zero | tr '\\0' '[' > \"$5\"",
            "it is not trivy's: ",
        ),
        (
            "cp $report \"$5\"; echo {} >> \"$5\"",
            "it is not trivy's: trailing characters",
        ),
        (
            "head -c 40000000 /dev/zero >&2; echo '<html>' > \"$5\"",
            "it is not trivy's: expected value",
        ),
        (
            "echo '{\"matches\":[]}' > \"$5\"",
            "it is not trivy's: missing field `SchemaVersion`",
        ),
        (
            "sed 's/\"SchemaVersion\": 2/\"SchemaVersion\": 3/' $report > \"$5\"",
            "it is in schema 3, and 2 is known",
        ),
        (
            "sed 's/\"SchemaVersion\": 2/\"SchemaVersion\": 2, \"SchemaVersion\": 2/' $report > \"$5\"",
            "it is not trivy's: duplicate field `SchemaVersion`",
        ),
        (
            "sed 's/\"CRITICAL\"/\"SEVERE\"/' $report > \"$5\"",
            "a severity that is not known: `SEVERE`",
        ),
        // What is not understood has no vulnerabilities (aquasecurity/trivy#577).
        (
            "sed 's/os-pkgs/lang-pkgs/' $report > \"$5\"",
            "it lists no package of the system",
        ),
        // An empty one counted as clean (huntridge-labs/argus#18).
        (
            "echo '{\"SchemaVersion\":2,\"Metadata\":{},\"Results\":[]}' > \"$5\"",
            "it lists no package of the system",
        ),
        // Another platform than was asked for (aquasecurity/trivy#4253).
        (
            "sed 's/sha256:c159/sha256:c158/' $report > \"$5\"",
            "the report is of `sha256:c158",
        ),
    ] {
        let world = World::new(script);
        let scan = world.scan(None, None, AGES);
        assert_eq!(scan.status, Status::Unproven, "{script}: {scan:?}");
        assert!(scan.seen.contains(why), "{script}: {}", scan.seen);
        assert!(scan.remedy.is_some() && scan.seconds >= 0.0);
    }
}

#[test]
fn a_scanner_that_hangs_is_ended_with_its_children() {
    let world = World::new("trap '' TERM INT; sleep 600 & wait");
    let scan = world.scan(None, None, Duration::from_secs(2));
    assert_eq!(
        (scan.status, &*scan.seen),
        (Status::Unproven, "trivy: it did not end within 2 s")
    );
}

#[test]
fn an_engine_that_does_not_save_is_no_pass() {
    let world = World::new(GOOD);
    world.program(
        "docker",
        "echo 'Error response from daemon: no space left' >&2; exit 1",
    );
    let scan = world.scan(None, None, AGES);
    let why = "the engine does not save the image: Error response from daemon: no space left";
    assert_eq!((scan.status, &*scan.seen), (Status::Unproven, why));
}

#[test]
fn a_database_of_another_week_is_no_pass() {
    let world = World::new(GOOD);
    for (made, status, seen) in [
        (ago(5), Status::Passed, "1 critical, 1 high, 1 low"),
        // With one of 20 days trivy 0.76 ends well, when it has just been fetched and when fetching is off.
        (ago(20), Status::NotExecuted, "20 days ago; it counts for 5"),
        (
            "2999-01-01T00:00:00Z".to_owned(),
            Status::NotExecuted,
            "which is yet to come",
        ),
        (
            "soon".to_owned(),
            Status::NotExecuted,
            "does not say how old its database is",
        ),
    ] {
        world.database(&made);
        let scan = world.scan(None, None, AGES);
        assert_eq!(scan.status, status, "{made}");
        assert!(scan.seen.contains(seen), "{}", scan.seen);
    }
    for nothing in ["", "{}", "{\"Version\":\"0.76.0\"}", "<html>"] {
        world.file("version.json", nothing);
        assert_eq!(
            world.scan(None, None, AGES).status,
            Status::NotExecuted,
            "{nothing}"
        );
    }
}

#[test]
fn the_report_of_an_older_scan_does_not_stay_beside_a_receipt() {
    let world = World::new(GOOD);
    world.scan(None, None, AGES);
    assert_eq!(world.reports(), ["linux-arm64.trivy.json"]);
    world.program("trivy", "exit 1");
    world.scan(None, None, AGES);
    assert_eq!(world.reports(), [""; 0]);
}
