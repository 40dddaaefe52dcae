//! `dev` leads to the latest commit of the default branch, whichever push ends last.

mod signed;

use serde_json::Value;

use super::{DOCKERFILE, Workspace};
use crate::common::Ran;
use crate::release::receipt;

impl Workspace {
    /// Writes the receipts of a verification that proves HEAD's index.
    pub(crate) fn prove(&self) {
        self.prove_as(&self.sha_tag(), &self.revision());
    }

    /// [`Workspace::prove`] for what a tag leads to.
    pub(crate) fn prove_as(&self, tag: &str, revision: &str) {
        let (digest, index) = self.published(tag).unwrap();
        let entries = index["manifests"].as_array().unwrap().iter();
        for entry in entries.filter(|entry| entry["platform"]["os"] == "linux") {
            let receipts = self.path("target/xtask/receipts");
            receipt(&receipts, &digest, entry, revision);
        }
    }

    /// Pushes HEAD's index, proves it, and pushes once more, which moves `dev`.
    #[track_caller]
    pub(crate) fn push_proven(&self) -> Value {
        self.push(&[]);
        self.prove();
        self.push(&[])
    }
}

#[test]
fn dev_moves_only_to_what_is_proved() {
    let workspace = Workspace::new();
    let ran = workspace.image(&["--push"]).succeeded();
    let said = "no receipt proves `linux/amd64` and `linux/arm64`";
    assert!(ran.stderr.contains(said), "{ran:#?}");
    let next = "then `cargo xtask image --merge`";
    assert!(ran.stderr.contains(next), "{ran:#?}");
    assert_eq!(workspace.digest("dev"), None);
    workspace.prove();
    let elsewhere = ["--push", "--receipt-dir", "nowhere"];
    workspace.image(&elsewhere).succeeded();
    assert_eq!(workspace.digest("dev"), None);
    // No part is needed for that, nor an engine.
    let mut merge = workspace.xtask(&["image", "--merge"]);
    Ran::of(merge.env("DOCKER_HOST", "unix:///nowhere")).succeeded();
    let sha = workspace.digest(&workspace.sha_tag());
    assert_eq!(workspace.digest("dev"), sha);
}

#[test]
fn dev_moves_from_the_default_branch_alone_and_never_back() {
    let workspace = Workspace::new();
    workspace.push_proven();
    let first = workspace.digest("dev").unwrap();
    let old = workspace.revision();
    workspace.git(&["checkout", "--quiet", "-b", "topic"]);
    workspace.write("content/file", "two");
    workspace.commit("second");
    workspace.push_proven();
    assert_eq!(workspace.digest("dev").as_ref(), Some(&first));
    workspace.git(&["checkout", "--quiet", "main"]);
    workspace.git(&["merge", "--quiet", "--ff-only", "topic"]);
    workspace.push_proven();
    let second = workspace.digest(&workspace.sha_tag());
    assert_ne!(workspace.digest("dev"), Some(first));
    assert_eq!(workspace.digest("dev"), second);
    // A job of an older commit that runs late.
    workspace.git(&["reset", "--quiet", "--hard", &old]);
    let late = workspace.image(&["--push"]).succeeded();
    assert!(late.stderr.contains("a later commit"), "{late:#?}");
    assert_eq!(workspace.digest("dev"), second);
}

#[test]
fn dev_stays_with_a_younger_commit_that_the_repository_lacks() {
    let created = "ARG IMAGE_CREATED\nLABEL org.opencontainers.image.created=$IMAGE_CREATED\n";
    let workspace = Workspace::new();
    workspace.write("docker/Dockerfile.agent", &format!("{DOCKERFILE}{created}"));
    let commit_of = |year: u32| {
        let message = year.to_string();
        let commit = ["commit", "--quiet", "--all", "--allow-empty", "--message"];
        let mut git = workspace.git_command(&[&commit[..], &[&message]].concat());
        git.env("GIT_COMMITTER_DATE", format!("{year}-01-01T00:00:00Z"));
        Ran::of(&mut git).succeeded();
        workspace.revision()
    };
    let (older, _) = (commit_of(2020), commit_of(2022));
    workspace.push_proven();
    let younger = workspace.digest("dev");
    // As a clone of the time before.
    workspace.git(&["reset", "--quiet", "--hard", &older]);
    workspace.git(&["reflog", "expire", "--expire=now", "--all"]);
    workspace.git(&["gc", "--quiet", "--prune=now"]);
    workspace.push(&[]);
    workspace.prove();
    let ran = workspace.image(&["--push"]).succeeded();
    assert!(ran.stderr.contains("hint: `git fetch`"), "{ran:#?}");
    assert_eq!(workspace.digest("dev"), younger);
    // One that is older makes way, as in a shallow clone.
    commit_of(2024);
    workspace.push_proven();
    assert_ne!(workspace.digest("dev"), younger);
}
