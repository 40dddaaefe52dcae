//! `cargo xtask tags --published` against a real registry, filled by a real engine.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::common::{Ran, command, set_author};
use crate::world::{Registry, docker, unique_name, xtask};

/// A repository whose HEAD carries `v1.0.0`, with higher versions elsewhere.
fn repository(folder: &Path) {
    let git = |args: &[&str]| {
        let mut git = command("git", folder);
        set_author(&mut git);
        Ran::of(git.args(args)).succeeded();
    };
    git(&["init", "--quiet"]);
    for version in ["v1.9.0", "v1.10.0", "v1.11.0", "v1.0.0"] {
        git(&["commit", "--quiet", "--allow-empty", "--message", version]);
        git(&["tag", version]);
    }
}

#[test]
fn latest_depends_on_what_the_registry_has() {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("source");
    fs::create_dir(&source).unwrap();
    repository(&source);
    let context = folder.path().join("context");
    fs::create_dir(&context).unwrap();
    fs::write(
        context.join("Dockerfile"),
        "FROM scratch\nCOPY Dockerfile /\n",
    )
    .unwrap();
    let registry = Registry::start();
    let name = format!("{}/tags-test/{}", registry.address, unique_name());
    let withheld = || {
        let args = ["tags", "--published", "--json", "--repository", &name, "-C"];
        let ran = Ran::of(xtask(&args).arg(&source)).succeeded();
        let set: Value = serde_json::from_str(&ran.stdout).unwrap();
        let tags = set["tags"].as_array().unwrap();
        let is_given = tags.iter().any(|tag| tag["name"] == "latest");
        (
            is_given,
            set["withheld"][0]["why"].as_str().map(str::to_owned),
        )
    };
    let push = |version: &str| {
        let reference = format!("{name}:{version}");
        let folder = context.to_str().unwrap();
        docker(&["buildx", "build", "--push", "--tag", &reference, folder]).succeeded();
    };
    // The registry does not know the repository.
    assert_eq!(withheld(), (true, None));
    push("v0.9.0");
    // It knows the repository, and none of the higher versions.
    assert_eq!(withheld(), (true, None));
    for version in ["v1.10.0", "v1.11.0"] {
        push(version);
        // Nobody has released it: it has no record.
        assert_eq!(withheld(), (true, None));
    }
    let (latest, highest) = (format!("{name}:latest"), format!("{name}:v1.11.0"));
    let create = ["buildx", "imagetools", "create", "--tag", &latest, &highest];
    docker(&create).succeeded();
    let why = "it is at the image of version `1.11.0`".to_owned();
    assert_eq!(withheld(), (false, Some(why)));
}
