//! A registry that fails at any request of a push: what is published is whole or absent, and one
//! more run finishes it.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::Stdio;
use std::thread;

use rustix::process::{Pid, Signal, kill_process};

use super::proxy::{Fault, Proxy, When};
use super::{Workspace, images, nothing_is_published};
use crate::common::{Ran, command};
use crate::world::Registry;

/// A workspace whose registry stands behind a proxy.
fn behind_a_proxy() -> (Workspace, Proxy) {
    let registry = Registry::start();
    let proxy = Proxy::before(&registry.address);
    let workspace = Workspace::with(registry, Some(&proxy.address));
    (workspace, proxy)
}

/// The images that the tag of HEAD leads to; it and `dev` are whole or absent.
fn state(workspace: &Workspace) -> [Option<Vec<(String, String)>>; 2] {
    [workspace.sha_tag(), "dev".to_owned()].map(|tag| {
        let (_, index) = workspace.published(&tag)?;
        let (images, attestations) = images(&index);
        assert_eq!((images.len(), attestations), (2, 2), "{tag}: {index}");
        for (_, digest) in &images {
            assert!(workspace.published(digest).is_some(), "{digest}");
        }
        Some(images)
    })
}

/// A push after the fault `what` leads both tags to the index that it reports.
#[track_caller]
fn finishes(workspace: &Workspace, what: &str) {
    let pushed = workspace.push_proven();
    let [sha, dev] = state(workspace);
    assert_eq!(sha, dev, "{what}");
    for tag in [workspace.sha_tag(), "dev".to_owned()] {
        let digest = workspace.digest(&tag);
        assert_eq!(pushed["digest"].as_str(), digest.as_deref(), "{what}");
    }
}

/// Each `step`-th request of a push fails for good, then a run without faults must finish it.
fn fails_from(fault: Fault, step: usize) {
    let (workspace, proxy) = behind_a_proxy();
    workspace.push(&[]);
    let count = proxy.requests().len();
    assert!(count > 20, "{:?}", proxy.requests());
    for number in (0..count).step_by(step) {
        workspace.write("content/file", &format!("{fault:?} {number}"));
        workspace.commit("another");
        let before = workspace.digest("dev");
        proxy.reset(When::From(number, fault));
        let ran = workspace.image(&["--push"]);
        // A fault that is seen only when the tag stands is reported all the same.
        assert_eq!(ran.code, Some(1), "{fault:?} from {number}: {ran:#?}");
        assert!(ran.stderr.contains("hint: "), "{number}: {ran:#?}");
        let [sha, dev] = state(&workspace);
        let is_half = sha.is_some() && dev != sha;
        let said = ["is published (", "was pushed is not known"];
        assert!(
            !is_half || said.iter().any(|said| ran.stderr.contains(said)),
            "{fault:?} from {number}: {ran:#?}"
        );
        assert!(
            workspace.digest("dev") == before || dev == sha,
            "{fault:?} from {number}: dev is neither what it was nor the commit's"
        );
        proxy.reset(When::Never);
        finishes(&workspace, &format!("{fault:?} from {number}"));
    }
}

#[test]
fn a_registry_that_refuses_in_the_middle_leaves_nothing_half() {
    fails_from(Fault::Answer("403 Forbidden"), 3);
}

/// Gone, or busy, for longer than anybody waits.
#[test]
fn a_registry_that_stays_away_is_given_up_and_what_was_pushed_is_told() {
    let (workspace, proxy) = behind_a_proxy();
    workspace.push(&[]);
    let busy = Fault::Answer("429 Too Many Requests\r\nRetry-After: 0");
    let (upload, dev) = (("POST", "/blobs/uploads/"), ("PUT", "/manifests/dev"));
    for (fault, (method, end), told) in [
        (Fault::Hangup, upload, "was not pushed"),
        (busy, dev, "is published (sha256:"),
    ] {
        let what = format!("{fault:?} at {method} {end}");
        workspace.write("content/file", &what);
        workspace.commit("another");
        if (method, end) == dev {
            workspace.push(&[]);
            workspace.prove();
        }
        proxy.reset(When::On(method, end, fault));
        let ran = workspace.image(&["--push"]);
        assert_eq!(ran.code, Some(1), "{what}: {ran:#?}");
        assert!(ran.stderr.contains(told), "{what}: {ran:#?}");
        let is_published = workspace.digest(&workspace.sha_tag()).is_some();
        assert_eq!(is_published, method == "PUT", "{what}: {ran:#?}");
        proxy.reset(When::Never);
        finishes(&workspace, &what);
    }
}

#[test]
fn a_registry_that_refuses_says_so_at_once() {
    let (workspace, proxy) = behind_a_proxy();
    for status in [
        "401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"x\"",
        "403 Forbidden",
    ] {
        proxy.reset(When::From(0, Fault::Answer(status)));
        let ran = workspace.image(&["--push"]);
        assert_eq!(ran.code, Some(1), "{ran:#?}");
        assert!(ran.stderr.contains("hint: `docker login"), "{ran:#?}");
        assert!(proxy.requests().len() <= 3, "{:?}", proxy.requests());
    }
}

/// It may read, and not write: known before the build.
#[test]
fn who_may_not_push_does_not_wait_for_a_build() {
    let (workspace, proxy) = behind_a_proxy();
    let forbidden = Fault::Answer("403 Forbidden");
    proxy.reset(When::On("POST", "/blobs/uploads/", forbidden));
    let ran = workspace.image(&["--push"]);
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    for said in ["nothing was built", "does not let us push", "`docker login"] {
        assert!(ran.stderr.contains(said), "`{said}`: {ran:#?}");
    }
    assert!(!workspace.path("target/xtask/layout").exists());
    workspace.image(&["--push", "--dry-run"]).succeeded();
    proxy.reset(When::Never);
    finishes(&workspace, "with the permission");
    let requests = proxy.requests();
    let begun = requests.iter().find(|one| one.starts_with("POST")).unwrap();
    let cancelled = requests.iter().find(|one| one.starts_with("DELETE"));
    let path = begun.split(' ').nth(1).unwrap();
    assert!(cancelled.unwrap().contains(path), "{requests:#?}");
}

/// Side by side, as silence is waited for on the clock.
#[test]
fn a_fault_that_passes_is_ridden_out_at_every_request_and_so_is_silence() {
    thread::scope(|scope| {
        scope.spawn(a_registry_that_falls_silent_is_asked_again);
        a_fault_that_passes_is_ridden_out_at_every_request();
    });
}

fn a_fault_that_passes_is_ridden_out_at_every_request() {
    let (workspace, proxy) = behind_a_proxy();
    workspace.push(&[]);
    let count = proxy.requests().len();
    let faults = [
        Fault::Hangup,
        Fault::Answer("503 Service Unavailable"),
        Fault::Answer("429 Too Many Requests\r\nRetry-After: 0"),
        Fault::CutAnswer,
        Fault::CutBody,
    ];
    for number in (0..count).step_by(4) {
        let fault = faults[number / 4 % faults.len()];
        workspace.write("content/file", &format!("{fault:?} {number}"));
        workspace.commit("another");
        proxy.reset(When::Once(number, fault));
        finishes(&workspace, &format!("{fault:?} at {number}"));
    }
}

/// Silent is a registry for longer than any answer is waited for.
fn a_registry_that_falls_silent_is_asked_again() {
    let (workspace, proxy) = behind_a_proxy();
    workspace.push(&[]);
    // The first one only asks whether the account may push.
    let is_upload = |request: &String| request.starts_with("POST");
    let upload = proxy.requests().iter().rposition(is_upload).unwrap();
    workspace.write("content/file", "silence");
    workspace.commit("another");
    proxy.reset(When::Once(upload, Fault::Stall));
    finishes(&workspace, "silence");
}

#[test]
fn a_push_that_is_ended_is_finished_by_the_next() {
    for (signal, code) in [(Signal::INT, Some(130)), (Signal::KILL, None)] {
        let (workspace, proxy) = behind_a_proxy();
        // Busy for good once uploads begin: the push waits, and is ended there.
        proxy.reset(When::From(
            4,
            Fault::Answer("429 Too Many Requests\r\nRetry-After: 30"),
        ));
        let mut child = workspace
            .xtask(&["image", "--push", "--progress", "plain"])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        while proxy.requests().len() < 5 {
            thread::yield_now();
        }
        kill_process(Pid::from_child(&child), signal).unwrap();
        let said: Vec<String> = lines.by_ref().map(Result::unwrap).collect();
        assert_eq!(child.wait().unwrap().code(), code, "{said:#?}");
        assert_eq!(state(&workspace), [None, None]);
        proxy.reset(When::Never);
        finishes(&workspace, &format!("{signal:?}"));
    }
}

/// Nothing but the registry is asked, so there is no program that would end of the signal.
#[test]
fn a_merge_that_is_ended_before_dev_is_moved_says_so() {
    let (workspace, proxy) = behind_a_proxy();
    for platform in ["linux/amd64", "linux/arm64"] {
        workspace.push(&["--platform", platform]);
    }
    Ran::of(&mut workspace.xtask(&["image", "--merge"])).succeeded();
    workspace.prove();
    let busy = Fault::Answer("429 Too Many Requests\r\nRetry-After: 30");
    proxy.reset(When::On("PUT", "/dev", busy));
    let mut merge = workspace.xtask(&["image", "--merge"]);
    let merge = merge.stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
    let merge = merge.unwrap();
    let is_dev = |request: &String| request.starts_with("PUT") && request.ends_with("/dev");
    while !proxy.requests().iter().any(is_dev) {
        thread::yield_now();
    }
    kill_process(Pid::from_child(&merge), Signal::INT).unwrap();
    let ran = Ran::from(merge.wait_with_output().unwrap());
    assert_eq!(ran.code, Some(130), "{ran:#?}");
    for said in ["` is published (sha256:", "run this again", "interrupted"] {
        assert!(ran.stderr.contains(said), "`{said}`: {ran:#?}");
    }
    assert_eq!(state(&workspace)[1], None);
    proxy.reset(When::Never);
    Ran::of(&mut workspace.xtask(&["image", "--merge"])).succeeded();
    let [sha, dev] = state(&workspace);
    assert!(sha.is_some() && sha == dev);
}

/// The folder that a push builds into is on a disk that is smaller than the image.
#[test]
fn a_full_disk_is_named_and_with_room_the_next_push_finishes() {
    let workspace = Workspace::new();
    let mut random = vec![0; 1 << 20];
    File::open("/dev/urandom")
        .and_then(|mut source| source.read_exact(&mut random))
        .and_then(|()| fs::write(workspace.path("content/large"), random))
        .unwrap();
    workspace.commit("too large");
    let folder = workspace.path("target/xtask");
    fs::create_dir_all(&folder).unwrap();
    let push = workspace.xtask(&["image", "--push", "--progress", "plain"]);
    let script = "mount -t tmpfs -o size=512k tmpfs \"$1\"\nshift\n\"$@\"\nstatus=$?\n\
                  ls target/xtask/layout/*/ingest >&2\nexit $status";
    let mut small = command("unshare", &workspace.path("."));
    small
        .args([
            "--user",
            "--map-root-user",
            "--mount",
            "sh",
            "-c",
            script,
            "sh",
        ])
        .args([folder.as_os_str(), push.get_program()])
        .args(push.get_args());
    for (name, value) in push.get_envs() {
        match value {
            Some(value) => small.env(name, value),
            None => small.env_remove(name),
        };
    }
    let ran = Ran::of(&mut small);
    if ran.stderr.starts_with("unshare: ") {
        // Here nobody but root may mount anything.
        eprintln!("NOT RUN: a_full_disk_is_named_and_with_room_the_next_push_finishes: {ran:?}");
        return;
    }
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    let named = "error: the build failed: no space is left for `";
    for said in [named, "\n  hint: make room", "ingest': No such file"] {
        assert!(ran.stderr.contains(said), "`{said}`: {ran:#?}");
    }
    nothing_is_published(&workspace);
    finishes(&workspace, "a full disk");
}

#[test]
fn two_pushes_at_once_publish_one_index() {
    let (workspace, _proxy) = behind_a_proxy();
    let args = ["image", "--push", "--json", "--progress", "plain"];
    let start = || {
        let mut push = workspace.xtask(&args);
        push.stdout(Stdio::piped()).stderr(Stdio::piped());
        push.spawn().unwrap()
    };
    let both = || {
        let runs = [start(), start()];
        let ends = runs.map(|run| Ran::from(run.wait_with_output().unwrap()).succeeded());
        ends.map(|ran| {
            let built: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
            built["digest"].as_str().unwrap().to_owned()
        })
    };
    let digests = both();
    workspace.prove();
    assert_eq!(both(), digests);
    let [sha, dev] = state(&workspace);
    assert_eq!(sha, dev);
    assert_eq!(Some(&digests[0]), workspace.digest("dev").as_ref());
    assert_eq!(digests[0], digests[1]);
}
