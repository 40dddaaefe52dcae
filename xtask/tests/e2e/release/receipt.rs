//! Receipts and proofs without a verification.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use serde_json::{Value, json};
use xtask::proof::Verification;
use xtask::reference::Repository;

use super::cosign::bundle;
use crate::common::Ran;
use crate::world::xtask;

/// Writes what verify would for an image in which every check passes.
pub(crate) fn receipt(receipts: &Path, index: &str, entry: &Value, revision: &str) {
    let receipt = of(index, entry, revision);
    fs::write(file(receipts, index, entry, "json"), receipt.to_string()).unwrap();
}

/// Writes what verify would sign for it.
pub(crate) fn proof(receipts: &Path, repository: &str, index: &str, entry: &Value, revision: &str) {
    let receipt = of(index, entry, revision);
    let repository: Repository = repository.parse().unwrap();
    let text = |field: &str| receipt[field].as_str().unwrap().to_owned();
    let verification = Verification {
        repository: repository.canonical(),
        index: index.parse().unwrap(),
        manifest: text("manifest").parse().unwrap(),
        time: text("finished"),
        check_set: text("check_set").parse().unwrap(),
        is_native: true,
        receipt,
    };
    let signed = bundle(&verification.statement().to_bytes());
    let name = file(receipts, index, entry, "sigstore.json");
    fs::write(name, signed.to_string()).unwrap();
}

fn file(receipts: &Path, index: &str, entry: &Value, kind: &str) -> PathBuf {
    let architecture = entry["platform"]["architecture"].as_str().unwrap();
    let folder = receipts.join(index.replace(':', "-"));
    fs::create_dir_all(&folder).unwrap();
    folder.join(format!("linux-{architecture}.{kind}"))
}

/// The checks, as verify lists them.
fn list() -> &'static Value {
    static LIST: OnceLock<Value> = OnceLock::new();
    LIST.get_or_init(|| {
        let list = Ran::of(&mut xtask(&["verify", "--list", "--json"])).succeeded();
        serde_json::from_str(&list.stdout).unwrap()
    })
}

fn of(index: &str, entry: &Value, revision: &str) -> Value {
    let list = list();
    let checks = list["checks"].as_array().unwrap().iter();
    let results = checks
        .map(|check| json!({"id": check["id"], "status": "passed", "seen": "x", "seconds": 0.1}));
    let architecture = entry["platform"]["architecture"].as_str().unwrap();
    json!({
        "schema": 1,
        "image": "x",
        "index": index,
        "manifest": entry["digest"],
        "config": index,
        "platform": format!("linux/{architecture}"),
        "execution": "native",
        "revision": revision,
        "check_set": list["check_set"],
        "versions": {"xtask": "0", "engine": null, "buildx": null},
        "started": "2026-11-26T00:00:00Z",
        "finished": "2026-11-26T00:00:01Z",
        "seconds": 1.0,
        "results": results.collect::<Vec<_>>(),
    })
}
