//! `cargo xtask image --push`, `--merge` and `--reproduce`: a small image of two platforms, a real
//! builder and a real registry.

mod agent;
mod annotations;
mod builders;
mod compression;
mod containers;
mod dev;
mod engines;
mod faults;
mod held;
mod killed;
mod layers;
mod merge;
mod packages;
mod provenance;
pub(crate) mod proxy;
mod pull_request;
mod reproduce;
mod sbom;

pub(crate) use self::agent::Checkout;
use std::fs;
use std::path::PathBuf;

use serde_json::Value;
use tempfile::TempDir;

use crate::common::{Ran, WORKSPACE, command, set_author};
use crate::world::{Registry, base, unique_name, xtask_in};

/// An image of one file; nothing of it has to be run or fetched.
const DOCKERFILE: &str = "FROM scratch\nCOPY --link content/ /\nARG IMAGE_REVISION\n\
    LABEL org.opencontainers.image.revision=$IMAGE_REVISION\n";

/// A workspace of its own, and a repository that nobody else pushes to.
pub(crate) struct Workspace {
    folder: TempDir,
    registry: Registry,
    repository: String,
}

impl Workspace {
    fn new() -> Workspace {
        Workspace::with(Registry::start(), None)
    }

    /// `address` is what the workspace calls the registry.
    pub(crate) fn with(registry: Registry, address: Option<&str>) -> Workspace {
        let workspace = Workspace {
            folder: tempfile::tempdir().unwrap(),
            repository: format!("push-test/{}", unique_name()),
            registry,
        };
        let address = address.unwrap_or(&workspace.registry.address);
        let repository = format!("{address}/{}", workspace.repository);
        let manifest = WORKSPACE.replace("agentgate/agent", &repository);
        workspace.write("Cargo.toml", &manifest);
        workspace.write("docker/Dockerfile.agent", DOCKERFILE);
        // Its own: BuildKit takes a file of the same content and other times from its cache.
        workspace.write("content/file", &workspace.repository);
        workspace.write(".gitignore", "target\n");
        workspace.git(&["init", "--quiet", "--initial-branch", "main"]);
        workspace.commit("first");
        workspace
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub(crate) fn git(&self, args: &[&str]) -> String {
        let ran = Ran::of(&mut self.git_command(args)).succeeded();
        ran.stdout.trim().to_owned()
    }

    /// [`Workspace::git`] that is not run yet.
    fn git_command(&self, args: &[&str]) -> std::process::Command {
        let mut git = command("git", self.folder.path());
        set_author(&mut git);
        git.args(args);
        git
    }

    pub(crate) fn commit(&self, message: &str) {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "--message", message]);
    }

    pub(crate) fn revision(&self) -> String {
        self.git(&["rev-parse", "HEAD"])
    }

    pub(crate) fn sha_tag(&self) -> String {
        format!("sha-{}", &self.revision()[..7])
    }

    pub(crate) fn xtask(&self, args: &[&str]) -> std::process::Command {
        xtask_in(self.folder.path(), args)
    }

    fn image(&self, args: &[&str]) -> Ran {
        let image = ["image", "--json", "--progress", "plain"];
        Ran::of(&mut self.xtask(&[&image[..], args].concat()))
    }

    /// What a push reports that has to succeed.
    #[track_caller]
    fn push(&self, args: &[&str]) -> Value {
        let ran = self.image(&[&["--push"], args].concat()).succeeded();
        serde_json::from_str(&ran.stdout).unwrap()
    }

    /// The digest of a tag, and what it leads to; none when the registry has none.
    pub(crate) fn published(&self, tag: &str) -> Option<(String, Value)> {
        self.published_in(&self.repository, tag)
    }

    /// [`Workspace::published`] in another repository of the same registry.
    pub(crate) fn published_in(&self, path: &str, tag: &str) -> Option<(String, Value)> {
        let address = &self.registry.address;
        let accept = "application/vnd.oci.image.index.v1+json, \
                      application/vnd.oci.image.manifest.v1+json";
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .build()
            .into();
        let url = format!("http://{address}/v2/{path}/manifests/{tag}");
        let mut answer = agent.get(url).header("accept", accept).call().unwrap();
        if answer.status() == 404 {
            return None;
        }
        assert_eq!(answer.status(), 200, "{tag}");
        let digest = answer.headers()["docker-content-digest"].to_str().unwrap();
        let digest = digest.to_owned();
        let text = answer.body_mut().read_to_string().unwrap();
        Some((digest, serde_json::from_str(&text).unwrap()))
    }

    /// The bytes of a blob of a repository of the same registry.
    pub(crate) fn blob_in(&self, path: &str, digest: &str) -> Vec<u8> {
        let address = &self.registry.address;
        let url = format!("http://{address}/v2/{path}/blobs/{digest}");
        ureq::get(url)
            .call()
            .unwrap()
            .body_mut()
            .read_to_vec()
            .unwrap()
    }

    pub(crate) fn digest(&self, tag: &str) -> Option<String> {
        self.published(tag).map(|(digest, _)| digest)
    }

    /// What the workspace calls its repository.
    pub(crate) fn repository(&self) -> String {
        let manifest = fs::read_to_string(self.path("Cargo.toml")).unwrap();
        let (_, rest) = manifest.split_once("repository = \"").unwrap();
        rest.split('"').next().unwrap().to_owned()
    }

    /// The repository's name within the registry.
    pub(crate) fn path_in_registry(&self) -> &str {
        &self.repository
    }

    /// The repository's name without a proxy between: an engine tries TLS first, which that drops.
    pub(crate) fn direct(&self) -> String {
        format!("{}/{}", self.registry.address, self.repository)
    }

    /// A file or folder of the workspace.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn build_folder(&self) -> PathBuf {
        self.folder.path().join("target/xtask/layout")
    }
}

/// The platforms and digests of an index's images, and the number of its attestations.
fn images(index: &Value) -> (Vec<(String, String)>, usize) {
    let entries = index["manifests"].as_array().unwrap();
    let is_image = |entry: &&Value| entry["platform"]["os"] == "linux";
    let images = entries.iter().filter(is_image).map(|entry| {
        let platform = &entry["platform"]["architecture"];
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        (text(platform), text(&entry["digest"]))
    });
    let images: Vec<_> = images.collect();
    let others = entries.len() - images.len();
    (images, others)
}

/// Fails unless an index has both platforms, each with its attestation.
#[track_caller]
fn assert_whole(index: &Value) {
    let (images, attestations) = images(index);
    let platforms: Vec<&str> = images.iter().map(|(platform, _)| &**platform).collect();
    assert_eq!((platforms, attestations), (vec!["amd64", "arm64"], 2));
}

#[track_caller]
fn nothing_is_published(workspace: &Workspace) {
    let tags = [workspace.sha_tag(), "dev".to_owned()];
    assert_eq!(tags.map(|tag| workspace.digest(&tag)), [None, None]);
}

#[track_caller]
pub(crate) fn refused(ran: &Ran, parts: &[&str]) {
    assert_eq!(ran.code, Some(3), "{ran:#?}");
    for part in parts.iter().chain(&["hint: "]) {
        assert!(ran.stderr.contains(part), "`{part}` is not in {ran:#?}");
    }
}

#[test]
fn a_commit_is_built_once_and_then_adopted() {
    let workspace = Workspace::new();
    let tag = workspace.sha_tag();
    let pushed = workspace.push(&[]);
    let (digest, index) = workspace.published(&tag).unwrap();
    assert_whole(&index);
    assert_eq!(pushed["digest"], *digest);
    assert_eq!(pushed["revision"], workspace.revision());
    assert_eq!(pushed["tags"], serde_json::json!(["pushed"]));
    workspace.prove();
    // Neither a builder nor an engine is needed to adopt it.
    let args = ["image", "--push", "--json"];
    let mut again = workspace.xtask(&args);
    again.env("DOCKER_HOST", "unix:///nowhere");
    let again: Value = serde_json::from_str(&Ran::of(&mut again).succeeded().stdout).unwrap();
    assert_eq!(again["digest"], *digest);
    assert_eq!(again["tags"], serde_json::json!(["present", "pushed"]));
    assert_eq!(workspace.digest("dev").as_ref(), Some(&digest));
    // Built anew it is the same images, so that what is published stays.
    let rebuilt = workspace.push(&["--rebuild", "--no-cache"]);
    assert_eq!(rebuilt["digest"], *digest);
    assert_eq!(workspace.digest(&tag), Some(digest));
    assert!(workspace.build_folder().is_dir());
}

#[test]
fn nothing_is_pushed_but_heads_commit() {
    let workspace = Workspace::new();
    workspace.write("content/file", "changed");
    refused(&workspace.image(&["--push"]), &["(`content/file`)"]);
    workspace.git(&["checkout", "--quiet", "content/file"]);
    let args = ["--push", "--build-arg", "A=b"];
    refused(&workspace.image(&args), &["the command line says more"]);
    assert_eq!(workspace.digest(&workspace.sha_tag()), None);
    let dry = workspace.image(&["--push", "--dry-run"]).succeeded();
    let plan: Value = serde_json::from_str(&dry.stdout).unwrap();
    assert_eq!(plan["goal"], "build");
    assert_eq!(workspace.digest(&workspace.sha_tag()), None);
    let usage = workspace.image(&["--push", "--tag", "x"]);
    assert_eq!(usage.code, Some(2), "{usage:#?}");
}

#[test]
fn a_published_tag_is_never_rewritten() {
    let workspace = Workspace::new();
    // Each build of it is another image.
    let line = format!("FROM {}\nRUN date +%N >/when\n", base());
    let dockerfile = DOCKERFILE.replace("FROM scratch\n", &line);
    workspace.write("docker/Dockerfile.agent", &dockerfile);
    workspace.commit("differs at each build");
    let tag = workspace.sha_tag();
    workspace.push(&[]);
    let digest = workspace.digest(&tag);
    let again = workspace.image(&["--push", "--rebuild", "--no-cache"]);
    refused(
        &again,
        &["with other images than were built now", "`linux/arm64`"],
    );
    assert_eq!(workspace.digest(&tag), digest);
    // One platform alone is compared with the index's; no tag is left that could not be merged.
    let one = [
        "--push",
        "--platform",
        "linux/amd64",
        "--rebuild",
        "--no-cache",
    ];
    let said = ["with other images than were built now", "`linux/amd64`"];
    refused(&workspace.image(&one), &said);
    assert_eq!(workspace.digest(&format!("{tag}-linux-amd64")), None);
    // Another commit whose seven digits were the same would find the tag taken.
    let (_, index) = workspace.published(&tag).unwrap();
    workspace.commit("another");
    let taken = workspace.sha_tag();
    workspace.put(&taken, &index);
    let refusal = workspace.image(&["--push"]);
    refused(&refusal, &[&taken, "is built from commit"]);
    assert_eq!(workspace.published(&taken).unwrap().1, index);
}

impl Workspace {
    /// Uploads a blob by hand.
    pub(crate) fn put_blob(&self, bytes: &[u8]) {
        let (address, path) = (&self.registry.address, &self.repository);
        let start = format!("http://{address}/v2/{path}/blobs/uploads/");
        let begun = ureq::post(start).send_empty().unwrap();
        let url = begun.headers()["location"].to_str().unwrap().to_owned();
        let separator = if url.contains('?') { '&' } else { '?' };
        let digest = crate::release::digest(bytes);
        let url = format!("{url}{separator}digest={digest}");
        let put = ureq::put(url).send(bytes);
        assert_eq!(put.unwrap().status(), 201);
    }

    pub(crate) fn has_blob(&self, path: &str, digest: &str) -> bool {
        let address = &self.registry.address;
        let found = ureq::head(format!("http://{address}/v2/{path}/blobs/{digest}")).call();
        found.is_ok_and(|answer| answer.status() == 200)
    }

    /// Deletes `blobs/DIGEST` or `manifests/DIGEST`, as a clean-up does.
    pub(crate) fn delete(&self, what: &str) {
        let (address, path) = (&self.registry.address, &self.repository);
        let deleted = ureq::delete(format!("http://{address}/v2/{path}/{what}")).call();
        assert_eq!(deleted.unwrap().status(), 202);
    }

    /// Gives a tag, or its own digest, to an index or a manifest by hand.
    pub(crate) fn put(&self, tag: &str, index: &Value) {
        self.put_in(&self.repository, tag, index);
    }

    /// [`Workspace::put`] in another repository of the same registry.
    pub(crate) fn put_in(&self, path: &str, tag: &str, index: &Value) {
        let address = &self.registry.address;
        let url = format!("http://{address}/v2/{path}/manifests/{tag}");
        let kind = index["mediaType"].as_str().unwrap();
        let text = serde_json::to_string(index).unwrap();
        let put = ureq::put(url).header("content-type", kind).send(&text);
        assert_eq!(put.unwrap().status(), 201);
    }
}

#[test]
fn what_is_over_its_budget_is_not_pushed() {
    let workspace = Workspace::new();
    let manifest = fs::read_to_string(workspace.folder.path().join("Cargo.toml")).unwrap();
    let budget = "size-budget = { \"linux/amd64\" = 10, \"linux/arm64\" = 10 }\n";
    workspace.write("Cargo.toml", &format!("{manifest}{budget}"));
    workspace.commit("a small budget");
    let ran = workspace.image(&["--push"]);
    let layer = "by `COPY content/ /`";
    refused(&ran, &["`linux/arm64` has", layer]);
    assert_eq!(workspace.digest(&workspace.sha_tag()), None);
    // A local build is there, and told, all the same.
    let ran = workspace.image(&["--platform", "linux/amd64"]);
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    let error = "error: the image is too large: `linux/amd64` has";
    for said in [error, layer] {
        assert!(ran.stderr.contains(said), "`{said}`: {ran:#?}");
    }
    let built: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(built["pushed"], false);
}

#[test]
fn a_cache_that_fails_does_not_fail_the_build() {
    let workspace = Workspace::new();
    let folder = workspace.folder.path().join("target/cache");
    let local = format!("local={}", folder.display());
    workspace.push(&["--cache", &local]);
    let scope = folder.join("linux-amd64_linux-arm64/index.json");
    assert!(scope.is_file());
    fs::write(scope, "not JSON").unwrap();
    workspace.push(&["--cache", &local, "--rebuild", "--no-cache"]);
    let nowhere = "registry=127.0.0.1:1/cache";
    workspace.push(&["--cache", nowhere, "--rebuild"]);
}
