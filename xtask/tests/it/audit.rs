//! `cargo xtask audit` of repositories with more in them than our images: each odd tag is a row.
//!
//! Tools that stop at the first: podman-container-tools/skopeo#2732 (a build cache),
//! giantswarm/retagger#1234 (schema 1, artifacts), docker-hardened-images/catalog#299 (listed, and not there).

mod age;

use serde_json::{Value, json};

use crate::common::Ran;
use crate::registry::{CONFIG, Content, LAYER, MANIFEST, Registry, digest};
use crate::sandbox::Sandbox;

/// A workspace with a version, and a registry that has it as that version and `latest`.
fn released() -> (Sandbox, Content) {
    let sandbox = Sandbox::new();
    sandbox.git(&["tag", "v0.2.13"]);
    let mut content = Content::default();
    let labels = json!({"org.opencontainers.image.revision": sandbox.revision()});
    let image = content.image(&labels);
    let index = json!({"manifests": [image]});
    content.tag("v0.2.13", &index);
    content.tag("latest", &index);
    (sandbox, content)
}

fn audit(sandbox: &Sandbox, registry: &Registry, more: &[&str]) -> Ran {
    let name = registry.name();
    let args = [&["audit", "--repository", &name], more].concat();
    sandbox.run(&args)
}

/// What an audit of every tag says of each: the end of its row, by its name.
fn rows(ran: &Ran) -> Vec<(String, String)> {
    let table = ran.stdout.lines().skip(2);
    let table = table.take_while(|line| !line.starts_with("- "));
    table
        .map(|line| {
            let mut cells = line.split("  ").filter(|cell| !cell.is_empty());
            let (name, end) = (cells.next().unwrap(), cells.last().unwrap());
            (name.to_owned(), end.trim().to_owned())
        })
        .collect()
}

/// Tags that are no images of ours, with what is said of each.
fn odd_tags(content: &mut Content) -> Vec<(String, &'static str)> {
    let mut odd = Vec::new();
    let mut tag = |content: &mut Content, name: &str, document: &Value, said| {
        content.tag(name, document);
        odd.push((name.to_owned(), said));
    };
    let helm = content.blob("application/vnd.cncf.helm.config.v1+json", b"{}");
    let chart = content.blob(
        "application/vnd.cncf.helm.chart.content.v1.tar+gzip",
        b"chart",
    );
    let document = json!({"config": helm, "layers": [chart]});
    tag(
        content,
        "chart",
        &document,
        "ok: an artifact (application/vnd.cncf.helm.config.v1+json)",
    );
    // Nothing, under the type of an image's configuration.
    let nothing = content.blob(CONFIG, b"");
    let document = json!({"config": nothing, "layers": []});
    tag(
        content,
        "dev-null",
        &document,
        "ok: its configuration `sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855` cannot be read: it is not JSON (EOF while parsing a value at line 1 column 0)",
    );
    let text = content.blob("text/plain", b"not JSON");
    let document = json!({"config": text, "layers": []});
    tag(content, "text", &document, "ok: an artifact (text/plain)");
    let empty = json!({
        "mediaType": "application/vnd.oci.empty.v1+json", "digest": digest(b"{}"), "size": 2,
    });
    let document = json!({"config": empty, "layers": [empty], "artifactType": "application/x"});
    tag(
        content,
        "empty",
        &document,
        "ok: an artifact (application/x)",
    );
    let layer = content.blob(LAYER, b"cached");
    let config = content.blob(
        "application/vnd.buildkit.cacheconfig.v0",
        b"{\"layers\":[]}",
    );
    let document = json!({"manifests": [layer, config]});
    tag(
        content,
        "buildcache",
        &document,
        "ok: an artifact (application/vnd.buildkit.cacheconfig.v0)",
    );
    let config = content.blob(CONFIG, b"{}");
    let signature = content.blob("application/vnd.dev.cosign.simplesigning.v1+json", b"{ }");
    let document = json!({"config": config, "layers": [signature]});
    let name = format!("sha256-{}.sig", "ab".repeat(32));
    tag(
        content,
        &name,
        &document,
        "ok: an artifact (application/vnd.dev.cosign.simplesigning.v1+json)",
    );
    let old = content.blob("x", b"old");
    let document = json!({"schemaVersion": 1, "fsLayers": [{"blobSum": old["digest"]}]});
    tag(
        content,
        "schema-1",
        &document,
        "ok: a manifest of Docker's schema 1",
    );
    let image = content.image(&json!({}));
    let kind = "application/vnd.oci.image.index.v1+json";
    let inner = content.manifest(&json!({"mediaType": kind, "manifests": [image]}));
    let document = json!({"manifests": [inner]});
    let said: &'static str = String::leak(format!(
        "ok: its manifest `{}` is an index",
        inner["digest"].as_str().unwrap()
    ));
    tag(content, "nested", &document, said);
    // 4 MB.
    let one = image["digest"].as_str().unwrap();
    let twice: &'static str = String::leak(format!(
        "ok: it has several images for `linux/amd64`: `{one}`, `{one}`"
    ));
    let entries = vec![image.clone(); 20_000];
    tag(content, "large", &json!({"manifests": entries}), twice);
    let html = content.manifests.entry(digest(b"<html>")).or_default();
    html.extend(b"<html>");
    content.tags.insert("html".to_owned(), digest(b"<html>"));
    odd.push(("html".to_owned(), "ok: it is not JSON"));
    odd
}

/// A tag's name as the table has it: a signature's is cut.
fn short(name: &str) -> String {
    match name.strip_suffix(".sig") {
        Some(name) => format!("{}….sig", &name[..19]),
        None => name.to_owned(),
    }
}

#[test]
fn what_others_keep_beside_our_images_is_a_row_each() {
    let (sandbox, mut content) = released();
    let odd = odd_tags(&mut content);
    content.listed_once = vec!["deleted".to_owned()];
    let ran = audit(&sandbox, &Registry::with(content), &["--all"]).succeeded();
    let rows = rows(&ran);
    for (name, said) in odd {
        let name = short(&name);
        let row = rows.iter().find(|(row, _)| *row == name);
        assert_eq!(row, Some(&(name, said.to_owned())), "{ran:#?}");
    }
    assert!(
        rows.contains(&("deleted".to_owned(), "deleted meanwhile".to_owned())),
        "{ran:#?}"
    );
    assert!(
        rows.contains(&("v0.2.13".to_owned(), "ok".to_owned())),
        "{ran:#?}"
    );
}

#[test]
fn what_is_broken_is_found_and_the_other_tags_are_read_as_well() {
    let (sandbox, mut content) = released();
    // A label that is no commit.
    let labels = json!({"org.opencontainers.image.revision": "refs/heads/main"});
    let image = content.image(&labels);
    content.lead("v0.2.11", &image);
    // A name that is a version, with somebody's chart under it.
    let chart = content.blob("application/vnd.cncf.helm.config.v1+json", b"{}");
    content.tag("v0.2.12", &json!({"config": chart, "layers": []}));
    let gone = json!({"mediaType": LAYER, "digest": digest(b"gone"), "size": 4});
    let config = content.blob(CONFIG, b"{}");
    content.tag("cut", &json!({"config": config, "layers": [gone]}));
    let lost = json!({"mediaType": MANIFEST, "digest": digest(b"lost"), "size": 4});
    content.tag("hollow", &json!({"manifests": [lost]}));
    let short =
        json!({"mediaType": LAYER, "digest": content.blob(LAYER, b"four")["digest"], "size": 5});
    content.tag("short", &json!({"config": config, "layers": [short]}));
    content.listed = vec!["nowhere".to_owned(), "../x\u{1b}[2J".to_owned()];
    let registry = Registry::with(content);
    let ran = audit(&sandbox, &registry, &["--all", "--json"]);
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    let findings = report["findings"].as_array().unwrap().iter();
    let findings = findings.filter(|one| one["severity"] == "error");
    let own = format!("{}:", registry.name());
    let found = findings.map(|one| {
        let reference = one["reference"].as_str().unwrap();
        format!(
            "{} {}",
            reference.strip_prefix(&own).unwrap(),
            one["why"].as_str().unwrap()
        )
    });
    let found: Vec<String> = found.collect();
    let (gone, lost, four) = (digest(b"gone"), digest(b"lost"), digest(b"four"));
    let want = [
        "v0.2.12 is not an image of this project: an artifact \
         (application/vnd.cncf.helm.config.v1+json)"
            .to_owned(),
        format!("cut is broken: its blob `{gone}` is missing"),
        format!("hollow is broken: its manifest `{lost}` is missing"),
        "nowhere is listed, and leads nowhere".to_owned(),
        format!("short is broken: its blob `{four}` has 4 bytes instead of 5"),
        "../x\\u{1b}[2J is broken: its name cannot be a tag's".to_owned(),
    ];
    assert_eq!(found, want);
    // Nobody is asked for more than versions and `latest` without `--all`.
    let ran = audit(&sandbox, &registry, &[]);
    assert_eq!(rows(&ran).len(), 4, "{ran:#?}");
}

/// What a registry gives for one tag, and nobody can use, says nothing of the others.
#[test]
fn what_cannot_be_read_is_a_row_as_well() {
    let (sandbox, mut content) = released();
    content.tag("long", &json!({"manifests": [], "x": "x".repeat(9 << 20)}));
    content.tag("old", &json!({"schemaVersion": 1}));
    let old = r#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"schema 1 is not converted"}]}"#;
    content.answers = vec![("manifests/old".to_owned(), "406 Not Acceptable", old)];
    let child = content.manifest(&json!({"config": {}, "layers": []}));
    content.tag("changed", &json!({"manifests": [child]}));
    let digest = child["digest"].as_str().unwrap().to_owned();
    content
        .manifests
        .insert(digest.clone(), b"{\"layers\":[]}".to_vec());
    let registry = Registry::with(content);
    let ran = audit(&sandbox, &registry, &["--all"]);
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    for (name, part) in [
        (
            "long",
            "ok: `http://ADDRESS` answers for `ADDRESS/me/agent:long` with more than 8 MiB",
        ),
        (
            "old",
            "ok: `http://ADDRESS` answers 406 Not Acceptable when asked for",
        ),
        ("changed", "wrong"),
        ("v0.2.13", "ok"),
    ] {
        let part = part.replace("ADDRESS", &registry.address);
        let rows = rows(&ran);
        let (_, end) = rows.iter().find(|(row, _)| row == name).unwrap();
        assert!(end.starts_with(&part), "{part}: {ran:#?}");
    }
    let broken = format!("its manifest `{digest}` cannot be read: ");
    assert!(
        ran.stdout.contains(&broken) && ran.stdout.contains("other bytes"),
        "{ran:#?}"
    );
}

/// What the registry itself refuses is no fact about a tag.
#[test]
fn an_error_of_the_registry_ends_the_audit_and_names_the_tag() {
    let config = digest(b"{\"broken\":1}");
    let layer = digest(b"layer");
    for end in [
        "manifests/chart",
        &format!("blobs/{config}"),
        &format!("blobs/{layer}"),
    ] {
        let (sandbox, mut content) = released();
        let config = content.blob(CONFIG, b"{\"broken\":1}");
        let layer = content.blob(LAYER, b"layer");
        content.tag("chart", &json!({"config": config, "layers": [layer]}));
        content.answers = vec![(end.to_owned(), "401 Unauthorized", "{}")];
        let registry = Registry::with(content);
        let ran = audit(&sandbox, &registry, &["--all"]);
        assert_eq!((ran.code, &*ran.stdout), (Some(1), ""), "{end}: {ran:#?}");
        let named = format!("`{}:chart`", registry.name());
        for part in [&*named, "401", "hint: "] {
            assert!(ran.stderr.contains(part), "{end}: {ran:#?}");
        }
    }
}

/// What is known from the registry alone, of versions that were published before there were records.
#[test]
fn what_was_published_before_there_were_records_is_a_note() {
    let (sandbox, content) = released();
    let registry = Registry::with(content);
    let ran = audit(&sandbox, &registry, &[]).succeeded();
    let name = registry.name();
    for part in [
        format!(
            "- note: `{name}` has no proof that is believed: there are no `proof` settings\n  hint: docs/proof.md"
        ),
        format!("- note: `{name}` has no release record: "),
        "  hint: `cargo xtask release --adopt` verifies the version".to_owned(),
    ] {
        assert!(ran.stdout.contains(&part), "{part}: {ran:#?}");
    }
}

/// A git tag is what people signed off: no text of ours advises to move one.
#[test]
fn no_hint_moves_a_git_tag() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = root.parent().unwrap();
    let mut folders: Vec<_> = ["xtask/src", "crates", "docs", ".github"]
        .map(|name| root.join(name))
        .to_vec();
    let mut seen = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let Ok(text) = std::fs::read_to_string(&path) else {
                continue;
            };
            // A string goes on after the end of a line.
            let words: Vec<&str> = text
                .split_whitespace()
                .filter(|word| *word != "\\")
                .collect();
            let text = words.join(" ");
            for command in ["git tag --force", "git tag -f", "git push --force"] {
                let is_there = text.contains(command);
                assert!(!is_there, "`{command}` is in {}", path.display());
            }
            seen += 1;
        }
    }
    assert!(seen > 200, "{seen}");
}
