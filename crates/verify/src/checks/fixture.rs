//! An image that every check passes, and ways to break it.

mod files;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::check::{Check, How, Verdict};
use crate::facts::{Commit, Expected, ImageFacts, IndexFacts, Release};
use crate::rootfs::{Entry, Image};
use crate::sandbox::Ran;

pub(super) const REVISION: &str = "1ceb56ba0b8b8c4c6882fec8ea36ba45328c3269";
pub(super) const CREATED: &str = "2026-11-25T05:12:59Z";
pub(super) const BASE_DIGEST: &str =
    "sha256:ba5e000000000000000000000000000000000000000000000000000000000000";
pub(super) use files::{elf, entry, file, folder, hardlink, owned, symlink, text};
use xtask::oci::Step;
use xtask::oci::{Config, Descriptor, Digest, Healthcheck, Index, Manifest, OciPlatform, Process};
use xtask::platform::Platform;

const ENTRYPOINT: &str = "/usr/local/bin/agent-entrypoint";

/// The agent image for amd64, as the only platform of an index beside arm64.
pub(crate) fn good() -> ImageFacts {
    let layers = files::layers();
    let descriptors = layers.iter().map(|layer| Descriptor {
        size: layer.size,
        ..descriptor("layer")
    });
    let manifest = Manifest {
        layers: descriptors.collect(),
        ..manifest("config")
    };
    let last_release = Release {
        version: "v0.2.12".to_owned(),
        layers: manifest.layers.iter().map(|layer| layer.size).collect(),
        compressions: manifest.compressions(),
    };
    ImageFacts {
        platform: Platform::LinuxAmd64,
        expected: expected(),
        image: Image {
            manifest,
            config: config(),
            layers: layers.into_iter().map(Arc::new).collect(),
        },
        index: IndexFacts::Known {
            index: index(),
            manifests: BTreeMap::new(),
            broken: Vec::new(),
        },
        last_release: Ok(last_release),
    }
}

fn expected() -> Expected {
    Expected {
        node: Ok("20".to_owned()),
        base_digest: None,
        claude: Ok("2.1.330".to_owned()),
        commit: Ok(Commit {
            revision: REVISION.to_owned(),
            created: CREATED.to_owned(),
        }),
        platforms: vec![Platform::LinuxAmd64, Platform::LinuxArm64],
        budget: Ok(340_000_000),
        growth: 10,
        build_ca: [Digest::of(b"build CA")].into(),
    }
}

pub(super) fn descriptor(content: &str) -> Descriptor {
    Descriptor {
        media_type: String::new(),
        digest: Digest::of(content.as_bytes()),
        size: 1000,
        platform: None,
        annotations: BTreeMap::new(),
    }
}

/// A manifest without layers.
pub(super) fn manifest(config: &str) -> Manifest {
    Manifest {
        media_type: String::new(),
        config: descriptor(config),
        layers: Vec::new(),
        subject: None,
    }
}

/// An entry of an index; what it points to has the platform's name as its content.
pub(super) fn manifest_for(platform: &str) -> Descriptor {
    let (os, architecture) = platform.split_once('/').unwrap();
    Descriptor {
        platform: Some(OciPlatform {
            os: os.to_owned(),
            architecture: architecture.to_owned(),
            variant: None,
        }),
        ..descriptor(platform)
    }
}

/// The attestation of the manifest for a platform.
pub(super) fn attestation_of(platform: &str) -> Descriptor {
    let of = Digest::of(platform.as_bytes()).to_string();
    let mark = "attestation-manifest".to_owned();
    Descriptor {
        digest: Digest::of(format!("attestation of {platform}").as_bytes()),
        annotations: BTreeMap::from([
            ("vnd.docker.reference.type".to_owned(), mark),
            ("vnd.docker.reference.digest".to_owned(), of),
        ]),
        ..manifest_for("unknown/unknown")
    }
}

fn index() -> Index {
    let platforms = ["linux/amd64", "linux/arm64"];
    let mut manifests = platforms.map(manifest_for).to_vec();
    manifests.extend(platforms.map(attestation_of));
    Index {
        media_type: String::new(),
        manifests,
    }
}

fn config() -> Config {
    let history = [
        ("", false),
        (
            "RUN /bin/sh -c set -eu\napk add bash curl git # buildkit",
            false,
        ),
        ("WORKDIR /workspace", false),
        ("RUN /bin/sh -c rm -rf /opt/yarn-* # buildkit", false),
        (
            "COPY --chmod=644 docker/etc/gitconfig /etc/ # buildkit",
            false,
        ),
        (
            "COPY docker/etc/claude-code/managed-settings.json /etc/claude-code/",
            false,
        ),
        ("COPY /out/ / # buildkit", false),
        ("COPY /out/ / # buildkit", false),
        ("ENV PATH=/usr/local/bin:/bin", true),
        ("ARG IMAGE_VERSION=0.2.13", true),
    ];
    let history = history.map(|(created_by, empty_layer)| Step {
        created_by: created_by.to_owned(),
        empty_layer,
    });
    Config {
        architecture: "amd64".to_owned(),
        os: "linux".to_owned(),
        config: process(),
        history: history.to_vec(),
        ..Config::default()
    }
}

fn process() -> Process {
    let second = 1_000_000_000;
    let labels = [
        ("base.digest", BASE_DIGEST),
        ("base.name", "docker.io/library/node:20-alpine"),
        ("created", CREATED),
        ("description", "Claude Code"),
        ("licenses", "MIT"),
        ("revision", REVISION),
        ("source", ""),
        ("title", "AgentGate agent"),
        ("version", "0.2.13"),
    ];
    let labels = labels.into_iter().map(|(name, value)| {
        let name = format!("org.opencontainers.image.{name}");
        (name, value.to_owned())
    });
    let path = "PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin:\
                /home/agentgate/.local/bin:/opt/npm-global/bin";
    let env = [
        path,
        "HOME=/home/agentgate",
        "NODE_VERSION=20.20.2",
        "NPM_CONFIG_PREFIX=/opt/npm-global",
        "YARN_VERSION=",
    ];
    Process {
        user: "1000:1000".to_owned(),
        env: env.map(str::to_owned).to_vec(),
        entrypoint: vec![ENTRYPOINT.to_owned()],
        working_dir: "/workspace".to_owned(),
        stop_signal: Some("SIGTERM".to_owned()),
        labels: labels
            .chain([("io.agentgate.extra-packages".to_owned(), String::new())])
            .collect(),
        healthcheck: Some(Healthcheck {
            test: ["CMD", ENTRYPOINT, "health"].map(str::to_owned).to_vec(),
            interval: 30 * second,
            timeout: 10 * second,
            retries: 3,
        }),
        ..Process::default()
    }
}

/// An image of nothing, as `FROM scratch` makes it.
pub(super) fn scratch() -> ImageFacts {
    let mut facts = good();
    facts.image.config = Config::default();
    facts.image.manifest.layers.clear();
    facts.image.layers.clear();
    facts
}

/// Puts an entry into a layer, in place of one of the same path.
pub(super) fn add(facts: &mut ImageFacts, layer: usize, entry: Entry) {
    let entries = &mut Arc::get_mut(&mut facts.image.layers[layer])
        .unwrap()
        .entries;
    entries.retain(|old| old.path != entry.path);
    entries.push(entry);
}

/// Takes a path out of every layer.
pub(super) fn remove(facts: &mut ImageFacts, path: &str) {
    for layer in &mut facts.image.layers {
        let layer = Arc::get_mut(layer).unwrap();
        layer.entries.retain(|entry| entry.path != path);
    }
}

/// Changes the entry of a path in every layer that has one.
pub(super) fn change(facts: &mut ImageFacts, path: &str, change: impl Fn(&mut Entry)) {
    let mut is_there = false;
    for layer in &mut facts.image.layers {
        let entries = &mut Arc::get_mut(layer).unwrap().entries;
        for entry in entries.iter_mut().filter(|entry| entry.path == path) {
            change(entry);
            is_there = true;
        }
    }
    assert!(is_there, "{path}");
}

pub(super) fn judge(checks: &[Check], id: &str, facts: &ImageFacts) -> Verdict {
    let check = checks.iter().find(|check| check.id == id).unwrap();
    match check.how {
        How::Files(judge) => judge(facts),
        _ => panic!("{id} needs a container"),
    }
}

/// What the check says that it saw, marked by how it ended.
pub(super) fn said(checks: &[Check], id: &str, facts: &ImageFacts) -> String {
    line(judge(checks, id, facts))
}

/// What the check says of the good image with one entry more, in [`SYSTEM`].
pub(super) fn said_with_entry(checks: &[Check], id: &str, entry: Entry) -> String {
    let mut facts = good();
    add(&mut facts, 1, entry);
    said(checks, id, &facts)
}

/// The good image's second layer, as checks name it.
pub(super) const SYSTEM: &str = "layer 2 of 8: `RUN set -eu apk add bash curl git`";

/// What a command did.
pub(super) fn ran(code: i32, stdout: &str, stderr: &str) -> Ran {
    Ran {
        code,
        stdout: stdout.to_owned(),
        stderr: stderr.to_owned(),
    }
}

/// A verdict in one line, as the tables of tests have it.
pub(super) fn line(verdict: Verdict) -> String {
    match verdict {
        Verdict::Passed(seen) => format!("passed: {seen}"),
        Verdict::Failed(failure) => format!("failed: {}", failure.seen),
        Verdict::NotApplicable(why) => format!("not applicable: {why}"),
    }
}

/// What the check says of the good image with another configuration.
pub(super) fn said_with(checks: &[Check], id: &str, change: impl FnOnce(&mut Process)) -> String {
    let mut facts = good();
    change(&mut facts.image.config.config);
    said(checks, id, &facts)
}
