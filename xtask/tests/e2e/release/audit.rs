//! `cargo xtask audit` over real releases, and what it says of each way to harm them.

use serde_json::{Value, json};

use super::Releases;
use crate::common::Ran;
use crate::push::proxy::When;

impl Releases {
    /// What an audit finds, as `tag why`.
    fn audit(&self, more: &[&str]) -> Vec<String> {
        self.proxy.reset(When::Never);
        let args = [&["audit", "--json"], more].concat();
        let ran = Ran::of(&mut self.xtask(&args));
        let requests = self.proxy.requests();
        let is_read = |line: &String| line.starts_with("GET") || line.starts_with("HEAD");
        assert!(requests.iter().all(is_read), "{requests:?}");
        let report: Value = serde_json::from_str(&ran.stdout).unwrap();
        let findings = report["findings"].as_array().unwrap();
        let is_failed = findings.iter().any(|one| one["severity"] == "error");
        assert_eq!(ran.code, Some(i32::from(is_failed)), "{ran:#?}");
        let own = format!("{}:", self.workspace.repository());
        let described = findings.iter().map(|one| {
            let reference = one["reference"].as_str().unwrap();
            let tag = reference.strip_prefix(&own).unwrap_or(reference);
            format!("{tag} {}", one["why"].as_str().unwrap())
        });
        described.collect()
    }
}

#[track_caller]
fn has(found: &[String], parts: &[&str]) {
    assert_eq!(found.len(), parts.len(), "{found:#?}");
    for part in parts {
        let is_there = found.iter().any(|one| one.contains(part));
        assert!(is_there, "`{part}` is not in {found:#?}");
    }
}

#[test]
fn releases_are_well_and_each_harm_is_found() {
    let releases = Releases::new();
    has(&releases.audit(&[]), &[]);
    releases.release("1.0.0");
    releases.release("2.0.0");
    releases.release("2.1.0-rc.1");
    has(&releases.audit(&[]), &[]);
    has(&releases.audit(&["--all"]), &[]);
    releases.workspace.git(&["checkout", "--quiet", "v2.0.0"]);
    releases.rollback(&[]).succeeded();
    has(&releases.audit(&[]), &[]);
    releases.run(&["--latest", "require"]).succeeded();
    // A version that somebody overwrote: it is another commit's.
    let (_, first) = releases.workspace.published("v1.0.0").unwrap();
    let (_, second) = releases.workspace.published("v2.0.0").unwrap();
    releases.workspace.put("v1.0.0", &second);
    has(
        &releases.audit(&[]),
        &["and the git tag is at", ", and its record says `"],
    );
    releases.workspace.put("v1.0.0", &first);
    has(&releases.audit(&[]), &[]);
    // A commit's own tag that somebody overwrote.
    let own = format!(
        "sha-{}",
        &releases.workspace.git(&["rev-parse", "v1.0.0^{}"])[..7]
    );
    releases.workspace.put(&own, &second);
    has(&releases.audit(&[]), &["v1.0.0 is not `sha-"]);
    releases.workspace.put(&own, &first);
}

#[test]
fn what_a_clean_up_took_is_found_down_to_the_last_blob() {
    let releases = Releases::new();
    let digest = releases.release("1.0.0");
    let (_, index) = releases.workspace.published("v1.0.0").unwrap();
    let entries = index["manifests"].as_array().unwrap();
    let own = releases.workspace.sha_tag();
    // A layer of one platform, which nothing else has.
    let attestation = entries[2]["digest"].as_str().unwrap();
    let (_, manifest) = releases.workspace.published(attestation).unwrap();
    let blob = manifest["layers"][0]["digest"].as_str().unwrap();
    releases.workspace.delete(&format!("blobs/{blob}"));
    let missing = format!("its blob `{blob}` is missing");
    let found = releases.audit(&[]);
    has(
        &found,
        &[
            &format!("latest is broken: {missing}"),
            &format!("v1.0.0 is broken: {missing}"),
        ],
    );
    assert_eq!(releases.audit(&["--all"]).len(), 3);
    // Then two manifests.
    for entry in &entries[..2] {
        let child = entry["digest"].as_str().unwrap();
        releases.workspace.delete(&format!("manifests/{child}"));
    }
    let found = releases.audit(&[]);
    assert_eq!(found.len(), 6, "{found:#?}");
    let ran = releases.run(&["--latest", "require", "--dry-run"]);
    crate::push::refused(&ran, &[&own, "is missing"]);
    assert_eq!(releases.digest("v1.0.0"), Some(digest));
}

/// What the distribution project's registry keeps beside our images, each pushed by a tool of its own kind.
#[test]
fn what_others_keep_is_a_row_each_in_a_real_registry() {
    let releases = Releases::new();
    let digest = releases.release("1.0.0");
    let workspace = &releases.workspace;
    let kind = "application/vnd.oci.image.manifest.v1+json";
    let manifest = |config: Value, layers: Vec<Value>| json!({"schemaVersion": 2, "mediaType": kind, "config": config, "layers": layers});
    let of = |kind: &str, bytes: &[u8]| {
        let mut blob = releases.blob(bytes);
        blob["mediaType"] = kind.into();
        blob
    };
    let helm = of(
        "application/vnd.cncf.helm.config.v1+json",
        b"{\"name\":\"agent\"}",
    );
    let chart = of(
        "application/vnd.cncf.helm.chart.content.v1.tar+gzip",
        b"chart",
    );
    workspace.put("chart", &manifest(helm, vec![chart]));
    let nothing = of("application/vnd.oci.image.config.v1+json", b"not JSON");
    workspace.put("not-json", &manifest(nothing, Vec::new()));
    let config = of("application/vnd.oci.image.config.v1+json", b"{}");
    let signature = of("application/vnd.dev.cosign.simplesigning.v1+json", b"{ }");
    let name = digest.replace(':', "-") + ".sig";
    workspace.put(&name, &manifest(config, vec![signature]));
    let (_, index) = workspace.published("v1.0.0").unwrap();
    let entry = json!({
        "mediaType": "application/vnd.oci.image.index.v1+json", "digest": digest,
        "size": index.to_string().len(),
    });
    let nested = json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [entry],
    });
    workspace.put("nested", &nested);
    // As BuildKit writes it without `image-manifest=true`: the entries are blobs.
    let folder = workspace.path("target/cached");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(
        folder.join("Dockerfile"),
        "FROM scratch\nCOPY Dockerfile /\n",
    )
    .unwrap();
    let cache = format!(
        "type=registry,ref={}:buildcache,mode=max,image-manifest=false",
        workspace.direct()
    );
    let build = [
        "buildx",
        "build",
        "--cache-to",
        &cache,
        folder.to_str().unwrap(),
    ];
    crate::world::docker(&build).succeeded();
    let (_, cached) = workspace.published("buildcache").unwrap();
    assert!(cached["manifests"].is_array(), "{cached}");
    has(&releases.audit(&["--all"]), &[]);
    let ran = Ran::of(&mut releases.xtask(&["audit", "--all"])).succeeded();
    for part in [
        "ok: an artifact (application/vnd.cncf.helm.config.v1+json)",
        "ok: an artifact (application/vnd.dev.cosign.simplesigning.v1+json)",
        "cannot be read: it is not JSON",
        "is an index",
    ] {
        assert!(ran.stdout.contains(part), "{part}: {ran:#?}");
    }
    let row = ran
        .stdout
        .lines()
        .find(|line| line.starts_with("buildcache"));
    assert!(row.unwrap().contains("ok: an artifact"), "{ran:#?}");
}
