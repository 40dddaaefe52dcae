//! What a registry shows of a tag: annotations of the index, from a push and from a merge alike.
//!
//! Users of other tools lose them where the index is composed (docker/buildx#2540) or never have any
//! (ko-build/ko#1090, docker/build-push-action#447): the registry's page is then blank.

use serde_json::{Value, json};

use super::{DOCKERFILE, Workspace};
use crate::world::docker;

const SOURCE: &str = "https://git.example.org/me/agent";

/// A workspace whose image has a title, a description and its source.
pub(super) fn labelled() -> Workspace {
    let workspace = Workspace::new();
    let labels = "ARG IMAGE_SOURCE\nLABEL org.opencontainers.image.title=agent \
        org.opencontainers.image.description=\"for a workspace\" \
        org.opencontainers.image.source=$IMAGE_SOURCE\n";
    workspace.write("docker/Dockerfile.agent", &format!("{DOCKERFILE}{labels}"));
    workspace.commit("labels");
    workspace.git(&["remote", "add", "origin", SOURCE]);
    workspace
}

fn expected(workspace: &Workspace) -> Value {
    json!({
        "org.opencontainers.image.description": "for a workspace",
        "org.opencontainers.image.revision": workspace.revision(),
        "org.opencontainers.image.source": SOURCE,
        "org.opencontainers.image.title": "agent",
        "org.opencontainers.image.url": SOURCE,
    })
}

#[test]
fn a_pushed_and_a_merged_index_say_what_the_image_is() {
    let workspace = labelled();
    let tag = workspace.sha_tag();
    workspace.push(&[]);
    let (pushed, index) = workspace.published(&tag).unwrap();
    assert_eq!(index["annotations"], expected(&workspace));
    let reference = format!("{}:{tag}", workspace.repository());
    let raw = docker(&["buildx", "imagetools", "inspect", "--raw", &reference]).succeeded();
    let shown: Value = serde_json::from_str(&raw.stdout).unwrap();
    assert_eq!(shown["annotations"], index["annotations"]);
    // The parts of another commit are merged.
    workspace.commit("next");
    let tag = workspace.sha_tag();
    for platform in ["linux/amd64", "linux/arm64"] {
        workspace.push(&["--platform", platform]);
    }
    workspace.image(&["--merge"]).succeeded();
    let (merged, index) = workspace.published(&tag).unwrap();
    assert_eq!(index["annotations"], expected(&workspace));
    assert_ne!(merged, pushed);
}

#[test]
fn what_is_published_without_annotations_is_adopted_as_it_is() {
    let workspace = labelled();
    let tag = workspace.sha_tag();
    workspace.push(&[]);
    let (_, mut index) = workspace.published(&tag).unwrap();
    index.as_object_mut().unwrap().remove("annotations");
    workspace.put(&tag, &index);
    let before = workspace.digest(&tag);
    let adopted = workspace.push(&[]);
    assert_eq!(adopted["tags"][0], "present");
    workspace.push(&["--rebuild"]);
    workspace.image(&["--merge"]).succeeded();
    assert_eq!(workspace.digest(&tag), before);
}
