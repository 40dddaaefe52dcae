//! Who signs in these tests: a stand-in for cosign, whose signature is one word, or a real one.
//!
//! A real one takes half a second for a signature. What it believes is tested by `proof`, and here by `signing`.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use xtask::proof::BUNDLE_TYPE;

/// What everybody takes for a good signature who has the stand-in.
const GOOD: &str = "Z29vZA==";
/// The one public key that the stand-in knows.
pub(crate) const KEY: &str = "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEevOSNpzU5ofIGv9hL/SyvkAttzWg\n\
    e4UH1wip+EdmC941cA/fXzCxoJDseqzkLe0+ej6XY075roImWTlZ+4zkDQ==\n-----END PUBLIC KEY-----\n";

const STAND_IN: &str = r#"#!/bin/sh
here=$(dirname "$0")
echo "$*" >>"$here/calls"
if [ "$2" = --help ]; then echo --signing-config --digestAlg; exit; fi
command=$1
while [ $# -gt 1 ]; do
    case $1 in
    --statement) statement=$2 ;;
    --bundle) bundle=$2 ;;
    esac
    shift
done
case $command in
public-key) cat "$here/cosign.pub" ;;
attest-blob)
    printf '{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","verificationMaterial":{"publicKey":{"hint":"x"}},"dsseEnvelope":{"payload":"%s","payloadType":"application/vnd.in-toto+json","signatures":[{"sig":"Z29vZA=="}]}}' \
        "$(base64 <"$statement" | tr -d '\n')" >"$bundle" ;;
verify-blob-attestation) grep -q Z29vZA== "$bundle" || { echo "Error: invalid signature" >&2; exit 1; } ;;
*) exit 99 ;;
esac
"#;

/// A bundle that the stand-in finds good.
pub(super) fn bundle(statement: &[u8]) -> Value {
    json!({
        "mediaType": BUNDLE_TYPE,
        "verificationMaterial": {"publicKey": {"hint": "x"}},
        "dsseEnvelope": {
            "payload": STANDARD.encode(statement),
            "payloadType": "application/vnd.in-toto+json",
            "signatures": [{"sig": GOOD}],
        },
    })
}

/// Writes the stand-in into a folder.
pub(crate) fn write(folder: &Path) {
    fs::create_dir_all(folder).unwrap();
    fs::write(folder.join("cosign.pub"), KEY).unwrap();
    let program = folder.join("cosign");
    fs::write(&program, STAND_IN).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
}
