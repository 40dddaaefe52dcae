//! `--published`: the registry is asked what it has, and not only for what git knows.
//!
//! Releases of older lines took `latest` from the newer one: mastodon/mastodon#17416,
//! feast-dev/feast#673, Unleash/unleash#7961, Gitlawb/node#238.

use std::net::TcpListener;

use serde_json::{Value, json};

use crate::registry::{Content, Registry};
use crate::tags::{Repo, Set};

/// Tags, each with the version that its image says to be.
type Tags<'a> = &'a [(&'a str, &'a str)];

/// A registry with these tags, and a release record of each that is a version's.
pub(super) fn registry(tags: Tags) -> Registry {
    let registry = Registry::with(Content::default());
    let repository = registry.name();
    let mut content = registry.content();
    for (tag, version) in tags {
        let image = content.image(&json!({"org.opencontainers.image.version": version}));
        content.lead(tag, &image);
        if *tag == format!("v{version}") {
            record(&mut content, &repository, version, &image, "released");
        }
    }
    drop(content);
    registry
}

/// Records a version whose index (or manifest) `image` describes.
fn record(content: &mut Content, repository: &str, version: &str, image: &Value, state: &str) {
    let digest = image["digest"].as_str().unwrap();
    let hex = digest.strip_prefix("sha256:").unwrap();
    let statement = json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": repository, "digest": {"sha256": hex}}],
        "predicateType": "urn:agentgate:release-record:v1",
        "predicate": {
            "repository": repository, "version": version, "digest": digest, "state": state,
            "sequence": 1, "time": "2026-11-25T05:13:09Z", "reason": "it leaks",
            "latest": {"before": null, "after": null},
        },
    });
    let kind = "application/vnd.in-toto+json";
    let layer = content.blob(kind, statement.to_string().as_bytes());
    let empty = content.blob("application/vnd.oci.empty.v1+json", b"{}");
    content.tag(
        &format!("state-v{version}"),
        &json!({"artifactType": kind, "config": empty, "layers": [layer], "subject": image}),
    );
}

fn repo() -> Repo {
    let repo = Repo::new();
    repo.git(&["tag", "v1.0.0"]);
    for version in ["v0.9.0", "v1.9.0", "v1.10.0", "v2.0.0-rc.1", "v1.11.0"] {
        repo.commit("next");
        repo.git(&["tag", version]);
    }
    repo.git(&["checkout", "--quiet", "v1.0.0"]);
    repo
}

/// What `tags --published` says of `latest`: why it is not given; none when it is.
fn kept(repo: &Repo, folder: &std::path::Path, registry: &Registry) -> Option<String> {
    let args = ["--json", "--published", "--repository", &registry.name()];
    let set = Set::of(&repo.run_in(folder, &args).succeeded());
    let is_given = set.tags().last() == Some(&"latest");
    let withheld = set.names("withheld", "name");
    assert_eq!(withheld.contains(&"latest"), !is_given, "{set:?}");
    let why = set.names("withheld", "why");
    (!is_given).then(|| (*why.last().unwrap()).to_owned())
}

#[test]
fn latest_moves_above_every_published_stable_version_alone() {
    let repo = repo();
    let higher = |version: &str| Some(format!("the higher version `v{version}` is published"));
    let cases: [(Tags, Option<String>); 7] = [
        (&[], None),
        (
            &[("v1.9.0", "1.9.0"), ("v1.10.0", "1.10.0")],
            higher("1.10.0"),
        ),
        // What git has and the registry has not was never published.
        (&[("v0.9.0", "0.9.0"), ("latest", "0.9.0")], None),
        (&[("v2.0.0-rc.1", "2.0.0-rc.1")], None),
        // What the registry has and git has not.
        (&[("v3.0.0", "3.0.0"), ("v0.9.0", "0.9.0")], higher("3.0.0")),
        (
            &[("3.0.0", "3.0.0"), ("v3", "3.0.0"), ("dev", "3.0.0")],
            None,
        ),
        // A higher version whose tag was deleted, and which `latest` still leads to.
        (
            &[("v0.9.0", "0.9.0"), ("latest", "3.0.0")],
            Some("it is at the image of version `3.0.0`".to_owned()),
        ),
    ];
    for (tags, want) in cases {
        let found = kept(&repo, &repo.root(), &registry(tags));
        assert_eq!(found, want, "{tags:?}");
    }
}

/// Jenkins and Buildkite fetch one tag into a clone that is not shallow.
#[test]
fn a_clone_of_one_tag_does_not_move_latest_back() {
    let repo = repo();
    let clone = repo.path("clone");
    let origin = repo.root().display().to_string();
    repo.git_in(&repo.path(""), &["init", "--quiet", "clone"]);
    repo.git_in(
        &clone,
        &[
            "fetch",
            "--quiet",
            "--no-tags",
            &origin,
            "refs/tags/v1.0.0:refs/tags/v1.0.0",
        ],
    );
    repo.git_in(&clone, &["checkout", "--quiet", "v1.0.0"]);
    let set = repo.set_in(&clone);
    assert_eq!(
        (set.strings("higher_versions"), &set.0["shallow"]),
        (vec![], &false.into())
    );
    let tags: Tags = &[
        ("v1.0.0", "1.0.0"),
        ("v1.11.0", "1.11.0"),
        ("latest", "1.11.0"),
    ];
    let why = kept(&repo, &clone, &registry(tags));
    assert_eq!(
        why.as_deref(),
        Some("the higher version `v1.11.0` is published")
    );
}

#[test]
fn few_requests_are_enough() {
    let repo = repo();
    let registry = registry(&[("v1.9.0", "1.9.0"), ("v1.10.0", "1.10.0")]);
    let name = registry.name();
    let ran = repo.run(&["--format", "plain", "--published", "--repository", &name]);
    assert!(!ran.succeeded().stdout.contains("latest"));
    let asked = registry.requests();
    let layer = asked[2].clone();
    assert_eq!(
        asked,
        ["GET list", "GET state-v1.10.0", &layer, "GET latest"]
    );
    assert!(layer.starts_with("GET sha256:"), "{layer}");
}

#[test]
fn what_is_withdrawn_or_has_no_record_keeps_nothing_back() {
    let repo = repo();
    let registry = registry(&[("v0.9.0", "0.9.0"), ("latest", "0.9.0")]);
    let name = registry.name();
    let mut content = registry.content();
    for version in ["1.10.0", "1.11.0"] {
        let image = content.image(&json!({"org.opencontainers.image.version": version}));
        content.lead(&format!("v{version}"), &image);
        if version == "1.11.0" {
            record(&mut content, &name, version, &image, "withdrawn");
        }
    }
    drop(content);
    assert_eq!(kept(&repo, &repo.root(), &registry), None);
}

#[test]
fn a_registry_that_does_not_answer_is_an_error_not_a_permission() {
    let repo = repo();
    // Nobody listens there any more.
    let address = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let (address, name) = (address.to_string(), format!("{address}/me/agent"));
    let ran = repo.run(&["--published", "--repository", &name]);
    assert_eq!((ran.code, &*ran.stdout), (Some(1), ""), "{ran:#?}");
    assert!(
        ran.stderr.starts_with("error: ") && ran.stderr.contains(&address),
        "{ran:#?}"
    );
}

#[test]
fn for_a_prerelease_no_registry_is_asked() {
    let repo = repo();
    repo.git(&["checkout", "--quiet", "v2.0.0-rc.1"]);
    let name = "127.0.0.1:1/me/agent";
    let set = Set::of(
        &repo
            .run(&["--json", "--published", "--repository", name])
            .succeeded(),
    );
    assert_eq!(set.tags().last(), Some(&"v2.0.0-rc.1"));
}
