//! The agent image on two engines that share nothing but the commit and the base images; the second
//! one dies in the middle.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use super::agent::{Checkout, PUSH};
use crate::common::Ran;
use crate::world::{Registry, unique_name, xtask};

/// A test bed of its own, with nothing in its caches; it ends with the test.
struct Bed {
    state: TempDir,
}

impl Bed {
    fn up() -> Bed {
        let state = tempfile::tempdir().unwrap();
        let bed = Bed { state };
        bed.run(&["up"]).succeeded();
        bed
    }

    fn run(&self, args: &[&str]) -> Ran {
        let state = self.state.path().to_str().unwrap();
        let testbed = ["testbed", "--state-dir", state];
        Ran::of(&mut xtask(&[&testbed[..], args].concat()))
    }

    fn status(&self) -> Value {
        let ran = self.run(&["status", "--json"]);
        serde_json::from_str(&ran.stdout).unwrap()
    }

    fn registry(&self) -> String {
        let status = self.status();
        status["registry"]["address"].as_str().unwrap().to_owned()
    }

    /// A push from `checkout` by this bed's engine to `repository`.
    fn push(&self, checkout: &Checkout, repository: &str) -> Command {
        let status = self.status();
        let mut push = checkout.xtask(&PUSH);
        for (name, value) in status["env"].as_object().unwrap() {
            push.env(name, value.as_str().unwrap());
        }
        push.arg(repository);
        push
    }

    /// SIGKILL for the engine.
    fn kill_engine(&self) {
        let pid = self.status()["engine"]["pid"].as_i64().unwrap();
        let pid = Pid::from_raw(pid.try_into().unwrap()).unwrap();
        kill_process(pid, Signal::KILL).unwrap();
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        self.run(&["down", "--purge"]);
    }
}

/// What a push made for each platform.
fn manifests(ran: &Ran) -> Vec<(Value, Value)> {
    let built: Value = serde_json::from_str(&ran.stdout).unwrap();
    let platforms = built["platforms"].as_array().unwrap().iter();
    let manifests = platforms.map(|built| (built["platform"].clone(), built["manifest"].clone()));
    manifests.collect()
}

/// Whether the registry at `address` has a tag in `repository`.
fn has_tags(address: &str, repository: &str) -> bool {
    let url = format!("http://{address}/v2/{repository}/tags/list");
    let config = ureq::Agent::config_builder().http_status_as_error(false);
    let agent: ureq::Agent = config.build().into();
    let answer = agent.get(url).call().unwrap().body_mut().read_to_string();
    answer.unwrap().contains("sha-")
}

#[test]
#[ignore = "takes minutes: `cargo xtask test --all`"]
fn two_engines_make_the_same_images_though_one_dies_meanwhile() {
    if std::env::var("TESTBED_REGISTRY").is_err() {
        eprintln!("not on the test bed: there is no second engine");
        return;
    }
    let (folder, registry) = (tempfile::tempdir().unwrap(), Registry::start());
    let checkout = Checkout::new(&folder.path().join("one"));
    let path = format!("push-test/{}", unique_name());
    let here = format!("{}/{path}", registry.address);
    let first = Ran::of(checkout.xtask(&PUSH).arg(here)).succeeded();

    let bed = Bed::up();
    let checkout = Checkout::new(&folder.path().join("another"));
    let there = format!("{}/{path}", bed.registry());
    dies_while_exporting(&bed, &checkout, &there);
    bed.run(&["up"]).succeeded();
    assert!(!has_tags(&bed.registry(), &path), "of an engine that died");
    let second = Ran::of(&mut bed.push(&checkout, &there)).succeeded();
    assert_eq!(manifests(&first).len(), 2, "{first:#?}");
    // A builder keeps a layer in the level of zstd that it was first asked for: one that was asked for
    // another by hand fails here, and is mended by `docker buildx prune --all`.
    assert_eq!(manifests(&first), manifests(&second));
    assert!(has_tags(&bed.registry(), &path));
    // What the engine had built before it died was not built again, and the summary says so.
    let built: Value = serde_json::from_str(&second.stdout).unwrap();
    for platform in built["platforms"].as_array().unwrap() {
        let [steps, cached] = ["steps", "cached"].map(|count| platform[count].as_u64().unwrap());
        assert!(0 < cached && cached <= steps, "{platform}");
    }

    bed.run(&["down"]).succeeded();
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    let state = bed.state.path().to_str().unwrap();
    let left: Vec<&str> = mounts
        .lines()
        .filter(|mount| mount.contains(state))
        .collect();
    assert_eq!(left, [""; 0], "the engine that died has left mounts");
}

/// A push whose engine is killed once all is built, and layers are written.
fn dies_while_exporting(bed: &Bed, checkout: &Checkout, repository: &str) {
    let mut push = bed.push(checkout, repository);
    push.stdout(Stdio::null()).stderr(Stdio::piped());
    let mut push = push.spawn().unwrap();
    let mut said = Vec::new();
    for line in BufReader::new(push.stderr.take().unwrap()).lines() {
        let line = line.unwrap();
        if line.ends_with(" exporting layers") {
            bed.kill_engine();
        }
        said.push(line);
    }
    let said = said.join("\n");
    assert_eq!(push.wait().unwrap().code(), Some(1), "{said}");
    let why = "error: the build failed: the Docker Engine does not answer";
    assert!(said.contains(why) && said.contains("hint: "), "{said}");
}
