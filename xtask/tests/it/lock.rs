//! Several builds at once in one checkout.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, ChildStderr, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::sandbox::Sandbox;

/// Starts xtask, and reads on until it has printed that it waits for a lock.
fn waiting(sandbox: &Sandbox, args: &[&str], lock: &str) -> (Child, BufReader<ChildStderr>) {
    let mut child = sandbox
        .xtask(args)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut said = String::new();
    stderr.read_line(&mut said).unwrap();
    let lock = sandbox.path("work").canonicalize().unwrap().join(lock);
    let wait = format!(
        "waiting for another build, which has `{}`\n",
        lock.display()
    );
    assert_eq!(said, wait);
    (child, stderr)
}

#[test]
fn the_second_build_waits_for_the_first_and_each_has_its_own_result() {
    let sandbox = Sandbox::new();
    // The first continues when the second waits.
    sandbox.write(
        "bin/build",
        r#"build=2
mkdir "$here/first" 2>/dev/null && build=1
: > "$here/up"
[ $build = 1 ] && while [ ! -e "$here/go" ]; do sleep 0.05; done
echo "{\"containerimage.digest\":\"sha256:$(printf %064d $build)\"}" > "$metadata""#,
    );
    let args = ["image", "--json"];
    let first = sandbox
        .xtask(&args)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    while !sandbox.path("bin/up").exists() {
        std::thread::yield_now();
    }
    let (second, rest) = waiting(&sandbox, &args, "target/xtask/local.lock");
    let (mut third, _) = waiting(&sandbox, &args, "target/xtask/local.lock");
    third.kill().unwrap();
    third.wait().unwrap();
    assert_eq!(sandbox.builds().len(), 1);
    sandbox.write("bin/go", "");
    for (child, build) in [(first, 1), (second, 2)] {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let built: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(built["digest"], format!("sha256:{build:064}"));
    }
    drop(rest);
    assert_eq!(sandbox.builds().len(), 2);
}

#[test]
fn an_interruption_ends_the_waiting() {
    let sandbox = Sandbox::new();
    let folder = sandbox.path("work/target/xtask");
    fs::create_dir_all(&folder).unwrap();
    let lock = File::create(folder.join("reproduce-1.lock")).unwrap();
    lock.lock().unwrap();
    let args = ["image", "--reproduce"];
    let (mut child, mut stderr) = waiting(&sandbox, &args, "target/xtask/reproduce-1.lock");
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let mut rest = String::new();
    stderr.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "");
    // It has started no program that would have to end first.
    let end = child.wait().unwrap();
    assert_eq!(end.signal(), Some(Signal::INT.as_raw()), "{end:?}");
    assert_eq!(sandbox.builds(), [""; 0]);
}
