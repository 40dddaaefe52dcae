//! `cargo xtask prune` at the distribution project's registry, with and without deletion.

use std::process::{Child, Stdio};
use std::time::{Duration, Instant, SystemTime};

use serde_json::{Value, json};

use crate::common::{Ran, command};
use crate::push::proxy::{Fault, Proxy, When};
use crate::push::{Workspace, refused};
use crate::release::digest;
use crate::world::{Registry, docker, root, unique_name};

/// A repository of its own, in a registry behind a proxy.
struct Repository {
    workspace: Workspace,
    proxy: Proxy,
}

impl Repository {
    fn new() -> Repository {
        Repository::of(Registry::start())
    }

    fn of(registry: Registry) -> Repository {
        let proxy = Proxy::before(&registry.address);
        let workspace = Workspace::with(registry, Some(&proxy.address));
        Repository { workspace, proxy }
    }

    fn command(&self, more: &[&str]) -> Ran {
        let args = [&["prune", "--json"], more].concat();
        Ran::of(&mut self.workspace.xtask(&args))
    }

    /// What a run reports that has to succeed.
    #[track_caller]
    fn prune(&self, more: &[&str]) -> Value {
        let ran = self.command(more).succeeded();
        serde_json::from_str(&ran.stdout).unwrap()
    }

    /// Fails unless everything that is published is whole, down to the last blob.
    #[track_caller]
    fn is_whole(&self) {
        let args = ["audit", "--all", "--json"];
        Ran::of(&mut self.workspace.xtask(&args)).succeeded();
    }

    fn put(&self, document: &Value) -> String {
        let named = digest(document.to_string().as_bytes());
        self.workspace.put(&named, document);
        named
    }

    /// Uploads a blob; its descriptor.
    fn blob(&self, text: &str) -> Value {
        self.workspace.put_blob(text.as_bytes());
        json!({
            "mediaType": "application/octet-stream",
            "digest": digest(text.as_bytes()),
            "size": text.len(),
        })
    }

    /// Uploads an image for one platform that is so many days old, with its provenance; their
    /// entries in an index.
    fn image(&self, architecture: &str, content: &str, days: u64) -> [Value; 2] {
        let config = json!({
            "architecture": architecture,
            "os": "linux",
            "created": ago(days),
            "config": {"Labels": {"org.opencontainers.image.revision": content}},
        });
        let mut entries = [config.to_string(), "{}".to_owned()].map(|config| {
            let manifest = json!({
                "schemaVersion": 2,
                "mediaType": MANIFEST,
                "config": self.blob(&config),
                "layers": [self.blob(&format!("{architecture} {content} {config}"))],
            });
            let size = manifest.to_string().len();
            json!({"mediaType": MANIFEST, "digest": self.put(&manifest), "size": size})
        });
        entries[0]["platform"] = json!({"architecture": architecture, "os": "linux"});
        entries[1]["platform"] = json!({"architecture": "unknown", "os": "unknown"});
        entries[1]["annotations"] = json!({
            "vnd.docker.reference.type": "attestation-manifest",
            "vnd.docker.reference.digest": entries[0]["digest"],
        });
        entries
    }

    /// Gives a tag to an index; its digest.
    fn tag(&self, tag: &str, entries: &[Value]) -> String {
        let index = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.index.v1+json",
            "manifests": entries,
        });
        self.workspace.put(tag, &index);
        digest(index.to_string().as_bytes())
    }

    /// Publishes a commit of both platforms; the digest and the entries of its index.
    fn commit(&self, tag: &str, days: u64) -> (String, Vec<Value>) {
        let images = ["amd64", "arm64"].map(|architecture| self.image(architecture, tag, days));
        let entries = images.concat();
        (self.tag(tag, &entries), entries)
    }

    /// Gives a signature's tag to a manifest that names `of` as its subject, as cosign does.
    fn sign(&self, of: &str) -> String {
        let name = format!("{}.sig", of.replace(':', "-"));
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": self.blob("{}"),
            "layers": [self.blob(of)],
            "subject": {"mediaType": MANIFEST, "digest": of, "size": 1},
        });
        self.workspace.put(&name, &manifest);
        name
    }

    fn has(&self, tag: &str) -> bool {
        self.workspace.digest(tag).is_some()
    }
}

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

fn ago(days: u64) -> String {
    let time = SystemTime::now() - Duration::from_secs(days * 86_400);
    humantime::format_rfc3339_seconds(time).to_string()
}

fn named(entry: &Value) -> &str {
    entry["digest"].as_str().unwrap()
}

/// The tags of a list in a report.
fn tags(list: &Value) -> Vec<&str> {
    let list = list.as_array().unwrap().iter();
    list.map(|one| one["tag"].as_str().unwrap()).collect()
}

/// A released commit, a merged one, an old one with a signature, and a tag that is not ours.
struct Published {
    /// The digests of everything that is removed.
    gone: Vec<String>,
    /// The tags that are removed.
    tags: Vec<String>,
    kept: Vec<String>,
}

impl Repository {
    fn publish(&self) -> Published {
        let (released, entries) = self.commit("sha-1111111", 400);
        for tag in ["v1.0.0", "latest"] {
            self.tag(tag, &entries);
        }
        let signatures = [self.sign(&released), self.sign(named(&entries[0]))];
        let (_, merged) = self.commit("sha-2222222", 1);
        self.tag("dev", &merged);
        let part = self.tag("sha-2222222-linux-amd64", &merged[..2]);
        let (old, mut gone) = self.commit("sha-3333333", 100);
        // A platform of it is somebody else's, too.
        self.tag("edge", &gone[..2]);
        let signed = self.sign(&old);
        let signature = self.workspace.digest(&signed).unwrap();
        let gone = gone.drain(2..).map(|entry| named(&entry).to_owned());
        Published {
            gone: gone.chain([part, old, signature]).collect(),
            tags: ["sha-2222222-linux-amd64", "sha-3333333", &signed]
                .map(str::to_owned)
                .to_vec(),
            kept: [
                "sha-1111111",
                "v1.0.0",
                "latest",
                "sha-2222222",
                "dev",
                "edge",
            ]
            .map(str::to_owned)
            .into_iter()
            .chain(signatures)
            .collect(),
        }
    }

    #[track_caller]
    fn is_pruned(&self, published: &Published) {
        let gone = published.gone.iter().chain(&published.tags);
        for name in gone {
            assert!(!self.has(name), "{name} is there");
        }
        for name in &published.kept {
            assert!(self.has(name), "{name} is gone");
        }
        self.is_whole();
    }
}

#[test]
fn what_nothing_needs_is_removed_and_what_is_kept_is_whole() {
    let repository = Repository::new();
    let published = repository.publish();
    repository.proxy.reset(When::Never);
    let dry = repository.prune(&[]);
    let requests = repository.proxy.requests();
    let is_read = |line: &String| line.starts_with("GET") || line.starts_with("HEAD");
    assert!(requests.iter().all(is_read), "{requests:?}");
    assert_eq!(dry, repository.prune(&["--dry-run"]));
    assert_eq!(dry["results"], Value::Null);
    let remove = dry["plan"]["remove"].as_array().unwrap().iter();
    let mut planned: Vec<&str> = remove.flat_map(|one| tags(&one["tags"])).collect();
    planned.sort_unstable();
    assert_eq!(planned, published.tags);
    assert_eq!(tags(&dry["plan"]["keep"]).len(), published.kept.len());
    let done = repository.prune(&["--yes"]);
    let results = done["results"].as_array().unwrap();
    assert!(results.iter().all(|one| one["removed"] == true), "{done:#}");
    repository.is_pruned(&published);
    // Again: nothing is left to do, and a shorter limit takes no version.
    for more in [&["--yes"][..], &["--yes", "--older-than", "1d"]] {
        let again = repository.prune(more);
        assert_eq!(again["plan"]["remove"], json!([]), "{again:#}");
    }
    repository.is_pruned(&published);
}

#[test]
fn a_tag_with_the_digest_of_a_kept_one_stays_where_tags_cannot_go_alone() {
    let repository = Repository::new();
    let (digest, entries) = repository.commit("sha-1111111", 100);
    repository.tag("edge", &entries);
    let done = repository.prune(&["--yes"]);
    let result = &done["results"][0];
    assert_eq!(repository.workspace.digest("edge"), Some(digest));
    // Version 3 of the registry deletes a tag alone, 2.8 does not.
    assert_eq!(
        result["removed"],
        !repository.has("sha-1111111"),
        "{done:#}"
    );
    repository.is_whole();
}

#[test]
fn platforms_of_a_real_build_are_removed_once_they_are_merged() {
    let repository = Repository::new();
    let image = |more: &[&str]| {
        let args = [&["image", "--json", "--progress", "plain"], more].concat();
        Ran::of(&mut repository.workspace.xtask(&args)).succeeded();
    };
    let tag = repository.workspace.sha_tag();
    for platform in ["linux/amd64", "linux/arm64"] {
        image(&["--push", "--platform", platform]);
    }
    assert_eq!(repository.prune(&["--yes"])["plan"]["remove"], json!([]));
    image(&["--merge"]);
    let digest = repository.workspace.digest(&tag);
    repository.prune(&["--yes"]);
    for arch in ["amd64", "arm64"] {
        assert!(!repository.has(&format!("{tag}-linux-{arch}")));
    }
    assert_eq!(repository.workspace.digest(&tag), digest);
    repository.is_whole();
    // Nor does the next merge need them.
    image(&["--merge"]);
}

#[test]
fn a_run_that_ends_anywhere_is_finished_by_the_next_one() {
    let whole = Repository::new();
    let published = whole.publish();
    whole.proxy.reset(When::Never);
    whole.prune(&["--yes"]);
    whole.is_pruned(&published);
    let requests = whole.proxy.requests();
    let is_deletion = |(_, line): &(usize, &String)| line.starts_with("DELETE");
    let deletions = requests.iter().enumerate().filter(is_deletion);
    for (number, _) in deletions {
        let repository = Repository::new();
        let published = repository.publish();
        let broken = Fault::Answer("418 I'm a teapot");
        repository.proxy.reset(When::From(number, broken));
        let ran = repository.command(&["--yes"]);
        assert_eq!(ran.code, Some(1), "{number}: {ran:#?}");
        repository.proxy.reset(When::Never);
        repository.is_whole();
        repository.prune(&["--yes"]);
        repository.is_pruned(&published);
    }
}

#[test]
fn a_deletion_whose_answer_is_lost_and_a_rate_limit_are_tried_again() {
    let busy = Fault::Answer("429 Too Many Requests\r\nRetry-After: 1");
    // After the reading, of the tag: the list, the tag twice, its deletion. Then of its digest.
    for (number, fault) in [
        (4, busy),
        (7, busy),
        (7, Fault::CutAnswer),
        (7, Fault::Hangup),
    ] {
        let repository = Repository::new();
        repository.commit("sha-1111111", 100);
        repository.proxy.reset(When::Never);
        repository.prune(&[]);
        let number = repository.proxy.requests().len() + number;
        repository.proxy.reset(When::Once(number, fault));
        repository.prune(&["--yes"]);
        let requests = repository.proxy.requests();
        assert!(requests[number].starts_with("DELETE"), "{requests:#?}");
        assert!(!repository.has("sha-1111111"), "{fault:?}");
    }
}

#[test]
fn a_registry_that_deletes_nothing_is_left_as_it_was() {
    let own = Off::start();
    let repository = Repository::of(Registry::at(own.address.clone()));
    let published = repository.publish();
    repository.prune(&[]);
    let ran = repository.command(&["--yes"]);
    let parts = [
        "(405 Method Not Allowed), so nothing was removed",
        "docs/prune.md",
    ];
    refused(&ran, &parts);
    let all = published.gone.iter().chain(&published.tags);
    for name in all.chain(&published.kept) {
        assert!(repository.has(name), "{name}");
    }
}

#[test]
fn prune_explains_itself() {
    let repository = Repository::new();
    repository.publish();
    let ran = |args: &[&str]| Ran::of(&mut repository.workspace.xtask(args));
    let text = ran(&["prune"]).succeeded().stdout;
    for part in [
        "3 tags would be removed; `--yes` removes them",
        "merged into `sha-2222222`",
        "100 days old, and no version is at it",
        "not ours",
    ] {
        assert!(text.contains(part), "`{part}` is not in {text}");
    }
    for args in [
        &["prune", "--yes", "--dry-run"][..],
        &["prune", "--older-than", "1h"],
        &["prune", "--repository", "a", "--repository", "b"],
    ] {
        assert_eq!(ran(args).code, Some(2), "{args:?}");
    }
    let help = ran(&["prune", "--help"]).succeeded().stdout;
    assert!(
        help.contains("Examples:") && help.contains("Exit codes:"),
        "{help}"
    );
    // A version in git protects its commit, and a shallow clone has no say.
    let commit = repository.workspace.sha_tag();
    repository.commit(&commit, 100);
    repository.workspace.git(&["tag", "v9.0.0"]);
    let plan = repository.prune(&[]);
    let keep = plan["plan"]["keep"].as_array().unwrap();
    let own = keep.iter().find(|one| one["tag"] == *commit).unwrap();
    assert_eq!(own["reason"], "in-git");
    let revision = repository.workspace.revision();
    repository
        .workspace
        .write(".git/shallow", &format!("{revision}\n"));
    refused(&repository.command(&[]), &["the clone is shallow"]);
}

/// A registry that deletes nothing, as the distribution project's does by default.
struct Off {
    address: String,
    process: Option<Child>,
    container: Option<String>,
    _folder: tempfile::TempDir,
}

impl Off {
    /// A process of the test bed's own program, or else a container.
    fn start() -> Off {
        let folder = tempfile::tempdir().unwrap();
        let (address, process, container) = if std::env::var_os("TESTBED_REGISTRY").is_some() {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            let address = listener.local_addr().unwrap().to_string();
            drop(listener);
            let config = json!({
                "version": 0.1,
                "log": {"level": "error", "accesslog": {"disabled": true}},
                "storage": {"filesystem": {"rootdirectory": folder.path().join("data")}},
                "http": {"addr": address, "secret": "x"},
            });
            let file = folder.path().join("registry.yml");
            std::fs::write(&file, config.to_string()).unwrap();
            let mut serve = command("docker-registry", &root());
            let serve = serve.arg("serve").arg(&file).stderr(Stdio::null());
            let process = serve.spawn().unwrap();
            (address, Some(process), None)
        } else {
            let name = unique_name();
            let run = ["run", "--detach", "--name", &name, "--publish"];
            docker(&[&run[..], &["127.0.0.1::5000", "registry:2"]].concat()).succeeded();
            let port = docker(&["port", &name, "5000"]).succeeded().stdout;
            (port.lines().next().unwrap().to_owned(), None, Some(name))
        };
        let off = Off {
            address,
            process,
            container,
            _folder: folder,
        };
        off.wait();
        off
    }

    fn wait(&self) {
        let limit = Instant::now() + Duration::from_secs(30);
        while ureq::get(format!("http://{}/v2/", self.address))
            .call()
            .is_err()
        {
            assert!(Instant::now() < limit, "the registry does not answer");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Off {
    fn drop(&mut self) {
        if let Some(process) = &mut self.process {
            process.kill().unwrap();
            process.wait().unwrap();
        }
        if let Some(name) = &self.container {
            docker(&["rm", "--force", "--volumes", name]);
        }
    }
}
