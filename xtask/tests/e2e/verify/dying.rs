//! An engine that goes away in the middle of a run: the run ends, and reports what it could not prove.

use serde_json::Value;

use super::killed::{containers, until};
use super::relay::Relay;
use crate::common::Ran;
use crate::world::{docker, image, xtask};

#[test]
fn what_a_dying_engine_leaves_unknown_is_unproven() {
    let folder = tempfile::tempdir().unwrap();
    let relay = Relay::new(folder.path());
    // `image()` asks the engine, so before it dies.
    let mut verify = xtask(&["verify", image(), "--json", "--receipt-dir"]);
    verify.arg(folder.path());
    verify.env("DOCKER_HOST", relay.host());
    let output = std::process::Stdio::piped;
    let child = verify.stdout(output()).stderr(output()).spawn().unwrap();
    let run = child.id();
    until("no containers came up", || containers(run).len() >= 3);
    relay.cut();
    let ran = Ran::from(child.wait_with_output().unwrap());
    for name in containers(run) {
        docker(&["rm", "--force", "--volumes", &name]);
    }
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    assert!(ran.stderr.contains("hint: `docker rm -fv"), "{ran:#?}");
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    let results = report["platforms"][0]["results"].as_array().unwrap();
    let unproven = results.iter().filter(|one| one["status"] == "unproven");
    assert!(unproven.count() > 10, "{ran:#?}");
    // It is not the image that failed.
    let failed: Vec<&Value> = results
        .iter()
        .filter(|one| one["status"] == "failed")
        .collect();
    assert!(failed.is_empty(), "{failed:#?}");
}
