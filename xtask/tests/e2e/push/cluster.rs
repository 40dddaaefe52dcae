//! Builders whose nodes are pods of a Kubernetes cluster (buildx's kubernetes driver).

use std::process::Command;

use rustix::process::{Pid, Signal, kill_process};

use super::held::{Held, assert_hangs_up, ended, start};
use super::kubernetes::Cluster;
use super::{Workspace, assert_whole, nothing_is_published};
use crate::common::Ran;

/// As docs/image.md has it, with a shorter time for a pod to start.
fn create(cluster: &Cluster) {
    for (arch, more) in [("amd64", None), ("arm64", Some("--append"))] {
        let platform = format!("linux/{arch}");
        let options = format!("namespace=build,timeout=3s,nodeselector=kubernetes.io/arch={arch}");
        let create = ["create", "--name", "cluster", "--driver", "kubernetes"];
        let of_node = ["--platform", &platform, "--driver-opt", &options];
        let args: Vec<&str> = create.into_iter().chain(of_node).chain(more).collect();
        cluster.buildx(&args).succeeded();
    }
}

fn push(workspace: &Workspace, cluster: &Cluster, args: &[&str]) -> Command {
    let push = ["image", "--push", "--json", "--progress", "plain"];
    let builder = ["--builder", "cluster"];
    let mut push = workspace.xtask(&[&push[..], &builder, args].concat());
    cluster.announce(&mut push);
    push
}

/// A push of both platforms that has to succeed.
#[track_caller]
fn pushed(workspace: &Workspace, push: &mut Command) -> Ran {
    let ran = Ran::of(push).succeeded();
    let (_, index) = workspace.published(&workspace.sha_tag()).unwrap();
    assert_whole(&index);
    ran
}

#[test]
fn a_cluster_pushes_like_the_engines_own_builder_and_needs_no_engine() {
    let (workspace, cluster) = (Workspace::new(), Cluster::start());
    create(&cluster);
    let mut first = push(&workspace, &cluster, &[]);
    let ran = pushed(&workspace, first.env("DOCKER_HOST", "unix:///nowhere"));
    assert!(
        ran.stderr.contains("starting the builder `cluster`\n"),
        "{ran:#?}"
    );
    assert_eq!(cluster.asked_for(), ["amd64", "arm64"]);
    // The pods run by now; what they made is what the engine's own builder makes.
    let ran = pushed(&workspace, &mut push(&workspace, &cluster, &["--rebuild"]));
    assert!(!ran.stderr.contains("starting"), "{ran:#?}");
    let again = workspace.image(&["--push", "--rebuild", "--no-cache"]);
    let said = again.succeeded().stderr;
    assert!(said.contains("the same images are published"), "{said}");
}

#[test]
fn a_pod_that_finds_no_machine_keeps_its_own_platform_alone() {
    let (workspace, cluster) = (Workspace::new(), Cluster::start());
    create(&cluster);
    cluster.lose("arm64");
    let amd64 = ["--platform", "linux/amd64"];
    let ran = Ran::of(&mut push(&workspace, &cluster, &amd64)).succeeded();
    let note = "note: a node that this build does without does not start\n";
    assert!(ran.stderr.contains(note), "{ran:#?}");
    let tag = format!("{}-linux-amd64", workspace.sha_tag());
    assert!(workspace.digest(&tag).is_some());
    for args in [&["--platform", "linux/arm64"][..], &[]] {
        let ran = Ran::of(&mut push(&workspace, &cluster, args));
        assert_eq!(ran.code, Some(1), "{ran:#?}");
        let error = "error: the builder `cluster` does not start: expected 1 replicas to be \
                     ready, got 0\n  hint: `kubectl describe pods` says why";
        assert!(ran.stderr.contains(error), "{ran:#?}");
    }
    cluster.grow();
    pushed(&workspace, &mut push(&workspace, &cluster, &[]));
}

#[test]
fn a_build_whose_pod_is_gone_ends_and_the_next_push_finishes() {
    let (workspace, cluster, file) = (Workspace::new(), Cluster::start(), Held::new());
    create(&cluster);
    file.commit(&workspace);
    // The pods are one BuildKit here: it would build a step of both platforms but once.
    let amd64 = ["--platform", "linux/amd64"];
    let mut running = start(&mut push(&workspace, &cluster, &amd64));
    let _asked = file.asked(&mut running);
    cluster.lose("amd64");
    let ran = ended(running);
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    let lost =
        "error: the build failed: the builder `cluster` has ended\n  hint: `kubectl get events`";
    assert!(ran.stderr.contains(lost), "{ran:#?}");
    let tag = format!("{}-linux-amd64", workspace.sha_tag());
    assert_eq!(workspace.digest(&tag), None);
    cluster.grow();
    file.release();
    pushed(&workspace, &mut push(&workspace, &cluster, &[]));
}

#[test]
fn a_cluster_that_refuses_or_is_not_there_is_named() {
    let (workspace, forbidden) = (Workspace::new(), Cluster::start());
    forbidden.forbid();
    for (cluster, why) in [
        (forbidden, "is Forbidden\n"),
        (Cluster::gone(), "connection refused\n"),
    ] {
        create(&cluster);
        let ran = Ran::of(&mut push(&workspace, &cluster, &[]));
        assert_eq!(ran.code, Some(1), "{ran:#?}");
        let error = "error: the builder `cluster` does not start: ";
        assert!(ran.stderr.contains(error), "{ran:#?}");
        assert!(ran.stderr.contains(why), "{ran:#?}");
        nothing_is_published(&workspace);
    }
}

#[test]
fn an_interrupted_build_ends_in_the_pod_too() {
    let (workspace, cluster, file) = (Workspace::new(), Cluster::start(), Held::new());
    create(&cluster);
    file.commit(&workspace);
    let mut running = start(&mut push(&workspace, &cluster, &[]));
    let asked = file.asked(&mut running);
    kill_process(Pid::from_child(&running), Signal::INT).unwrap();
    let ran = ended(running);
    assert_eq!(ran.code, Some(130), "{ran:#?}");
    assert!(ran.stderr.contains("error: interrupted\n"), "{ran:#?}");
    assert_hangs_up(asked);
    nothing_is_published(&workspace);
    file.release();
    pushed(&workspace, &mut push(&workspace, &cluster, &[]));
}
