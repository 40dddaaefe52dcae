//! Images that were made to be taken for others, and labels that a terminal or GitHub's runner would obey.

mod records;

use std::fs;

use serde_json::{Value, json};

use super::{Releases, digest};
use crate::common::Ran;
use crate::push::refused;

/// What must never be sent: it clears the screen, moves the cursor, hides from GitHub's log what follows,
/// and turns text around.
const HOSTILE: &str = "x\u{1b}[2J\r\n::add-mask::x\n##[add-mask]x\u{202e}\u{9b}31m";

/// Fails when the bytes would do anything but be read.
#[track_caller]
fn harmless(bytes: &str) {
    let is_obeyed = |c: char| c != '\n' && (c.is_control() || "\u{202e}\u{2028}".contains(c));
    assert!(!bytes.contains(is_obeyed), "{bytes:?}");
    assert!(!bytes.contains("##["), "{bytes}");
    assert!(
        !bytes
            .lines()
            .any(|line| line.trim_start().starts_with("::")),
        "{bytes}"
    );
}

#[track_caller]
fn all_harmless(ran: &Ran) {
    harmless(&ran.stdout);
    harmless(&ran.stderr);
}

impl Releases {
    /// The index of the commit that is published.
    fn index(&self) -> Value {
        self.workspace
            .published(&self.workspace.sha_tag())
            .unwrap()
            .1
    }

    /// Gives the commit's tag to a document of exactly these bytes, as anybody may who can push.
    fn put_raw(&self, text: &str) {
        let direct = self.workspace.direct();
        let (address, path) = direct.split_once('/').unwrap();
        let tag = self.workspace.sha_tag();
        let url = format!("http://{address}/v2/{path}/manifests/{tag}");
        let kind = "application/vnd.oci.image.index.v1+json";
        let put = ureq::put(url).header("content-type", kind).send(text);
        assert_eq!(put.unwrap().status(), 201);
    }

    /// Uploads an image of nothing for `platform`; its entry.
    fn evil(&self, platform: &Value, label: &str) -> Value {
        let config = json!({
            "architecture": platform["architecture"], "os": platform["os"],
            "config": {"Labels": {"org.opencontainers.image.revision": label}},
        });
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": self.blob(config.to_string().as_bytes()),
            "layers": [self.blob(b"evil")],
        });
        let text = manifest.to_string();
        let named = digest(text.as_bytes());
        self.workspace.put(&named, &manifest);
        json!({
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "digest": named, "size": text.len(), "platform": platform,
        })
    }
}

#[test]
fn no_index_that_engines_read_in_another_way_is_released() {
    let releases = Releases::new();
    releases.prepare("1.0.0");
    let good = releases.index();
    let entries = good["manifests"].as_array().unwrap();
    let evil = releases.evil(&entries[0]["platform"], "x");
    let mut cloaked = evil.clone();
    cloaked["annotations"] = entries[2]["annotations"].clone();
    let mut bare = cloaked.clone();
    bare.as_object_mut().unwrap().remove("platform");
    let mut hidden = cloaked.clone();
    hidden["platform"] = entries[2]["platform"].clone();
    let list = |first: &[&Value]| {
        let all = first.iter().copied().chain(entries);
        all.map(ToString::to_string).collect::<Vec<_>>().join(",")
    };
    let start = r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json""#;
    let own = list(&[]);
    for (text, why) in [
        (
            format!(r#"{start},"manifests":[{}]}}"#, list(&[&cloaked])),
            "several images for `linux/amd64`",
        ),
        (
            format!(r#"{start},"manifests":[{}]}}"#, list(&[&bare])),
            "several images for `linux/amd64`",
        ),
        (
            format!(r#"{start},"manifests":[{}]}}"#, list(&[&hidden])),
            "a layer of another kind",
        ),
        (
            format!(r#"{start},"manifests":[{own}],"Manifests":[{evil}]}}"#),
            "`Manifests` equals `manifests` but for case",
        ),
        (
            format!(r#"{start},"manifests":[{own}],"manifeſts":[{evil}]}}"#),
            "equals `manifests` but for case",
        ),
        (
            format!(r#"{start},"manifests":[{evil}],"manifests":[{own}]}}"#),
            "has `manifests` twice",
        ),
    ] {
        releases.put_raw(&text);
        let ran = releases.run(&["--dry-run"]);
        refused(&ran, &[why]);
        let audited = Ran::of(&mut releases.xtask(&["audit", "--all"]));
        assert_eq!(audited.code, Some(1), "{audited:#?}");
        assert!(audited.stdout.contains(why), "{audited:#?}");
    }
    assert_eq!(releases.digest("v1.0.0"), None);
}

#[test]
fn every_blob_must_be_there_and_as_large_as_it_says() {
    let releases = Releases::new();
    releases.prepare("1.0.0");
    let good = releases.index();
    let attestation = good["manifests"][2]["digest"].as_str().unwrap();
    let (_, manifest) = releases.workspace.published(attestation).unwrap();
    // The statement of an attestation, which nobody runs.
    let blob = manifest["layers"][0]["digest"].as_str().unwrap();
    releases.workspace.delete(&format!("blobs/{blob}"));
    let ran = releases.run(&[]);
    refused(&ran, &[&format!("its blob `{blob}` is missing")]);
    assert_eq!(releases.digest("v1.0.0"), None);
    // A layer of which a manifest says another size.
    let releases = Releases::new();
    releases.prepare("1.0.0");
    let mut index = releases.index();
    let named = index["manifests"][0]["digest"].as_str().unwrap();
    let (_, mut manifest) = releases.workspace.published(named).unwrap();
    manifest["layers"][0]["size"] = json!(1000);
    let text = manifest.to_string();
    let named = digest(text.as_bytes());
    releases.workspace.put(&named, &manifest);
    index["manifests"][0]["digest"] = json!(named);
    index["manifests"][0]["size"] = json!(text.len());
    index["manifests"].as_array_mut().unwrap().truncate(2);
    releases.put_raw(&index.to_string());
    let ran = releases.run(&["--dry-run"]);
    refused(&ran, &["bytes instead of 1000"]);
    assert_eq!(releases.digest("v1.0.0"), None);
}

#[test]
fn what_an_image_says_is_shown_and_not_obeyed() {
    let releases = Releases::new();
    releases.prepare("1.0.0");
    let good = releases.index();
    let platforms = [
        good["manifests"][0]["platform"].clone(),
        good["manifests"][1]["platform"].clone(),
        json!({"os": "linux", "architecture": HOSTILE}),
    ];
    let entries = platforms.map(|platform| releases.evil(&platform, HOSTILE));
    let mut index = good;
    index["manifests"] = json!(entries);
    releases.put_raw(&index.to_string());
    let summary = releases.workspace.path("target/summary");
    let outputs = releases.workspace.path("target/outputs");
    for args in [
        &["release", "--dry-run", "--yes"][..],
        &["release", "--dry-run", "--yes", "--json"],
        &["release", "--status"],
        &["audit", "--all"],
        &["audit", "--all", "--json"],
        &["image", "--push", "--dry-run"],
        &["prune", "--dry-run"],
        &["tags", "--published"],
    ] {
        let mut command = releases.xtask(args);
        command.env("GITHUB_STEP_SUMMARY", &summary);
        command.env("GITHUB_OUTPUT", &outputs);
        let ran = Ran::of(&mut command);
        all_harmless(&ran);
    }
    for file in [summary, outputs] {
        harmless(&fs::read_to_string(file).unwrap_or_default());
    }
    let ran = releases.run(&["--dry-run"]);
    refused(&ran, &[r"built from commit `x\u{1b}[2J\r\n::add-mask::x\n"]);
}

/// Without settings nobody's proof opens a release, whoever has signed it.
#[test]
fn without_proof_settings_only_this_runs_own_verification_counts() {
    let releases = Releases::new();
    let manifest = fs::read_to_string(releases.workspace.path("Cargo.toml")).unwrap();
    let manifest = manifest.replace("proof = { keys = [\"cosign.pub\"] }\n", "");
    releases.workspace.write("Cargo.toml", &manifest);
    releases.prepare("1.0.0");
    refused(
        &releases.run(&["--dry-run"]),
        &[
            "no `proof` settings",
            "leave out `--receipt-dir`",
            "no proof of linux/amd64",
        ],
    );
    // Nor do receipts and bundles in their usual place.
    let own = releases.workspace.path("target/xtask/receipts");
    fs::create_dir_all(own.parent().unwrap()).unwrap();
    fs::rename(releases.receipts(), own).unwrap();
    let dry = releases.bare(&["--dry-run", "--yes"]).succeeded();
    let plan: Value = serde_json::from_str(&dry.stdout).unwrap();
    assert_eq!(plan["verify"].as_array().unwrap().len(), 2, "{plan}");
    assert_eq!(plan["records"][0]["to"], "released");
    let note = plan["notes"][0].as_str().unwrap();
    assert!(note.contains("docs/proof.md"), "{note}");
}

/// Plain receipts of another run, and bundles of another index.
#[test]
fn what_is_not_a_proof_of_this_very_image_opens_nothing() {
    let releases = Releases::new();
    let digest = releases.prepare("1.0.0");
    let folder = releases.receipts().join(digest.replace(':', "-"));
    let bundles =
        ["linux-amd64", "linux-arm64"].map(|name| folder.join(format!("{name}.sigstore.json")));
    let good = bundles
        .clone()
        .map(|path| fs::read_to_string(path).unwrap());
    let put = |texts: [String; 2]| {
        for (path, text) in bundles.iter().zip(texts) {
            fs::write(path, text).unwrap();
        }
    };
    let refuses = |why: &str| {
        refused(
            &releases.run(&[]),
            &["no proof of linux/amd64 is believed", why],
        );
        assert_eq!(releases.digest("v1.0.0"), None);
    };
    // Plain receipts alone.
    for path in &bundles {
        fs::remove_file(path).unwrap();
    }
    refuses("there is no `");
    put(good.clone().map(|text| text.replace("Z29vZA==", "YmFk")));
    refuses("signed by the key");
    let [amd64, arm64] = good.clone();
    put([arm64, amd64]);
    refuses("it is of the manifest `");
    // Of another version's index.
    let second = releases.prepare("1.0.1");
    let folder = releases.receipts().join(second.replace(':', "-"));
    for (name, text) in ["linux-amd64", "linux-arm64"].iter().zip(good) {
        fs::write(folder.join(format!("{name}.sigstore.json")), text).unwrap();
    }
    refused(&releases.run(&[]), &["it is of the index `"]);
    assert_eq!(releases.digest("v1.0.1"), None);
}
