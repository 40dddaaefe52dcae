//! Bundles that are no proof, each with a signature that holds: most of them satisfy cosign.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use xtask::oci::Digest;
use xtask::proof::{RELEASE_RECORD, VERIFICATION};

use super::{IN_TOTO, Scene, verification, why_no_proof};

const RECEIPT: &str = "/predicate/urn:agentgate:receipt:v1";

fn statement() -> Value {
    serde_json::from_slice(&verification().statement().to_bytes()).unwrap()
}

/// The statement with another value at each pointer.
fn altered(changes: &[(&str, Value)]) -> String {
    let mut statement = statement();
    for (pointer, value) in changes {
        let (folder, key) = pointer.rsplit_once('/').unwrap();
        let at = statement.pointer_mut(folder).unwrap();
        match key.parse::<usize>() {
            Ok(number) => at[number] = value.clone(),
            Err(_) => at[key] = value.clone(),
        }
    }
    statement.to_string()
}

/// A payload, whether cosign takes it, and why it is no proof; empty for one that is.
type Row = (String, bool, &'static str);

/// Signs each payload, and asks both.
fn check(rows: &[Row]) {
    let Some(scene) = Scene::new() else { return };
    scene.key("ours");
    let trust = scene.trust("keys = ['ours.pub']");
    for (payload, takes, expected) in rows {
        let bundle = scene.forge("ours", "x", payload.as_bytes(), IN_TOTO);
        let bundle = bundle.to_string();
        let why = why_no_proof(&trust, bundle.as_bytes());
        assert!(why.contains(expected), "{payload}: {why}");
        assert_eq!(why.is_empty(), expected.is_empty(), "{payload}: {why}");
        let manifest = Digest::of(b"amd64");
        let says = scene.cosign_takes(bundle.as_bytes(), &manifest, VERIFICATION, "ours");
        assert_eq!(says, *takes, "cosign and {payload}");
    }
}

#[test]
fn a_signed_statement_that_is_no_proof_is_refused_whatever_cosign_says_of_it() {
    let (index, other) = (Digest::of(b"index"), Digest::of(b"other"));
    let (ours, theirs) = (
        statement()["subject"][0].clone(),
        json!({"name": "docker.io/agentgate/agent", "digest": {"sha256": other.hex()}}),
    );
    let both = json!({"sha256": Digest::of(b"amd64").hex(), "sha512": "00"});
    let uri = |repository: &str, index: &Digest| json!(format!("oci://{repository}@{index}"));
    let elsewhere = altered(&[
        ("/predicate/resourceUri", uri("ghcr.io/me/agent", &index)),
        ("/subject/0/name", json!("ghcr.io/me/agent")),
    ]);
    let cosign_takes = true;
    check(&[
        (statement().to_string(), cosign_takes, ""),
        // slsa-framework/source-tool#211: the result is the reader's to look at.
        (
            altered(&[("/predicate/verificationResult", json!("FAILED"))]),
            cosign_takes,
            "its result is `FAILED`, not `PASSED`",
        ),
        (
            altered(&[("/predicate/verifiedLevels", json!(["FAILED"]))]),
            cosign_takes,
            "its `verifiedLevels` are neither",
        ),
        // pypi/pypi-attestations#89, sigstore/cosign#2443: one of several subjects is enough for cosign.
        (
            altered(&[("/subject", json!([ours, theirs]))]),
            cosign_takes,
            "it has 2 subjects, not one",
        ),
        (
            altered(&[("/subject", json!([theirs, ours]))]),
            cosign_takes,
            "it has 2 subjects, not one",
        ),
        (
            altered(&[("/subject/0/digest", both)]),
            cosign_takes,
            "its subject has not exactly one SHA-256",
        ),
        (
            altered(&[("/subject/0", theirs)]),
            !cosign_takes,
            "it is of the manifest `",
        ),
        // Replayed: the proof of another image that has the platform's manifest.
        (
            altered(&[(
                "/predicate/resourceUri",
                uri("docker.io/agentgate/agent", &other),
            )]),
            cosign_takes,
            "it is of the index `",
        ),
        (
            elsewhere,
            cosign_takes,
            "it is of the repository `ghcr.io/me/agent`, not of",
        ),
        (
            altered(&[("/predicate/timeVerified", json!("2999-01-01T00:00:00Z"))]),
            cosign_takes,
            "its time `2999-01-01T00:00:00Z` is in the future",
        ),
        (
            altered(&[("/predicate/verifier/id", json!("urn:agentgate:else"))]),
            cosign_takes,
            "its verifier is `urn:agentgate:else`",
        ),
        // CVE-2026-39395: the type of what is signed.
        (
            altered(&[("/predicateType", json!(RELEASE_RECORD))]),
            !cosign_takes,
            "its predicate is of the type `urn:agentgate:release-record:v1`",
        ),
        (
            altered(&[("/_type", json!("https://in-toto.io/Statement/v0.1"))]),
            cosign_takes,
            "its `_type` is",
        ),
    ]);
}

#[test]
fn a_receipt_that_is_not_the_one_that_is_summed_up_is_refused_whatever_cosign_says_of_it() {
    let other = Digest::of(b"other");
    let receipt = |key: &str, value: Value| altered(&[(&format!("{RECEIPT}/{key}"), value)]);
    let twice = |key: &str| {
        let statement = statement().to_string();
        statement.replace(key, &format!("{key}0,{key}"))
    };
    let cosign_takes = true;
    check(&[
        // golang/go#14750: keys twice and in another case.
        (
            altered(&[("/predicate/VerificationResult", json!("FAILED"))]),
            cosign_takes,
            "equals `verificationResult` but for case",
        ),
        (
            receipt("Execution", json!("static")),
            cosign_takes,
            "equals `execution` but for case",
        ),
        (
            receipt("re\u{17f}ults", json!([])),
            cosign_takes,
            "equals `results` but for case",
        ),
        (
            twice("\"timeVerified\":"),
            !cosign_takes,
            "it has `timeVerified` twice",
        ),
        (
            twice("\"execution\":"),
            !cosign_takes,
            "it has `execution` twice",
        ),
        // The receipt and what sums it up disagree.
        (
            receipt("execution", json!("static")),
            cosign_takes,
            "its receipt's `execution` is `static`",
        ),
        (
            receipt("index", json!(other)),
            cosign_takes,
            "its receipt's `index` is",
        ),
        (
            receipt("manifest", json!(other)),
            cosign_takes,
            "its receipt's `manifest` is",
        ),
        (
            receipt("check_set", json!(other)),
            cosign_takes,
            "its receipt's `check_set` is",
        ),
        (
            receipt("platform", json!("linux/arm64")),
            cosign_takes,
            "its receipt's `platform` is `linux/arm64`, not `linux/amd64`",
        ),
        (
            receipt(
                "revision",
                json!("0000000000000000000000000000000000000000"),
            ),
            cosign_takes,
            "its receipt's `revision` is",
        ),
    ]);
}

#[test]
fn a_bundle_that_cosign_reads_in_another_way_is_refused() {
    let Some(scene) = Scene::new() else { return };
    scene.key("ours");
    let trust = scene.trust("keys = ['ours.pub']");
    let payload = statement().to_string();
    let good = scene.forge("ours", "x", payload.as_bytes(), IN_TOTO);
    assert_eq!(why_no_proof(&trust, good.to_string().as_bytes()), "");
    let failed = altered(&[("/predicate/verificationResult", json!("FAILED"))]);
    let failed = scene.forge("ours", "x", failed.as_bytes(), IN_TOTO);
    let other_type = scene.forge("ours", "x", payload.as_bytes(), "application/json");
    let with = |change: &dyn Fn(&mut Value)| {
        let mut bundle = good.clone();
        change(&mut bundle);
        bundle.to_string()
    };
    // protojson takes the name of the proto file, and base64 in either alphabet.
    let snake = good
        .to_string()
        .replace("\"dsseEnvelope\"", "\"dsse_envelope\"");
    let both = with(&|it| it["dsse_envelope"] = failed["dsseEnvelope"].clone());
    let url_safe =
        with(&|it| it["dsseEnvelope"]["payload"] = json!(URL_SAFE_NO_PAD.encode(&payload)));
    let old = with(&|it| {
        it["mediaType"] = json!("application/vnd.dev.sigstore.bundle+json;version=0.1");
    });
    // sigstore/cosign#5040: the key of the file wins over the one that is asked for, without a root.
    let public = std::fs::read(scene.path("ours.pub")).unwrap();
    let legacy = json!({
        "base64Signature": STANDARD.encode(good["dsseEnvelope"].to_string()),
        "cert": STANDARD.encode(public),
    });
    let message = with(&|it| {
        let digest = json!({"algorithm": "SHA2_256", "digest": "AAAA"});
        it["messageSignature"] = json!({"messageDigest": digest, "signature": "AAAA"});
        it.as_object_mut().unwrap().remove("dsseEnvelope");
    });
    let two = with(&|it| {
        let signature = it["dsseEnvelope"]["signatures"][0].clone();
        it["dsseEnvelope"]["signatures"] = json!([signature, signature]);
    });
    let garbage = with(&|it| {
        it["verificationMaterial"]["tlogEntries"] = json!([{"logindex": 1}]);
    });
    let cosign_takes = true;
    for (bundle, takes, expected) in [
        (
            garbage,
            !cosign_takes,
            "signed by the key `ours.pub`: `cosign` cannot read the bundle",
        ),
        (snake, cosign_takes, "unknown field `dsse_envelope`"),
        (url_safe, cosign_takes, "its payload is empty or not base64"),
        (both, !cosign_takes, "unknown field `dsse_envelope`"),
        (old, cosign_takes, "its `mediaType` is"),
        (
            legacy.to_string(),
            !cosign_takes,
            "its `mediaType` is `none`",
        ),
        (message, !cosign_takes, "it signs a message"),
        (two, !cosign_takes, "it has 2 signatures, not one"),
        (
            other_type.to_string(),
            !cosign_takes,
            "a payload of the type `application/json`",
        ),
    ] {
        let why = why_no_proof(&trust, bundle.as_bytes());
        assert!(why.contains(expected), "{bundle}: {why}");
        let manifest = Digest::of(b"amd64");
        let says = scene.cosign_takes(bundle.as_bytes(), &manifest, VERIFICATION, "ours");
        assert_eq!(says, takes, "cosign and {bundle}");
    }
}

#[test]
fn a_signature_by_any_other_key_is_refused_whatever_it_calls_itself() {
    let Some(scene) = Scene::new() else { return };
    scene.key("ours");
    scene.key("new");
    scene.key("theirs");
    let payload = statement().to_string();
    let why = |keys: &str, signer: &str, hint: &str| {
        let trust = scene.trust(&format!("keys = {keys}"));
        let bundle = scene.forge(signer, hint, payload.as_bytes(), IN_TOTO);
        why_no_proof(&trust, bundle.to_string().as_bytes())
    };
    let ours = hint(&scene, "ours");
    assert_eq!(why("['ours.pub']", "ours", &ours), "");
    assert_eq!(why("['new.pub', 'ours.pub']", "ours", ""), "");
    let no = "it is not verified as signed by the key `ours.pub`: ";
    for hint in [&*ours, "", "x"] {
        assert!(
            why("['ours.pub']", "theirs", hint).starts_with(no),
            "{hint}"
        );
    }
    // Rotated out: the key of then does not count today.
    let why = why("['new.pub']", "ours", &ours);
    assert!(
        why.starts_with("it is not verified as signed by the key `new.pub`: "),
        "{why}"
    );
    // One byte of what is signed is another.
    let trust = scene.trust("keys = ['ours.pub']");
    let mut bundle = scene.forge("ours", "", payload.as_bytes(), IN_TOTO);
    let earlier = payload.replace("2026-11-25", "2026-11-26");
    bundle["dsseEnvelope"]["payload"] = json!(STANDARD.encode(earlier));
    let why = why_no_proof(&trust, bundle.to_string().as_bytes());
    assert!(why.starts_with(no), "{why}");
}

/// How cosign calls a key.
fn hint(scene: &Scene, name: &str) -> String {
    let der = format!("ec -pubin -in {name}.pub -outform DER -out {name}.der");
    scene.run("openssl", &der).succeeded();
    let digest = Digest::of(&std::fs::read(scene.path(&format!("{name}.der"))).unwrap());
    let hex = digest.hex().as_bytes();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    STANDARD.encode(hex.chunks(2).map(byte).collect::<Vec<u8>>())
}
