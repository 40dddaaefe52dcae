//! Receipts without a verification.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::common::Ran;
use crate::world::xtask;

/// Writes what verify would for an image in which every check passes.
pub(crate) fn receipt(receipts: &Path, index: &str, entry: &Value, revision: &str) {
    let list = Ran::of(&mut xtask(&["verify", "--list", "--json"])).succeeded();
    let list: Value = serde_json::from_str(&list.stdout).unwrap();
    let checks = list["checks"].as_array().unwrap().iter();
    let results = checks
        .map(|check| json!({"id": check["id"], "status": "passed", "seen": "x", "seconds": 0.1}));
    let architecture = entry["platform"]["architecture"].as_str().unwrap();
    let receipt = json!({
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
    });
    let folder = receipts.join(index.replace(':', "-"));
    fs::create_dir_all(&folder).unwrap();
    let file = folder.join(format!("linux-{architecture}.json"));
    fs::write(file, receipt.to_string()).unwrap();
}
