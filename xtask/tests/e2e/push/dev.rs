//! `dev` leads to the latest commit of the default branch, whichever push ends last.

use super::held::{Held, answer, ended, start};
use super::{DOCKERFILE, Workspace};
use crate::common::Ran;

#[test]
fn dev_moves_from_the_default_branch_alone_and_never_back() {
    let workspace = Workspace::new();
    workspace.push(&[]);
    let first = workspace.digest("dev").unwrap();
    let old = workspace.revision();
    workspace.git(&["checkout", "--quiet", "-b", "topic"]);
    workspace.write("content/file", "two");
    workspace.commit("second");
    workspace.push(&[]);
    assert_eq!(workspace.digest("dev").as_ref(), Some(&first));
    workspace.git(&["checkout", "--quiet", "main"]);
    workspace.git(&["merge", "--quiet", "--ff-only", "topic"]);
    workspace.push(&[]);
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
fn dev_that_a_later_commit_gets_during_a_build_stays() {
    let (workspace, file) = (Workspace::new(), Held::new());
    workspace.push(&[]);
    let (_, of_first) = workspace.published("dev").unwrap();
    file.commit(&workspace);
    let earlier = workspace.revision();
    workspace.write("docker/Dockerfile.agent", DOCKERFILE);
    workspace.commit("later");
    workspace.push(&[]);
    let (_, of_later) = workspace.published("dev").unwrap();
    // As when the earlier commit was pushed before there was the later one.
    workspace.put("dev", &of_first);
    workspace.git(&["reset", "--quiet", "--hard", &earlier]);
    let mut push = start(&mut workspace.xtask(&["image", "--push", "--progress", "plain"]));
    let asked = file.asked(&mut push);
    workspace.put("dev", &of_later);
    let later = workspace.digest("dev");
    answer(asked);
    file.release();
    let ran = ended(push).succeeded();
    assert!(ran.stderr.contains("a later commit"), "{ran:#?}");
    assert!(workspace.digest(&workspace.sha_tag()).is_some());
    assert_eq!(workspace.digest("dev"), later);
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
    workspace.push(&[]);
    let younger = workspace.digest("dev");
    // As a clone of the time before.
    workspace.git(&["reset", "--quiet", "--hard", &older]);
    workspace.git(&["reflog", "expire", "--expire=now", "--all"]);
    workspace.git(&["gc", "--quiet", "--prune=now"]);
    let ran = workspace.image(&["--push"]).succeeded();
    assert!(ran.stderr.contains("hint: `git fetch`"), "{ran:#?}");
    assert_eq!(workspace.digest("dev"), younger);
    // One that is older makes way, as in a shallow clone.
    commit_of(2024);
    workspace.push(&[]);
    assert_ne!(workspace.digest("dev"), younger);
}
