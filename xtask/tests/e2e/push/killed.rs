//! Builds in which a process gets SIGKILL: no name leads to them afterwards (docker/cli#4332).

use std::fs;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Command};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use super::held::{Held, answer, assert_hangs_up, ended, start};
use super::{DOCKERFILE, Workspace, nothing_is_published};
use crate::common::Ran;
use crate::world::{before, docker, inspect};

/// What gets SIGKILL.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Killed {
    /// cargo becomes it: whoever kills `cargo xtask` kills it alone.
    Xtask,
    /// The client, which xtask reports.
    Docker,
    /// As when a machine's job is ended.
    All,
}

/// Makes the tree dirty: its build needs the server's file.
fn wait_for(held: &Held, workspace: &Workspace) {
    let add = format!("ADD http://{}/file /\n", held.address());
    let dockerfile = DOCKERFILE.replace("COPY --link content/ /\n", &add);
    workspace.write("docker/Dockerfile.agent", &dockerfile);
}

fn build(workspace: &Workspace) -> Command {
    workspace.xtask(&["image", "--progress", "plain"])
}

fn kill(killed: Killed, running: &Child) {
    let xtask = Pid::from_child(running);
    match killed {
        Killed::Xtask => kill_process(xtask, Signal::KILL),
        Killed::Docker => kill_process(client_of(xtask), Signal::KILL),
        Killed::All => kill_process_group(xtask, Signal::KILL),
    }
    .unwrap();
}

/// The docker that xtask has started, by any of its threads.
fn client_of(xtask: Pid) -> Pid {
    let threads = fs::read_dir(format!("/proc/{}/task", xtask.as_raw_nonzero())).unwrap();
    let children = threads.map(|thread| {
        let children = thread.unwrap().path().join("children");
        fs::read_to_string(children).unwrap()
    });
    let children: String = children.collect();
    let [child] = children.split_whitespace().collect::<Vec<_>>()[..] else {
        panic!("the children of xtask: {children}");
    };
    Pid::from_raw(child.parse().unwrap()).unwrap()
}

/// The commit that `dev` leads to in the engine's store.
fn dev(workspace: &Workspace) -> String {
    let image = inspect(&format!("{}:dev", workspace.repository()));
    let labels = &image["Config"]["Labels"];
    let revision = &labels["org.opencontainers.image.revision"];
    revision.as_str().unwrap().to_owned()
}

/// Builds HEAD, to which `dev` leads then.
fn build_clean(workspace: &Workspace) {
    workspace.git(&["checkout", "--quiet", "docker"]);
    Ran::of(&mut build(workspace)).succeeded();
    assert_eq!(dev(workspace), workspace.revision());
}

fn remove_images(workspace: &Workspace) {
    let repository = workspace.repository();
    let tags = ["dev", &workspace.sha_tag()].map(|tag| format!("{repository}:{tag}"));
    docker(&["image", "rm", &tags[0], &tags[1]]).succeeded();
}

#[test]
fn a_build_ends_with_its_xtask_and_dev_stays_where_a_later_one_left_it() {
    for killed in [Killed::Xtask, Killed::Docker, Killed::All] {
        let (workspace, held) = (Workspace::new(), Held::new());
        wait_for(&held, &workspace);
        let mut dirty = start(&mut build(&workspace));
        let asked = held.asked(&mut dirty);
        kill(killed, &dirty);
        assert_hangs_up(asked);
        let ran = ended(dirty);
        let code = (killed == Killed::Docker).then_some(1);
        assert_eq!(ran.code, code, "{killed:?}: {ran:#?}");
        build_clean(&workspace);
        let left = fs::read_dir(workspace.path("target/xtask")).unwrap();
        let left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
        assert!(
            !left
                .iter()
                .any(|name| name.to_string_lossy().starts_with("run-")),
            "{left:?}"
        );
        remove_images(&workspace);
    }
}

/// A `docker` whose end is not that of the build, as where it is a script or a snap.
fn outlived(workspace: &Workspace, command: &mut Command) {
    let folder = workspace.path("target/bin");
    fs::create_dir_all(&folder).unwrap();
    let script = "#!/bin/sh\nPATH=${PATH#*:}\ndocker \"$@\" &\nwait $!\n";
    fs::write(folder.join("docker"), script).unwrap();
    fs::set_permissions(folder.join("docker"), fs::Permissions::from_mode(0o755)).unwrap();
    before(&folder, command);
}

/// Gives the build its file, and waits for the end of what has outlived xtask, which wrote an image.
fn finish(held: Held, asked: TcpStream, running: Child) {
    answer(asked);
    held.release();
    let ran = ended(running);
    assert!(ran.stderr.contains(" exporting to "), "{ran:#?}");
}

#[test]
fn a_build_that_outlives_its_xtask_takes_no_name() {
    let (workspace, held) = (Workspace::new(), Held::new());
    wait_for(&held, &workspace);
    let mut dirty = build(&workspace);
    outlived(&workspace, &mut dirty);
    let mut dirty = start(&mut dirty);
    let asked = held.asked(&mut dirty);
    kill(Killed::Xtask, &dirty);
    build_clean(&workspace);
    finish(held, asked, dirty);
    assert_eq!(dev(&workspace), workspace.revision());
    remove_images(&workspace);
}

/// What a push publishes it publishes itself, from what it has checked.
#[test]
fn a_killed_push_publishes_nothing_and_the_next_one_does() {
    for outlives in [false, true] {
        let (workspace, held) = (Workspace::new(), Held::new());
        held.commit(&workspace);
        let mut push = workspace.xtask(&["image", "--push", "--progress", "plain"]);
        if outlives {
            outlived(&workspace, &mut push);
        }
        let mut push = start(&mut push);
        let asked = held.asked(&mut push);
        kill(Killed::Xtask, &push);
        if outlives {
            finish(held, asked, push);
        } else {
            assert_hangs_up(asked);
            held.release();
            ended(push);
        }
        nothing_is_published(&workspace);
        let digest = workspace.push(&[])["digest"].clone();
        let published = workspace.digest(&workspace.sha_tag());
        assert_eq!(published.as_deref(), digest.as_str());
    }
}
