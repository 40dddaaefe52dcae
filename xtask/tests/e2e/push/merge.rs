//! Platforms that are pushed by one machine each, and joined from the registry alone.

use serde_json::Value;

use super::{Workspace, images, refused};
use crate::common::Ran;

fn merge(workspace: &Workspace) -> Ran {
    // Without an engine: nothing is built.
    let mut merge = workspace.xtask(&["image", "--merge", "--json"]);
    Ran::of(merge.env("DOCKER_HOST", "unix:///nowhere"))
}

#[test]
fn parts_are_joined_to_one_index_that_keeps_their_manifests() {
    let workspace = Workspace::new();
    let tag = workspace.sha_tag();
    let arm64 = format!("{tag}-linux-arm64");
    workspace.push(&["--platform", "linux/amd64"]);
    refused(&merge(&workspace), &[&arm64, "is not published"]);
    assert_eq!(workspace.digest(&tag), None);
    assert_eq!(workspace.digest("dev"), None);
    workspace.push(&["--platform", "linux/arm64"]);
    let parts: Vec<Value> = ["amd64", "arm64"]
        .iter()
        .map(|arch| {
            workspace
                .published(&format!("{tag}-linux-{arch}"))
                .unwrap()
                .1
        })
        .collect();
    let merged: Value = serde_json::from_str(&merge(&workspace).succeeded().stdout).unwrap();
    let (digest, index) = workspace.published(&tag).unwrap();
    assert_eq!(merged["digest"], *digest);
    assert_eq!(workspace.digest("dev"), None);
    workspace.prove();
    merge(&workspace).succeeded();
    assert_eq!(workspace.digest("dev").as_ref(), Some(&digest));
    let (joined, attestations) = images(&index);
    let (of_parts, of_parts_attestations) =
        parts
            .iter()
            .map(images)
            .fold((Vec::new(), 0), |(mut all, count), (images, more)| {
                all.extend(images);
                (all, count + more)
            });
    assert_eq!((joined, attestations), (of_parts, of_parts_attestations));
    // Once more, and a late push of one platform, change nothing.
    let again: Value = serde_json::from_str(&merge(&workspace).succeeded().stdout).unwrap();
    assert_eq!(again["digest"], *digest);
    let late = workspace.push(&["--platform", "linux/arm64"]);
    assert_eq!(late["tags"], serde_json::json!(["present"]));
    assert_eq!(workspace.push(&[])["digest"], *digest);
}

#[test]
fn parts_that_do_not_belong_together_are_refused() {
    let workspace = Workspace::new();
    workspace.push(&["--platform", "linux/amd64"]);
    let tag = workspace.sha_tag();
    let (_, amd64) = workspace.published(&format!("{tag}-linux-amd64")).unwrap();
    workspace.put(&format!("{tag}-linux-arm64"), &amd64);
    refused(
        &merge(&workspace),
        &[
            "it has nothing for `linux/arm64`",
            "an image for `linux/amd64` too",
        ],
    );
    // A part of another commit under this one's name.
    workspace.push(&["--platform", "linux/amd64"]);
    workspace.commit("another");
    let tag = workspace.sha_tag();
    workspace.put(&format!("{tag}-linux-amd64"), &amd64);
    workspace.push(&["--platform", "linux/arm64"]);
    refused(&merge(&workspace), &["is built from commit"]);
    assert_eq!(workspace.digest(&tag), None);
}
