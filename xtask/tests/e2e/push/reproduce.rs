//! Two builds of one commit, compared.

use serde_json::Value;

use super::{DOCKERFILE, Workspace};
use crate::world::base;

#[test]
fn two_builds_are_one_or_the_first_file_that_differs_is_named() {
    let workspace = Workspace::new();
    let ran = workspace.image(&["--reproduce"]).succeeded();
    let same: Value = serde_json::from_str(&ran.stdout).unwrap();
    for platform in same["platforms"].as_array().unwrap() {
        assert_eq!(platform["difference"], Value::Null, "{same}");
        assert_eq!(platform["digests"][0], platform["digests"][1]);
    }
    let line = format!("FROM {}\nRUN touch -d @0 /a && date +%N >/when\n", base());
    let dockerfile = DOCKERFILE.replace("FROM scratch\n", &line);
    workspace.write("docker/Dockerfile.agent", &dockerfile);
    let ran = workspace.image(&["--reproduce", "--platform", "linux/amd64"]);
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    let other: Value = serde_json::from_str(&ran.stdout).unwrap();
    let said = other["platforms"][0]["difference"].as_str().unwrap();
    assert!(said.contains("`RUN touch -d @0 /a"), "{said}");
    assert!(said.contains(": `when`: "), "{said}");
}
