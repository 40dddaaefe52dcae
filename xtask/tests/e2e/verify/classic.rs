//! An engine with the classic image store, which keeps neither indexes nor manifests, nor layers as they are
//! stored elsewhere.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::indexes::Published;
use super::killed::until;
use crate::common::{Ran, command};
use crate::world::{image, root, xtask};

/// A second engine, beside the test bed's; it ends with its test.
struct Engine {
    folder: TempDir,
    daemon: Child,
}

impl Engine {
    /// None where this machine has no `dockerd` of the test bed.
    fn start() -> Option<Engine> {
        let registry = std::env::var("TESTBED_REGISTRY").ok()?;
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let config = json!({
            "data-root": path("data"),
            "exec-root": path("exec"),
            "pidfile": path("pid"),
            "hosts": [format!("unix://{}", path("sock").display())],
            "features": { "containerd-snapshotter": false },
            "insecure-registries": [registry],
            "bridge": "none",
            "iptables": false,
            "ip6tables": false,
            "exec-opts": ["native.cgroupdriver=cgroupfs"],
            "shutdown-timeout": 5,
        });
        fs::write(path("daemon.json"), config.to_string()).unwrap();
        let mut daemon = command("dockerd", folder.path());
        daemon.args(["--config-file", "daemon.json"]);
        daemon.stdout(Stdio::null());
        daemon.stderr(fs::File::create(path("log")).unwrap());
        let daemon = daemon.spawn().unwrap();
        let engine = Engine { folder, daemon };
        until("the engine does not answer", || {
            engine.docker(&["version"]).code == Some(0)
        });
        Some(engine)
    }

    fn host(&self) -> String {
        format!("unix://{}", self.folder.path().join("sock").display())
    }

    fn on<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.env("DOCKER_HOST", self.host())
    }

    fn docker(&self, args: &[&str]) -> Ran {
        Ran::of(self.on(command("docker", &root()).args(args)))
    }

    /// What `verify --json` says of an image, looked at with a few checks of every kind.
    fn verify(&self, args: &[&str], receipts: &Path) -> Value {
        let only = "contract-user,pid1-reap,index,image-size,image-layers,hardening-setuid";
        let mut verify = xtask(&["verify", "--json", "--only", only, "--receipt-dir"]);
        let ran = Ran::of(self.on(verify.arg(receipts).args(args))).succeeded();
        serde_json::from_str(&ran.stdout).unwrap()
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let _ = kill_process(Pid::from_child(&self.daemon), Signal::TERM);
        let _ = self.daemon.wait();
    }
}

fn receipt(report: &Value) -> Value {
    let path = report["platforms"][0]["receipt"].as_str().unwrap();
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
#[ignore = "starts an engine of its own and verifies a whole image: `cargo xtask test --all`"]
fn what_a_registry_has_is_proven_by_an_engine_that_keeps_no_manifest() {
    let Some(engine) = Engine::start() else {
        println!("NOT RUN: the test bed's `dockerd` is not here");
        return;
    };
    let published = Published::new(Some(image()));
    let name = published.index("index", &[&published.good, &published.arm64]);
    let receipts = tempfile::tempdir().unwrap();
    let args = ["--pull", &*name, "--platform", "linux/amd64"];
    let report = engine.verify(&args, receipts.path());
    let proven = receipt(&report);
    // What was published, not what the engine has made of it.
    assert_eq!(proven["index"], report["digest"]);
    assert_eq!(proven["manifest"], published.good["digest"]);

    // The same of the engine's own names no manifest, so that it is no proof of what is published.
    let id = proven["config"].as_str().unwrap();
    let report = engine.verify(&[id], receipts.path());
    let local = receipt(&report);
    assert_eq!(local["manifest"], Value::Null);
    assert_eq!(local["config"], proven["config"]);
    let file = report["platforms"][0]["receipt"].as_str().unwrap();
    let mut check = xtask(&["verify", "--check-receipt", file, id]);
    let ran = Ran::of(engine.on(&mut check));
    assert_eq!(ran.code, Some(3), "{ran:#?}");
    assert!(ran.stderr.contains("it names no manifest"), "{ran:#?}");
}
