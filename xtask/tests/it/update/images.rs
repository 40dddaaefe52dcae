//! The images that a Dockerfile names, in an image registry of the test's own, which fails at every request in turn.

use std::fs;

use serde_json::{Value, json};

use crate::common::{Ran, set_author};
use crate::registry::{Content, Registry};
use crate::sandbox::{Sandbox, digest};

/// Gives a tag to an index of images for these architectures, which this word tells from others; its digest.
fn publish(content: &mut Content, tag: &str, word: &str, architectures: &[&str]) -> String {
    let entries = architectures.iter().map(|architecture| {
        let mut entry = content.image_for(architecture, &json!({"word": word}));
        entry["platform"] = json!({"os": "linux", "architecture": architecture});
        entry
    });
    let manifests: Vec<Value> = entries.collect();
    content.tag(tag, &json!({"manifests": manifests}));
    content.tags[tag].clone()
}

const BOTH: [&str; 2] = ["amd64", "arm64"];

/// A clean repository with this Dockerfile, in which `NODE` is the registry's repository.
fn sandbox(registry: &Registry, dockerfile: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    let text = dockerfile.replace("NODE", &name(registry));
    sandbox.write("work/docker/Dockerfile.agent", &text);
    commit(&sandbox);
    sandbox
}

/// A repository whose last part is `node`.
fn name(registry: &Registry) -> String {
    format!("{}/library/node", registry.address)
}

fn commit(sandbox: &Sandbox) {
    sandbox.git(&["add", "--all"]);
    sandbox.git(&["commit", "--quiet", "--message", "start"]);
}

fn update(sandbox: &Sandbox, args: &[&str]) -> Ran {
    let mut command = sandbox.xtask(&[&["update"], args].concat());
    set_author(&mut command);
    Ran::of(&mut command)
}

fn dockerfile(sandbox: &Sandbox) -> String {
    fs::read_to_string(sandbox.path("work/docker/Dockerfile.agent")).unwrap()
}

#[test]
fn a_base_is_behind_unless_the_digest_of_its_tag_is_pinned() {
    let mut content = Content::default();
    let now = publish(&mut content, "20", "now", &BOTH);
    let registry = Registry::with(content);
    let sandbox = sandbox(&registry, "FROM scratch\n");
    let short = &now["sha256:".len()..][..12];
    for (pin, pinned, code) in [
        (String::new(), "no digest", 4),
        (format!("@{now}"), short, 0),
        (format!("@{}", digest("1")), "100000000000", 4),
    ] {
        let from = format!("FROM {}:20{pin}\n", name(&registry));
        sandbox.write("work/docker/Dockerfile.agent", &from);
        let ran = update(&sandbox, &["bases", "--check"]);
        assert_eq!(ran.code, Some(code), "{ran:#?}");
        assert!(ran.stdout.contains(&format!("  {pinned}  ")), "{ran:#?}");
    }
}
