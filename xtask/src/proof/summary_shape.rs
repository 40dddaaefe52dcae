//! Which keys have a meaning in a verification's predicate: none may be there in another case.

use crate::oci::Shape::{self, Any, List, Object};

/// The key of the receipt. An extension's key is a URI (in-toto, "Parsing rules").
pub(super) const RECEIPT: &str = "urn:agentgate:receipt:v1";

/// SLSA's Verification Summary, with our extension.
pub(super) const SUMMARY: Shape = Object(&[
    ("verifier", Object(&[("id", Any), ("version", Any)])),
    ("timeVerified", Any),
    ("resourceUri", Any),
    ("policy", RESOURCE),
    ("inputAttestations", List(&RESOURCE)),
    ("verificationResult", Any),
    ("verifiedLevels", Any),
    ("dependencyLevels", Any),
    ("slsaVersion", Any),
    (RECEIPT, RECEIPT_KEYS),
]);

const RESOURCE: Shape = Object(&[("uri", Any), ("digest", Any)]);

/// A receipt, as docs/verify.md describes it.
const RECEIPT_KEYS: Shape = Object(&[
    ("schema", Any),
    ("image", Any),
    ("index", Any),
    ("manifest", Any),
    ("config", Any),
    ("platform", Any),
    ("execution", Any),
    ("revision", Any),
    ("check_set", Any),
    (
        "versions",
        Object(&[("xtask", Any), ("engine", Any), ("buildx", Any)]),
    ),
    ("started", Any),
    ("finished", Any),
    ("seconds", Any),
    ("results", List(&RESULT)),
]);

const RESULT: Shape = Object(&[
    ("id", Any),
    ("status", Any),
    ("seen", Any),
    ("expected", Any),
    ("remedy", Any),
    ("seconds", Any),
]);
