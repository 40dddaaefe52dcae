//! Alpine's packages in the real image: of a day, upgraded, and recorded.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::build::{clone_into, publish};
use crate::common::{Ran, command};
use crate::world::{Registry, base, docker, image, inspect, unique_name, xtask_in};

/// lusky3/play-store-mcp#153: a layer of `apk upgrade` stays in the cache, and fixes never arrive.
#[test]
fn another_day_installs_the_packages_anew_and_builds_nothing_else() {
    let tag = "agentgate/agent:e2e-day";
    let folder = tempfile::tempdir().unwrap();
    let clone = clone_into(folder.path());
    let manifest = clone.join("Cargo.toml");
    let text = fs::read_to_string(&manifest).unwrap();
    let (before, rest) = text.split_once("packages = \"20").unwrap();
    let (_, after) = rest.split_once('"').unwrap();
    // A day that no other test and no other run has built.
    let day = format!("{}-01-01", 3000 + std::process::id() % 6000);
    fs::write(&manifest, format!("{before}packages = \"{day}\"{after}")).unwrap();
    image();
    let args = ["image", "--tag", "e2e-day", "--progress", "plain", "--json"];
    let ran = Ran::of(&mut xtask_in(&clone, &args)).succeeded();
    let ran_steps = steps_that_ran(&ran.stderr);
    let is_of = |stage: &str| ran_steps.iter().any(|step| step.contains(stage));
    assert!(is_of("(# packages and user"), "{ran_steps:?}");
    for stage in ["[claude ", "[settings ", "[crates ", "[entrypoint "] {
        let runs = ran_steps.iter().filter(|step| step.contains(stage));
        let runs: Vec<_> = runs.filter(|step| step.contains("] RUN")).collect();
        assert!(runs.is_empty(), "{runs:?}");
    }
    let labels = &inspect(tag)["Config"]["Labels"];
    assert_eq!(labels["io.agentgate.packages"], *day, "{labels}");
    // Alpine offers what it offered before, so the layer is the same, too.
    let layers = |image: &str| inspect(image)["RootFS"]["Layers"].clone();
    assert_eq!(layers(tag), layers(image()));
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    let packages = report["platforms"][0]["packages"].as_array().unwrap();
    for name in ["bash", "git", "jq", "musl"] {
        let has = packages.iter().any(|package| package["name"] == name);
        assert!(has, "{name} is not in {packages:?}");
    }
    docker(&["image", "rm", tag]).succeeded();
}

/// The steps of a build that did not come from the cache, as buildx's plain progress tells them.
fn steps_that_ran(progress: &str) -> Vec<String> {
    let mut ran = Vec::new();
    for line in progress.lines() {
        let Some((number, step)) = line.split_once(" [") else {
            continue;
        };
        let is_number = number
            .strip_prefix('#')
            .is_some_and(|number| !number.is_empty() && number.chars().all(|c| c.is_ascii_digit()));
        let is_cached = progress
            .lines()
            .any(|line| line == format!("{number} CACHED"));
        if is_number && !is_cached {
            ran.push(format!("[{step}"));
        }
    }
    ran
}

/// A base that has the old one of two builds of a package, with a file of it changed, and offers the new one.
/// The key is the test's own: apk believes no other.
const OLD_BASE: &str = r#"FROM BASE
COPY key.rsa key.rsa.pub /keys/
RUN set -e; cp /keys/key.rsa.pub /etc/apk/keys/; mkdir -p /offer /files/etc; \
    pack() { echo "$1" >/files/etc/fixed.conf; \
        apk mkpkg --info name:fixed --info "version:$1-r0" --info "arch:$(apk --print-arch)" \
            --sign-key /keys/key.rsa --files /files --output "/offer/fixed-$1-r0.apk"; \
        apk mkndx --keys-dir /etc/apk/keys --sign-key /keys/key.rsa --output /offer/APKINDEX.adb \
            "/offer/fixed-$1-r0.apk"; }; \
    echo 'ndx /offer/APKINDEX.adb' >>/etc/apk/repositories; \
    pack 1; apk add --no-cache fixed; echo changed >/etc/fixed.conf; pack 2; rm -r /keys /files
"#;

/// Publishes the old base as `reference`, or says why it cannot.
fn publish_old_base(folder: &Path, reference: &str) -> Result<(), String> {
    let mut key = command("openssl", folder);
    let key = key.args(["genrsa", "-out", "key.rsa", "2048"]).output();
    if !key.is_ok_and(|ran| ran.status.success()) {
        return Err("there is no openssl".to_owned());
    }
    let public = ["rsa", "-in", "key.rsa", "-pubout", "-out", "key.rsa.pub"];
    Ran::of(command("openssl", folder).args(public)).succeeded();
    fs::write(folder.join("Dockerfile"), OLD_BASE.replace("BASE", &base())).unwrap();
    publish(folder, reference, &[]);
    Ok(())
}

/// A base is not rebuilt for each fix (jkreileder/cf-ips-to-hcloud-fw#1467), `node:20-alpine` never again.
#[test]
fn what_alpine_fixed_since_the_base_was_built_is_in_the_image() {
    let registry = Registry::start();
    let old = format!("{}/{}/node:20-alpine", registry.address, unique_name());
    let folder = tempfile::tempdir().unwrap();
    if let Err(why) = publish_old_base(folder.path(), &old) {
        println!("NOT RUN: {why}");
        return;
    }
    let clone = clone_into(folder.path());
    let dockerfile = clone.join("docker/Dockerfile.agent");
    let text = fs::read_to_string(&dockerfile).unwrap();
    let first = "FROM docker.io/library/node:20-alpine AS system";
    assert!(text.contains(first));
    fs::write(
        &dockerfile,
        text.replace(first, &format!("FROM {old} AS system")),
    )
    .unwrap();
    image();
    let args = [
        "image",
        "--tag",
        "e2e-upgraded",
        "--progress",
        "plain",
        "--json",
    ];
    let ran = Ran::of(&mut xtask_in(&clone, &args)).succeeded();
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    let platform = &report["platforms"][0];
    let fixed = |version: &str| json!({"name": "fixed", "version": version});
    let has = |packages: &Value, version: &str| {
        let mut packages = packages.as_array().unwrap().iter();
        packages.any(|package| *package == fixed(version))
    };
    assert!(has(&platform["packages"], "2-r0"), "{platform}");
    assert!(!has(&platform["packages"], "1-r0"), "{platform}");
    // The lowest layers still have what the base had.
    let layers = platform["layers"].as_array().unwrap().iter();
    let mut databases = layers.filter_map(|layer| layer.get("packages"));
    assert!(
        databases.any(|packages| has(packages, "1-r0")),
        "{platform}"
    );
    let tag = "agentgate/agent:e2e-upgraded";
    let look = "cat /etc/fixed.conf; find / -xdev -name '*.apk-new' 2>/dev/null";
    let found = docker(&["run", "--rm", tag, "sh", "-c", look]);
    assert_eq!(found.stdout, "changed\n");
    docker(&["image", "rm", tag]).succeeded();
}
