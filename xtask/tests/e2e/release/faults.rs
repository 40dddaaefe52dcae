//! A registry that fails at any request of a release, and releases that meet: tags are right or
//! as they were, and one more run finishes.

use std::collections::BTreeSet;
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};

use super::Releases;
use crate::common::Ran;
use crate::push::proxy::{Fault, When};

/// Every fault at every request with `RELEASE_FAULTS=all`; else another one at each, but for silence, which
/// is waited for on the clock: a test of its own.
pub(super) fn is_all() -> bool {
    std::env::var("RELEASE_FAULTS").is_ok_and(|value| value == "all")
}

const FAULTS: [Fault; 7] = [
    Fault::Answer("500 Internal Server Error"),
    Fault::Answer("503 Service Unavailable"),
    Fault::Answer("429 Too Many Requests\r\nRetry-After: 0"),
    Fault::Hangup,
    Fault::CutAnswer,
    Fault::CutBody,
    Fault::Lie,
];

/// Tags are right or as they were; then an undisturbed run makes them right.
fn finish(releases: &Releases, tag: &str, digest: &str, before: &str, what: &str) {
    releases.proxy.reset(When::Never);
    let version = releases.digest(tag);
    assert!(
        version.is_none() || version.as_deref() == Some(digest),
        "{what}: {version:?}"
    );
    let latest = releases.digest("latest").unwrap();
    assert!([before, digest].contains(&&*latest), "{what}: {latest}");
    assert!(
        latest == before || version.is_some(),
        "{what}: latest came first"
    );
    releases.run(&[]).succeeded();
    assert_eq!(releases.digest(tag).as_deref(), Some(digest), "{what}");
    assert_eq!(releases.digest("latest").as_deref(), Some(digest), "{what}");
}

/// The requests of a release.
fn count(releases: &Releases) -> Vec<String> {
    releases.release("1.0.0");
    releases.prepare("1.0.1");
    releases.proxy.reset(When::Never);
    releases.run(&[]).succeeded();
    let requests = releases.proxy.requests();
    let of_tags = ["v1.0.1", "latest", "state-v1.0.1"];
    for tag in of_tags {
        let end = format!("/manifests/{tag}");
        let is_it = |line: &&String| line.starts_with("PUT") && line.ends_with(&end);
        assert_eq!(requests.iter().filter(is_it).count(), 1, "{requests:#?}");
    }
    eprintln!("a release takes {} requests", requests.len());
    requests
}

/// Releases, each of which meets a fault.
struct Disturbed {
    releases: Releases,
    requests: Vec<String>,
    /// The digest that `latest` leads to.
    latest: String,
    patch: usize,
}

impl Disturbed {
    fn new() -> Disturbed {
        let releases = Releases::new();
        let requests = count(&releases);
        Disturbed {
            latest: releases.digest("latest").unwrap(),
            releases,
            requests,
            patch: 1,
        }
    }

    /// Prepares the next version; its tag and digest.
    fn next(&mut self) -> (String, String) {
        self.patch += 1;
        let version = format!("1.0.{}", self.patch);
        let digest = self.releases.prepare(&version);
        (format!("v{version}"), digest)
    }

    fn finish(&mut self, (tag, digest): (String, String), what: &str) {
        finish(&self.releases, &tag, &digest, &self.latest, what);
        self.latest = digest;
    }

    /// The numbers of the requests that meet a fault: all that write a manifest, and some of the others.
    fn sample(&self) -> Vec<usize> {
        let numbers = 0..self.requests.len();
        let is_met = |number: &usize| {
            let line = &self.requests[*number];
            let writes_a_manifest = line.starts_with("PUT") && line.contains("/manifests/");
            is_all() || writes_a_manifest || number.is_multiple_of(12)
        };
        numbers.filter(is_met).collect()
    }

    /// A release meets the fault at its request of that number: it passes, and is waited out.
    fn meet_once(&mut self, number: usize, fault: Fault) {
        let what = format!("{fault:?} at {number} of {}", self.requests.len());
        let version = self.next();
        self.releases.proxy.reset(When::Once(number, fault));
        let ran = self.releases.run(&["--retry-for", "10"]);
        // What is refused is refused before anything is written, or a tag that another wrote.
        let may_refuse = fault == Fault::Lie && ran.code == Some(3);
        let ends = may_refuse || [Some(0), Some(1)].contains(&ran.code);
        assert!(ends, "{what}: {ran:#?}");
        self.finish(version, &what);
    }

    /// It stays, and is reported.
    fn meet_from(&mut self, number: usize, fault: Fault) {
        let what = format!("{fault:?} from {number} of {}", self.requests.len());
        let version = self.next();
        self.releases.proxy.reset(When::From(number, fault));
        let ran = self.releases.run(&["--retry-for", "0"]);
        let codes: &[i32] = if fault == Fault::Lie {
            &[0, 1, 3]
        } else {
            &[1]
        };
        assert!(
            ran.code.is_some_and(|code| codes.contains(&code)),
            "{what}: {ran:#?}"
        );
        let is_told = ran.code == Some(0) || ran.stderr.contains("hint: ");
        assert!(is_told, "{what}: {ran:#?}");
        self.finish(version, &what);
    }
}

#[test]
fn a_fault_at_any_request_leaves_tags_right_and_the_next_run_finishes() {
    let mut releases = Disturbed::new();
    for (at, number) in releases.sample().into_iter().enumerate() {
        for (which, fault) in FAULTS.into_iter().enumerate() {
            let is_met = which == at % FAULTS.len();
            if is_all() || (is_met && at % 2 == 0) {
                releases.meet_once(number, fault);
            }
            if is_all() || (is_met && at % 2 == 1) {
                releases.meet_from(number, fault);
            }
        }
    }
}

/// In the gate a push meets it, over the same transport (`push::faults`).
#[test]
#[ignore = "waits on the clock: a registry is silent for longer than any answer is waited for"]
fn a_registry_that_falls_silent_leaves_tags_right_and_the_next_run_finishes() {
    let mut releases = Disturbed::new();
    let requests = releases.requests.len();
    let step = if is_all() { 1 } else { requests / 2 };
    for number in (0..requests).step_by(step) {
        releases.meet_once(number, Fault::Stall);
        releases.meet_from(number, Fault::Stall);
    }
}

#[test]
fn a_release_that_is_killed_is_finished_by_the_next() {
    let releases = Releases::new();
    let requests = count(&releases).len();
    let mut before = releases.digest("latest").unwrap();
    let step = if is_all() { 1 } else { 15 };
    for (patch, number) in (2..).zip((0..requests).step_by(step)) {
        let version = format!("1.0.{patch}");
        let digest = releases.prepare(&version);
        let busy = Fault::Answer("429 Too Many Requests\r\nRetry-After: 60");
        releases.proxy.reset(When::From(number, busy));
        let mut child = releases
            .command(&[])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        while releases.proxy.requests().len() <= number {
            std::thread::yield_now();
        }
        let signal = if number % 2 == 0 {
            Signal::KILL
        } else {
            Signal::INT
        };
        kill_process(Pid::from_child(&child), signal).unwrap();
        assert!(!child.wait().unwrap().success());
        let what = format!("{signal:?} at {number}");
        finish(&releases, &format!("v{version}"), &digest, &before, &what);
        before = digest;
    }
}

#[test]
fn a_registry_that_forbids_is_not_asked_again() {
    let releases = Releases::new();
    let requests = count(&releases).len();
    releases.prepare("1.0.2");
    let fault = Fault::Answer("403 Forbidden");
    for number in 0..requests {
        releases.proxy.reset(When::From(number, fault));
        let ran = releases.run(&[]);
        // What the runs before have done is not done again.
        if releases.proxy.requests().len() <= number {
            ran.succeeded();
            break;
        }
        assert_eq!(ran.code, Some(1), "{number}: {ran:#?}");
        assert!(
            ran.stderr.contains("hint: `docker login"),
            "{number}: {ran:#?}"
        );
        // Manifests and blobs are asked for side by side, and with GET where HEAD is forbidden.
        let asked = releases.proxy.requests().split_off(number);
        let different: BTreeSet<_> = asked.iter().collect();
        assert!(!asked.is_empty(), "{ran:#?}");
        assert_eq!(different.len(), asked.len(), "{number}: {asked:?}");
    }
}

#[test]
fn of_two_releases_at_once_the_higher_is_latest() {
    let releases = Releases::new();
    releases.release("1.0.0");
    let old = releases.workspace.revision();
    for round in 0..3 {
        let (low, high) = (format!("1.{round}.1"), format!("1.{round}.2"));
        releases.workspace.git(&["checkout", "--quiet", &old]);
        releases.prepare(&low);
        let other = tempfile::tempdir().unwrap();
        let clone = other.path().join("clone");
        let from = releases.workspace.path("");
        let clone = clone.to_str().unwrap();
        releases
            .workspace
            .git(&["clone", "--quiet", from.to_str().unwrap(), clone]);
        releases
            .workspace
            .git(&["-C", clone, "checkout", "--quiet", &format!("v{low}")]);
        let highest = releases.prepare(&high);
        let start = |folder: Option<&str>| {
            let mut command = releases.command(&[]);
            if let Some(folder) = folder {
                command.current_dir(folder);
            }
            command.stdout(Stdio::piped()).stderr(Stdio::piped());
            command.spawn().unwrap()
        };
        let runs = [start(Some(clone)), start(None)];
        let ends = runs.map(|run| Ran::from(run.wait_with_output().unwrap()));
        // Who was overtaken between a write and its read-back says so, and changes nothing.
        for ran in &ends {
            assert!([Some(0), Some(1)].contains(&ran.code), "{ran:#?}");
        }
        assert_eq!(releases.digest("latest"), Some(highest), "{ends:#?}");
    }
}

#[test]
fn one_version_released_twice_at_once_is_released_once() {
    let releases = Releases::new();
    releases.release("1.0.0");
    for patch in 1..5 {
        let version = format!("1.0.{patch}");
        let digest = releases.prepare(&version);
        let start = || {
            let mut command = releases.command(&[]);
            command.stdout(Stdio::piped()).stderr(Stdio::piped());
            command.spawn().unwrap()
        };
        let ends = [start(), start()].map(|run| Ran::from(run.wait_with_output().unwrap()));
        for ran in ends {
            assert_eq!(ran.code, Some(0), "{ran:#?}");
        }
        for tag in [&*format!("v{version}"), "latest"] {
            assert_eq!(releases.digest(tag).as_ref(), Some(&digest));
        }
    }
}

#[test]
fn credentials_that_only_read_change_nothing_and_are_told() {
    let releases = Releases::new();
    let first = releases.release("1.0.0");
    releases.prepare("1.0.1");
    for answer in [
        "403 Forbidden",
        "401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"x\"",
    ] {
        let fault = Fault::Answer(answer);
        releases.proxy.reset(When::On("PUT", "", fault));
        let ran = releases.run(&[]);
        assert_eq!(ran.code, Some(1), "{ran:#?}");
        assert!(ran.stderr.contains("hint: `docker login"), "{ran:#?}");
        assert_eq!(releases.digest("v1.0.1"), None);
        assert_eq!(releases.digest("latest").as_ref(), Some(&first));
    }
}

#[test]
fn a_registry_whose_tags_cannot_be_overwritten_keeps_latest_and_says_so() {
    let releases = Releases::new();
    let first = releases.release("1.0.0");
    let second = releases.prepare("1.0.1");
    let fault = Fault::Answer("409 Conflict");
    releases
        .proxy
        .reset(When::On("PUT", "/manifests/latest", fault));
    let ran = releases.run(&[]);
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    assert!(ran.stderr.contains("`--latest never`"), "{ran:#?}");
    assert_eq!(releases.digest("v1.0.1").as_ref(), Some(&second));
    assert_eq!(releases.digest("latest"), Some(first));
    releases.run(&["--latest", "never"]).succeeded();
    releases.proxy.reset(When::Never);
    releases.run(&[]).succeeded();
    assert_eq!(releases.digest("latest"), Some(second));
}

/// A release of two tags, whose two proofs come from files.
#[test]
fn a_release_asks_for_nothing_twice_and_beside_proofs_for_no_more_than_a_script_of_crane() {
    let releases = Releases::new();
    let requests = count(&releases);
    assert!(requests.len() <= 57, "{requests:#?}");
    // Only a list that others write, too, is asked for again.
    let mut seen = BTreeSet::new();
    let again = requests.iter().filter(|line| !seen.insert(*line));
    let is_shared = |line: &&String| {
        let parts = ["/manifests/sha256-", "/manifests/state-", "/tags/"];
        parts.iter().any(|part| line.contains(part))
    };
    let blob = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";
    let again: Vec<_> = again.filter(|line| !is_shared(line)).collect();
    let is_upload = |line: &&&String| line.ends_with("/blobs/uploads/");
    let others = again.iter().filter(|line| !is_upload(line));
    assert_eq!(
        others.filter(|line| !line.ends_with(blob)).count(),
        0,
        "{requests:#?}"
    );
    // Two proofs, a signature and a record.
    let is_blob = |line: &&String| line.starts_with("PUT") && line.contains("/blobs/uploads/");
    assert_eq!(requests.iter().filter(is_blob).count(), 4, "{requests:#?}");
    if which::which("crane").is_err() && std::env::var("TESTBED_REGISTRY").is_err() {
        return;
    }
    releases.prepare("1.0.2");
    let (name, tag) = (
        releases.workspace.repository(),
        releases.workspace.sha_tag(),
    );
    releases.proxy.reset(When::Never);
    let crane = |args: &[&str]| {
        let mut crane = crate::common::command("crane", &releases.workspace.path(""));
        let said = Ran::of(crane.args(args)).succeeded().stdout;
        said.trim().to_owned()
    };
    let digest = crane(&["digest", &format!("{name}:{tag}")]);
    for tag in ["v1.0.2", "latest"] {
        crane(&["tag", &format!("{name}@{digest}"), tag]);
        assert_eq!(crane(&["digest", &format!("{name}:{tag}")]), digest);
    }
    let theirs = releases.proxy.requests();
    let is_of_proof = |line: &&String| {
        let parts = [
            "/blobs/",
            "/manifests/sha256-",
            "/manifests/state-",
            "/referrers/",
        ];
        let is_artifact = line.starts_with("PUT") && line.contains("/manifests/sha256:");
        is_artifact || parts.iter().any(|part| line.contains(part))
    };
    let beside = requests.iter().filter(|line| !is_of_proof(line)).count();
    assert!(beside <= theirs.len(), "{beside} instead of {theirs:#?}");
}
