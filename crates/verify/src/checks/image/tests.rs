//! The good image, broken in one place at a time.

use xtask::oci::Process;
use xtask::platform::Platform;

use super::CHECKS;
use crate::check::Verdict;
use crate::checks::fixture::{
    self, BASE_DIGEST, CREATED, REVISION, add, change, elf, file, good, hardlink, remove, symlink,
};
use crate::facts::{ImageFacts, Release};
use crate::rootfs::Elf;

const ENTRYPOINT: &str = "usr/local/bin/agent-entrypoint";

fn said(id: &str, facts: &ImageFacts) -> String {
    fixture::said(CHECKS, id, facts)
}

fn said_with(id: &str, change: impl FnOnce(&mut Process)) -> String {
    fixture::said_with(CHECKS, id, change)
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

#[test]
fn the_health_check_asks_the_entrypoint() {
    let id = "health-declared";
    assert_eq!(said(id, &good()), "passed: every 30s, time limit 10s");
    for (test, expected) in [
        (words(&["NONE"]), "failed: NONE"),
        (words(&[]), "failed: a `HEALTHCHECK` without test"),
        (words(&["CMD-SHELL", "true"]), "failed: CMD-SHELL true"),
        (
            words(&["CMD", "agent-entrypoint", "health"]),
            "failed: CMD agent-entrypoint health",
        ),
    ] {
        let said = said_with(id, |process| {
            process.healthcheck.as_mut().unwrap().test = test;
        });
        assert_eq!(said, expected);
    }
    let none = said_with(id, |process| process.healthcheck = None);
    assert_eq!(none, "failed: no `HEALTHCHECK`");
    let defaults = said_with(id, |process| {
        let check = process.healthcheck.as_mut().unwrap();
        (check.interval, check.timeout) = (0, 0);
    });
    assert_eq!(
        defaults,
        "passed: every 30s (the default), time limit 30s (the default)"
    );
}

#[test]
fn a_container_starts_the_entrypoint() {
    let id = "image-configuration";
    assert_eq!(
        said(id, &good()),
        format!("passed: /{ENTRYPOINT} as 1000:1000 in /workspace")
    );
    let root = said_with(id, |process| process.user.clear());
    assert_eq!(root, "failed: user none");
    for user in ["agentgate", "1000", "1000:0", "agentgate:agentgate"] {
        let other = said_with(id, |process| process.user = user.to_owned());
        assert_eq!(other, format!("failed: user `{user}`"));
    }
    let bases = said_with(id, |process| process.cmd = words(&["node"]));
    assert_eq!(bases, "failed: command `node`");
    let wrapped = said_with(id, |process| {
        process.entrypoint.insert(0, "tini".to_owned());
    });
    assert_eq!(wrapped, format!("failed: entrypoint `tini /{ENTRYPOINT}`"));
    let elsewhere = said_with(id, |process| process.working_dir = "/".to_owned());
    assert_eq!(elsewhere, "failed: working directory `/`");
    let path = said_with(id, |process| {
        process.env[0] = "PATH=/bin:/usr/local/bin".to_owned();
    });
    assert_eq!(path, "failed: PATH `/bin:/usr/local/bin`");
    let mut facts = good();
    facts.image.config.config = Process::default();
    assert_eq!(
        said(id, &facts),
        "failed: user none, working directory none, entrypoint none, PATH none"
    );
}

#[test]
fn nothing_is_declared_that_nobody_wants() {
    let id = "image-stop-signal";
    assert_eq!(said(id, &good()), "passed: SIGTERM");
    let none = said_with(id, |process| process.stop_signal = None);
    assert_eq!(none, "passed: none, which means SIGTERM");
    let quit = said_with(id, |process| {
        process.stop_signal = Some("SIGQUIT".to_owned());
    });
    assert_eq!(quit, "failed: SIGQUIT");

    let any = || [("/data".to_owned(), serde_json::json!({}))].into();
    assert_eq!(said("image-volumes", &good()), "passed: none");
    let volume = said_with("image-volumes", |process| process.volumes = any());
    assert_eq!(volume, "failed: /data");
    assert_eq!(said("image-ports", &good()), "passed: none");
    let port = said_with("image-ports", |process| process.exposed_ports = any());
    assert_eq!(port, "failed: /data");
}

#[test]
fn the_entrypoint_is_one_static_program() {
    let id = "image-entrypoint-static";
    assert_eq!(said(id, &good()), "passed: 62 (x86-64), static");
    let mut facts = good();
    change(&mut facts, ENTRYPOINT, |entry| {
        entry.elf = Some(elf(Some("/lib/ld.so")));
    });
    assert_eq!(said(id, &facts), "failed: it needs `/lib/ld.so`");
    let mut facts = good();
    change(&mut facts, ENTRYPOINT, |entry| {
        entry.mode = 0o4777;
        entry.uid = 1000;
    });
    assert_eq!(said(id, &facts), "failed: mode 4777, owner 1000:0");
    add(&mut facts, 7, file(ENTRYPOINT, 0o755));
    assert_eq!(
        said(id, &facts),
        format!("failed: `/{ENTRYPOINT}` is no program")
    );
    remove(&mut facts, ENTRYPOINT);
    assert_eq!(said(id, &facts), format!("failed: no `/{ENTRYPOINT}`"));
}

#[test]
fn every_program_is_for_the_platform() {
    let id = "image-architecture";
    assert_eq!(said(id, &good()), "passed: linux/amd64: 62 (x86-64)");
    let mut facts = good();
    facts.platform = Platform::LinuxArm64;
    assert_eq!(
        said(id, &facts),
        "failed: the configuration says `linux/amd64`, `agent-entrypoint` is for 62 (x86-64), \
         `claude` is for 62 (x86-64), `node` is for 62 (x86-64)"
    );
    let mut facts = good();
    change(&mut facts, "usr/local/bin/claude", |entry| {
        entry.elf = Some(Elf {
            machine: 183,
            interpreter: None,
        });
    });
    assert_eq!(said(id, &facts), "failed: `claude` is for 183 (AArch64)");

    // Another place for node, and links to it.
    let mut facts = good();
    change(&mut facts, "usr/local/bin/node", |entry| {
        entry.path = "opt/node".to_owned();
    });
    assert_eq!(said(id, &facts), "failed: no program `/usr/local/bin/node`");
    add(&mut facts, 0, hardlink("usr/bin/node-20", "opt/node"));
    add(&mut facts, 1, symlink("usr/bin/node", "node-20"));
    assert!(
        said(id, &facts).starts_with("passed"),
        "{}",
        said(id, &facts)
    );
}

#[test]
fn labels_are_there() {
    let id = "image-labels";
    assert_eq!(said(id, &good()), "passed: 8 labels, version 0.2.13");
    let label = |name: &str| format!("org.opencontainers.image.{name}");
    let set = |name: &str, value: &str| {
        let (name, value) = (label(name), value.to_owned());
        said_with(id, |process| drop(process.labels.insert(name, value)))
    };
    // As `docker build` by hand leaves them.
    assert_eq!(set("version", "dev"), "passed: 8 labels, version dev");
    assert!(set("revision", "unknown").starts_with("passed"));
    assert!(set("created", "").starts_with("passed"));
    assert_eq!(set("version", "v1"), "failed: version `v1`");
    let empty = "failed: label `org.opencontainers.image.version` is empty";
    assert_eq!(set("version", ""), empty);
    for name in ["title", "source", "base.name"] {
        let said = said_with(id, |process| drop(process.labels.remove(&label(name))));
        assert_eq!(said, format!("failed: no label `{}`", label(name)));
    }
}

#[test]
fn the_digest_of_the_base_is_one_and_is_the_pinned_one() {
    let base = "org.opencontainers.image.base.digest";
    let other = format!("sha256:{}", "b".repeat(64));
    let (digest, pinned) = (Some(BASE_DIGEST), Some(BASE_DIGEST.parse().unwrap()));
    for (label, pinned, fault) in [
        (digest, None, ""),
        (digest, pinned.clone(), ""),
        // By hand, on the test bed, or where the registry could not be asked.
        (Some(""), pinned.clone(), ""),
        (None, pinned.clone(), ""),
        (Some(&*other), None, ""),
        (
            Some(&*other),
            pinned,
            "and the Dockerfile pins `sha256:ba5e",
        ),
        (Some("latest"), None, "is `latest`, not a digest"),
        (Some("sha256:ba5e"), None, "is `sha256:ba5e`, not a digest"),
    ] {
        let mut facts = good();
        facts.expected.base_digest = pinned;
        let labels = &mut facts.image.config.config.labels;
        labels.remove(base);
        labels.extend(label.map(|label| (base.to_owned(), label.to_owned())));
        let said = said("image-labels", &facts);
        assert_eq!(said.starts_with("passed"), fault.is_empty(), "{said}");
        assert!(said.contains(fault), "{said}");
    }
}

#[test]
fn labels_name_the_commit() {
    for (id, name, value) in [
        ("image-revision", "revision", REVISION),
        ("image-created", "created", CREATED),
    ] {
        let name = format!("org.opencontainers.image.{name}");
        assert_eq!(said(id, &good()), format!("passed: {value}"));
        let other = said_with(id, |process| {
            process.labels.insert(name.clone(), "unknown".to_owned());
        });
        assert_eq!(other, "failed: unknown");
        let none = said_with(id, |process| drop(process.labels.remove(&name)));
        assert_eq!(none, format!("failed: no label `{name}`"));
        let mut facts = good();
        facts.expected.commit = Err("this is no Git repository".to_owned());
        assert_eq!(said(id, &facts), "failed: this is no Git repository");
    }
}

#[test]
fn layers_are_ordered_by_how_often_they_change() {
    let id = "image-layers";
    assert_eq!(said(id, &good()), "passed: layers 1, 2, 7, 8 of 8");
    let swapped = |one: usize, other: usize| {
        let mut facts = good();
        facts.image.layers.swap(one, other);
        said(id, &facts)
    };
    assert_eq!(
        swapped(6, 7),
        "failed: Claude Code (layer 8 of 8: `COPY /out/ /`) does not lie below the entrypoint, \
         layer 8 of 8: `COPY /out/ /` lies above the entrypoint"
    );
    assert!(swapped(0, 1).starts_with("failed: the base (layer 2 of 8: `RUN"));
    assert!(swapped(1, 6).starts_with("failed: system packages (layer 7 of 8: `COPY"));
    assert!(swapped(5, 7).ends_with("layer 8 of 8: `COPY /out/ /` lies above the entrypoint"));
    let mut facts = good();
    add(&mut facts, 6, file(ENTRYPOINT, 0o755));
    remove(&mut facts, ENTRYPOINT);
    let expected = format!("failed: no layer of the entrypoint (`/{ENTRYPOINT}`)");
    assert_eq!(said(id, &facts), expected);
    // A base of several layers, and system packages that bring a newer release of it.
    let mut facts = good();
    add(&mut facts, 1, file("etc/alpine-release", 0o644));
    assert_eq!(said(id, &facts), "passed: layers 2, 2, 7, 8 of 8");
}

#[test]
fn the_size_has_a_budget() {
    let id = "image-size";
    assert_eq!(
        said(id, &good()),
        "passed: 300.0 MB of 340.0 MB, 600.0 MB unpacked"
    );
    let mut facts = good();
    facts.expected.budget = Ok(200_000_000);
    assert_eq!(
        said(id, &facts),
        "failed: 300.0 MB: 171.0 MB in layer 7 of 8: `COPY /out/ /`; 90.0 MB in layer 1 of 8; \
         39.0 MB in layer 2 of 8: `RUN set -eu apk add bash curl git`"
    );
    facts.expected.budget = Ok(300_000_000);
    assert!(said(id, &facts).starts_with("failed: 300.0 MB (32.5 kB too many): "));
    facts.expected.budget = Err("nobody set one".to_owned());
    let expected = "not applicable: nobody set one";
    assert_eq!(said(id, &facts), expected);
}

#[test]
fn the_size_is_compared_with_the_last_release() {
    let id = "image-growth";
    assert_eq!(said(id, &good()), "passed: 300.0 MB, 300.0 MB in `v0.2.12`");
    let with = |layers: &[u64]| {
        let mut facts = good();
        facts.last_release = Ok(Release {
            version: "v0.2.12".to_owned(),
            layers: layers.to_vec(),
            compressions: facts.image.manifest.compressions(),
        });
        facts
    };
    // A base of one layer less: layers are paired from the top.
    let facts = with(&[80_000_000, 29, 336, 297, 336, 140_000_000, 31_529]);
    assert_eq!(
        said(id, &facts),
        "failed: 300.0 MB, 220.0 MB in `v0.2.12`; most of it, 90.0 MB, in layer 1 of 8"
    );
    let facts = with(&[
        90_000_000,
        39_000_000,
        29,
        336,
        297,
        336,
        131_000_000,
        31_529,
    ]);
    assert_eq!(
        said(id, &facts),
        "failed: 300.0 MB, 260.0 MB in `v0.2.12`; most of it, 40.0 MB, in layer 7 of 8: \
         `COPY /out/ /`"
    );
    let Verdict::Failed(failure) = fixture::judge(CHECKS, id, &facts) else {
        unreachable!("it failed above");
    };
    assert_eq!(failure.expected, "at most 286.0 MB, 10 % more than then");
    assert!(said(id, &with(&[u64::MAX, u64::MAX])).starts_with("passed"));
    assert!(said(id, &with(&[])).starts_with("failed"));
    let mut facts = with(&[]);
    for layer in &mut facts.image.manifest.layers {
        layer.media_type = "application/vnd.oci.image.layer.v1.tar+zstd".to_owned();
    }
    let expected = "not applicable: 300.0 MB, 0 B in `v0.2.12`, which is compressed otherwise: the \
                    next release can be compared";
    assert_eq!(said(id, &facts), expected);
    let mut facts = good();
    facts.last_release = Err("there is no release yet".to_owned());
    assert_eq!(said(id, &facts), "not applicable: there is no release yet");
}
