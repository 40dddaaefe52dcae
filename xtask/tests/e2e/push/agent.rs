//! The agent image itself, pushed for both platforms from a clone of the checkout under test.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::common::{Ran, command};
use crate::release::receipt;
use crate::world::{Registry, docker, other_platform, root, unique_name, xtask_in};

/// A push as data, without an SBOM: not everywhere is there a generator. The repository follows.
pub(super) const PUSH: [&str; 8] = [
    "image",
    "--push",
    "--json",
    "--sbom",
    "off",
    "--progress",
    "plain",
    "--repository",
];

/// The digests of all layers of a push.
fn layers(built: &Value) -> BTreeSet<String> {
    let platforms = built["platforms"].as_array().unwrap().iter();
    let layers = platforms.flat_map(|platform| platform["layers"].as_array().unwrap());
    let digests = layers.map(|layer| layer["digest"].as_str().unwrap().to_owned());
    digests.collect()
}

/// A clone of the checkout under test that can be changed, on the branch that moves `dev`.
pub(crate) struct Checkout {
    folder: PathBuf,
}

impl Checkout {
    pub(crate) fn new(folder: &Path) -> Checkout {
        let mut clone = command("git", &root());
        Ran::of(clone.args(["clone", "--quiet", "."]).arg(folder)).succeeded();
        let folder = folder.to_owned();
        let checkout = Checkout { folder };
        checkout.git(&["checkout", "--quiet", "-B", "main"]);
        checkout
    }

    fn git(&self, args: &[&str]) {
        let mut git = command("git", &self.folder);
        for role in ["AUTHOR", "COMMITTER"] {
            git.env(format!("GIT_{role}_NAME"), "Ada");
            git.env(format!("GIT_{role}_EMAIL"), "ada@example.org");
        }
        Ran::of(git.args(args)).succeeded();
    }

    /// Commits a file of this text.
    fn commit(&self, file: &str, text: &str) {
        fs::write(self.folder.join(file), text).unwrap();
        self.git(&["commit", "--quiet", "--all", "--message", text]);
    }

    pub(crate) fn xtask(&self, args: &[&str]) -> Command {
        xtask_in(&self.folder, args)
    }
}

#[test]
fn a_commit_outside_the_image_pushes_no_layer_and_the_index_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let checkout = Checkout::new(&folder.path().join("clone"));
    let registry = Registry::start();
    let repository = format!("{}/push-test/{}", registry.address, unique_name());
    let push = || {
        let ran = Ran::of(checkout.xtask(&PUSH).arg(&repository)).succeeded();
        let built: Value = serde_json::from_str(&ran.stdout).unwrap();
        (built, ran.stderr)
    };
    let (first, _) = push();
    assert_eq!(first["platforms"].as_array().unwrap().len(), 2);
    // Proved, it becomes `dev`, which sizes are compared with.
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let (of, revision) = (text(&first["digest"]), text(&first["revision"]));
    for built in first["platforms"].as_array().unwrap() {
        let platform = text(&built["platform"]);
        let architecture = platform.strip_prefix("linux/");
        let platform = json!({"architecture": architecture});
        let entry = json!({"digest": built["manifest"], "platform": platform});
        let receipts = folder.path().join("clone/target/xtask/receipts");
        receipt(&receipts, &of, &entry, &revision);
    }
    push();
    checkout.commit("README.md", "another");
    let (second, said) = push();
    assert_ne!(first["digest"], second["digest"]);
    assert_eq!(layers(&first), layers(&second));
    let growth = |built: &Value| built["platforms"][0]["growth"].clone();
    assert_eq!((growth(&first), growth(&second)), (Value::Null, 0.into()));
    // For each platform its configuration, its provenance, and that one's own configuration.
    assert!(said.contains("\n6 blobs ("), "{said}");
    let digest = second["digest"].as_str().unwrap();
    let name = format!("{repository}@{digest}");
    let only = "index-platforms,index-attestations,index-complete";
    let receipts = folder.path().join("receipts");
    let mut verify = checkout.xtask(&["verify", "--pull", "--only", only, "--receipt-dir"]);
    Ran::of(verify.arg(receipts).arg(name)).succeeded();
    // An image for the engine of layers that the push has made: it starts.
    checkout.commit("docker/etc/gitconfig", "# another\n");
    push();
    let name = unique_name();
    let other = other_platform();
    let args = ["image", "--platform", other, "--repository", &name];
    Ran::of(&mut checkout.xtask(&args)).succeeded();
    let image = format!("{name}:dev");
    let run = docker(&["run", "--rm", "--platform", other, &image, "true"]);
    run.succeeded();
    docker(&["rmi", "--force", &image]);
    // Another entrypoint pushes its own layer and the documents that name it: at most 200 kB.
    checkout.commit("crates/agent-entrypoint/src/help.txt", "another\n");
    let (_, said) = push();
    let pushed = said.split_once("\n8 blobs (");
    let size = pushed.and_then(|(_, rest)| rest.split_once(" kB) were pushed"));
    let size: Option<f64> = size.and_then(|(size, _)| size.parse().ok());
    assert!(size.is_some_and(|size| size <= 200.0), "{said}");
}
