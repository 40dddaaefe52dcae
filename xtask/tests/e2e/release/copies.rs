//! A release to several repositories: copied byte for byte, finished by another run.

use serde_json::Value;

use super::Releases;
use crate::push::proxy::{Fault, When};
use crate::push::refused;
use crate::world::unique_name;

/// Another repository: of the same registry, or, as a client sees it, of another one.
struct Other {
    name: String,
    path: String,
}

fn other(address: &str) -> Other {
    let path = format!("push-test/{}", unique_name());
    Other {
        name: format!("{address}/{path}"),
        path,
    }
}

impl Releases {
    /// One that goes by the proxy's own address, so that blobs can be mounted.
    fn near(&self) -> Other {
        other(&self.proxy.address)
    }

    /// One that goes by another name of this machine, so that blobs are sent.
    fn far(&self) -> Other {
        let (_, port) = self.proxy.address.rsplit_once(':').unwrap();
        other(&format!("localhost:{port}"))
    }

    fn release_to(&self, others: &[&Other], more: &[&str]) -> crate::common::Ran {
        let own = self.workspace.repository();
        let mut args = vec!["--repository", &own];
        args.extend(
            others
                .iter()
                .flat_map(|other| ["--repository", &other.name]),
        );
        args.extend(more);
        self.run(&args)
    }
}

#[test]
fn every_repository_gets_the_same_bytes_and_its_own_latest() {
    let releases = Releases::new();
    let (near, far) = (releases.near(), releases.far());
    let first = releases.release("1.0.0");
    let digest = releases.prepare("2.0.0");
    let sha = releases.workspace.sha_tag();
    let others = [&near, &far];
    let dry = releases.release_to(&others, &["--dry-run"]).succeeded();
    let plan: Value = serde_json::from_str(&dry.stdout).unwrap();
    assert_eq!(plan["steps"].as_array().unwrap().len(), 8, "{plan}");
    let in_other = |other: &Other, tag: &str| releases.workspace.published_in(&other.path, tag);
    assert_eq!(in_other(&far, "latest"), None);
    releases.proxy.reset(When::Never);
    releases.release_to(&others, &[]).succeeded();
    // Within a registry no blob is sent.
    let requests = releases.proxy.requests();
    let sent = |other: &Other| {
        let uploads = format!("PUT /v2/{}/blobs/uploads/", other.path);
        let sent = requests.iter().filter(|line| line.starts_with(&uploads));
        sent.count()
    };
    // But for two proofs, a signature and a record.
    assert_eq!((sent(&near), sent(&far)), (4, 10), "{requests:#?}");
    let (_, index) = releases.workspace.published(&sha).unwrap();
    for other in others {
        for tag in [&*sha, "v2.0.0", "latest"] {
            assert_eq!(
                in_other(other, tag),
                Some((digest.clone(), index.clone())),
                "{tag}"
            );
        }
        for entry in index["manifests"].as_array().unwrap() {
            let named = entry["digest"].as_str().unwrap();
            let (found, manifest) = in_other(other, named).unwrap();
            assert_eq!(found, named);
            let layers = manifest["layers"].as_array().unwrap().iter();
            for blob in layers.chain([&manifest["config"]]) {
                let blob = blob["digest"].as_str().unwrap();
                assert!(releases.workspace.has_blob(&other.path, blob), "{blob}");
            }
        }
        // It never had this one.
        assert_eq!(in_other(other, "v1.0.0"), None);
    }
    releases.proxy.reset(When::Never);
    releases.release_to(&others, &[]).succeeded();
    let requests = releases.proxy.requests();
    assert!(
        !requests.iter().any(|line| line.starts_with('P')),
        "{requests:#?}"
    );
    // Back in all of them, where all have it.
    let back = ["--rollback", "--to", "1.0.0", "--reason", "it leaks"];
    refused(
        &releases.release_to(&others, &back),
        &["v1.0.0` is not published"],
    );
    assert_eq!(releases.digest("latest"), Some(digest));
    releases.run(&back).succeeded();
    assert_eq!(releases.digest("latest"), Some(first));
}

#[test]
fn what_another_repository_has_already_is_never_overwritten() {
    let releases = Releases::new();
    let near = releases.near();
    releases.prepare("1.0.0");
    releases.release_to(&[&near], &[]).succeeded();
    let digest = releases.prepare("1.0.1");
    // There the commit's tag is another image.
    let (_, stranger) = releases
        .workspace
        .published_in(&near.path, "v1.0.0")
        .unwrap();
    let sha = releases.workspace.sha_tag();
    releases.workspace.put_in(&near.path, &sha, &stranger);
    let parts = [&near.name, "a published tag is never rewritten"];
    refused(&releases.release_to(&[&near], &[]), &parts);
    assert_eq!(releases.digest("v1.0.1"), None);
    releases.run(&[]).succeeded();
    assert_eq!(releases.digest("v1.0.1"), Some(digest));
    // Only a release, and what looks at one, is of several repositories.
    let args = ["tags", "--repository", "a", "--repository", "b"];
    let ran = crate::common::Ran::of(&mut releases.xtask(&args));
    assert_eq!(ran.code, Some(2), "{ran:#?}");
}

#[test]
#[ignore = "a release and a rollback meet the same faults: `cargo xtask test --all`"]
fn a_copy_that_fails_anywhere_is_finished_by_the_next_run() {
    let releases = Releases::new();
    releases.prepare("1.0.0");
    let near = releases.near();
    releases.proxy.reset(When::Never);
    releases.release_to(&[&near], &[]).succeeded();
    let requests = releases.proxy.requests().len();
    // Each has a repository of its own: one that has the blobs already is asked for less.
    for (patch, number) in
        (1..).zip((0..requests).step_by(if super::faults::is_all() { 1 } else { 29 }))
    {
        let version = format!("1.0.{patch}");
        let digest = releases.prepare(&version);
        let (far, tag) = (releases.far(), format!("v{version}"));
        let fault = [Fault::Hangup, Fault::CutAnswer, Fault::CutBody][patch % 3];
        releases.proxy.reset(When::From(number, fault));
        let ran = releases.release_to(&[&far], &["--retry-for", "0"]);
        assert_eq!(ran.code, Some(1), "{fault:?} at {number}: {ran:#?}");
        let there = |tag: &str| {
            let found = releases.workspace.published_in(&far.path, tag);
            found.map(|(digest, _)| digest)
        };
        for tag in [&*tag, "latest"] {
            let found = there(tag);
            assert!(found.is_none() || found.as_ref() == Some(&digest), "{tag}");
        }
        releases.proxy.reset(When::Never);
        releases.release_to(&[&far], &[]).succeeded();
        for tag in [&*releases.workspace.sha_tag(), &*tag, "latest"] {
            assert_eq!(there(tag).as_ref(), Some(&digest), "{tag}");
        }
        assert_eq!(releases.digest(&tag), Some(digest));
    }
}

/// The second repository is refused before the first one is written.
#[test]
fn a_repository_that_may_not_be_written_ends_a_release_before_its_first_write() {
    let releases = Releases::new();
    let near = releases.near();
    releases.prepare("1.0.0");
    let uploads: &str = String::leak(format!("{}/blobs/uploads/", near.path));
    let forbidden = Fault::Answer("403 Forbidden");
    releases.proxy.reset(When::On("POST", uploads, forbidden));
    let ran = releases.release_to(&[&near], &[]);
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    for said in ["nothing was released", "does not let us push", &near.name] {
        assert!(ran.stderr.contains(said), "`{said}`: {ran:#?}");
    }
    let requests = releases.proxy.requests();
    assert!(
        !requests.iter().any(|line| line.starts_with("PUT")),
        "{requests:#?}"
    );
    assert_eq!(releases.digest("v1.0.0"), None);
    // A look needs no permission.
    releases.release_to(&[&near], &["--dry-run"]).succeeded();
    // One that does not say is tried.
    let silent = Fault::Answer("503 Service Unavailable");
    releases.proxy.reset(When::On("POST", uploads, silent));
    let ran = releases.release_to(&[&near], &["--retry-for", "1"]);
    assert!(
        ran.stderr.contains("is not known before the push"),
        "{ran:#?}"
    );
    releases.proxy.reset(When::Never);
    releases.release_to(&[&near], &[]).succeeded();
    assert!(releases.digest("v1.0.0").is_some());
}
