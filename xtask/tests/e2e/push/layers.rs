//! The layers of a push: the base's as its registry has them, the others whatever a builder remembers.

use serde_json::{Value, json};

use super::Workspace;
use super::containers::Builder;
use crate::common::{Ran, command};
use crate::release::digest;

const BOTH: &str = "linux/amd64,linux/arm64";
const AGAIN: &str = "the builder remembers layers of another build";

/// A base of one layer for both platforms, in a repository of its own and in Docker's own types, as many
/// official images are.
struct Base {
    workspace: Workspace,
    layer: Value,
}

impl Base {
    fn new() -> Base {
        let workspace = Workspace::new();
        let folder = workspace.path("content");
        let pack = |name: &str, how: &[&str]| {
            let mut tar = command("tar", &folder);
            let file = format!("--file=../{name}");
            Ran::of(tar.args(["--create", &file]).args(how).arg("file")).succeeded();
            std::fs::read(workspace.path(name)).unwrap()
        };
        let archive = pack("base.tar", &[]);
        let packed = pack("base.tgz", &["--gzip"]);
        workspace.put_blob(&packed);
        let docker = "application/vnd.docker";
        let layer = json!({
            "mediaType": format!("{docker}.image.rootfs.diff.tar.gzip"),
            "digest": digest(&packed),
            "size": packed.len(),
        });
        let entries = ["amd64", "arm64"].map(|arch| {
            let config = json!({
                "architecture": arch, "os": "linux", "config": {},
                "rootfs": {"type": "layers", "diff_ids": [digest(&archive)]},
                "history": [{"created_by": "ADD rootfs"}],
            });
            let config = config.to_string().into_bytes();
            workspace.put_blob(&config);
            let manifest = json!({
                "schemaVersion": 2,
                "mediaType": format!("{docker}.distribution.manifest.v2+json"),
                "config": {
                    "mediaType": format!("{docker}.container.image.v1+json"),
                    "digest": digest(&config), "size": config.len(),
                },
                "layers": [layer],
            });
            let bytes = manifest.to_string().into_bytes();
            workspace.put(&digest(&bytes), &manifest);
            json!({
                "mediaType": manifest["mediaType"], "digest": digest(&bytes), "size": bytes.len(),
                "platform": {"architecture": arch, "os": "linux"},
            })
        });
        let list = format!("{docker}.distribution.manifest.list.v2+json");
        let index = json!({"schemaVersion": 2, "mediaType": list, "manifests": entries});
        workspace.put("base", &index);
        Base { workspace, layer }
    }

    /// A workspace whose image has this base, a layer above it, and one that is linked.
    fn workspace(&self) -> Workspace {
        let workspace = Workspace::new();
        let dockerfile = format!(
            "FROM {}:base AS system\nCOPY content/file /copied\nFROM system AS agent\n\
             COPY --link content/ /linked/\nARG IMAGE_REVISION\n\
             LABEL org.opencontainers.image.revision=$IMAGE_REVISION\n",
            self.workspace.direct()
        );
        workspace.write("docker/Dockerfile.agent", &dockerfile);
        workspace.commit("a base");
        workspace
    }

    /// The manifests of a push, whose layers are the base's and then two of `kind`, all in OCI's types.
    #[track_caller]
    fn manifests(&self, workspace: &Workspace, report: &Value, kind: &str) -> Vec<String> {
        let platforms = report["platforms"].as_array().unwrap();
        assert_eq!(platforms.len(), 2, "{report}");
        let manifests = platforms.iter().map(|platform| {
            let manifest = platform["manifest"].as_str().unwrap();
            let (_, found) = workspace.published(manifest).unwrap();
            let oci = |kind: &str| format!("application/vnd.oci.image.layer.v1.tar+{kind}");
            let layers = found["layers"].as_array().unwrap();
            let kinds: Vec<&Value> = layers.iter().map(|layer| &layer["mediaType"]).collect();
            assert_eq!(kinds, [&oci("gzip"), &oci(kind), &oci(kind)], "{found}");
            assert_eq!(layers[0]["digest"], self.layer["digest"]);
            manifest.to_owned()
        });
        manifests.collect()
    }

    fn digest(&self) -> &str {
        self.layer["digest"].as_str().unwrap()
    }
}

/// What somebody's `docker build` leaves in a builder: layers of gzip.
fn build_by_hand(workspace: &Workspace, more: &[&str]) -> Vec<String> {
    workspace.write("target/.keep", "");
    let output = format!(
        "type=oci,dest={}",
        workspace.path("target/by-hand.tar").display()
    );
    let head = ["buildx", "build", "--file", "docker/Dockerfile.agent"];
    let line = [
        &head[..],
        &["--platform", BOTH, "--output", &output],
        more,
        &["."],
    ]
    .concat();
    line.into_iter().map(str::to_owned).collect()
}

fn parsed(ran: &Ran) -> Value {
    serde_json::from_str(&ran.stdout).unwrap()
}

/// moby/buildkit#1911, moby/buildkit#5458: a layer stays in the form in which it was first asked for.
#[test]
#[ignore = "the next test has a builder that remembers nothing, too: `cargo xtask test --all`"]
fn what_a_builder_remembers_decides_no_digest() {
    let base = Base::new();
    let workspace = base.workspace();
    let by_hand = build_by_hand(&workspace, &[]);
    Ran::of(command("docker", &workspace.path("")).args(by_hand)).succeeded();
    let pushed = workspace.image(&["--push"]).succeeded();
    assert!(pushed.stderr.contains(AGAIN), "{pushed:#?}");
    let first = base.manifests(&workspace, &parsed(&pushed), "zstd");
    // Once is enough.
    let again = workspace.image(&["--push", "--rebuild"]).succeeded();
    assert!(!again.stderr.contains(AGAIN), "{again:#?}");
    let empty = Builder::create(&[]);
    let fresh = Ran::of(&mut empty.push(&workspace, &["--rebuild"])).succeeded();
    assert!(!fresh.stderr.contains(AGAIN), "{fresh:#?}");
    assert_eq!(base.manifests(&workspace, &parsed(&fresh), "zstd"), first);
}

#[test]
fn a_local_build_a_push_and_an_empty_builder_make_the_same_layers() {
    let base = Base::new();
    let workspace = base.workspace();
    for platform in BOTH.split(',') {
        workspace.image(&["--platform", platform]).succeeded();
    }
    let pushed = workspace.image(&["--push"]).succeeded();
    assert!(!pushed.stderr.contains(AGAIN), "{pushed:#?}");
    let first = base.manifests(&workspace, &parsed(&pushed), "zstd");
    // The base's layer was mounted from the base's repository: not one byte of it was sent.
    assert!(workspace.has_blob(workspace.path_in_registry(), base.digest()));
    let sent = format!("({})", &base.digest()[7..19]);
    assert!(!pushed.stderr.contains(&sent), "{pushed:#?}");
    let empty = Builder::create(&[]);
    let fresh = Ran::of(&mut empty.push(&workspace, &["--rebuild"])).succeeded();
    assert_eq!(base.manifests(&workspace, &parsed(&fresh), "zstd"), first);
    // For clients of gzip the same builder gives nothing else, and the base stays as it is.
    workspace.commit("gzip");
    let gzip = workspace.push(&["--compression", "gzip"]);
    base.manifests(&workspace, &gzip, "gzip");
}

#[test]
#[ignore = "a cache is what a builder remembers, elsewhere: `cargo xtask test --all`"]
fn what_a_cache_remembers_decides_no_digest() {
    let base = Base::new();
    let workspace = base.workspace();
    let (first, second) = (Builder::create(&[]), Builder::create(&[]));
    let cache = workspace.path("target/cache");
    let scope = cache.join("linux-amd64_linux-arm64");
    let to = format!("type=local,dest={},mode=max", scope.display());
    let more = ["--builder", &first.name, "--cache-to", &to];
    let by_hand = build_by_hand(&workspace, &more);
    let by_hand: Vec<&str> = by_hand.iter().map(String::as_str).collect();
    first
        .buildx_in(&workspace.path(""), &by_hand[1..])
        .succeeded();
    let from = format!("local={}", cache.display());
    let pushed = Ran::of(&mut second.push(&workspace, &["--cache", &from])).succeeded();
    assert!(pushed.stderr.contains(AGAIN), "{pushed:#?}");
    let cached = base.manifests(&workspace, &parsed(&pushed), "zstd");
    let fresh = workspace.push(&["--rebuild"]);
    assert_eq!(base.manifests(&workspace, &fresh, "zstd"), cached);
}
