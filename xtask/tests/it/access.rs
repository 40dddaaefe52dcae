//! Whether the account may push is asked before a build, and by who writes alone.
//!
//! GoogleContainerTools/skaffold#5717, ko-build/ko#539, SkipLabs/skip#1377: a push that is refused after the build.
//! GoogleContainerTools/kaniko#2657: a question that stops a build by itself.

use serde_json::json;

use crate::common::Ran;
use crate::registry::{Content, Registry};
use crate::sandbox::Sandbox;

const UPLOADS: &str = "blobs/uploads/";

fn push(sandbox: &Sandbox, registry: &Registry, more: &[&str]) -> Ran {
    let name = registry.name();
    let args = ["image", "--push", "--sbom", "off", "--repository", &name];
    sandbox.run(&[&args[..], more].concat())
}

fn registry(status: &'static str, body: &'static str) -> Registry {
    Registry::with(Content {
        answers: vec![(UPLOADS.to_owned(), status, body)],
        ..Content::default()
    })
}

fn writes(registry: &Registry) -> Vec<String> {
    let reads = ["GET ", "HEAD "];
    let mut requests = registry.requests();
    requests.retain(|one| !reads.iter().any(|read| one.starts_with(read)));
    requests
}

#[test]
fn who_may_not_push_builds_nothing() {
    for (status, body, why) in [
        ("403 Forbidden", "{}", "does not let us push"),
        (
            "401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"x\"",
            "",
            "hint: `docker login",
        ),
        (
            "404 Not Found",
            r#"{"errors":[{"code":"NAME_UNKNOWN"}]}"#,
            "hint: create the repository `me/agent`",
        ),
        (
            "405 Method Not Allowed",
            r#"{"errors":[{"code":"UNSUPPORTED"}]}"#,
            "does not take",
        ),
    ] {
        let sandbox = Sandbox::new();
        let registry = registry(status, body);
        let ran = push(&sandbox, &registry, &[]);
        assert_eq!((ran.code, &*ran.stdout), (Some(1), ""), "{ran:#?}");
        for part in ["error: nothing was built: ", why] {
            assert!(ran.stderr.contains(part), "{part}: {ran:#?}");
        }
        assert_eq!(sandbox.builds(), [""; 0], "{ran:#?}");
        assert_eq!(writes(&registry), ["POST uploads"]);
    }
}

#[test]
fn a_registry_that_cannot_say_does_not_stop_a_build() {
    for (status, why) in [
        ("405 Method Not Allowed", "405 Method Not Allowed"),
        ("503 Service Unavailable", "it is busy or broken (503"),
        ("429 Too Many Requests\r\nRetry-After: 30", "(429"),
    ] {
        let sandbox = Sandbox::new();
        // The build itself says that it was begun.
        sandbox.write("bin/build", "exit 7");
        let ran = push(&sandbox, &registry(status, ""), &[]);
        assert!(!sandbox.builds().is_empty(), "{ran:#?}");
        let note = "is not known before the push: ";
        assert!(
            ran.stderr.contains(note) && ran.stderr.contains(why),
            "{ran:#?}"
        );
    }
}

#[test]
fn what_was_begun_to_ask_is_cancelled_before_the_build() {
    let sandbox = Sandbox::new();
    sandbox.write("bin/build", "exit 7");
    let registry = Registry::with(Content::default());
    let ran = push(&sandbox, &registry, &[]);
    assert!(!ran.stderr.contains("is not known"), "{ran:#?}");
    assert_eq!(writes(&registry), ["POST uploads", "DELETE 1"], "{ran:#?}");
}

#[test]
fn who_writes_nothing_asks_nothing() {
    let sandbox = Sandbox::new();
    let registry = registry("403 Forbidden", "{}");
    push(&sandbox, &registry, &["--dry-run"]).succeeded();
    assert_eq!(writes(&registry), [""; 0]);
    // What is published is adopted.
    let revision = sandbox.revision();
    let mut content = registry.content();
    let mut entries = Vec::new();
    for architecture in ["amd64", "arm64"] {
        let labels = json!({"org.opencontainers.image.revision": revision, "x": architecture});
        let mut entry = content.image_for(architecture, &labels);
        entry["platform"] = json!({"os": "linux", "architecture": architecture});
        entries.push(entry);
    }
    let tag = format!("sha-{}", &revision[..7]);
    content.tag(&tag, &json!({"manifests": entries}));
    drop(content);
    push(&sandbox, &registry, &[]).succeeded();
    assert_eq!(writes(&registry), [""; 0]);
    assert_eq!(sandbox.builds(), [""; 0]);
}
