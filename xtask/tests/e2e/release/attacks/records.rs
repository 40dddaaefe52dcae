//! Records that somebody takes away, puts back or drowns, and records of a key that nobody believes any more.

use std::fs;
use std::time::Instant;

use serde_json::{Value, json};

use super::super::{Releases, digest};
use crate::common::{Ran, command};
use crate::push::refused;

impl Releases {
    /// Gives a manifest its digest again, without a tag.
    fn untag(&self, tag: &str) -> Value {
        let (digest, manifest) = self.workspace.published(tag).unwrap();
        self.workspace.delete(&format!("manifests/{digest}"));
        self.workspace.put(&digest, &manifest);
        assert_eq!(self.digest(tag), None);
        manifest
    }

    /// A release of the withdrawn version leaves `latest` where it is, and says why.
    #[track_caller]
    fn leaves_latest(&self, at: &String) {
        let ran = self.run(&[]).succeeded();
        assert!(
            ran.stdout.contains("it leaks; `--latest require`"),
            "{ran:#?}"
        );
        assert_eq!(self.digest("latest").as_ref(), Some(at));
    }

    /// Uploads a manifest once more, with a digest of its own; its entry in a list.
    fn copy(&self, of: &Value, number: usize) -> Value {
        let mut copy = of.clone();
        copy["annotations"]["number"] = json!(number.to_string());
        let text = copy.to_string();
        let named = digest(text.as_bytes());
        self.workspace.put(&named, &copy);
        json!({
            "mediaType": copy["mediaType"], "digest": named, "size": text.len(),
            "artifactType": copy["artifactType"], "annotations": copy["annotations"],
        })
    }

    /// From now on another key signs, and is the only one that is believed.
    fn rotate(&self) {
        let program = self.workspace.path("target/cosign/cosign");
        let script = fs::read_to_string(&program).unwrap();
        fs::write(&program, script.replace("Z29vZA==", "bmV3")).unwrap();
        for folder in fs::read_dir(self.receipts()).unwrap() {
            for file in fs::read_dir(folder.unwrap().path()).unwrap() {
                let path = file.unwrap().path();
                let text = fs::read_to_string(&path).unwrap();
                fs::write(path, text.replace("Z29vZA==", "bmV3")).unwrap();
            }
        }
    }
}

/// Somebody deletes both tags of a version, or puts its first record back as well: what withdraws it is among
/// what is attached to the image.
#[test]
fn a_withdrawn_version_whose_tags_are_gone_stays_withdrawn() {
    let releases = Releases::new();
    let first = releases.release("1.0.0");
    releases.release("2.0.0");
    let (_, old) = releases.workspace.published("state-v2.0.0").unwrap();
    releases.rollback(&[]).succeeded();
    for is_put_back in [false, true] {
        releases.untag("state-v2.0.0");
        let index = releases.untag("v2.0.0");
        releases
            .workspace
            .put(&releases.workspace.sha_tag(), &index);
        if is_put_back {
            releases.workspace.put("state-v2.0.0", &old);
        }
        releases.leaves_latest(&first);
        let (state, _) = releases.state("2.0.0").unwrap();
        assert_eq!(state, "withdrawn", "{is_put_back}");
    }
}

/// An older record is put back, and the newer one stands among more than anybody reads: copies of the old one,
/// each of them rightly signed.
#[test]
#[ignore = "writes some hundred records: `cargo xtask test --all`"]
fn a_record_among_many_others_is_found_or_missed_and_never_forgotten() {
    let releases = Releases::new();
    let first = releases.release("1.0.0");
    let second = releases.release("2.0.0");
    let (_, old) = releases.workspace.published("state-v2.0.0").unwrap();
    releases.rollback(&[]).succeeded();
    releases.workspace.put("state-v2.0.0", &old);
    let list = second.replace(':', "-");
    let (_, own) = releases.workspace.published(&list).unwrap();
    let copies = (0..70).map(|number| releases.copy(&old, number));
    let copies: Vec<Value> = copies.collect();
    let put = |before: usize, after: usize| {
        let mut crowd = own.clone();
        let entries = own["manifests"].as_array().unwrap();
        let (before, after) = (&copies[..before], &copies[70 - after..]);
        crowd["manifests"] = json!([before, entries, after].concat());
        releases.workspace.put(&list, &crowd);
    };
    let refuses = |why: &str| {
        refused(&releases.run(&[]), &["the record of `v2.0.0`", why]);
        assert_eq!(releases.digest("latest").as_ref(), Some(&first));
    };
    put(35, 35);
    refuses("a newer one may be among them");
    // No list at all.
    releases.workspace.put(&list, &old);
    refuses("is no list");
    for (before, after) in [(70, 0), (0, 60)] {
        put(before, after);
        releases.workspace.put("state-v2.0.0", &old);
        releases.leaves_latest(&first);
    }
}

/// Forged proofs before the good one and after it.
#[test]
fn a_proof_among_many_forged_ones_counts() {
    let releases = Releases::new();
    releases.release("1.0.0");
    let (_, index) = releases.workspace.published("v1.0.0").unwrap();
    let named = index["manifests"][0]["digest"].as_str().unwrap();
    let list = named.replace(':', "-");
    let (_, own) = releases.workspace.published(&list).unwrap();
    let entries = own["manifests"].as_array().unwrap();
    let kind = "https://slsa.dev/verification_summary/v1";
    let is_proof =
        |entry: &&Value| entry["annotations"]["dev.sigstore.bundle.predicateType"] == kind;
    let good = entries.iter().find(is_proof).unwrap()["digest"].as_str();
    let (_, mut forged) = releases.workspace.published(good.unwrap()).unwrap();
    let layer = forged["layers"][0]["digest"].as_str().unwrap();
    let path = releases.workspace.path_in_registry();
    let bundle = String::from_utf8(releases.workspace.blob_in(path, layer)).unwrap();
    let bundle = bundle.replace("Z29vZA==", "YmFkYmFk");
    releases.workspace.put_blob(bundle.as_bytes());
    forged["layers"][0]["digest"] = json!(digest(bundle.as_bytes()));
    forged["layers"][0]["size"] = json!(bundle.len());
    let forged: Vec<Value> = (0..70)
        .map(|number| releases.copy(&forged, number))
        .collect();
    for crowd in [[entries, &forged[..]], [&forged, entries]] {
        let mut all = own.clone();
        all["manifests"] = json!(crowd.concat());
        releases.workspace.put(&list, &all);
        let start = Instant::now();
        let status = releases.bare(&["--status"]).succeeded();
        eprintln!(
            "a status beside 70 forged proofs takes {:?}",
            start.elapsed()
        );
        let status: Value = serde_json::from_str(&status.stdout).unwrap();
        let platform = &status["versions"][0]["platforms"][0];
        assert_eq!(platform["proven_by"], "the key `cosign.pub`", "{platform}");
    }
}

/// What the old key has signed counts no more, and there is a way on that forgets no withdrawal.
#[test]
fn after_a_change_of_keys_versions_are_adopted_and_what_was_withdrawn_stays_so() {
    let releases = Releases::new();
    let first = releases.release("1.0.0");
    let second = releases.release("2.0.0");
    releases.release("3.0.0");
    releases.rollback(&[]).succeeded();
    assert_eq!(releases.digest("latest").as_ref(), Some(&second));
    releases.rotate();
    let status = releases.bare(&["--status"]).succeeded();
    let status: Value = serde_json::from_str(&status.stdout).unwrap();
    for row in status["versions"].as_array().unwrap() {
        assert_eq!(row["state"], "not-believed", "{row}");
    }
    refused(
        &releases.run(&[]),
        &["`cargo xtask release --adopt --version 3.0.0`"],
    );
    refused(&releases.rollback(&[]), &["no version below `v2.0.0`"]);
    refused(
        &releases.rollback(&["--to", "1.0.0"]),
        &["`cargo xtask release --adopt --version 1.0.0`"],
    );
    for (version, state) in [("1.0.0", "released"), ("3.0.0", "withdrawn")] {
        for _ in 0..2 {
            releases.run(&["--adopt", "--version", version]).succeeded();
            assert_eq!(releases.state(version), Some((state.to_owned(), 1)));
        }
    }
    assert_eq!(releases.record("3.0.0").unwrap()["reason"], "it leaks");
    releases.run(&[]).succeeded();
    assert_eq!(releases.digest("latest"), Some(second));
    // Taking a version back needs nobody's word for what it was.
    for _ in 0..2 {
        releases.rollback(&["--to", "1.0.0"]).succeeded();
        assert_eq!(releases.digest("latest").as_ref(), Some(&first));
        assert_eq!(releases.state("2.0.0"), Some(("withdrawn".to_owned(), 1)));
    }
}

/// A pipe in the folder of proofs is not waited for.
#[test]
fn what_is_no_file_is_no_proof() {
    let releases = Releases::new();
    let digest = releases.prepare("1.0.0");
    // Nor is there anything to adopt.
    refused(&releases.run(&["--adopt"]), &["latest` is not there"]);
    releases.workspace.put("latest", &releases.index());
    refused(
        &releases.run(&["--adopt"]),
        &["which is not a published version"],
    );
    let folder = releases.receipts().join(digest.replace(':', "-"));
    let pipe = folder.join("linux-amd64.sigstore.json");
    fs::remove_file(&pipe).unwrap();
    let mut mkfifo = command("mkfifo", &folder);
    Ran::of(mkfifo.arg(&pipe)).succeeded();
    refused(&releases.run(&[]), &["it is no file"]);
    assert_eq!(releases.digest("v1.0.0"), None);
}
